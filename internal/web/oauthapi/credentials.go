package oauthapi

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// credentials reads what a client shows of itself (RFC 6749 section 2.3, RFC 7523 section 2.2). The form has lost its empty fields, so
// Basic beside them is one credential; more than one is noted, not decided. A Basic header that does not parse is no client.
func credentials(x *web.Exchange, form url.Values) (oauth.Credentials, error) {
	c := oauth.Credentials{Method: "none", ClientID: form.Get("client_id")}
	used := 0
	if v := form.Get("client_secret"); v != "" {
		c.Method, c.Secret = "client_secret_post", secret.NewText(v)
		used++
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		c.Method, c.Assertion, c.AssertionType = "private_key_jwt", secret.NewText(form.Get("client_assertion")), form.Get("client_assertion_type")
		used++
	}
	if scheme, value, _ := strings.Cut(x.R.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Basic") {
		id, text, ok := basic(value)
		if !ok {
			return c, fault.New(fault.Unauthenticated, fault.ReasonOAuthClient, "the client is not authenticated")
		}
		if c.ClientID != "" && c.ClientID != id {
			used++ // two clients are no client
		}
		c.Method, c.ClientID, c.Secret = "client_secret_basic", id, secret.NewText(text)
		used++
	}
	c.Several = used > 1
	return c, nil
}

// basic decodes RFC 6749 section 2.3.1: both halves are form-encoded before they are joined.
func basic(value string) (id, text string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	if err != nil {
		return "", "", false
	}
	a, b, ok := strings.Cut(string(raw), ":")
	id, err1 := url.QueryUnescape(a)
	text, err2 := url.QueryUnescape(b)
	return id, text, ok && err1 == nil && err2 == nil && id != ""
}
