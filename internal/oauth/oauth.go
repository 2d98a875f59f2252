// Package oauth owns the OAuth 2 and OpenID Connect rules: authorization requests and their steps, codes, consent, client authentication,
// grants, DPoP at these endpoints. It decides from stored state what an authorization request needs next, and spends what works once. It
// does not prove people (login: the two never meet), does not open or rotate sessions by itself (session does), and knows no HTTP.
package oauth

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Params is an authorization request as its client sent it, parsed once at the door; by query, form, or pushed (RFC 9126).
type Params struct {
	ClientID            string   `json:"client_id"`
	RedirectURI         string   `json:"redirect_uri"` // as sent; checked against the client's list before anything is redirected
	ResponseType        string   `json:"response_type"`
	ResponseMode        string   `json:"response_mode,omitempty"` // "query" (default), "form_post"
	Scope               []string `json:"scope,omitempty"`
	State               string   `json:"state,omitempty"`
	Nonce               string   `json:"nonce,omitempty"`
	CodeChallenge       string   `json:"code_challenge,omitempty"`
	CodeChallengeMethod string   `json:"code_challenge_method,omitempty"`
	Prompt              []string `json:"prompt,omitempty"`
	MaxAge              *int64   `json:"max_age,omitempty"` // seconds
	ACRValues           []string `json:"acr_values,omitempty"`
	LoginHint           string   `json:"login_hint,omitempty"`
	IDTokenHint         string   `json:"id_token_hint,omitempty"`
	UILocales           []string `json:"ui_locales,omitempty"`
	Resource            []string `json:"resource,omitempty"` // RFC 8707
	DPoPKey             string   `json:"dpop_jkt,omitempty"` // RFC 9449 section 10
	RequestURI          string   `json:"-"`                  // RFC 9126: then everything else comes from what was pushed
	Pushed              bool     `json:"pushed,omitempty"`   // it came by RFC 9126

	Unread      []string `json:"-"` // parameters given twice, too long or of the wrong type (ParseParams)
	Unsupported []string `json:"-"` // "request", "registration": OpenID Connect Core sections 6.1 and 7.2.1
}

// Request is an authorization request under way: one row, bound to the browser that began it. Steps never call one another: each comes
// back to Next, which decides from this row and the sign-on session.
type Request struct {
	TenantID  string
	ID        string // random, in the address of every step; worthless in another browser
	Browser   string // Call.Browser of the browser that began it (login CSRF); "" for one that was pushed and not taken up yet
	Params    Params
	CreatedAt time.Time
	ExpiresAt time.Time

	SSOID    string    // the sign-on session chosen or made by a step, "" while none is
	ProvedAt time.Time // when a step of this request proved the person: satisfies prompt=login and max_age once
	Chosen   bool      // the account was chosen or confirmed (prompt=select_account)
	Consent  []string  // scopes granted by the consent step of this request
	Refused  bool      // the person said no

	DoneAt  time.Time // a code or an error was sent back; nothing more may follow
	Version int64
}

// Code is an authorization code: one row, named by its hash.
type Code struct {
	TenantID     string
	Hash         []byte
	ClientID     string
	RedirectURI  string // as sent in the request; the exchange must repeat it (RFC 6749 section 4.1.3)
	Challenge    string // PKCE S256, "" only where the client's PKCE is optional
	Nonce        string
	DPoPKey      string // dpop_jkt
	UserID       string
	Epoch        int64
	SSOID        string
	Scope        []string
	Resource     []string
	AuthTime     time.Time
	AMR          []string
	ACR          string
	OfflineAsked bool
	CreatedAt    time.Time
	ExpiresAt    time.Time // 60 s
	SpentAt      time.Time // zero until exchanged
	SessionID    string    // of the family the exchange opened: a replay ends it (RFC 6749 section 4.1.2)
}

// Consent is what a person has allowed a client: one row for each pair, revocable on the account page.
type Consent struct {
	TenantID  string
	UserID    string
	ClientID  string
	Scope     []string
	Resource  []string
	GrantedAt time.Time
	UpdatedAt time.Time
}

// Device is a device authorization (RFC 8628): one row, named by the hash of the device code.
type Device struct {
	TenantID  string
	Hash      []byte // of the device code
	UserCode  []byte // peppered hash of the code people type: it is short
	Pepper    uint32
	ClientID  string
	Scope     []string
	Resource  []string
	DPoPKey   string // key that asked: only it may redeem (row 24 of the threat table)
	Place     string // of the device, shown before consent
	Agent     string
	Stage     DeviceStage
	UserID    string
	Epoch     int64
	SSOID     string
	AuthTime  time.Time
	AMR       []string
	ACR       string
	CreatedAt time.Time
	ExpiresAt time.Time
	PolledAt  time.Time
	IntervalS int64
	SessionID string
	Version   int64
}

// DeviceStage is how far a device authorization has come.
type DeviceStage string

// The stages, in their order. Allowed, refused and spent are ends for the person, spent is the end for the device.
const (
	DevicePending DeviceStage = "pending"
	DeviceAllowed DeviceStage = "allowed"
	DeviceRefused DeviceStage = "refused"
	DeviceSpent   DeviceStage = "spent"
)

// Opaque is an opaque access token: one row, named by its hash. What it stands for is read from its session and these claims.
type Opaque struct {
	audit.OpaqueToken
	RevokedAt time.Time
}

// Ended names a session that a verb of this room ended or opened.
type Ended = session.Ended
