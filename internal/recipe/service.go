package recipe

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Passwords hashes; *credential.Passwords is one.
type Passwords interface {
	Hash(ctx context.Context, pw secret.Text, at time.Time) (credential.Password, error)
}

// Directory knows tenants and clients; *tenant.Directory is one.
type Directory interface {
	All() []*tenant.Tenant
	BySlug(slug string) *tenant.Tenant
	Client(tenantID, clientID string) *tenant.Client
	Refresh(ctx context.Context) error
}

// Config is what a Service works with; every part is needed.
type Config struct {
	Accounts      Accounts
	People        People
	Tokens        Tokens
	Roles         Roles
	Metadatas     Metadatas
	Externals     Externals
	Organisations Organisations
	Apps          Apps
	Tenants       tenant.Store
	Directory     Directory
	Passwords     Passwords
}

// Service is the rules of the room. It is safe for concurrent use.
type Service struct{ cfg Config }

// New makes a service.
func New(cfg Config) (*Service, error) {
	if cfg.Accounts == nil || cfg.People == nil || cfg.Tokens == nil || cfg.Roles == nil || cfg.Metadatas == nil || cfg.Externals == nil ||
		cfg.Organisations == nil || cfg.Apps == nil || cfg.Tenants == nil || cfg.Directory == nil || cfg.Passwords == nil {
		return nil, errors.New("recipe: every part of Config is needed")
	}
	return &Service{cfg: cfg}, nil
}

// trail is one event about a subject. Ids only; email is kept apart as personal data.
func trail(call *audit.Call, kind, subject, email string, detail ...string) audit.Record {
	e := call.Event(secret.NewID(call.Wall), kind)
	e.Subject = subject
	if email != "" {
		e.Person = call.Personal(email)
	}
	for i := 0; i+1 < len(detail); i += 2 {
		if e.Detail == nil {
			e.Detail = map[string]string{}
		}
		e.Detail[detail[i]] = detail[i+1]
	}
	return audit.Record{Events: []audit.Event{e}}
}

// as gives a store's refusal of a kind the reason that says what was absent or taken.
func as(err error, kind fault.Kind, reason fault.Reason, safe string) error {
	if err == nil {
		return nil
	}
	if f := fault.From(err); f.Kind != kind {
		return f
	}
	return fault.New(kind, reason, safe)
}

func unknownUser(err error) error {
	return as(err, fault.NotFound, fault.ReasonUnknownUser, "there is no such user")
}

func unknownRole(err error) error {
	return as(err, fault.NotFound, fault.ReasonUnknownRole, "there is no such role")
}

// PurgeExpired deletes one-time tokens that expired before at.
func (s *Service) PurgeExpired(ctx context.Context, tenantID string, at time.Time, limit int) (int, error) {
	return s.cfg.Tokens.Purge(ctx, tenantID, at, limit)
}
