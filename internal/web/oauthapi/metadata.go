package oauthapi

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// publicLife is the cache life of what is the same for everybody. It is the time a new key is announced before it signs.
const publicLife = "public, max-age=300"

// jwks publishes the tenant's keys (RFC 7517).
func (a *API) jwks(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	set := a.cfg.Keys.JWKS(x.Tenant.ID)
	if set == nil {
		return fault.New(fault.Unavailable, fault.ReasonUnavailable, "the signing keys are not ready yet").After(time.Second)
	}
	h := x.W.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", publicLife)
	x.W.WriteHeader(http.StatusOK)
	_, _ = x.W.Write(set)
	return nil
}

// metadata is the tenant's document (OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3).
func (a *API) metadata(x *web.Exchange) error {
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	return a.document(x, x.Tenant)
}

// metadataOf is the document of a tenant named behind the well-known path.
func (a *API) metadataOf(x *web.Exchange) error {
	t := a.cfg.Tenants.BySlug(x.R.PathValue("of"))
	if t == nil {
		return fault.New(fault.NotFound, fault.ReasonUnknownTenant, "no such issuer is known here")
	}
	return a.document(x, t)
}

func (a *API) document(x *web.Exchange, t *tenant.Tenant) error {
	m, ok := a.cfg.Back.Metadata(t)
	if !ok {
		return fault.New(fault.NotFound, fault.ReasonNoRoute, "this issuer is no address, so it has no document")
	}
	x.W.Header().Set("Cache-Control", publicLife)
	return x.JSON(http.StatusOK, m)
}
