package main

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// passwordGrant proves people of the password grant at the login room, with its limits and its refusals. The two rooms never meet but here.
type passwordGrant struct{ logins countedLogins }

// ProvePassword implements oauth.Passwords.
func (p passwordGrant) ProvePassword(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, name string, password secret.Text) (oauth.Person, error) {
	out, err := p.logins.Prove(ctx, call, login.PasswordRequest{Tenant: t, Client: c, Email: name, Password: password})
	if err != nil {
		return oauth.Person{}, err
	}
	return oauth.Person{User: &out.User, AuthTime: out.AuthTime, AMR: out.AMR, ACR: out.ACR, Device: out.Device}, nil
}
