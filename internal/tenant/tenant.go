// Package tenant owns tenants, clients and their policies: read-mostly values, cached in a Directory and replaced whole when the store's
// version moves. It does not own users, keys or sessions.
package tenant

import (
	"time"
)

// Tenant is one isolated directory with its own issuer, keys, users and clock.
type Tenant struct {
	ID          string        // UUID
	Slug        string        // name in /t/{slug} paths; unique
	Name        string        // shown to people
	Issuer      string        // the iss claim, and the base of mailed links when it is a URL
	Test        bool          // its clock may be moved and its mails go to the development mailbox
	ClockOffset time.Duration // added to the machine's clock; only ever grows; 0 unless Test
	Policy      Policy
	ManagedBy   string // "file" or "api"
	Version     int64
}

// At is the tenant's clock for a machine instant, in the microseconds that storage keeps.
func (t *Tenant) At(wall time.Time) time.Time {
	return wall.Add(t.ClockOffset).UTC().Truncate(time.Microsecond)
}

// Policy is a tenant's settings; stored as JSON. Field names are configuration names.
type Policy struct {
	DefaultClient string        `json:"default_client,omitempty"`
	Locale        string        `json:"locale,omitempty"` // default language of pages and mails
	Lives         Lives         `json:"lives"`
	Limits        Limits        `json:"limits"`
	Cookies       Cookies       `json:"cookies"`
	Keys          KeyPolicy     `json:"keys"`
	Theme         Theme         `json:"theme"`
	Audit         AuditPolicy   `json:"audit"`
	Mail          MailPolicy    `json:"mail"`
	Password      PasswordRules `json:"password"`
}

// Lives are lifetimes in seconds. A client's non-zero values override the tenant's.
type Lives struct {
	AccessS             int64  `json:"access_s,omitempty"`
	RefreshIdleS        int64  `json:"refresh_idle_s,omitempty"`
	RefreshMaxS         int64  `json:"refresh_max_s,omitempty"`
	RefreshGraceS       *int64 `json:"refresh_grace_s,omitempty"`        // pointer: 0 is a choice
	RefreshMinRotationS *int64 `json:"refresh_min_rotation_s,omitempty"` // pointer: 0 is a choice
	AttemptS            int64  `json:"attempt_s,omitempty"`              // sign-up attempt and its mail link
	ResetS              int64  `json:"reset_s,omitempty"`                // password-reset link
	FreshS              int64  `json:"fresh_s,omitempty"`                // how old a login may be for danger zones
	DeletedS            int64  `json:"deleted_s,omitempty"`              // soft-deleted users are erased after this
}

// Limits are "N/window" texts, for example "10/1m" (see internal/ephemeral.ParseLimit). "off" switches one off.
type Limits struct {
	PasswordNetwork        string `json:"password_network,omitempty"`
	PasswordNetworkAccount string `json:"password_network_account,omitempty"`
	PasswordAccount        string `json:"password_account,omitempty"`
	PasswordDevice         string `json:"password_device,omitempty"`
	MailNetwork            string `json:"mail_network,omitempty"`
	MailAddress            string `json:"mail_address,omitempty"`
	PasswordlessBurst      string `json:"passwordless_burst,omitempty"`
	PasswordlessAddress    string `json:"passwordless_address,omitempty"`
	PasswordlessDevice     string `json:"passwordless_device,omitempty"`
	RefreshSession         string `json:"refresh_session,omitempty"`
}

// Cookies are names and attributes of the token cookies.
type Cookies struct {
	AccessName  string `json:"access_name,omitempty"`
	RefreshName string `json:"refresh_name,omitempty"`
	Prefix      string `json:"prefix,omitempty"`    // "", "__Secure-" or "__Host-"
	Domain      string `json:"domain,omitempty"`    // parent domain; empty means this host only
	SameSite    string `json:"same_site,omitempty"` // lax (default), strict, none
	RefreshPath string `json:"refresh_path,omitempty"`
}

// KeyPolicy times the tenant's signing keys.
type KeyPolicy struct {
	RotationH int64 `json:"rotation_h,omitempty"` // how long a rotating key signs; default 168
	StaticN   int   `json:"static_n,omitempty"`   // how many static keys are kept published; default 1
}

// Theme is how hosted pages look.
type Theme struct {
	LogoURL  string `json:"logo_url,omitempty"`
	Accent   string `json:"accent,omitempty"` // #rrggbb
	RadiusPx int    `json:"radius_px,omitempty"`
	TermsURL string `json:"terms_url,omitempty"`
}

// AuditPolicy is how long the trail is kept.
type AuditPolicy struct {
	EventDays  int `json:"event_days,omitempty"`
	PersonDays int `json:"person_days,omitempty"`
}

// MailPolicy is who mails come from.
type MailPolicy struct {
	From    string `json:"from,omitempty"`
	ReplyTo string `json:"reply_to,omitempty"`
}

// PasswordRules bound new passwords. Length is counted in characters after NFC (NIST SP 800-63B section 3.1.1.2).
type PasswordRules struct {
	MinLength int `json:"min_length,omitempty"`
	MaxLength int `json:"max_length,omitempty"`
}

// Client is an application that may ask for tokens.
type Client struct {
	TenantID   string
	ID         string // [A-Za-z0-9._~-]{1,128}
	Name       string
	SecretHash []byte // one SHA-256 of a random secret; empty for a public client
	Settings   ClientSettings
	ManagedBy  string
	Version    int64
}

// ClientSettings are stored as JSON. Field names are configuration names.
type ClientSettings struct {
	Alg            string   `json:"alg,omitempty"` // RS256 (default), ES256, EdDSA
	Audience       []string `json:"audience,omitempty"`
	RedirectURIs   []string `json:"redirect_uris,omitempty"`
	AllowedOrigins []string `json:"allowed_origins,omitempty"`
	TokenDelivery  string   `json:"token_delivery,omitempty"` // both (default), cookie, bearer
	AutoRegister   bool     `json:"auto_register,omitempty"`
	Lives          Lives    `json:"lives"`
	Roles          []string `json:"roles,omitempty"`            // every role that may be granted
	DefaultRoles   []string `json:"default_roles,omitempty"`    // granted at registration
	ClientAuth     bool     `json:"client_auth,omitempty"`      // refresh needs client authentication
	Reusable       bool     `json:"reusable_refresh,omitempty"` // FusionAuth's policy word; default is rotation
	AfterVerifyURL string   `json:"after_verify_url,omitempty"` // where the proof page sends people
	AfterResetURL  string   `json:"after_reset_url,omitempty"`  // where the reset page sends people
	// Claims adds claims to access tokens: name → "user.name", "user.locale", "user.data.<key>" or "registration.data.<key>". The name "*"
	// with "user.data" spreads the whole object. Reserved claims are never overwritten, so no user can pass for a service.
	Claims           map[string]string `json:"claims,omitempty"`
	HandoffNoConfirm bool              `json:"handoff_no_confirm,omitempty"` // session codes without number match
}

// Effective is the tenant's policy narrowed to one client, with every default filled in.
type Effective struct {
	AccessLife  time.Duration
	RefreshIdle time.Duration
	RefreshMax  time.Duration
	Grace       time.Duration
	MinRotation time.Duration
	AttemptLife time.Duration
	ResetLife   time.Duration
	Fresh       time.Duration
	DeletedLife time.Duration
	Alg         string
	Audience    []string
}
