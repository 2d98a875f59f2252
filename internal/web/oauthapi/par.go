package oauthapi

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// pushed is the answer of RFC 9126 section 2.2.
type pushed struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"`
}

// push stores an authorization request of a client that authenticates as at the token endpoint (RFC 9126 section 2.1).
func (a *API) push(x *web.Exchange) error {
	form, err := web.DecodeForm(x, "resource")
	if err != nil {
		return err
	}
	client, err := a.client(x, form)
	if err != nil {
		return err
	}
	params := oauth.ParseParams(form)
	key, err := a.proof(x, secret.Text{})
	if err != nil {
		return err
	}
	switch { // RFC 9449 section 10.1: a proof here says which key the code is for
	case key != "" && params.DPoPKey != "" && params.DPoPKey != key:
		return fault.New(fault.Invalid, fault.ReasonOAuthRequest, "dpop_jkt names another key than the proof of possession")
	case key != "":
		params.DPoPKey = key
	}
	uri, life, err := a.cfg.Front.Push(x.R.Context(), x.Call, x.Tenant, client, params)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusCreated, pushed{RequestURI: uri, ExpiresIn: int64(life.Seconds())})
}
