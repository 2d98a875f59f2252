// Package fetch owns the only way out: an HTTP client that refuses addresses inside our own networks and caps size, time and redirects.
// It does not own what is fetched or why; callers decide what an answer means.
package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Errors a caller may tell apart with errors.Is.
var (
	ErrPrivate  = errors.New("the address is not public")
	ErrScheme   = errors.New("the URL must be https")
	ErrRedirect = errors.New("the redirect is not followed")
	ErrTooLarge = errors.New("the answer is too large")
)

// Options bound a client. The zero value is right for URLs that users or clients supply.
type Options struct {
	Internal     bool          // the operator declared the URL: private addresses and plain http are allowed
	Loopback     bool          // development: loopback addresses, and plain http to them, are allowed too
	Timeout      time.Duration // for the whole exchange, body included; default 10 s
	MaxBytes     int64         // of the answer's body after decompression; default 1 MiB
	MaxRedirects int           // same host only; default 3, negative for none
	Agent        string        // User-Agent; default "gatehouse"

	// Adjust changes the transport at last, for what an operator declares and a library passes on: the roots it trusts.
	Adjust func(*http.Transport)

	resolver *net.Resolver         // tests
	permit   func(netip.Addr) bool // tests
}

func (o Options) filled() Options {
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 20
	}
	if o.MaxRedirects == 0 {
		o.MaxRedirects = 3
	}
	if o.Agent == "" {
		o.Agent = "gatehouse"
	}
	if o.permit == nil {
		o.permit = Public
	}
	if o.Loopback {
		permit := o.permit
		o.permit = func(a netip.Addr) bool { return a.IsLoopback() || permit(a) }
	}
	if o.Internal {
		o.permit = func(netip.Addr) bool { return true }
	}
	return o
}

// Client makes an http.Client with these bounds, for libraries that want one. Use Fetcher elsewhere.
func Client(o Options) *http.Client {
	o = o.filled()
	dialer := &net.Dialer{
		Timeout:  min(o.Timeout, 5*time.Second),
		Resolver: o.resolver,
		// The check stands on the address being dialled, after the name was resolved: a name that answers with a public address when
		// looked at and with a private one when dialled (DNS rebinding) gains nothing.
		Control: func(_, address string, _ syscall.RawConn) error { return checkDial(address, o.permit) },
	}
	transport := &http.Transport{
		Proxy:                  nil, // a proxy would dial for us, unchecked
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           16,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  o.Timeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if o.Adjust != nil {
		o.Adjust(transport)
	}
	return &http.Client{
		Transport:     &capped{next: transport, o: o},
		Timeout:       o.Timeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error { return checkRedirect(r, via, o.MaxRedirects) },
	}
}

func checkDial(address string, permit func(netip.Addr) bool) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !permit(at.Addr().Unmap().WithZone("")) && !weak.Off("public-addresses") {
		return ErrPrivate // without the address: an error text must not map our networks for a stranger
	}
	return nil
}

// checkRedirect follows only within one scheme, host and port: a redirect elsewhere is how a checked URL becomes an unchecked one.
func checkRedirect(r *http.Request, via []*http.Request, most int) error {
	first := via[0].URL
	if len(via) > most || r.URL.Scheme != first.Scheme || r.URL.Host != first.Host || r.URL.User != nil {
		return ErrRedirect
	}
	return nil
}

// capped checks each request's URL and bounds each answer's body.
type capped struct {
	next http.RoundTripper
	o    Options
}

// RoundTrip implements http.RoundTripper.
func (c *capped) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := checkURL(r.URL, c.o); err != nil {
		return nil, err
	}
	if r.Header.Get("User-Agent") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("User-Agent", c.o.Agent)
	}
	answer, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.ContentLength > c.o.MaxBytes {
		_ = answer.Body.Close()
		return nil, ErrTooLarge
	}
	answer.Body = &cappedBody{ReadCloser: answer.Body, left: c.o.MaxBytes}
	return answer, nil
}

func checkURL(u *url.URL, o Options) error {
	if u.Scheme == "https" || u.Scheme == "http" && (o.Internal || o.Loopback && loopback(u.Hostname())) {
		return nil
	}
	return ErrScheme
}

// loopback trusts addresses and the one name that RFC 6761 section 6.3 reserves; where it leads is checked again when it is dialled.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost"
}

type cappedBody struct {
	io.ReadCloser
	left int64
}

// Read fails, rather than ends, when the body is longer than allowed: a cut document must not pass for a whole one.
func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, ErrTooLarge
	}
	return n, err
}

// Request is one exchange.
type Request struct {
	Method string // GET when empty
	URL    string
	Header http.Header
	Body   []byte
}

// Response is a whole answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Fetcher makes whole exchanges within one set of bounds.
type Fetcher struct{ client *http.Client }

// New makes a Fetcher.
func New(o Options) *Fetcher { return &Fetcher{client: Client(o)} }

// Do sends one request and reads the whole answer. Any status is an answer; errors are failures to get one.
func (f *Fetcher) Do(ctx context.Context, q Request) (Response, error) {
	r, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(q.Body))
	if err != nil {
		return Response{}, fmt.Errorf("fetch: %w", err)
	}
	for name, values := range q.Header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	answer, err := f.client.Do(r)
	if err != nil {
		return Response{}, fmt.Errorf("fetch: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return Response{}, fmt.Errorf("fetch: %w", err)
	}
	return Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, nil
}
