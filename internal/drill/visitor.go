package drill

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Target is a running server under drill: a test tenant with a mailbox and a clock that may be moved.
type Target struct {
	URL      string // public base, no trailing slash
	Issuer   string // of the ready line; "" when unknown
	AdminURL string // admin base
	AdminKey string // "" with a development server on loopback
	TenantID string // test tenant
	ClientID string // its demo client; "" for the default one
	APIKey   string // an internal API key with every scope, of a service that is not the attacker's
	SuperKey string // key of a backend that speaks the SuperTokens-shaped API; likewise
	Initial  string // an initial access token for any number of clients: anybody may register an application
	Strict   string // a client of the tenant with auto_register off, "" when there is none
	API      string // base of an API of the tenant (package resource) that takes bound tokens and asks nobody, with /orders; "" when there is none
	Now      func() time.Time
	Patience time.Duration // how long a mail may take; 5 s when zero
	HTTP     *http.Client  // how to reach it; redirects must not be followed
}

// Mail is one mail of the development mailbox.
type Mail struct {
	ID, To, Subject, Text, HTML string
	Links, Codes                []string
	At                          time.Time
}

// Visitor is one browser or app: its cookies, its headers. Copy it to play a thief with the same jar.
type Visitor struct {
	Target  *Target
	Cookies map[string]string
	Header  http.Header
	Host    string // sent instead of the URL's host when not empty
}

// Reply is a whole answer in hand.
type Reply struct {
	Status  int
	Header  http.Header
	Body    []byte
	Cookies []*http.Cookie
}

// Visitor starts a visitor without cookies.
func (t *Target) Visitor() *Visitor {
	return &Visitor{Target: t, Cookies: map[string]string{}, Header: http.Header{}}
}

// Thief is a copy of v: same cookies, same headers, another machine.
func (v *Visitor) Thief() *Visitor {
	return &Visitor{Target: v.Target, Cookies: maps.Clone(v.Cookies), Header: v.Header.Clone(), Host: v.Host}
}

// With returns a copy of v that also sends the header.
func (v *Visitor) With(name, value string) *Visitor {
	c := *v
	c.Header = v.Header.Clone()
	c.Header.Set(name, value)
	return &c
}

// Do sends one request; body nil sends none, a string or []byte is sent as it is, anything else as JSON. Cookies of the answer are kept.
func (v *Visitor) Do(ctx context.Context, method, path string, body any) (*Reply, error) {
	raw, mediaType, err := encode(body)
	if err != nil {
		return nil, err
	}
	u := path
	if !strings.HasPrefix(path, "http") {
		u = v.Target.URL + path
	}
	r, err := http.NewRequestWithContext(ctx, method, u, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, v.Header)
	if mediaType != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", mediaType)
	}
	for name, value := range v.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	r.Host = v.Host
	return v.send(r)
}

func (v *Visitor) send(r *http.Request) (*Reply, error) {
	res, err := v.Target.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(v.Cookies, c.Name)
		} else {
			v.Cookies[c.Name] = c.Value
		}
	}
	return &Reply{Status: res.StatusCode, Header: res.Header, Body: b, Cookies: res.Cookies()}, nil
}

func encode(body any) (raw []byte, mediaType string, err error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, "application/json", nil
	case string:
		return []byte(b), "application/json", nil
	case url.Values:
		return []byte(b.Encode()), "application/x-www-form-urlencoded", nil
	}
	raw, err = json.Marshal(body)
	return raw, "application/json", err
}

// Post is Do with POST.
func (v *Visitor) Post(ctx context.Context, path string, body any) (*Reply, error) {
	return v.Do(ctx, http.MethodPost, path, body)
}

// Get is Do with GET.
func (v *Visitor) Get(ctx context.Context, path string) (*Reply, error) {
	return v.Do(ctx, http.MethodGet, path, nil)
}

// Text gives a string field of a JSON answer, "" when absent; "a.b" goes into objects.
func (r *Reply) Text(path string) string {
	s, _ := r.value(path).(string)
	return s
}

// Number gives a numeric field of a JSON answer.
func (r *Reply) Number(path string) float64 {
	n, _ := r.value(path).(float64)
	return n
}

func (r *Reply) value(path string) any {
	var v any
	if json.Unmarshal(r.Body, &v) != nil {
		return nil
	}
	for _, part := range strings.Split(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

// String shows status and reason, never a body that may hold a token.
func (r *Reply) String() string { return fmt.Sprintf("%d %s", r.Status, r.Text("reason")) }

// Advance moves the tenant's clock.
func (t *Target) Advance(ctx context.Context, d time.Duration) error {
	v := t.Visitor()
	if t.AdminKey != "" {
		v.Header.Set("Authorization", "Bearer "+t.AdminKey)
	}
	r, err := v.Post(ctx, t.AdminURL+"/test/clock", map[string]string{"tenant_id": t.TenantID, "advance": d.String()})
	if err == nil && r.Status != http.StatusOK {
		err = fmt.Errorf("moving the clock: %s", r)
	}
	return err
}

// Mailbox waits, up to the target's patience, until at least n mails to the address are there, and gives them newest first.
func (t *Target) Mailbox(ctx context.Context, to string, n int) ([]Mail, error) {
	patience, stop := context.WithTimeout(ctx, cmp.Or(t.Patience, 5*time.Second))
	defer stop()
	for {
		r, err := t.Visitor().Get(ctx, "/dev/mailbox?to="+url.QueryEscape(to))
		if err != nil {
			return nil, err
		}
		var mails []Mail
		if err := json.Unmarshal(r.Body, &mails); err != nil {
			return nil, fmt.Errorf("mailbox answered %s", r)
		}
		if len(mails) >= n || patience.Err() != nil {
			return mails, nil
		}
		select {
		case <-patience.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Path is a mailed link freed of scheme and host, so that it is opened at the target.
func Path(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.RequestURI()
}

// Link waits for the n-th mail (counting from 1) to an address and gives the path of its first link.
func (t *Target) Link(ctx context.Context, to string, n int) (string, error) {
	mails, err := t.Mailbox(ctx, to, n)
	if err != nil {
		return "", err
	}
	if len(mails) < n || len(mails[0].Links) == 0 {
		return "", fmt.Errorf("wanted %d mails with a link, found %d", n, len(mails))
	}
	return Path(mails[0].Links[0]), nil
}

// Fresh gives an address nobody has used.
func Fresh(name string) string {
	return name + "-" + hex.EncodeToString(secret.Bytes(6)) + "@example.com"
}
