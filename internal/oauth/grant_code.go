package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// EndedByReplay is the reason of sessions whose authorization code was used again.
const EndedByReplay = "code_replayed"

// byCode exchanges an authorization code (RFC 6749 section 4.1.3). Of any number that bring one code, one gets tokens, and whoever comes
// after ends what it gave: one of the two is a thief, and nobody can say which (section 4.1.2).
func (s *Service) byCode(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest) (TokenAnswer, error) {
	if q.Code.IsZero() {
		return TokenAnswer{}, badRequest("code is missing")
	}
	hash := secret.Hash(q.Code.Reveal())
	code, err := s.cfg.Codes.Code(ctx, t.ID, hash)
	if fault.ReasonOf(err) == fault.ReasonNotFound {
		return TokenAnswer{}, badCode()
	}
	if err != nil {
		return TokenAnswer{}, err
	}
	if !code.SpentAt.IsZero() {
		return TokenAnswer{}, s.replayed(ctx, call, t, &code)
	}
	if err := checkCode(call, q, &code); err != nil {
		return TokenAnswer{}, err
	}
	audience, err := narrowed(q, &code)
	if err != nil {
		return TokenAnswer{}, err
	}
	u, err := s.holder(ctx, t, q.Client, code.UserID)
	if err != nil {
		return TokenAnswer{}, err
	}
	u.Epoch = code.Epoch // what the code was given for: the store refuses it when the user's has moved on
	req := s.opening(call, t, q, u, code.Scope)
	req.AuthTime, req.AMR, req.ACR, req.SSOID = code.AuthTime, code.AMR, code.ACR, code.SSOID
	req.Audience, req.AccessAudience = code.Resource, audience
	if code.Resource == nil {
		req.Audience = audience
	}
	spent := false
	tokens, err := s.cfg.Back.Sessions.OpenWith(ctx, call, req,
		func(ctx context.Context, f session.Family, register *user.Registration, rec audit.Record) error {
			won, err := s.cfg.Codes.Exchange(ctx, t.ID, hash, f, register, rec)
			if err == nil && !won {
				spent = true
				return badCode()
			}
			return err
		})
	if spent {
		if code, err = s.cfg.Codes.Code(ctx, t.ID, hash); err != nil {
			return TokenAnswer{}, err
		}
		return TokenAnswer{}, s.replayed(ctx, call, t, &code)
	}
	if err != nil {
		return TokenAnswer{}, asGrant(err)
	}
	return s.tokens(ctx, call, t, answered{client: q.Client, tokens: &tokens, nonce: code.Nonce, hand: offline(q.Client, code.Scope)})
}

func badCode() *fault.Error {
	return badGrant("the code is unknown, expired, used, or another application's")
}

// replayed ends what a spent code gave.
func (s *Service) replayed(ctx context.Context, call *audit.Call, t *tenant.Tenant, code *Code) error {
	if code.SessionID == "" || weak.Off("code-once") { // voided, not exchanged
		return badCode()
	}
	if _, err := s.cfg.Back.Sessions.Revoke(ctx, call, session.Match{TenantID: t.ID, ID: code.SessionID}, EndedByReplay); err != nil {
		return err
	}
	return badCode()
}

// checkCode compares the request with what the code was given for, in the words of RFC 6749 section 4.1.3 and RFC 9700 section 2.1.1.
func checkCode(call *audit.Call, q *TokenRequest, code *Code) error {
	switch {
	case code.ClientID != q.Client.ID && !weak.Off("code-client"): // injected into another application
		return badCode()
	case !call.At.Before(code.ExpiresAt):
		return badCode()
	case code.RedirectURI != q.RedirectURI:
		return badGrant("redirect_uri is not the one that the code was asked for with")
	case code.DPoPKey != "" && code.DPoPKey != q.Proof: // RFC 9449 section 10
		return badGrant("the code is bound to another key")
	}
	return checkVerifier(code.Challenge, q.Verifier.Reveal())
}

var verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`) // RFC 7636 section 4.1

// checkVerifier is RFC 7636 section 4.6. A verifier beside a code that was asked for without challenge means that somebody took the challenge
// out on the way: PKCE downgrade (RFC 9700 section 4.8.2).
func checkVerifier(challenge, verifier string) error {
	if weak.Off("pkce") {
		return nil
	}
	if challenge == "" {
		if verifier != "" {
			return badGrant("code_verifier beside a code that has no challenge")
		}
		return nil
	}
	if verifier == "" {
		return badGrant("code_verifier is missing")
	}
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	if !verifierForm.MatchString(verifier) || subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) != 1 {
		return badGrant("code_verifier is wrong")
	}
	return nil
}

// narrowed is the audience of the first access token: the resources of this request, which must be among those of the code (RFC 8707 section
// 2.2), or all of those. nil is the client's own.
func narrowed(q *TokenRequest, code *Code) ([]string, error) {
	if len(q.Resource) == 0 {
		return code.Resource, nil
	}
	if code.Resource != nil && !within(q.Resource, code.Resource) || !resourcesFor(q.Client, q.Resource) {
		return nil, invalid(fault.ReasonOAuthTarget, "the resource is none of those granted")
	}
	return q.Resource, nil
}

// holder reads the person a grant is about, as they are now.
func (s *Service) holder(ctx context.Context, t *tenant.Tenant, c *tenant.Client, userID string) (*user.User, error) {
	u, err := s.cfg.Back.Users.Get(ctx, t.ID, userID, c.ID)
	if fault.ReasonOf(err) == fault.ReasonNotFound {
		return nil, badGrant("the account is not there any more")
	}
	if err != nil {
		return nil, err
	}
	if u.Status != user.Active {
		return nil, fault.New(fault.Unauthenticated, fault.ReasonUserDisabled, "this account is not active")
	}
	return &u, nil
}

// offline reports whether a refresh token is handed out (OpenID Connect Core section 11).
func offline(c *tenant.Client, scope []string) bool {
	return slices.Contains(scope, ScopeOffline) && c.MayGrant(tenant.GrantRefresh)
}

// opening is the session that a grant opens. Without offline access it lives no longer than its access token. A public client's is bound to the
// key it proved; a confidential client's refresh token is held by its secret already and may outlive a key, so only its access tokens are
// (RFC 9449 section 5).
func (s *Service) opening(call *audit.Call, t *tenant.Tenant, q *TokenRequest, u *user.User, scope []string) session.OpenRequest {
	req := session.OpenRequest{
		Tenant: t, Client: q.Client, User: u, Scope: strings.Join(scope, " "), AccessBinding: q.Proof, ClientAuth: q.Authenticated,
		Opaque: opaque(q.Client),
	}
	if !q.Authenticated {
		req.Binding = q.Proof
	}
	if !offline(q.Client, scope) {
		req.AbsoluteExpiry = call.At.Add(t.For(q.Client).AccessLife)
	}
	return req
}
