package fault

// Reason is a stable code that clients may branch on and operators may search for. A code never changes its meaning.
type Reason string

// Every reason code of the product stands here, so that none is spelled twice.
const (
	ReasonInternal    Reason = "internal_error"
	ReasonUnavailable Reason = "unavailable"
	ReasonBusy        Reason = "busy"
	ReasonLimited     Reason = "rate_limited"

	// Requests that cannot be understood.
	ReasonMalformed   Reason = "malformed_request"
	ReasonInvalid     Reason = "invalid_field"
	ReasonTooLarge    Reason = "request_too_large"
	ReasonMediaType   Reason = "unsupported_media_type"
	ReasonNoRoute     Reason = "not_found"
	ReasonMethod      Reason = "method_not_allowed"
	ReasonMisdirected Reason = "misdirected_host"
	ReasonCrossOrigin Reason = "cross_origin"
	ReasonInsecure    Reason = "insecure_transport"

	// Who is asking.
	ReasonUnknownTenant      Reason = "unknown_tenant"
	ReasonUnknownClient      Reason = "unknown_client"
	ReasonInvalidCredentials Reason = "invalid_credentials"
	ReasonEmailUnverified    Reason = "email_unverified"
	ReasonLocked             Reason = "locked"
	ReasonDisabled           Reason = "disabled"
	ReasonNotRegistered      Reason = "not_registered"
	ReasonRegistrationClosed Reason = "registration_closed"
	ReasonMissingToken       Reason = "missing_token"
	ReasonInvalidToken       Reason = "invalid_token"
	ReasonTokenExpired       Reason = "token_expired"
	ReasonTokenRevoked       Reason = "token_revoked"
	ReasonStepUpRequired     Reason = "step_up_required"
	ReasonAdminKey           Reason = "invalid_admin_key"
	ReasonInternalKey        Reason = "invalid_internal_key"
	ReasonScope              Reason = "insufficient_scope"

	// Refresh (specs: the one engine behind every dialect).
	ReasonSessionExpired  Reason = "session_expired"
	ReasonSessionRevoked  Reason = "session_revoked"
	ReasonRefreshReused   Reason = "refresh_reused"
	ReasonRefreshUnknown  Reason = "refresh_unknown"
	ReasonSuperseded      Reason = "superseded"
	ReasonWrongClient     Reason = "wrong_client"
	ReasonBindingMismatch Reason = "binding_mismatch"
	ReasonUserDisabled    Reason = "user_disabled"
	ReasonClientGone      Reason = "client_gone"
	ReasonAntiCSRF        Reason = "anti_csrf_mismatch"

	// One-time things and passwords.
	ReasonGone             Reason = "gone"
	ReasonWrongNumber      Reason = "wrong_number" // hand-off: another number than the second device shows was typed
	ReasonPending          Reason = "pending"      // hand-off: not confirmed yet
	ReasonWeakPassword     Reason = "weak_password"
	ReasonBreachedPassword Reason = "breached_password"

	// Stores.
	ReasonConflict    Reason = "conflict"
	ReasonNotFound    Reason = "no_such_thing"
	ReasonNotTest     Reason = "not_a_test_tenant"
	ReasonUserChanged Reason = "user_changed"

	// Accounts and what hangs on them, on faces that tell one absence from another.
	ReasonUnknownUser    Reason = "no_such_user"
	ReasonUnknownRole    Reason = "no_such_role"
	ReasonUnknownMapping Reason = "no_such_mapping"
	ReasonMapped         Reason = "already_mapped"
	ReasonUnknownOrg     Reason = "no_such_organisation"
	ReasonEmailTaken     Reason = "email_taken"
	ReasonVerifyGone     Reason = "verify_token_gone"
	ReasonResetGone      Reason = "reset_token_gone"
	ReasonEmailVerified  Reason = "email_verified_already"
)
