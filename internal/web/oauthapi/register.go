package oauthapi

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// clientBody is the client information response (RFC 7591 section 3.2.1, RFC 7592 section 3).
type clientBody struct {
	ClientID      string `json:"client_id"`
	Secret        string `json:"client_secret,omitempty"`
	SecretExpires *int64 `json:"client_secret_expires_at,omitempty"` // 0: never
	IssuedAt      int64  `json:"client_id_issued_at"`
	Access        string `json:"registration_access_token,omitempty"`
	ManagedAt     string `json:"registration_client_uri"`
	oauth.ClientMetadata
}

func bodyOf(c *oauth.ClientInformation) clientBody {
	b := clientBody{
		ClientID: c.ClientID, Secret: reveal(c.Secret), IssuedAt: c.IssuedAt.Unix(), Access: reveal(c.Access), ManagedAt: c.ManagedAt,
		ClientMetadata: c.ClientMetadata,
	}
	if b.Secret != "" {
		b.SecretExpires = new(int64)
	}
	return b
}

// register is the client registration endpoint (RFC 7591 section 3), for holders of an initial access token.
func (a *API) register(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	access, _ := x.Explicit()
	if access.IsZero() {
		return missing()
	}
	var m oauth.ClientMetadata
	if err := web.Decode(x, &m); err != nil {
		return err
	}
	out, err := a.cfg.Registrar.Register(x.R.Context(), x.Call, x.Tenant, access, m)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusCreated, bodyOf(&out))
}

func (a *API) registration(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	access, _ := x.Explicit()
	if access.IsZero() {
		return missing()
	}
	out, err := a.cfg.Registrar.Registration(x.R.Context(), x.Call, x.Tenant, x.R.PathValue("id"), access)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, bodyOf(&out))
}

// changeBody also names the client, which must be the one of the address (RFC 7592 section 2.2).
type changeBody struct {
	ClientID string `json:"client_id"`
	oauth.ClientMetadata
}

func (a *API) changeRegistration(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	access, _ := x.Explicit()
	if access.IsZero() {
		return missing()
	}
	var in changeBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	id := x.R.PathValue("id")
	if in.ClientID != id {
		return badRequest("client_id is not the client of this address")
	}
	out, err := a.cfg.Registrar.ChangeRegistration(x.R.Context(), x.Call, x.Tenant, id, access, in.ClientMetadata)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, bodyOf(&out))
}

func (a *API) unregister(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	access, _ := x.Explicit()
	if access.IsZero() {
		return missing()
	}
	if err := a.cfg.Registrar.Unregister(x.R.Context(), x.Call, x.Tenant, x.R.PathValue("id"), access); err != nil {
		return err
	}
	return x.NoContent()
}
