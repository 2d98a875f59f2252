package resource

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const introspectURL = "https://login.example.com/oauth2/introspect"

// tokenHost answers introspection for one opaque token; everything else goes on to the key host.
type tokenHost struct {
	*keyHost
	answer atomic.Pointer[claims]
	status atomic.Int32
	asked  atomic.Int32
}

func (h *tokenHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() != introspectURL {
		return h.keyHost.RoundTrip(r)
	}
	h.asked.Add(1)
	id, secret, ok := r.BasicAuth()
	body, _ := io.ReadAll(r.Body)
	out := claims{"active": false}
	if ok && id == "api%2Fone" && secret == "s%3Acret" && strings.Contains(string(body), "token=gat_good") {
		out = *h.answer.Load()
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: int(h.status.Load()), Status: "as told", Header: http.Header{"Location": {"https://evil.example.com/"}},
		Body: io.NopCloser(strings.NewReader(string(text))), Request: r,
	}, nil
}

func introspecting(t *testing.T) (*world, *tokenHost) {
	t.Helper()
	h := &tokenHost{}
	h.status.Store(http.StatusOK)
	good := userClaims().with(claims{"active": true, "token_type": "Bearer", "username": "ada@example.com"})
	h.answer.Store(&good)
	w := newWorld(t, func(c *Config) {
		h.keyHost = c.HTTP.Transport.(*keyHost)
		c.HTTP = &http.Client{Transport: h}
		c.Introspection = &Introspection{URL: introspectURL, ClientID: "api/one", ClientSecret: func() string { return "s:cret" }}
	})
	return w, h
}

func (h *tokenHost) say(more claims) {
	next := h.answer.Load().with(more)
	h.answer.Store(&next)
}

func TestOpaqueToken(t *testing.T) {
	w, h := introspecting(t)
	tok := w.accepts("gat_good")
	if tok.Kind != KindUser || tok.Subject != "u1" || tok.SessionID != "s1" || !tok.HasScope("read") || !tok.HasRole("admin") {
		t.Errorf("read %+v", tok)
	}
	w.accepts("gat_good")
	if n := h.asked.Load(); n != 1 {
		t.Errorf("asked %d times within a second, want once", n)
	}
	w.refuses("another token", "gat_other", ReasonInvalid)
	w.accepts(user(t, nil)) // JWTs as before, without asking
	if n := h.asked.Load(); n != 2 {
		t.Errorf("asked %d times, want twice: a JWT is nobody's question", n)
	}
}

func TestOpaqueTokenRevoked(t *testing.T) {
	w, h := introspecting(t)
	w.accepts("gat_good")
	gone := claims{"active": false}
	h.answer.Store(&gone)
	w.clock.advance(time.Second)
	w.refuses("revoked a second ago", "gat_good", ReasonInvalid)
}

// TestOpaqueTokenRules: an active token must still meet every rule of this API.
func TestOpaqueTokenRules(t *testing.T) {
	for what, c := range map[string]struct {
		more   claims
		reason string
	}{
		"another audience":                   {claims{"aud": "https://other.example.com"}, ReasonAudience},
		"another issuer":                     {claims{"iss": "https://evil.example.com"}, ReasonIssuer},
		"expired by our clock":               {claims{"exp": start.Unix() - 60, "iat": start.Unix() - 120, "nbf": start.Unix() - 120}, ReasonExpired},
		"without exp":                        {claims{"exp": nil}, ReasonInvalid},
		"a refresh token":                    {claims{"token_type": "refresh_token"}, ReasonKind},
		"of no type":                         {claims{"token_type": nil}, ReasonKind},
		"with a service's mark":              {claims{"source": "microservice"}, ReasonKind},
		"bound to a key that nobody checks":  {claims{"cnf": map[string]string{"jkt": "abc"}, "token_type": "DPoP"}, ReasonProof},
		"confirmed in a way we do not check": {claims{"cnf": map[string]string{"x5t#S256": "abc"}}, ReasonInvalid},
	} {
		t.Run(what, func(t *testing.T) {
			w, h := introspecting(t)
			h.say(c.more)
			w.refuses(what, "gat_good", c.reason)
		})
	}
}

// TestOpaqueTokenUnanswered: what is not the caller's fault is 503, and a redirect takes the token nowhere.
func TestOpaqueTokenUnanswered(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusInternalServerError, http.StatusTemporaryRedirect} {
		w, h := introspecting(t)
		h.status.Store(int32(status))
		_, err := w.Verify(t.Context(), "gat_good")
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Status != http.StatusServiceUnavailable {
			t.Errorf("endpoint answers %d: %v, want 503", status, err)
		}
	}
}

func TestOpaqueTokenUnconfigured(t *testing.T) {
	w := newWorld(t, nil)
	w.refuses("no introspection", "gat_good", ReasonInvalid)
	_, err := New(Config{Issuer: issuer, Audience: audience, JWKSURL: keysURL, Introspection: &Introspection{URL: "http://login.example.com/x"}})
	if err == nil || !strings.Contains(err.Error(), "Introspection.URL") {
		t.Errorf("plain http accepted: %v", err)
	}
}
