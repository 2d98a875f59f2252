package sqlstore_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// TestOpenAgainstUnregister: an open that asks for a registration, and the removal of it, each held open between its write and its commit. No
// session outlives the registration that it was opened by.
func TestOpenAgainstUnregister(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		asks := &user.Registration{ClientID: "store", Held: true}
		userID := enrol(t, s, "first@example.com")
		err := held(t, s, func(tx sqlstore.Tx) error { return tx.HalfUnregister(tenantID, userID, "store", t0) },
			func() error { return s.Sessions().Open(t.Context(), family(userID), asks, event("opened")) })
		if fault.ReasonOf(err) != fault.ReasonNotRegistered {
			t.Errorf("an open slipped past the end of its registration: %v", err)
		}
		if list := live(t, s, userID); len(list) != 0 {
			t.Errorf("%d live sessions", len(list))
		}

		userID = enrol(t, s, "second@example.com")
		f := family(userID)
		err = held(t, s, func(tx sqlstore.Tx) error { return tx.HalfOpen(f) },
			func() error { return s.Users().Unregister(t.Context(), tenantID, userID, "store", t0, audit.Record{}) })
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: f.ID})
		if err != nil || !got.Family.Revoked() || got.Family.RevokedReason != sqlstore.EndedByUnregister {
			t.Errorf("the session that was being opened lives on: %+v, %v", got.Family, err)
		}
	})
}
