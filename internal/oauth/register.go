package oauth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// ClientMetadata is what a client says of itself (RFC 7591 section 2). What is not here is ignored, as the RFC wants, and not echoed.
type ClientMetadata struct {
	Name                   string          `json:"client_name,omitempty"`
	RedirectURIs           []string        `json:"redirect_uris,omitempty"`
	AuthMethod             string          `json:"token_endpoint_auth_method,omitempty"`
	GrantTypes             []string        `json:"grant_types,omitempty"`
	ResponseTypes          []string        `json:"response_types,omitempty"`
	Scope                  string          `json:"scope,omitempty"`
	JWKS                   json.RawMessage `json:"jwks,omitempty"`
	JWKSURI                string          `json:"jwks_uri,omitempty"`
	IDTokenAlg             string          `json:"id_token_signed_response_alg,omitempty"`
	PostLogoutRedirectURIs []string        `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI   string          `json:"backchannel_logout_uri,omitempty"`
	DefaultMaxAge          int64           `json:"default_max_age,omitempty"`
	RequirePAR             bool            `json:"require_pushed_authorization_requests,omitempty"`
	DPoPBound              bool            `json:"dpop_bound_access_tokens,omitempty"`
}

// ClientInformation is the answer of RFC 7591 section 3.2.1 and RFC 7592 section 3. Secrets are shown when they are made, and never again.
type ClientInformation struct {
	ClientMetadata
	ClientID  string
	IssuedAt  time.Time
	Secret    secret.Text // "" for a client without one, and when it was shown before
	Access    secret.Text // registration access token, likewise
	ManagedAt string      // registration_client_uri
}

// Prefixes of what registration hands out, so that scanners of leaked secrets find it.
const (
	initialPrefix = "git_"
	accessPrefix  = "gra_"
)

// registrable are the grants that a client may take for itself; others are for the operator to give: they let an application act without a
// person at its side.
var registrable = []string{tenant.GrantCode, tenant.GrantRefresh}

func badMetadata(safe string) *fault.Error { return invalid(fault.ReasonOAuthMetadata, safe) }

// DrawInitial makes an initial access token. Its text is shown this once.
func DrawInitial(tenantID, name string, uses int64, at, expires time.Time) (InitialToken, secret.Text) {
	text := initialPrefix + secret.Random(32)
	return InitialToken{
		TenantID: tenantID, ID: secret.NewID(at), Name: name, Hash: secret.Hash(text), CreatedAt: at, ExpiresAt: expires, Left: uses,
	}, secret.NewText(text)
}

func registrationOff(t *tenant.Tenant) error {
	if t.Policy.OAuth.Registration {
		return nil
	}
	return fault.New(fault.NotFound, fault.ReasonNoRoute, "clients are not registered here")
}

// Register makes a client of whoever holds an initial access token (RFC 7591 section 3). It is somebody else's application: people are asked
// for consent, and it may do what every client may and no more.
func (s *Service) Register(ctx context.Context, call *audit.Call, t *tenant.Tenant, initial secret.Text, m ClientMetadata) (ClientInformation, error) {
	if err := registrationOff(t); err != nil {
		return ClientInformation{}, err
	}
	if !strings.HasPrefix(initial.Reveal(), initialPrefix) {
		return ClientInformation{}, deadToken()
	}
	c := tenant.Client{TenantID: t.ID, ID: secret.NewID(call.At), ManagedBy: "api"}
	text := ""
	if m.AuthMethod == "" {
		m.AuthMethod = AuthBasic // RFC 7591 section 2
	}
	if m.AuthMethod == AuthBasic || m.AuthMethod == AuthPost {
		text = secret.Random(32)
		c.SecretHash = secret.Hash(text)
	}
	if err := describe(t, &c, &m); err != nil {
		return ClientInformation{}, err
	}
	access := accessPrefix + secret.Random(32)
	e := event(call, EventRegistered, c.ID)
	e.Person = call.Personal("")
	err := s.cfg.Back.Registrations.Register(ctx, secret.Hash(initial.Reveal()), c,
		Registered{TenantID: t.ID, ClientID: c.ID, Hash: secret.Hash(access), CreatedAt: call.At}, one(e))
	if err != nil {
		return ClientInformation{}, err
	}
	if err := s.changed(ctx); err != nil {
		return ClientInformation{}, err
	}
	out := s.informed(t, &c, call.At)
	if text != "" {
		out.Secret = secret.NewText(text)
	}
	out.Access = secret.NewText(access)
	return out, nil
}

func (s *Service) changed(ctx context.Context) error {
	if s.cfg.Back.Changed == nil {
		return nil
	}
	return s.cfg.Back.Changed(ctx)
}

// describe writes metadata into the client's settings and refuses what cannot stand. What the operator alone decides keeps its value.
func describe(t *tenant.Tenant, c *tenant.Client, m *ClientMetadata) error {
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{tenant.GrantCode}
	}
	switch {
	case len(m.Name) > 100 || !printable(m.Name):
		return badMetadata("client_name must be at most 100 bytes of text")
	case !within(m.GrantTypes, registrable):
		return badMetadata("grant_types may be authorization_code and refresh_token")
	case len(m.ResponseTypes) > 0 && !slices.Equal(m.ResponseTypes, []string{"code"}):
		return badMetadata("response_types must be code")
	case slices.Contains(m.GrantTypes, tenant.GrantCode) && len(m.RedirectURIs) == 0:
		return invalid(fault.ReasonOAuthRedirectURI, "redirect_uris are missing")
	case len(m.RedirectURIs) > maxList || len(m.PostLogoutRedirectURIs) > maxList:
		return badMetadata("too many addresses")
	}
	scopes, err := registeredScopes(t, m.Scope)
	if err != nil {
		return err
	}
	o := &c.Settings.OAuth
	o.GrantTypes, o.AuthMethod, o.JWKS, o.JWKSURI, o.Scopes = m.GrantTypes, m.AuthMethod, m.JWKS, m.JWKSURI, scopes
	o.PostLogoutRedirectURIs, o.BackchannelLogoutURI, o.IDTokenAlg = m.PostLogoutRedirectURIs, m.BackchannelLogoutURI, m.IDTokenAlg
	o.DefaultMaxAgeS, o.PARRequired, o.DPoPRequired = m.DefaultMaxAge, m.RequirePAR, m.DPoPBound
	if o.Consent == "" {
		o.Consent = "once"
	}
	c.Settings.RedirectURIs = m.RedirectURIs
	if c.Name = m.Name; c.Name == "" {
		c.Name = c.ID
	}
	if problems := c.Validate(); len(problems) > 0 {
		f := problems[0]
		if strings.HasPrefix(f.Path, "redirect_uris") {
			return invalid(fault.ReasonOAuthRedirectURI, f.Path+" "+f.Message)
		}
		return badMetadata(strings.TrimPrefix(f.Path, "oauth.") + " " + f.Message)
	}
	return nil
}

// registeredScopes are the tenant's own scopes of a scope text; the built-in ones need no registration, and others do not exist.
func registeredScopes(t *tenant.Tenant, text string) ([]string, error) {
	var out []string
	for _, s := range strings.Fields(text) {
		switch s {
		case ScopeOpenID, ScopeProfile, ScopeEmail, ScopeOffline:
			continue
		}
		if _, known := t.Policy.OAuth.Scopes[s]; !known {
			return nil, badMetadata("scope names one that is not known here")
		}
		out = append(out, s)
	}
	return out, nil
}

// informed is what is stored of a client, in the words of the RFC.
func (s *Service) informed(t *tenant.Tenant, c *tenant.Client, at time.Time) ClientInformation {
	o := &c.Settings.OAuth
	m := ClientMetadata{
		Name: c.Name, RedirectURIs: c.Settings.RedirectURIs, AuthMethod: o.AuthMethod, GrantTypes: o.GrantTypes, JWKS: o.JWKS, JWKSURI: o.JWKSURI,
		Scope: strings.Join(append([]string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeOffline}, o.Scopes...), " "), IDTokenAlg: o.IDTokenAlg,
		PostLogoutRedirectURIs: o.PostLogoutRedirectURIs, BackchannelLogoutURI: o.BackchannelLogoutURI, DefaultMaxAge: o.DefaultMaxAgeS,
		RequirePAR: o.PARRequired, DPoPBound: o.DPoPRequired, ResponseTypes: []string{"code"},
	}
	return ClientInformation{ClientMetadata: m, ClientID: c.ID, IssuedAt: at, ManagedAt: s.reached(t, pathClients) + "/" + c.ID}
}

// own gives a registered client to whoever holds its registration access token. An unknown client and a wrong token are the same
// (RFC 7592 section 2.1).
func (s *Service) own(ctx context.Context, t *tenant.Tenant, clientID string, access secret.Text) (*tenant.Client, Registered, error) {
	if err := registrationOff(t); err != nil {
		return nil, Registered{}, err
	}
	r, err := s.cfg.Back.Registrations.Registered(ctx, t.ID, clientID)
	if err != nil {
		if tokensFault(err) {
			err = deadToken()
		}
		return nil, Registered{}, err
	}
	c := s.cfg.Directory.Client(t.ID, clientID)
	if c == nil || subtle.ConstantTimeCompare(secret.Hash(access.Reveal()), r.Hash) != 1 {
		return nil, Registered{}, deadToken()
	}
	return c, r, nil
}

// Registration reads a registered client (RFC 7592 section 2.1).
func (s *Service) Registration(ctx context.Context, _ *audit.Call, t *tenant.Tenant, clientID string, access secret.Text) (ClientInformation, error) {
	c, r, err := s.own(ctx, t, clientID, access)
	if err != nil {
		return ClientInformation{}, err
	}
	return s.informed(t, c, r.CreatedAt), nil
}

// ChangeRegistration replaces what a registered client says of itself (RFC 7592 section 2.2). Its secret stays; a method that needs another kind
// of proof than it has is refused.
func (s *Service) ChangeRegistration(ctx context.Context, call *audit.Call, t *tenant.Tenant, clientID string, access secret.Text, m ClientMetadata) (ClientInformation, error) {
	old, r, err := s.own(ctx, t, clientID, access)
	if err != nil {
		return ClientInformation{}, err
	}
	c := *old
	if m.AuthMethod == "" {
		m.AuthMethod = old.Settings.OAuth.AuthMethod
	}
	if m.AuthMethod == AuthPrivateKey || m.AuthMethod == AuthNone {
		c.SecretHash = nil
	}
	if err := describe(t, &c, &m); err != nil {
		return ClientInformation{}, err
	}
	if err := s.cfg.Back.Registrations.Change(ctx, c, one(event(call, EventRegistered, c.ID))); err != nil {
		return ClientInformation{}, err
	}
	return s.informed(t, &c, r.CreatedAt), s.changed(ctx)
}

// Unregister removes a registered client and ends its sessions (RFC 7592 section 2.3).
func (s *Service) Unregister(ctx context.Context, call *audit.Call, t *tenant.Tenant, clientID string, access secret.Text) error {
	if _, _, err := s.own(ctx, t, clientID, access); err != nil {
		return err
	}
	if err := s.cfg.Back.Registrations.Remove(ctx, t.ID, clientID, call.At, one(event(call, EventRegistered, clientID))); err != nil {
		return err
	}
	return s.changed(ctx)
}
