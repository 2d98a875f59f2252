package sqlstore_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

const tenantID = "0190a000-0000-7000-8000-000000000001"

// seed puts a tenant with a client.
func seed(t testing.TB, s *sqlstore.Store) {
	t.Helper()
	err := s.Tenants().Put(t.Context(), []tenant.Tenant{{ID: tenantID, Slug: "main", Issuer: "https://login.example.com", Test: true}},
		[]tenant.Client{{TenantID: tenantID, ID: "store"}}, audit.Record{})
	if err != nil {
		t.Fatal(err)
	}
}

// enrol makes a user by way of a proved attempt.
func enrol(t testing.TB, s *sqlstore.Store, email string) (userID string) {
	t.Helper()
	a := attempt(email)
	if err := s.Logins().SaveAttempt(t.Context(), a, audit.Record{}); err != nil {
		t.Fatal(err)
	}
	userID = secret.NewID(t0)
	err := s.Logins().Prove(t.Context(), login.Proof{Attempt: a, UserID: userID, Name: "Ada", Password: a.Password, Roles: []string{"buyer"}, At: t0},
		audit.Record{})
	if err != nil {
		t.Fatal(err)
	}
	return userID
}

func attempt(email string) login.Attempt {
	return login.Attempt{
		TenantID: tenantID, ID: secret.NewID(t0), ClientID: "store", Email: email, Typed: email, TokenHash: secret.Bytes(32),
		Password:  credential.Password{ID: secret.NewID(t0), PHC: "$test$1", PepperID: 7, CreatedAt: t0, UpdatedAt: t0},
		CreatedAt: t0, ExpiresAt: t0.Add(time.Hour),
	}
}

func family(userID string) session.Family {
	return session.Family{
		TenantID: tenantID, ID: secret.NewID(t0), ClientID: "store", Subject: userID, UserID: userID, Epoch: 1, Head: session.Hash(secret.Bytes(32)),
		CreatedAt: t0, LastSeen: t0, IdleExpiry: t0.Add(time.Hour), AbsoluteExpiry: t0.Add(24 * time.Hour), Audience: []string{"store"}, AMR: []string{"pwd"},
		AuthTime: t0, Version: 1,
	}
}

func event(kind string) audit.Record {
	return audit.Record{Events: []audit.Event{{
		ID: secret.NewID(t0), TenantID: tenantID, At: t0, Type: kind, Trace: "trace-" + kind, Actor: audit.Actor{Kind: "user"},
		Person: &audit.Person{Address: "192.0.2.1"},
	}}}
}
