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
	DefaultClient string        `json:"default_client,omitempty" doc:"the client of calls that name none"`
	Locale        string        `json:"locale,omitempty" doc:"default language of pages and mails"`
	Lives         Lives         `json:"lives"`
	Limits        Limits        `json:"limits"`
	Cookies       Cookies       `json:"cookies"`
	Keys          KeyPolicy     `json:"keys"`
	Theme         Theme         `json:"theme"`
	Audit         AuditPolicy   `json:"audit"`
	Mail          MailPolicy    `json:"mail"`
	Password      PasswordRules `json:"password"`
	OAuth         PolicyOAuth   `json:"oauth"`
	AppOf         string        `json:"app_of,omitempty" config:"-"` // id of the tenant whose SuperTokens key made this one as an app
}

// Lives are lifetimes in seconds. A client's non-zero values override the tenant's.
type Lives struct {
	AccessS             int64  `json:"access_s,omitempty" doc:"life of an access token; default 900"`
	RefreshIdleS        int64  `json:"refresh_idle_s,omitempty" doc:"a session unused this long ends; default 2592000"`
	RefreshMaxS         int64  `json:"refresh_max_s,omitempty" doc:"a session this old ends; default 15552000"`
	RefreshGraceS       *int64 `json:"refresh_grace_s,omitempty" doc:"how long after its successor was confirmed an old refresh token is still an honest slow tab; default 60, 0 allowed"`
	RefreshMinRotationS *int64 `json:"refresh_min_rotation_s,omitempty" doc:"a refresh token younger than this is not rotated; default 60, 0 allowed"`
	AttemptS            int64  `json:"attempt_s,omitempty" doc:"life of a sign-up attempt and its mail link; default 86400"`
	ResetS              int64  `json:"reset_s,omitempty" doc:"life of a password-reset link; default 3600"`
	FreshS              int64  `json:"fresh_s,omitempty" doc:"how old a login may be for danger zones; default 600"`
	DeletedS            int64  `json:"deleted_s,omitempty" doc:"soft-deleted users are erased after this; default 2592000"`
}

// Limits are "N/window" texts, for example "10/1m" (see internal/ephemeral.ParseLimit). "off" switches one off.
type Limits struct {
	PasswordNetwork        string `json:"password_network,omitempty" doc:"password logins per network; default 10/1m"`
	PasswordNetworkAccount string `json:"password_network_account,omitempty" doc:"password logins per network and account; default 5/5m"`
	PasswordAccount        string `json:"password_account,omitempty" doc:"password logins per account over all unknown devices; default 100/24h"`
	PasswordDevice         string `json:"password_device,omitempty" doc:"password logins per known device; default 20/5m"`
	MailNetwork            string `json:"mail_network,omitempty" doc:"registration, resend and reset mails per network; default 5/1h"`
	MailAddress            string `json:"mail_address,omitempty" doc:"registration, resend and reset mails per address; default 5/1h"`
	PasswordlessBurst      string `json:"passwordless_burst,omitempty" doc:"passwordless mails per address at once; default 1/30s"`
	PasswordlessAddress    string `json:"passwordless_address,omitempty" doc:"passwordless mails per address; default 20/24h"`
	PasswordlessDevice     string `json:"passwordless_device,omitempty" doc:"passwordless mails per known device; default 20/24h"`
	HandoffUser            string `json:"handoff_user,omitempty" doc:"session codes per user; default 20/1m"`
	AuthorizeNetwork       string `json:"authorize_network,omitempty" doc:"authorization requests begun by browsers per network; default 300/1m"`
	PARNetwork             string `json:"par_network,omitempty" doc:"pushed authorization requests per network, which for an application's backend is all of its logins; default 1200/1m"`
	PARClient              string `json:"par_client,omitempty" doc:"pushed authorization requests per client that proved itself; default 3000/1m"`
}

// Cookies are names and attributes of the token cookies.
type Cookies struct {
	AccessName  string `json:"access_name,omitempty" doc:"name of the access-token cookie; default access_token"`
	RefreshName string `json:"refresh_name,omitempty" doc:"name of the refresh-token cookie; default refresh_token"`
	Prefix      string `json:"prefix,omitempty" doc:"__Secure- or __Host-, or empty"`
	Domain      string `json:"domain,omitempty" doc:"parent domain whose hosts receive the cookies; empty: this host only"`
	SameSite    string `json:"same_site,omitempty" doc:"lax (default), strict or none"`
	RefreshPath string `json:"refresh_path,omitempty" doc:"path of the refresh-token cookie; default /"`
}

// KeyPolicy times the tenant's signing keys.
type KeyPolicy struct {
	RotationH int64 `json:"rotation_h,omitempty" doc:"how long a rotating key signs; default 168"`
	StaticN   int   `json:"static_n,omitempty" doc:"how many static keys are kept published; default 1"`
}

// Theme is how hosted pages look.
type Theme struct {
	LogoURL  string `json:"logo_url,omitempty" doc:"logo on pages: data:image/… or a path of this origin; another host would learn who opens which page"`
	Accent   string `json:"accent,omitempty" doc:"accent colour, #rrggbb"`
	RadiusPx int    `json:"radius_px,omitempty" doc:"corner radius of pages"`
	TermsURL string `json:"terms_url,omitempty" doc:"https URL of the terms"`
}

// AuditPolicy is how long the trail is kept.
type AuditPolicy struct {
	EventDays  int `json:"event_days,omitempty" doc:"how long events are kept"`
	PersonDays int `json:"person_days,omitempty" doc:"how long the personal part of events is kept"`
}

// MailPolicy is who mails come from.
type MailPolicy struct {
	From    string `json:"from,omitempty" doc:"sender of this tenant's mails; default smtp.from"`
	ReplyTo string `json:"reply_to,omitempty" doc:"where replies go"`
}

// PasswordRules bound new passwords. Length is counted in characters after NFC (NIST SP 800-63B section 3.1.1.2).
type PasswordRules struct {
	MinLength int `json:"min_length,omitempty" doc:"fewest characters of a new password"`
	MaxLength int `json:"max_length,omitempty" doc:"most characters of a new password"`
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
	Alg            string   `json:"alg,omitempty" doc:"RS256 (default), ES256 or EdDSA"`
	Audience       []string `json:"audience,omitempty" doc:"aud of its access tokens; default the client id"`
	RedirectURIs   []string `json:"redirect_uris,omitempty" doc:"exact pages that may receive people back"`
	AllowedOrigins []string `json:"allowed_origins,omitempty" doc:"exact origins of browser apps that may call with cookies"`
	TokenDelivery  string   `json:"token_delivery,omitempty" doc:"both (default), cookie or bearer"`
	AutoRegister   bool     `json:"auto_register,omitempty" doc:"an unknown address at /login/password starts a sign-up; it says nothing about who may enter"`
	// RequireRegistration closes an application to whoever is not registered there already (docs/adr/0009).
	RequireRegistration bool     `json:"require_registration,omitempty" doc:"only people who are registered here may enter, and nobody signs up here; gatehouse users register lets people in; not beside auto_register"`
	Lives               Lives    `json:"lives"`
	Roles               []string `json:"roles,omitempty" doc:"every role that may be granted"`
	DefaultRoles        []string `json:"default_roles,omitempty" doc:"roles granted at registration"`
	ClientAuth          bool     `json:"client_auth,omitempty" doc:"refresh needs client authentication"`
	Reusable            bool     `json:"reusable_refresh,omitempty" doc:"refresh tokens are not rotated"`
	AfterVerifyURL      string   `json:"after_verify_url,omitempty" doc:"where the page that proves a mailbox sends people"`
	AfterResetURL       string   `json:"after_reset_url,omitempty" doc:"where the page that resets a password sends people"`
	// Claims adds claims to access tokens. Reserved claims are never overwritten, so no user can pass for a service.
	Claims           map[string]string `json:"claims,omitempty" doc:"extra claims of access tokens: name → user.name, user.locale, user.data.<key> or registration.data.<key>; the name * with user.data or registration.data takes every key; reserved claims are never touched"`
	OAuth            OAuth             `json:"oauth"`
	HandoffNoConfirm bool              `json:"handoff_no_confirm,omitempty" config:"-"` // session codes without number match
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
