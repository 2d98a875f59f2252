package resource

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// Introspection lets a Verifier take opaque access tokens: those without a dot, which no key verifies. Each is asked about at the issuer's
// introspection endpoint (RFC 7662) as the client that this API is, and must then meet every rule that a JWT must.
type Introspection struct {
	// URL is the endpoint, https (http is for loopback hosts, or AllowHTTP).
	URL string
	// ClientID and ClientSecret authenticate this API there by HTTP Basic (RFC 6749 section 2.3.1). The secret is asked for each time, so
	// that it can change without a restart.
	ClientID     string
	ClientSecret func() string
	// KeepFor is how long a good answer serves; 1 s when zero, at most 1 min, negative is none. A revoked token works that long.
	KeepFor time.Duration
}

// Bounds of introspection.
const (
	defaultKeep = time.Second
	maxKeep     = time.Minute
	maxOpaque   = 512 // bytes of an opaque token; ours are shorter
)

func (i *Introspection) fault(allowHTTP bool) string {
	switch {
	case !(Config{JWKSURL: i.URL, AllowHTTP: allowHTTP}).keysURL():
		return "Introspection.URL is not an https URL (http is for loopback hosts, or AllowHTTP)"
	case i.ClientID == "" || i.ClientSecret == nil:
		return "Introspection.ClientID or ClientSecret is missing"
	case i.KeepFor > maxKeep:
		return "Introspection.KeepFor is more than a minute"
	}
	return ""
}

// asker asks about opaque tokens; answers are kept by the token's SHA-256.
type asker struct {
	cfg  Introspection
	http *http.Client
	room chan struct{}

	mu    sync.Mutex
	known map[digest]told
}

// told is a good answer and when it stops serving.
type told struct {
	answer *jose.Token
	until  time.Time
}

func newAsker(cfg Config) *asker {
	if cfg.Introspection == nil {
		return nil
	}
	own := http.Client{Timeout: askTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect }}
	if cfg.HTTP != nil {
		own.Transport = cfg.HTTP.Transport
	}
	return &asker{cfg: *cfg.Introspection, http: &own, room: make(chan struct{}, askAtOnce), known: map[digest]told{}}
}

// errRedirect: a redirect would carry the token, and our secret, to somebody else.
var errRedirect = errors.New("the introspection endpoint redirects")

// opaque reports whether raw is for introspection. A JWT always has dots and never comes here: its rules are the keys'.
func (a *asker) opaque(raw string) bool { return a != nil && !strings.Contains(raw, ".") }

// verifyOpaque judges an opaque token by its introspection. The feed is not asked: the issuer has just been.
func (v *Verifier) verifyOpaque(ctx context.Context, raw string) (*Token, *Error) {
	if len(raw) > maxOpaque {
		return nil, denied(ReasonInvalid, "too long")
	}
	now := v.cfg.Now()
	tok, refusal := v.asker.about(ctx, raw, now)
	if refusal != nil {
		return nil, refusal
	}
	is := kindOf(tok)
	if is != KindUser && is != KindClient {
		return nil, denied(ReasonKind, "not a user's or a client's access token")
	}
	if err := v.rules(is, tok).Judge(tok, now); err != nil {
		return nil, refusalOf(err)
	}
	t, err := newToken(is, tok)
	if err != nil {
		return nil, denied(ReasonInvalid, err.Error())
	}
	if t.Thumbprint != "" && !v.cfg.AcceptBound && v.cfg.Proofs == nil {
		return nil, denied(ReasonProof, "the token is bound to a key")
	}
	return &t, nil
}

func (a *asker) about(ctx context.Context, raw string, now time.Time) (*jose.Token, *Error) {
	name := digest(sha256.Sum256([]byte(raw)))
	a.mu.Lock()
	kept, ok := a.known[name]
	a.mu.Unlock()
	if ok && now.Before(kept.until) {
		return kept.answer, nil
	}
	tok, refusal := a.post(ctx, raw)
	if refusal != nil {
		return nil, refusal
	}
	if keep := cmp.Or(a.cfg.KeepFor, defaultKeep); keep > 0 {
		a.keep(name, told{tok, now.Add(keep)})
	}
	return tok, nil
}

func (a *asker) keep(name digest, t told) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= askMost {
		clear(a.known)
	}
	a.known[name] = t
}

// post asks once. A token that is not active is refused; an endpoint that gives no answer, or not to us, is 503: the caller did no wrong.
func (a *asker) post(ctx context.Context, raw string) (*jose.Token, *Error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case a.room <- struct{}{}:
		defer func() { <-a.room }()
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, unavailable(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", basic(a.cfg.ClientID, a.cfg.ClientSecret()))
	answer, err := a.http.Do(r)
	if err != nil {
		return nil, unavailable(errors.New("the introspection endpoint does not answer")) // the error would quote the URL only
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, unavailable(errors.New("the introspection endpoint answered " + answer.Status))
	}
	return read(text)
}

// read takes an answer apart. A refresh token may be active too, and must never pass for an access token.
func read(text []byte) (*jose.Token, *Error) {
	var head struct {
		Active    bool   `json:"active"`
		TokenType string `json:"token_type"`
	}
	if json.Unmarshal(text, &head) != nil {
		return nil, unavailable(errors.New("the introspection endpoint answers no JSON"))
	}
	if !head.Active {
		return nil, denied(ReasonInvalid, "not active")
	}
	if !strings.EqualFold(head.TokenType, "Bearer") && !strings.EqualFold(head.TokenType, "DPoP") {
		return nil, denied(ReasonKind, "not an access token")
	}
	tok, err := jose.Introspected(text)
	if err != nil {
		return nil, denied(ReasonInvalid, err.Error())
	}
	return tok, nil
}

// basic is HTTP Basic with both halves form-encoded first, as RFC 6749 section 2.3.1 wants.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}
