package oauthapi

import (
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// refusal is how a reason is told in this dialect.
type refusal struct {
	code   string
	status int
}

// refusals is the one table from reason to error code and status. What is not in it goes by its kind.
var refusals = map[fault.Reason]refusal{
	fault.ReasonOAuthRequest:        {"invalid_request", http.StatusBadRequest},
	fault.ReasonOAuthClient:         {"invalid_client", http.StatusUnauthorized}, // RFC 6749 section 5.2
	fault.ReasonUnknownClient:       {"invalid_client", http.StatusUnauthorized},
	fault.ReasonOAuthGrant:          {"invalid_grant", http.StatusBadRequest},
	fault.ReasonOAuthUnauthorized:   {"unauthorized_client", http.StatusBadRequest},
	fault.ReasonOAuthGrantType:      {"unsupported_grant_type", http.StatusBadRequest},
	fault.ReasonOAuthResponseType:   {"unsupported_response_type", http.StatusBadRequest},
	fault.ReasonOAuthScope:          {"invalid_scope", http.StatusBadRequest},
	fault.ReasonOAuthDenied:         {"access_denied", http.StatusBadRequest}, // RFC 8628 section 3.5
	fault.ReasonOAuthTarget:         {"invalid_target", http.StatusBadRequest},
	fault.ReasonOAuthRequestURI:     {"invalid_request_uri", http.StatusBadRequest},
	fault.ReasonOAuthObject:         {"request_not_supported", http.StatusBadRequest},
	fault.ReasonOAuthRegistration:   {"registration_not_supported", http.StatusBadRequest},
	fault.ReasonOAuthRedirectURI:    {"invalid_redirect_uri", http.StatusBadRequest},
	fault.ReasonOAuthMetadata:       {"invalid_client_metadata", http.StatusBadRequest},
	fault.ReasonOAuthProof:          {"invalid_dpop_proof", http.StatusBadRequest}, // RFC 9449 section 5
	fault.ReasonOAuthNonce:          {"use_dpop_nonce", http.StatusBadRequest},     // RFC 9449 section 8
	fault.ReasonOAuthPending:        {"authorization_pending", http.StatusBadRequest},
	fault.ReasonOAuthSlowDown:       {"slow_down", http.StatusBadRequest},
	fault.ReasonOAuthExpired:        {"expired_token", http.StatusBadRequest},
	fault.ReasonOAuthTokenType:      {"unsupported_token_type", http.StatusBadRequest},
	fault.ReasonOAuthAuthentication: {"insufficient_user_authentication", http.StatusUnauthorized},
	fault.ReasonInvalidToken:        {"invalid_token", http.StatusUnauthorized}, // RFC 6750 section 3.1
	fault.ReasonTokenExpired:        {"invalid_token", http.StatusUnauthorized},
	fault.ReasonMissingToken:        {"invalid_token", http.StatusUnauthorized},
	fault.ReasonScope:               {"insufficient_scope", http.StatusForbidden},
	fault.ReasonNoRoute:             {"not_found", http.StatusNotFound},
	fault.ReasonUnknownTenant:       {"not_found", http.StatusNotFound},
	fault.ReasonMethod:              {"invalid_request", http.StatusMethodNotAllowed},
}

// byKind tells what no reason stands for. A session or user that is not good any more is a grant that is none (RFC 6749 section 5.2).
var byKind = map[fault.Kind]refusal{
	fault.Invalid:         {"invalid_request", http.StatusBadRequest},
	fault.Unauthenticated: {"invalid_grant", http.StatusBadRequest},
	fault.Forbidden:       {"access_denied", http.StatusForbidden},
	fault.NotFound:        {"invalid_request", http.StatusBadRequest},
	fault.Conflict:        {"invalid_grant", http.StatusBadRequest},
	fault.Gone:            {"invalid_grant", http.StatusBadRequest},
	fault.TooLarge:        {"invalid_request", http.StatusBadRequest},
	fault.Unsupported:     {"invalid_request", http.StatusBadRequest},
	fault.Misdirected:     {"invalid_request", http.StatusMisdirectedRequest},
	fault.Unprocessable:   {"invalid_request", http.StatusBadRequest},
	fault.Limited:         {"temporarily_unavailable", http.StatusTooManyRequests},
	fault.Unavailable:     {"temporarily_unavailable", http.StatusServiceUnavailable},
	fault.Internal:        {"server_error", http.StatusInternalServerError},
}

func told(e *fault.Error) refusal {
	if r, ok := refusals[e.Reason]; ok && e.Kind != fault.Internal && e.Kind != fault.Unavailable {
		return r
	}
	if r, ok := byKind[e.Kind]; ok {
		return r
	}
	return byKind[fault.Internal]
}

// refusalBody is RFC 6749 section 5.2, with our reason and the trace id beside it.
type refusalBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
	Reason      string `json:"reason"`
	TraceID     string `json:"trace_id"`
}

// refuse answers err in the dialect.
func refuse(x *web.Exchange, err error) error {
	e := fault.From(err)
	r := told(e)
	challenge := ""
	if r.code == "invalid_client" {
		challenge = `Basic realm="client"` // RFC 6749 section 5.2: the scheme that the client used
	}
	return refuseAs(x, e, r, challenge)
}

func refuseAs(x *web.Exchange, e *fault.Error, r refusal, challenge string) error {
	x.Refused(e, r.status)
	body := refusalBody{Error: r.code, Description: describable(e.Safe), Reason: string(e.Reason), TraceID: x.Call.Trace}
	if len(e.Fields) > 0 {
		body.Description = describable(e.Fields[0].Name + " " + e.Fields[0].Message)
	}
	if r.status >= http.StatusInternalServerError {
		body.Description = ""
	}
	if challenge != "" {
		x.W.Header().Set("WWW-Authenticate", challenge)
	}
	x.W.Header().Set("Pragma", "no-cache")
	return x.JSON(r.status, body)
}

func missing() error {
	return fault.New(fault.Unauthenticated, fault.ReasonMissingToken, "a token is required")
}

func badRequest(safe string) error { return fault.New(fault.Invalid, fault.ReasonOAuthRequest, safe) }

// describable keeps to the characters of an error_description (RFC 6749 section 5.2).
func describable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return '\''
		}
		return c
	}, s)
}
