package oauthapi

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
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
	uri, life, err := a.cfg.Front.Push(x.R.Context(), x.Call, x.Tenant, client, oauth.ParseParams(form))
	if err != nil {
		return err
	}
	return x.JSON(http.StatusCreated, pushed{RequestURI: uri, ExpiresIn: int64(life.Seconds())})
}
