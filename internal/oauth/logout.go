package oauth

import (
	"context"
	"net/url"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Logout ends the sign-on session of the browser at the wish of an application (OpenID Connect RP-Initiated Logout 1.0). Without an ID
// token that names who is signed on, the person is asked first: else any page could log people out (section 6). A post-logout address
// must be registered exactly, or nothing at all is done; an ID token that has expired, or whose key is long gone, is no fault of the person.
func (s *Service) Logout(ctx context.Context, call *audit.Call, t *tenant.Tenant, req LogoutRequest) (LogoutStep, error) {
	hint, known := s.hint(t, req.IDTokenHint, call.At)
	client, err := s.leaving(t, &req, hint, known)
	if err != nil {
		return LogoutStep{}, err
	}
	out := LogoutStep{Client: client}
	if req.PostLogoutRedirectURI != "" {
		if out.RedirectURI, err = afterLogout(client, &req); err != nil {
			return LogoutStep{}, err
		}
	}
	if req.Live == nil {
		return out, nil
	}
	named := known && hint.subject == req.Live.User.ID
	if !named && !req.Confirmed {
		out.Confirm = true
		return out, nil
	}
	m := sso.Match{TenantID: t.ID, ID: req.Live.Session.ID}
	_, err = s.cfg.SignOns.End(ctx, call, t, m, sso.EndedByLogout)
	return out, err
}

// leaving gives the client that asks: by its ID token, by client_id, or both when they agree (section 2).
func (s *Service) leaving(t *tenant.Tenant, req *LogoutRequest, hint hinted, known bool) (*tenant.Client, error) {
	if len(req.IDTokenHint) > maxIDToken || len(req.PostLogoutRedirectURI) > maxParam || len(req.State) > maxState {
		return nil, badRequest("a parameter is too long")
	}
	id := req.ClientID
	switch {
	case !known:
	case id == "" && len(hint.clients) > 0:
		id = hint.clients[0]
	case !slices.Contains(hint.clients, id):
		return nil, badRequest("client_id is not whom the ID token was given to")
	}
	if id == "" {
		return nil, nil
	}
	client := s.cfg.Directory.Client(t.ID, id)
	if client == nil && req.ClientID != "" {
		return nil, invalid(fault.ReasonUnknownClient, "no such application is known here")
	}
	return client, nil
}

func afterLogout(client *tenant.Client, req *LogoutRequest) (string, error) {
	if client == nil {
		return "", badRequest("post_logout_redirect_uri needs client_id or id_token_hint")
	}
	target, ok := matchRedirect(client.Settings.OAuth.PostLogoutRedirectURIs, req.PostLogoutRedirectURI)
	if !ok {
		return "", invalid(fault.ReasonOAuthRedirectURI, "post_logout_redirect_uri is not registered for this application")
	}
	if req.State != "" {
		return WithParams(target, url.Values{"state": {req.State}}), nil
	}
	return target, nil
}
