package login_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

func init() { backends = append(backends, sqliteBackend, postgresBackend) }

func sqliteBackend(t *testing.T) backend { return sqlBackend("sqlite", testbed.OpenSQLite(t).Store) }
func postgresBackend(t *testing.T) backend {
	return sqlBackend("postgres", testbed.OpenPostgres(t).Store)
}

func sqlBackend(name string, s *sqlstore.Store) backend {
	return backend{
		name: name, logins: s.Logins(), janitor: s.Janitor(), users: s.Users(), secrets: s.Credentials(), sessions: s.Sessions(),
		limits: s.Limits(), values: s.Values(), revoke: func(t *testing.T, tenantID, sid string, at time.Time) {
			t.Helper()
			_, err := s.Sessions().Revoke(t.Context(), session.Match{TenantID: tenantID, ID: sid}, at, "test", audit.Record{})
			must(t, err)
		},
		prepare: func(t *testing.T, tenants []tenant.Tenant, clients []tenant.Client) {
			t.Helper()
			must(t, s.Tenants().Put(t.Context(), tenants, clients, audit.Record{}))
		},
	}
}
