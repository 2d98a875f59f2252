package storetest_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral/ephemeraltest"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/storetest"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

func rooms(s *sqlstore.Store) storetest.Rooms {
	return storetest.Rooms{
		Tenants: s.Tenants(), Users: s.Users(), Keys: s.Keys(), Sessions: s.Sessions(), Logins: s.Logins(), Janitor: s.Janitor(),
		Credentials: s.Credentials(), Outbox: s.Outbox(), ServiceKeys: s.ServiceKeys(), ServiceTokens: s.ServiceTokens(),
		Recipe: storetest.Recipe{
			Accounts: s.Accounts(), People: s.People(), Tokens: s.RecipeTokens(), Roles: s.AppRoles(), Metadatas: s.Metadatas(),
			Externals: s.Externals(), Organisations: s.Divisions(), Apps: s.Apps(),
		},
		SignOns: s.SignOns(), Requests: s.OAuthRequests(), Codes: s.OAuthCodes(),
		Devices: s.OAuthDevices(), Opaques: s.OAuthOpaques(), Registrations: s.OAuthRegistrations(),
		Trail: storetest.Trail{
			Events: func(ctx context.Context, tenantID, trace string) ([]audit.Event, error) {
				return s.Events().Find(ctx, sqlstore.TrailQuery{TenantID: tenantID, Trace: trace})
			},
			Revocations: func(ctx context.Context, tenantID string) (out []storetest.Numbered, err error) {
				feed, err := s.Events().Revocations(ctx, tenantID, 0, 1_000_000)
				for _, n := range feed {
					out = append(out, storetest.Numbered{Sequence: n.Seq, Revocation: n.Revocation})
				}
				return out, err
			},
		},
	}
}

// both runs a suite on SQLite and PostgreSQL, and on each with every write run again, as after a deadlock or a neighbour's failure.
func both(t *testing.T, suite func(*testing.T, storetest.Rooms)) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) { suite(t, rooms(s)) })
	again := sqlstore.Config{Rehearse: true}
	t.Run("sqlite, every write again", func(t *testing.T) { suite(t, rooms(testbed.Open(t, testbed.SQLite(t), again))) })
	t.Run("postgres, every write again", func(t *testing.T) { suite(t, rooms(testbed.Open(t, testbed.Postgres(t), again))) })
}

func TestTenants(t *testing.T)       { both(t, storetest.Tenants) }
func TestUsers(t *testing.T)         { both(t, storetest.Users) }
func TestKeys(t *testing.T)          { both(t, storetest.Keys) }
func TestSessions(t *testing.T)      { both(t, storetest.Sessions) }
func TestLogins(t *testing.T)        { both(t, storetest.Logins) }
func TestCredentials(t *testing.T)   { both(t, storetest.Credentials) }
func TestServiceKeys(t *testing.T)   { both(t, storetest.ServiceKeys) }
func TestServiceTokens(t *testing.T) { both(t, storetest.ServiceTokens) }
func TestSignOns(t *testing.T)       { both(t, storetest.SignOns) }
func TestOAuth(t *testing.T)         { both(t, storetest.OAuth) }
func TestOAuthBack(t *testing.T)     { both(t, storetest.OAuthBack) }
func TestOutbox(t *testing.T)        { both(t, storetest.Outbox) }
func TestAccounts(t *testing.T)      { both(t, storetest.Accounts) }
func TestRecipes(t *testing.T)       { both(t, storetest.Recipes) }

// TestEphemeral: a sweep far in the future empties the backend for every test of the suite.
func TestEphemeral(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		ephemeraltest.Run(t, func(t *testing.T) (ephemeral.Values, ephemeral.Limiter) {
			if _, err := s.Values().Sweep(context.Background(), time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
				t.Fatal(err)
			}
			return s.Values(), s.Limits()
		})
	})
}
