package sessionmachine_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/storetest/sessionmachine"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// storeWorld seeds a tenant and a client; its users come into being as people do: by a proved sign-up.
func storeWorld(t *testing.T, s *sqlstore.Store) sessionmachine.World {
	t.Helper()
	tn := tenant.Tenant{
		ID: secret.NewID(sessionmachine.Start), Slug: "main", Name: "Main", Issuer: "https://login.example.com", Version: 1, ManagedBy: "file",
	}
	c := tenant.Client{TenantID: tn.ID, ID: "app", Name: "App", Version: 1, ManagedBy: "file"}
	if err := s.Tenants().Put(t.Context(), []tenant.Tenant{tn}, []tenant.Client{c}, audit.Record{}); err != nil {
		t.Fatal(err)
	}
	return sessionmachine.World{
		Store: s.Sessions(), Users: s.Users(), Tenant: &tn, Client: &c,
		NewUser: func(ctx context.Context, at time.Time) (*user.User, error) { return signUp(ctx, s, tn.ID, c.ID, at) },
	}
}

func signUp(ctx context.Context, s *sqlstore.Store, tenantID, clientID string, at time.Time) (*user.User, error) {
	id, token := secret.NewID(at), secret.Bytes(32)
	a := login.Attempt{
		TenantID: tenantID, ID: secret.NewID(at), ClientID: clientID, Email: id + "@example.com", Typed: id + "@example.com",
		Name: "Ann Example", Locale: "en", TokenHash: token, CreatedAt: at, ExpiresAt: at.Add(time.Hour),
		Password: credential.Password{ID: secret.NewID(at), PHC: "$test$", CreatedAt: at, UpdatedAt: at},
	}
	if err := s.Logins().SaveAttempt(ctx, a, audit.Record{}); err != nil {
		return nil, err
	}
	password := a.Password
	password.UserID = id
	p := login.Proof{Attempt: a, UserID: id, Name: a.Name, Password: password, Roles: []string{"member"}, At: at}
	if err := s.Logins().Prove(ctx, p, audit.Record{}); err != nil {
		return nil, err
	}
	u, err := s.Users().Get(ctx, tenantID, id, clientID)
	return &u, err
}

func TestMachineOnStores(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) { sessionmachine.Machine(t, storeWorld(t, s)) })
}

func TestParallelOnStores(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		sessionmachine.Parallel(t, storeWorld(t, s), 64, 50)
		oneNotice(t, s)
	})
}

// Two nodes on one PostgreSQL.
func TestParallelOnTwoNodes(t *testing.T) {
	b := testbed.OpenPostgres(t)
	w := storeWorld(t, b.Store)
	w.Nodes = []session.Store{testbed.Open(t, b.URL, sqlstore.Config{}).Sessions()}
	sessionmachine.Parallel(t, w, 64, 50)
	oneNotice(t, b.Store)
}

// oneNotice: 64 replays at once tell the owner once.
func oneNotice(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	if n, err := s.Outbox().Backlog(t.Context()); err != nil || n != 1 {
		t.Errorf("%d notices to the owner, %v; want 1", n, err)
	}
}

func TestRaceOnStores(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) { sessionmachine.Race(t, storeWorld(t, s), 64) })
}
