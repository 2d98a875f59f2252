package peers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// visit is a browser at a goApp: on its way to sign on, or signed on.
type visit struct {
	state, nonce, verifier string
	idToken, sid, says     string
}

// goApp is a web application on go-oidc and x/oauth2 as their manuals show them.
type goApp struct {
	app      *application
	provider *oidc.Provider
	oauth    oauth2.Config
	mu       sync.Mutex
	visits   map[string]visit // by cookie
	token    *oauth2.Token    // the newest
}

func (a *goApp) config(t *testing.T, s *server.Server) {
	var err error
	a.provider, err = oidc.NewProvider(t.Context(), s.URL)
	ok(t, err)
	a.oauth = oauth2.Config{
		ClientID: a.app.client, ClientSecret: clientSecret, Endpoint: a.provider.Endpoint(), RedirectURL: a.app.url() + "/callback",
		Scopes: []string{oidc.ScopeOpenID, "email", oidc.ScopeOfflineAccess},
	}
}

func startGoApp(t *testing.T, s *server.Server, app *application) {
	a := &goApp{app: app, visits: map[string]visit{}}
	a.config(t, s)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		if err := a.callback(w, r); err != nil {
			t.Errorf("%s: %v", app.client, err)
			http.Error(w, "error", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /leave", a.leave)
	mux.HandleFunc("GET /bye", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("bye")) })
	mux.HandleFunc("POST /backchannel", func(w http.ResponseWriter, r *http.Request) {
		if err := a.told(r.Context(), r.PostFormValue("logout_token")); err != nil {
			t.Errorf("%s: %v", app.client, err)
			http.Error(w, "error", http.StatusBadRequest)
		}
	})
	app.serve(t, mux)
	app.goApp = a
}

func (a *goApp) take(r *http.Request) visit {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, err := r.Cookie(a.app.client); err == nil {
		return a.visits[c.Value]
	}
	return visit{}
}

func (a *goApp) keep(w http.ResponseWriter, v visit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := rand.Text()
	a.visits[id] = v
	http.SetCookie(w, &http.Cookie{Name: a.app.client, Value: id, Path: "/"})
}

func (a *goApp) home(w http.ResponseWriter, r *http.Request) {
	if v := a.take(r); v.says != "" {
		_, _ = w.Write([]byte(v.says))
		return
	}
	v := visit{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	a.keep(w, v)
	http.Redirect(w, r, a.oauth.AuthCodeURL(v.state, oidc.Nonce(v.nonce), oauth2.S256ChallengeOption(v.verifier)), http.StatusFound)
}

func (a *goApp) callback(w http.ResponseWriter, r *http.Request) error {
	v := a.take(r)
	if q := r.URL.Query(); v.state == "" || q.Get("state") != v.state {
		return errors.New("another state came back")
	}
	tok, err := a.oauth.Exchange(r.Context(), r.URL.Query().Get("code"), oauth2.VerifierOption(v.verifier))
	if err != nil {
		return err
	}
	signed, err := a.verified(r.Context(), tok)
	if err != nil {
		return err
	}
	info, err := a.provider.UserInfo(r.Context(), a.oauth.TokenSource(r.Context(), tok))
	if err != nil {
		return err
	}
	var claims struct {
		SID string `json:"sid"`
	}
	if err := signed.Claims(&claims); err != nil {
		return err
	}
	if signed.Nonce != v.nonce || info.Subject != signed.Subject || !info.EmailVerified || claims.SID == "" {
		return fmt.Errorf("ID token of %s with sid %q, userinfo of %s", signed.Subject, claims.SID, info.Subject)
	}
	raw, _ := tok.Extra("id_token").(string)
	a.mu.Lock()
	a.token = tok
	a.mu.Unlock()
	a.keep(w, visit{idToken: raw, sid: claims.SID, says: "signed on as " + info.Email})
	http.Redirect(w, r, "/", http.StatusFound)
	return nil
}

// verified is the ID token of an answer, which also speaks for its access token.
func (a *goApp) verified(ctx context.Context, tok *oauth2.Token) (*oidc.IDToken, error) {
	raw, _ := tok.Extra("id_token").(string)
	signed, err := a.provider.Verifier(&oidc.Config{ClientID: a.app.client}).Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	return signed, signed.VerifyAccessToken(tok.AccessToken)
}

// leave ends the application's own session and sends the browser to end the one at the issuer.
func (a *goApp) leave(w http.ResponseWriter, r *http.Request) {
	v := a.take(r)
	a.forget(v.sid)
	var doc struct {
		End string `json:"end_session_endpoint"`
	}
	if err := a.provider.Claims(&doc); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	q := url.Values{"id_token_hint": {v.idToken}, "post_logout_redirect_uri": {a.app.url() + "/bye"}}
	http.Redirect(w, r, doc.End+"?"+q.Encode(), http.StatusFound)
}

func (a *goApp) forget(sid string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.visits, func(_ string, v visit) bool { return v.sid == sid })
}

// told takes a logout token (OpenID Connect Back-Channel Logout 1.0 section 2.6).
func (a *goApp) told(ctx context.Context, raw string) error {
	told, err := a.provider.Verifier(&oidc.Config{ClientID: a.app.client}).VerifyLogout(ctx, raw)
	if err != nil {
		return err
	}
	if told.SessionID == "" {
		return errors.New("a logout token without sid")
	}
	a.forget(told.SessionID)
	return nil
}

// TestXOAuth2 runs the grants of x/oauth2 that the code flow leaves out: refresh, client credentials, device.
func TestXOAuth2(t *testing.T) {
	places(t, grantsOfXOAuth2)
}

func grantsOfXOAuth2(t *testing.T, at place) {
	w := newWorld(t, at, "first")
	s, app := w.s, w.apps["first"]
	startGoApp(t, s, app)
	p := newPerson(t, s, "xoauth2")
	p.goes(app.url() + "/")
	p.sees(app.url()+"/", "signed on as "+p.known.Email)
	for _, g := range []struct {
		name string
		tell func(*testing.T, *goApp, *person)
	}{{"refresh", refreshes}, {"client credentials", credentials}, {"device", device}} {
		t.Run(g.name, func(t *testing.T) { g.tell(t, app.goApp, p) })
	}
}

func refreshes(t *testing.T, a *goApp, _ *person) {
	old := *a.token
	old.Expiry = time.Now().Add(-time.Hour) // as the library sees it
	next, err := a.oauth.TokenSource(t.Context(), &old).Token()
	ok(t, err)
	if next.AccessToken == a.token.AccessToken || next.RefreshToken == "" || !next.Valid() {
		t.Error("no new tokens")
	}
	_, err = a.verified(t.Context(), next)
	ok(t, err)
	old.RefreshToken += "x"
	var refused *oauth2.RetrieveError
	if _, err = a.oauth.TokenSource(t.Context(), &old).Token(); !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("a made-up refresh token: %v", err)
	}
}

func credentials(t *testing.T, a *goApp, _ *person) {
	for style, name := range map[oauth2.AuthStyle]string{
		oauth2.AuthStyleInHeader: "basic", oauth2.AuthStyleInParams: "post", oauth2.AuthStyleAutoDetect: "either",
	} {
		c := clientcredentials.Config{
			ClientID: a.app.client, ClientSecret: clientSecret, TokenURL: a.oauth.Endpoint.TokenURL, AuthStyle: style, Scopes: []string{"plants"},
		}
		tok, err := c.Token(t.Context())
		if err != nil || !tok.Valid() || tok.RefreshToken != "" {
			t.Errorf("%s: %v", name, err)
		}
		c.ClientSecret += "x"
		var refused *oauth2.RetrieveError
		if _, err := c.Token(t.Context()); !errors.As(err, &refused) || refused.ErrorCode != "invalid_client" {
			t.Errorf("%s with a wrong secret: %v", name, err)
		}
	}
}

func device(t *testing.T, a *goApp, p *person) {
	tv := a.oauth
	tv.ClientID, tv.ClientSecret = "tv", ""
	ask, err := tv.DeviceAuth(t.Context())
	ok(t, err)
	type answer struct {
		tok *oauth2.Token
		err error
	}
	done := make(chan answer, 1)
	go func() {
		tok, err := tv.DeviceAccessToken(t.Context(), ask)
		done <- answer{tok, err}
	}()
	p.goes(ask.VerificationURI)
	p.submits(url.Values{"user_code": {strings.ToLower(ask.UserCode)}})
	p.submits(url.Values{"answer": {"allow"}})
	got := <-done
	ok(t, got.err)
	info, err := a.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(got.tok))
	if ok(t, err); info.Email != p.known.Email {
		t.Errorf("the device got tokens of %s", info.Email)
	}
}
