package oauth

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// asking is an authorization request under examination. The checks fill it in as they pass.
type asking struct {
	tenant  *tenant.Tenant
	client  *tenant.Client
	at      time.Time
	p       *Params
	target  string // where the answer goes
	pushing bool   // at the PAR endpoint, by an authenticated client
}

// Check is one rule of the authorization endpoint. They run in their order, and the first that fails decides the answer.
type Check struct {
	Name  string
	Where string // RFC and section
	Page  bool   // a failure is shown to the person: no place is known yet that may be redirected to
	fails func(s *Service, a *asking) *fault.Error
}

// Checks are the rules of /oauth2/authorize and /oauth2/par.
func Checks() []Check {
	return []Check{
		{"client_id", "RFC 6749 section 4.1.1", true, checkClientID},
		{"client known", "RFC 6749 section 4.1.2.1", true, checkClient},
		{"redirect_uri", "RFC 6749 section 3.1.2.3", true, checkRedirectGiven},
		{"redirect_uri registered", "RFC 9700 section 2.1, RFC 8252 section 7.3", true, checkRedirect},
		{"parameters readable and once", "RFC 6749 section 3.1", false, checkReadable},
		{"no request object", "OpenID Connect Core section 3.1.2.6", false, checkObjects},
		{"response_type", "RFC 6749 section 4.1.1", false, checkResponseType},
		{"response_mode", "OAuth 2.0 Multiple Response Type Encoding Practices section 2.1", false, checkResponseMode},
		{"client may use codes", "RFC 6749 section 4.1.2.1", false, checkGrant},
		{"pushed when it must be", "RFC 9126 section 5", false, checkPushed},
		{"scope", "RFC 6749 section 3.3", false, checkScope},
		{"PKCE present", "RFC 9700 section 2.1.1", false, checkPKCEPresent},
		{"PKCE method", "RFC 7636 section 4.3, RFC 9700 section 2.1.1", false, checkPKCEMethod},
		{"PKCE challenge", "RFC 7636 section 4.2", false, checkPKCEForm},
		{"nonce without PKCE", "RFC 9700 section 2.1.1", false, checkNonce},
		{"prompt", "OpenID Connect Core section 3.1.2.1", false, checkPrompt},
		{"resource", "RFC 8707 section 2", false, checkResource},
		{"id_token_hint", "OpenID Connect Core section 3.1.2.1", false, checkHint},
		{"dpop_jkt", "RFC 9449 section 10", false, checkThumbprint},
	}
}

var checks = Checks()

func invalid(reason fault.Reason, safe string) *fault.Error {
	return fault.New(fault.Invalid, reason, safe)
}

func badRequest(safe string) *fault.Error { return invalid(fault.ReasonOAuthRequest, safe) }

func checkClientID(_ *Service, a *asking) *fault.Error {
	if a.p.ClientID == "" {
		return badRequest("client_id is missing, or given twice")
	}
	return nil
}

func checkClient(s *Service, a *asking) *fault.Error {
	if a.client = s.cfg.Directory.Client(a.tenant.ID, a.p.ClientID); a.client == nil {
		return invalid(fault.ReasonUnknownClient, "no such application is known here")
	}
	return nil
}

func checkRedirectGiven(_ *Service, a *asking) *fault.Error {
	if a.p.RedirectURI == "" {
		return invalid(fault.ReasonOAuthRedirectURI, "redirect_uri is missing, or given twice")
	}
	return nil
}

func checkRedirect(_ *Service, a *asking) *fault.Error {
	target, ok := matchRedirect(a.client.Settings.RedirectURIs, a.p.RedirectURI)
	if !ok {
		return invalid(fault.ReasonOAuthRedirectURI, "redirect_uri is not registered for this application")
	}
	a.target = target
	return nil
}

func checkReadable(_ *Service, a *asking) *fault.Error {
	if len(a.p.Unread) > 0 {
		return badRequest(a.p.Unread[0] + " is given twice, too long or of the wrong type")
	}
	return nil
}

func checkObjects(_ *Service, a *asking) *fault.Error {
	switch {
	case slices.Contains(a.p.Unsupported, "request"):
		return invalid(fault.ReasonOAuthObject, "request objects are not supported")
	case slices.Contains(a.p.Unsupported, "registration"):
		return invalid(fault.ReasonOAuthRegistration, "registration within a request is not supported")
	case a.pushing && a.p.RequestURI != "":
		return badRequest("request_uri cannot be pushed") // RFC 9126 section 2.1
	}
	return nil
}

func checkResponseType(_ *Service, a *asking) *fault.Error {
	switch a.p.ResponseType {
	case "code":
		return nil
	case "":
		return badRequest("response_type is missing")
	}
	return invalid(fault.ReasonOAuthResponseType, "response_type must be code")
}

func checkResponseMode(_ *Service, a *asking) *fault.Error {
	switch a.p.ResponseMode {
	case "", ModeQuery, ModeFormPost:
		return nil
	}
	a.p.ResponseMode = "" // the refusal goes by the default
	return badRequest("response_mode must be query or form_post")
}

func checkGrant(_ *Service, a *asking) *fault.Error {
	if !a.client.MayGrant(tenant.GrantCode) {
		return invalid(fault.ReasonOAuthUnauthorized, "this application may not use authorization codes")
	}
	return nil
}

func checkPushed(_ *Service, a *asking) *fault.Error {
	if a.client.Settings.OAuth.PARRequired && !a.pushing && !a.p.Pushed {
		return badRequest("this application must push its authorization requests")
	}
	return nil
}

func checkScope(_ *Service, a *asking) *fault.Error {
	scope, ok := scopesFor(a.client, a.p.Scope)
	if !ok {
		return invalid(fault.ReasonOAuthScope, "this application may not ask for that scope")
	}
	a.p.Scope = scope
	return nil
}

// Scopes that every client may ask for.
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopeEmail   = "email"
	ScopeOffline = "offline_access"
)

// scopesFor narrows asked scopes to those that mean something here. OpenID's own that are not supported, and offline access of a client
// that cannot refresh, are left out as OpenID Connect Core sections 3.1.2.1 and 11 say; false means one that the client may not have.
func scopesFor(c *tenant.Client, asked []string) ([]string, bool) {
	var out []string
	for _, s := range asked {
		switch s {
		case ScopeOpenID, ScopeProfile, ScopeEmail:
		case ScopeOffline:
			if !c.MayGrant(tenant.GrantRefresh) {
				continue
			}
		case "address", "phone":
			continue
		default:
			if !slices.Contains(c.Settings.OAuth.Scopes, s) {
				return nil, false
			}
		}
		out = append(out, s)
	}
	return out, true
}

func pkceOptional(c *tenant.Client) bool {
	return c.Settings.OAuth.PKCE == "optional" && !c.Public()
}

func checkPKCEPresent(_ *Service, a *asking) *fault.Error {
	if a.p.CodeChallenge == "" && !pkceOptional(a.client) {
		return badRequest("code_challenge is missing: PKCE is required")
	}
	return nil
}

func checkPKCEMethod(_ *Service, a *asking) *fault.Error {
	switch {
	case a.p.CodeChallenge == "" && a.p.CodeChallengeMethod == "":
		return nil
	case a.p.CodeChallenge == "":
		return badRequest("code_challenge is missing beside code_challenge_method")
	case a.p.CodeChallengeMethod != "S256": // absent means plain (RFC 7636 section 4.3), and plain is a downgrade
		return badRequest("code_challenge_method must be S256")
	}
	return nil
}

// thumbprintForm is 32 bytes as base64url: a SHA-256.
var thumbprintForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

func checkPKCEForm(_ *Service, a *asking) *fault.Error {
	if a.p.CodeChallenge != "" && !thumbprintForm.MatchString(a.p.CodeChallenge) {
		return badRequest("code_challenge must be the base64url of a SHA-256")
	}
	return nil
}

func checkNonce(_ *Service, a *asking) *fault.Error {
	if a.p.CodeChallenge == "" && a.p.Nonce == "" && slices.Contains(a.p.Scope, ScopeOpenID) {
		return badRequest("nonce is required where PKCE is not used")
	}
	return nil
}

// The values of prompt.
const (
	PromptNone    = "none"
	PromptLogin   = "login"
	PromptConsent = "consent"
	PromptSelect  = "select_account"
)

func checkPrompt(_ *Service, a *asking) *fault.Error {
	for _, v := range a.p.Prompt {
		switch v {
		case PromptNone, PromptLogin, PromptConsent, PromptSelect:
		default:
			return badRequest("prompt must be none, login, consent or select_account")
		}
	}
	if len(a.p.Prompt) > 1 && slices.Contains(a.p.Prompt, PromptNone) {
		return badRequest("prompt none excludes every other")
	}
	return nil
}

func checkResource(_ *Service, a *asking) *fault.Error {
	if !resourcesFor(a.client, a.p.Resource) {
		return invalid(fault.ReasonOAuthTarget, "this application may not ask for tokens for that resource")
	}
	return nil
}

// resourcesFor reports whether a client may name these audiences.
func resourcesFor(c *tenant.Client, asked []string) bool {
	for _, r := range asked {
		u, err := url.Parse(r)
		if err != nil || !u.IsAbs() || strings.Contains(r, "#") {
			return false
		}
		if !slices.Contains(c.Settings.OAuth.Resources, r) && !slices.Contains(c.Settings.Audience, r) {
			return false
		}
	}
	return true
}

func checkHint(s *Service, a *asking) *fault.Error {
	if a.p.IDTokenHint == "" {
		return nil
	}
	if hint, ok := s.hint(a.tenant, a.p.IDTokenHint, a.at); !ok || !slices.Contains(hint.clients, a.client.ID) {
		return badRequest("id_token_hint is not an ID token that this application was given here")
	}
	return nil
}

// hinted is what an ID token of ours says; it may have expired.
type hinted struct {
	subject string
	clients []string // aud
}

func (s *Service) hint(t *tenant.Tenant, raw string, at time.Time) (hinted, bool) {
	if s.cfg.Tokens == nil || raw == "" {
		return hinted{}, false
	}
	tok, err := s.cfg.Tokens.Read(t, token.Query{Usage: kind.ID, Issuer: t.Issuer, AnyAge: true}, raw, at)
	if err != nil || tok.Subject == "" {
		return hinted{}, false
	}
	return hinted{tok.Subject, tok.Audience}, true
}

func checkThumbprint(_ *Service, a *asking) *fault.Error {
	if a.p.DPoPKey != "" && !thumbprintForm.MatchString(a.p.DPoPKey) {
		return badRequest("dpop_jkt must be the base64url of a SHA-256")
	}
	return nil
}
