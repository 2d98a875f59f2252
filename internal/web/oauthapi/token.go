package oauthapi

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// tokenBody is RFC 6749 section 5.1.
type tokenBody struct {
	AccessToken     string `json:"access_token"`
	TokenType       string `json:"token_type"`
	ExpiresIn       int64  `json:"expires_in"`
	RefreshToken    string `json:"refresh_token,omitempty"`
	IDToken         string `json:"id_token,omitempty"`
	Scope           string `json:"scope,omitempty"`
	IssuedTokenType string `json:"issued_token_type,omitempty"`
}

// asked reads a form of the token or device endpoint and authenticates its client.
func (a *API) asked(x *web.Exchange) (oauth.TokenRequest, error) {
	form, err := web.DecodeForm(x, "resource", "audience")
	if err != nil {
		return oauth.TokenRequest{}, err
	}
	client, proved, err := a.caller(x, form)
	if err != nil {
		return oauth.TokenRequest{}, err
	}
	q, err := oauth.ParseTokenRequest(form)
	if err != nil {
		return oauth.TokenRequest{}, err
	}
	q.Client, q.Authenticated = client, proved
	q.Proof, err = a.proof(x, secret.Text{})
	return q, err
}

// token is the token endpoint (RFC 6749 section 3.2).
func (a *API) token(x *web.Exchange) error {
	q, err := a.asked(x)
	if err != nil {
		return err
	}
	out, err := a.cfg.Back.Token(x.R.Context(), x.Call, x.Tenant, q)
	if err != nil {
		return err
	}
	x.W.Header().Set("Pragma", "no-cache") // RFC 6749 section 5.1; Cache-Control: no-store stands in every answer
	return x.JSON(http.StatusOK, tokenBody{
		AccessToken: out.AccessToken.Reveal(), TokenType: out.TokenType, ExpiresIn: int64(out.ExpiresIn.Seconds()), RefreshToken: reveal(out.RefreshToken),
		IDToken: reveal(out.IDToken), Scope: strings.Join(out.Scope, " "), IssuedTokenType: out.IssuedTokenType,
	})
}

func reveal(t secret.Text) string {
	if t.IsZero() {
		return ""
	}
	return t.Reveal()
}

// introspect is RFC 7662 section 2, for confidential clients.
func (a *API) introspect(x *web.Exchange) error {
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	client, proved, err := a.caller(x, form)
	if err != nil {
		return err
	}
	if !proved { // RFC 7662 section 2.1: to prevent token scanning
		return fault.New(fault.Unauthenticated, fault.ReasonOAuthClient, "the client is not authenticated")
	}
	out, err := a.cfg.Back.Introspect(x.R.Context(), x.Call, x.Tenant, client, secret.NewText(form.Get("token")))
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, out)
}

// revoke is RFC 7009 section 2; a token_type_hint is not needed and so not looked at.
func (a *API) revoke(x *web.Exchange) error {
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	client, proved, err := a.caller(x, form)
	if err != nil {
		return err
	}
	if err := a.cfg.Back.Revoke(x.R.Context(), x.Call, x.Tenant, client, proved, secret.NewText(form.Get("token"))); err != nil {
		return err
	}
	x.W.WriteHeader(http.StatusOK)
	return nil
}

// deviceBody is RFC 8628 section 3.2.
type deviceBody struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
}

// device is the device authorization endpoint (RFC 8628 section 3.1).
func (a *API) device(x *web.Exchange) error {
	q, err := a.asked(x)
	if err != nil {
		return err
	}
	out, err := a.cfg.Back.DeviceAuthorize(x.R.Context(), x.Call, x.Tenant, q)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, deviceBody{
		DeviceCode: out.DeviceCode.Reveal(), UserCode: out.UserCode, Page: out.Page, Complete: out.Complete, ExpiresIn: int64(out.Life.Seconds()),
		Interval: int64(out.Interval.Seconds()),
	})
}

// userInfo is OpenID Connect Core section 5.3. The token comes in the Authorization header or, by POST, in the form (RFC 6750 section 2.2).
func (a *API) userInfo(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	x.OfAnyClient() // applications in the browser read it with their own token
	access, explicit := x.Explicit()
	if x.R.Method == http.MethodPost && x.R.Header.Get("Content-Type") != "" {
		form, err := web.DecodeForm(x)
		if err != nil {
			return err
		}
		if form.Has("access_token") {
			if explicit {
				return fault.New(fault.Invalid, fault.ReasonOAuthRequest, "the token came in two ways")
			}
			access = secret.NewText(form.Get("access_token"))
		}
	}
	proof, err := a.possession(x, access)
	if err != nil {
		return err
	}
	out, err := a.cfg.Back.UserInfo(x.R.Context(), x.Call, x.Tenant, access, proof)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, out)
}
