package oauth

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Directory knows clients. *tenant.Directory is one.
type Directory interface {
	Client(tenantID, clientID string) *tenant.Client
}

// SignOns ends sign-on sessions. *sso.Service is one.
type SignOns interface {
	End(ctx context.Context, call *audit.Call, t *tenant.Tenant, m sso.Match, reason string) ([]session.Ended, error)
}

// TokenReader checks tokens of ours that are not access tokens. *token.Service is one.
type TokenReader interface {
	Read(t *tenant.Tenant, q token.Query, raw string, at time.Time) (*jose.Token, error)
}

// Config is what a Service works with.
type Config struct {
	Requests  Requests
	Codes     Codes
	SignOns   SignOns
	Directory Directory
	Tokens    TokenReader
	Recorder  Recorder // may be nil
	// ACRs are the authentication context classes that a login here can reach, weakest first. A request for another one is answered with
	// what was reached: acr_values is a voluntary claim (OpenID Connect Core section 3.1.2.1).
	ACRs []string
	// PublicURL is the base of addresses that are handed out for tenants whose issuer is no URL; never taken from a Host header.
	PublicURL string
	Log       *slog.Logger

	Back Back // of the token endpoint and its neighbours
}

// Service has the rules of every endpoint. Safe for concurrent use.
type Service struct {
	cfg  Config
	keys *keyCache // of clients
}

// New makes a service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	return &Service{cfg: cfg, keys: newKeyCache(cfg.Back.Keys)}
}

// Lives of what works once.
const (
	PushedLife  = 90 * time.Second // RFC 9126 section 2.2 names 5 to 600 s; a person's browser follows at once
	RequestLife = time.Hour        // with a mailbox to be proved on the way
	CodeLife    = 60 * time.Second // RFC 6749 section 4.1.2 names 10 min as the most
)

// Response modes (OAuth 2.0 Multiple Response Types and Form Post Response Mode).
const (
	ModeQuery    = "query"
	ModeFormPost = "form_post"
)

// Reply is an answer to a client by way of the browser. RedirectURI is a registered one, with the port asked for on loopback, and goes
// out as it is.
type Reply struct {
	RedirectURI string
	Mode        string     // ModeQuery or ModeFormPost
	Params      url.Values // code or error, state, iss (RFC 9207)
}

// StepKind is what an authorization request needs next.
type StepKind string

// The steps.
const (
	StepLogin   StepKind = "login"
	StepChoose  StepKind = "choose"
	StepConsent StepKind = "consent"
	StepReply   StepKind = "reply"
)

// Step is what the dispatcher decided. Pages show Request and Client; a reply is sent as it is.
type Step struct {
	Kind    StepKind
	Request Request
	Client  *tenant.Client
	Reply   *Reply
	Ask     []string // StepConsent: scopes the person has not allowed yet
}

// Credentials are what a client showed of itself, before anything is believed.
type Credentials struct {
	Method        string // "client_secret_basic", "client_secret_post", "private_key_jwt", "none"
	ClientID      string
	Secret        secret.Text
	Assertion     secret.Text
	AssertionType string
	Several       bool // more than one method was used: RFC 6749 section 2.3 forbids it
}

// LogoutRequest asks for logout at the issuer (OpenID Connect RP-Initiated Logout 1.0 section 2).
type LogoutRequest struct {
	ClientID              string
	IDTokenHint           string
	PostLogoutRedirectURI string
	State                 string
	Live                  *sso.Live // of this browser, nil when nobody is signed on
	Confirmed             bool      // the person said so on a page of ours
}

// LogoutStep is what follows. With Confirm nothing was ended yet and the person is asked; else RedirectURI is where to go, "" for a page
// of ours.
type LogoutStep struct {
	Confirm     bool
	Client      *tenant.Client // who asked, nil when nobody is named
	RedirectURI string         // registered, state added
}
