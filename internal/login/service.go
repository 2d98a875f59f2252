package login

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Sessions opens sessions for people who were proved.
type Sessions interface {
	Open(ctx context.Context, call *audit.Call, req session.OpenRequest) (session.Tokens, error)
}

// Recorder writes events on their own: a refusal has no other change to travel with. session.Store is one.
type Recorder interface {
	Record(ctx context.Context, rec audit.Record) error
}

// Passwords checks and makes password credentials. *credential.Passwords is one.
type Passwords interface {
	Hash(ctx context.Context, pw secret.Text, at time.Time) (credential.Password, error)
	Verify(ctx context.Context, pw secret.Text, stored credential.Password) (ok, rehash bool, err error)
	Decoy(ctx context.Context, pw secret.Text) error
	CheckNew(pw secret.Text, rules tenant.PasswordRules, about ...string) error
}

// Directory knows tenants and clients. *tenant.Directory is one.
type Directory interface {
	All() []*tenant.Tenant
	ByID(id string) *tenant.Tenant
	Client(tenantID, clientID string) *tenant.Client
}

// Config is what a Service works with. Everything but Log is needed.
type Config struct {
	Store       Store
	Janitor     Janitor
	Credentials credential.Store
	Users       user.Store
	Sessions    Sessions
	Recorder    Recorder
	Passwords   Passwords
	Limits      ephemeral.Limiter
	Values      ephemeral.Values // session codes
	Ring        *secret.Ring
	Directory   Directory
	PublicURL   string // base of mailed links for tenants whose issuer is not a URL; never taken from a Host header
	Log         *slog.Logger
	Beat        time.Duration // what answers that tell nothing are spaced to since their request; 0 means 50 ms, a negative one is none, for tests
}

// Validate names everything that is missing or wrong.
func (c Config) Validate() error {
	var faults []error
	for name, absent := range map[string]bool{
		"Store": c.Store == nil, "Janitor": c.Janitor == nil, "Credentials": c.Credentials == nil, "Users": c.Users == nil,
		"Sessions": c.Sessions == nil, "Recorder": c.Recorder == nil, "Passwords": c.Passwords == nil, "Limits": c.Limits == nil, "Values": c.Values == nil,
		"Ring": c.Ring == nil, "Directory": c.Directory == nil,
	} {
		if absent {
			faults = append(faults, errors.New("login: "+name+" is missing"))
		}
	}
	if !isHTTP(c.PublicURL) {
		faults = append(faults, errors.New("login: PublicURL must be an http or https URL, or mailed links lead nowhere"))
	}
	return errors.Join(faults...)
}

// Service proves who people are. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes a service. It panics on a Config that Validate refuses.
func New(cfg Config) *Service {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.PublicURL, cfg.Beat = strings.TrimRight(cfg.PublicURL, "/"), cmp.Or(cfg.Beat, defaultBeat)
	return &Service{cfg: cfg}
}

func isHTTP(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
