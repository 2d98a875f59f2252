package oauthapi

import (
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// client resolves the tenant and gives the client as it authenticates itself: a confidential one proved, a public one by name. The error
// is invalid_client, alike for unknown and wrong.
func (a *API) client(x *web.Exchange, form url.Values) (*tenant.Client, error) {
	c, proved, err := a.caller(x, form)
	if err != nil {
		return nil, err
	}
	if !proved && !c.Public() {
		return nil, fault.New(fault.Unauthenticated, fault.ReasonOAuthClient, "the client is not authenticated")
	}
	return c, nil
}
