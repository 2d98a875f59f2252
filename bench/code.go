package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// An authorization code works once, so an exchange needs a fresh one each time, and what making it costs belongs to another work. Each
// caller's person signs on through the issuer's pages once; before every turn the row of that code is copied under the hashes of new ones.

const (
	callback  = "http://localhost/callback"
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // with its challenge: RFC 7636 appendix B
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

	people       = 16   // who share the callers among them: a person's row is locked by each of his exchanges
	codesPerTurn = 6000 // of all callers; a turn that has used them up ends early
)

// errOut ends a caller's turn without being a fault of anybody's.
var errOut = errors.New("no code is left")

func exchange(c *caller) error {
	if len(c.codes) == 0 {
		return errOut
	}
	code := c.codes[len(c.codes)-1]
	c.codes = c.codes[:len(c.codes)-1]
	b, err := c.form("/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	})
	if err != nil {
		return err
	}
	var r struct {
		Identity string `json:"id_token"`
	}
	if err := json.Unmarshal(b, &r); err != nil || r.Identity == "" {
		return fmt.Errorf("no ID token in the answer: %v", err)
	}
	return nil
}

// signedOn gets the caller a code of his own through the pages, and has it last as long as the run.
func signedOn(p *pair, c *caller) error {
	mail := fmt.Sprintf("bench%d@example.com", c.number%people)
	if !p.enrolled[mail] {
		if err := p.signUp(mail); err != nil {
			return err
		}
		p.enrolled[mail] = true
	}
	code, err := p.authorize(c.client, mail)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(code))
	c.pattern = sum[:]
	return p.store(context.Background(), `UPDATE oauth_code SET expires_at = expires_at + 86400000000 WHERE hash = $1`, c.pattern)
}

// authorize is a browser: to the authorization endpoint, the login page and back, until the client's page is called with a code.
func (p *pair) authorize(client, mail string) (string, error) {
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	cookies := map[string]string{}
	at, form := p.product.url+"/oauth2/authorize?"+url.Values{
		"client_id": {client}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid email offline_access"}, "state": {"s"},
		"nonce": {"n"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode(), url.Values(nil)
	for range 6 {
		to, err := visit(&browser, at, form, cookies)
		if err != nil {
			return "", fmt.Errorf("signing on at %s: %w", at, err)
		}
		if code := to.Query().Get("code"); code != "" {
			return code, nil
		}
		at, form = to.String(), nil
		if to.Path == "/ui/login" {
			form = url.Values{"email": {mail}, "password": {password}, "i": {to.Query().Get("i")}}
		}
	}
	return "", errors.New("signing on leads nowhere")
}

// visit gets a page, or posts a form to it, with the cookies so far, and gives where that leads: a jar of the library would keep secure
// cookies from plain http.
func visit(browser *http.Client, at string, form url.Values, cookies map[string]string) (*url.URL, error) {
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	q, err := http.NewRequest(method, at, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range cookies {
		q.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	r, err := browser.Do(q)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	for _, c := range r.Cookies() {
		cookies[c.Name] = c.Value
	}
	return r.Location()
}

const codeColumns = `tenant_id, client_id, redirect_uri, challenge, nonce, dpop_key, user_id, epoch, sso_id, scope, resource, auth_time, amr, acr,
	offline, created_at, expires_at, spent_at, session_id`

// stock gives every caller new codes for one turn.
func stock(p *pair, callers []*caller) error {
	for _, c := range callers {
		c.codes = make([]string, codesPerTurn/len(callers))
		hashes := make([][]byte, len(c.codes))
		for i := range c.codes {
			p.minted++
			c.codes[i] = fmt.Sprintf("bench-%d-%s", p.minted, strings.Repeat("c", 32))
			sum := sha256.Sum256([]byte(c.codes[i]))
			hashes[i] = sum[:]
		}
		var err error
		if p.engine == "postgres" {
			err = p.store(context.Background(), `INSERT INTO oauth_code (hash, `+codeColumns+`) SELECT h, `+codeColumns+`
				FROM oauth_code, unnest($2::bytea[]) AS h WHERE hash = $1`, c.pattern, hashes)
		} else {
			err = p.store(context.Background(), `INSERT INTO oauth_code (hash, `+codeColumns+`) SELECT unhex(h.value), `+codeColumns+`
				FROM oauth_code, json_each($2) AS h WHERE hash = $1`, c.pattern, hexes(hashes))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hexes is a JSON list of the hashes: SQLite knows no arrays.
func hexes(hashes [][]byte) string {
	texts := make([]string, len(hashes))
	for i, h := range hashes {
		texts[i] = hex.EncodeToString(h)
	}
	b, _ := json.Marshal(texts) // strings always encode
	return string(b)
}

// store runs a statement beside the product.
func (p *pair) store(ctx context.Context, text string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if p.engine == "postgres" {
		c, err := pgx.Connect(ctx, p.storeURL)
		if err != nil {
			return err
		}
		defer func() { _ = c.Close(ctx) }()
		_, err = c.Exec(ctx, text, args...)
		return err
	}
	db, err := sql.Open("sqlite", p.file())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(ctx, text, args...)
	return err
}
