package loginapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// ServiceTokenBody is the body of POST /internal/service-tokens.
type ServiceTokenBody struct {
	Name     string                     `json:"name" doc:"of the service: sub is \"service:\" and it; A-Z a-z 0-9 . _ ~ -"`
	Claims   map[string]json.RawMessage `json:"claims,omitempty" doc:"custom claims; of the reserved ones only source, scope and roles"`
	Source   string                     `json:"source,omitempty" doc:"the claim source; default microservice"`
	Audience []string                   `json:"audience,omitempty"`
	TTL      *int64                     `json:"ttl_s,omitempty" doc:"life in seconds, 86400 by default, at most 3153600000"`
	Key      string                     `json:"key,omitempty" enum:"static,rotating" doc:"static by default: a key that stays for ever"`
	Alg      string                     `json:"alg,omitempty" enum:"RS256,ES256,EdDSA" doc:"with a rotating key"`
}

// ServiceTokenItem is what is told of a token.
type ServiceTokenItem struct {
	ID        string          `json:"id"`
	JTI       string          `json:"jti"`
	Name      string          `json:"name,omitempty" doc:"absent for a token whose claims a caller of another API made"`
	State     string          `json:"state" enum:"good,expired,revoked"`
	Issuer    string          `json:"iss"`
	Audience  []string        `json:"audience,omitempty"`
	Claims    json.RawMessage `json:"claims"`
	Key       string          `json:"key" enum:"static,rotating"`
	KID       string          `json:"kid"`
	CreatedAt string          `json:"created_at"`
	ExpiresAt string          `json:"expires_at"`
	RevokedAt string          `json:"revoked_at,omitempty"`
	MadeBy    MadeBy          `json:"made_by"`
}

// MadeBy says who asked for a token, by which way.
type MadeBy struct {
	Face string `json:"face"`
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// ServiceTokenMade is the answer to POST /internal/service-tokens, the only one with the token itself.
type ServiceTokenMade struct {
	ServiceTokenItem
	Token string `json:"token" doc:"shown this once"`
}

// ServiceTokenList is a page, newest first.
type ServiceTokenList struct {
	Items []ServiceTokenItem `json:"items"`
	Next  string             `json:"next" doc:"empty on the last page"`
}

func tokenItem(t *servicetoken.Token, at time.Time) ServiceTokenItem {
	out := ServiceTokenItem{
		ID: t.ID, JTI: t.JTI, Name: t.Name, State: t.State(at), Issuer: t.Issuer, Audience: t.Audience, Claims: t.Claims, Key: string(t.Key),
		KID: t.KID, CreatedAt: instant(t.CreatedAt), ExpiresAt: instant(t.ExpiresAt),
		MadeBy: MadeBy{Face: t.Face, Kind: t.Maker.Kind, ID: t.Maker.ID},
	}
	if !t.RevokedAt.IsZero() {
		out.RevokedAt = instant(t.RevokedAt)
	}
	return out
}

func (a *API) createServiceToken(x *web.Exchange) error {
	var in ServiceTokenBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	if err := needed("name", in.Name); err != nil {
		return err
	}
	r := servicetoken.Request{
		Name: in.Name, Claims: in.Claims, Source: in.Source, Audience: in.Audience, Key: token.Kind(in.Key), Alg: in.Alg,
	}
	if in.TTL != nil {
		if *in.TTL < 1 || *in.TTL > servicetoken.MaxSeconds {
			return invalid("ttl_s", "must be 1 to 3153600000")
		}
		r.TTL = time.Duration(*in.TTL) * time.Second
	}
	made, err := a.cfg.ServiceTokens.Create(x.R.Context(), x.Call, x.Tenant, r)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusCreated, ServiceTokenMade{ServiceTokenItem: tokenItem(&made.Token, x.Call.At), Token: made.Text.Reveal()})
}

func (a *API) listServiceTokens(x *web.Exchange) error {
	limit, after, err := page(x)
	if err != nil {
		return err
	}
	found, next, err := a.cfg.ServiceTokens.List(x.R.Context(), x.Call, servicetoken.Query{TenantID: x.Tenant.ID, After: after, Limit: limit})
	if err != nil {
		return err
	}
	out := ServiceTokenList{Items: make([]ServiceTokenItem, 0, len(found)), Next: cursor(next)}
	for i := range found {
		out.Items = append(out.Items, tokenItem(&found[i], x.Call.At))
	}
	return x.JSON(http.StatusOK, out)
}

func (a *API) revokeServiceToken(x *web.Exchange) error {
	if _, err := a.cfg.ServiceTokens.Revoke(x.R.Context(), x.Call, x.Tenant, x.R.PathValue("id")); err != nil {
		return err
	}
	return x.NoContent()
}

// verifyServiceToken tells of a token of a service. It is asked after a user's was not found in it: the two never pass for one another.
func (a *API) verifyServiceToken(x *web.Exchange, raw string) (VerifyAnswer, error) {
	good, err := a.cfg.ServiceTokens.Check(x.R.Context(), x.Call, x.Tenant, raw)
	if err != nil && fault.From(err).Kind != fault.Unauthenticated {
		return VerifyAnswer{}, err
	}
	if err != nil {
		return VerifyAnswer{}, nil //nolint:nilerr // what is wrong with a token is the answer: not active
	}
	c := good.Claims
	out := VerifyAnswer{
		Active: true, Kind: "service", TokenType: "Bearer", Source: good.Source, Exp: c.ExpiresAt.Unix(), Sub: c.Subject, Aud: c.Audience,
		Iss: c.Issuer, Jti: c.ID, Extra: map[string]any{},
	}
	if !c.IssuedAt.IsZero() {
		out.Iat = c.IssuedAt.Unix()
	}
	if !c.NotBefore.IsZero() {
		out.Nbf = c.NotBefore.Unix()
	}
	for _, m := range c.Claims {
		switch m.Name {
		case "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "source":
		case "tid":
			out.Tid, _ = m.Text()
		case "scope":
			out.Scope, _ = m.Text()
		case "roles":
			out.Roles, _ = m.Texts()
		default:
			out.Extra[m.Name] = m.Value
		}
	}
	return out, nil
}

// serviceTokenOperations make, list and revoke the tokens of services.
func (a *API) serviceTokenOperations() []operation {
	route := func(method, pattern, scope string, h func(*web.Exchange) error) web.Route {
		return web.Route{Method: method, Pattern: pattern, Handle: a.forService(scope, h), SelfGuard: true}
	}
	const path = "/internal/service-tokens"
	return []operation{
		{
			Route: route(http.MethodPost, path, servicekey.ScopeMint, a.createServiceToken), id: "createServiceToken", in: ServiceTokenBody{},
			summary: "Make a token of a service. Scope service-tokens:write", params: []param{keyParam},
			answers: []answer{{http.StatusCreated, ServiceTokenMade{}, "the token, shown this once"}},
			refuses: map[int]string{401: keyless, 403: scopeless, 409: "conflict: too many retired keys are kept for long tokens"},
		},
		{
			Route: route(http.MethodGet, path, servicekey.ScopeMinted, a.listServiceTokens), id: "listServiceTokens",
			summary: "Tokens of services, newest first. Scope service-tokens:read",
			params:  []param{keyParam, {"limit", "query", "1 to 100, 50 by default"}, {"after", "query", "next of the page before"}},
			answers: []answer{{http.StatusOK, ServiceTokenList{}, "a page; revoked and expired ones are in it"}},
			refuses: map[int]string{401: keyless, 403: scopeless},
		},
		{
			Route: route(http.MethodDelete, path+"/{id}", servicekey.ScopeMint, a.revokeServiceToken), id: "revokeServiceToken",
			summary: "Revoke a token by its id or jti. Scope service-tokens:write", params: []param{keyParam},
			answers: []answer{{http.StatusNoContent, nil, "revoked, now or before"}},
			refuses: map[int]string{401: keyless, 403: scopeless, 404: "no_such_thing"},
		},
	}
}
