package fault

// Reasons of the OAuth room; most are the RFCs' own error codes, so that nobody learns two words for one thing.
const (
	ReasonOAuthRequest        Reason = "invalid_request"           // RFC 6749 section 4.1.2.1
	ReasonOAuthClient         Reason = "invalid_client"            // RFC 6749 section 5.2
	ReasonOAuthGrant          Reason = "invalid_grant"             // RFC 6749 section 5.2
	ReasonOAuthUnauthorized   Reason = "unauthorized_client"       // RFC 6749 section 5.2
	ReasonOAuthGrantType      Reason = "unsupported_grant_type"    // RFC 6749 section 5.2
	ReasonOAuthResponseType   Reason = "unsupported_response_type" // RFC 6749 section 4.1.2.1
	ReasonOAuthScope          Reason = "invalid_scope"             // RFC 6749 section 5.2
	ReasonOAuthDenied         Reason = "access_denied"             // RFC 6749 section 4.1.2.1
	ReasonOAuthTarget         Reason = "invalid_target"            // RFC 8707 section 2
	ReasonOAuthRequestURI     Reason = "invalid_request_uri"       // RFC 9101 section 6.2
	ReasonOAuthObject         Reason = "request_not_supported"     // OpenID Connect Core section 3.1.2.6
	ReasonOAuthRegistration   Reason = "registration_not_supported"
	ReasonOAuthUnanswerable   Reason = "request_spent"        // an authorization request that was answered, is over, or began in another browser
	ReasonOAuthLogin          Reason = "login_required"       // OpenID Connect Core section 3.1.2.6
	ReasonOAuthConsent        Reason = "consent_required"     // OpenID Connect Core section 3.1.2.6
	ReasonOAuthInteraction    Reason = "interaction_required" // OpenID Connect Core section 3.1.2.6
	ReasonOAuthSelection      Reason = "account_selection_required"
	ReasonOAuthRedirectURI    Reason = "invalid_redirect_uri"             // RFC 7591 section 3.2.2; also the page that never redirects
	ReasonOAuthMetadata       Reason = "invalid_client_metadata"          // RFC 7591 section 3.2.2
	ReasonOAuthProof          Reason = "invalid_dpop_proof"               // RFC 9449 section 5
	ReasonOAuthNonce          Reason = "use_dpop_nonce"                   // RFC 9449 section 8
	ReasonOAuthPending        Reason = "authorization_pending"            // RFC 8628 section 3.5
	ReasonOAuthSlowDown       Reason = "slow_down"                        // RFC 8628 section 3.5
	ReasonOAuthExpired        Reason = "expired_token"                    // RFC 8628 section 3.5
	ReasonOAuthAuthentication Reason = "insufficient_user_authentication" // RFC 9470 section 3
	ReasonOAuthTokenType      Reason = "unsupported_token_type"           // RFC 7009 section 2.2.1
)
