package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// signOnRows stores a sign-on session of the user, a finished request and its code, and gives them with a family under the session.
func signOnRows(t *testing.T, s *sqlstore.Store, userID string) (sso.Session, oauth.Code, session.Family) {
	t.Helper()
	n := sso.Session{
		TenantID: tenantID, ID: secret.NewID(t0), Hash: secret.Bytes(32), UserID: userID, Epoch: epochOf(t, s, userID), CreatedAt: t0, LastSeen: t0,
		IdleExpiry: t0.Add(time.Hour), AbsoluteExpiry: t0.Add(time.Hour), AuthTime: t0, Version: 1,
	}
	if err := s.SignOns().Open(t.Context(), n, audit.Record{}); err != nil {
		t.Fatal(err)
	}
	c := oauth.Code{
		TenantID: tenantID, Hash: secret.Bytes(32), ClientID: "store", UserID: userID, Epoch: n.Epoch, SSOID: n.ID, CreatedAt: t0, ExpiresAt: t0.Add(time.Minute),
	}
	if ok, err := s.OAuthRequests().Finish(t.Context(), begunRequest(t, s), &c, nil, t0, audit.Record{}); err != nil || !ok {
		t.Fatalf("%v %v", ok, err)
	}
	f := family(userID)
	f.SSOID, f.Epoch = n.ID, n.Epoch
	return n, c, f
}

func begunRequest(t *testing.T, s *sqlstore.Store) oauth.Request {
	t.Helper()
	r := oauth.Request{TenantID: tenantID, ID: secret.Random(24), Browser: "b", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour), Version: 1}
	if err := s.OAuthRequests().Begin(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSignOffAgainstWhatIsOpenedUnderIt: opens, exchanges and codes while the sign-on session is being ended, in both orders.
func TestSignOffAgainstWhatIsOpenedUnderIt(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		u := enrol(t, s, "a@example.com")
		n, c, f := signOnRows(t, s, u)
		signOff := func(tx sqlstore.Tx) error { return tx.HalfSignOff(tenantID, n.ID, t0) }
		for name, act := range map[string]func() error{
			"open": func() error { return s.Sessions().Open(t.Context(), f, nil, event("late")) },
			"exchange": func() error {
				_, err := s.OAuthCodes().Exchange(t.Context(), tenantID, c.Hash, f, nil, event("late"))
				return err
			},
			"finish": func() error {
				c.Hash = secret.Bytes(32)
				_, err := s.OAuthRequests().Finish(t.Context(), begunRequest(t, s), &c, nil, t0, event("late"))
				return err
			},
		} {
			n, c, f = signOnRows(t, s, u)
			err := held(t, s, signOff, act)
			if reason := fault.ReasonOf(err); reason != fault.ReasonSessionRevoked && reason != fault.ReasonUserChanged {
				t.Errorf("%s slipped past the end of its sign-on session: %v", name, err)
			}
		}
		for name, half := range map[string]func(tx sqlstore.Tx) error{
			"open":     func(tx sqlstore.Tx) error { return tx.HalfOpen(f) },
			"exchange": func(tx sqlstore.Tx) error { return tx.HalfExchange(c.Hash, f) },
		} {
			n, c, f = signOnRows(t, s, u)
			var ended []session.Ended
			err := held(t, s, half, func() (err error) {
				ended, err = s.SignOns().Revoke(t.Context(), sso.End{Match: sso.Match{TenantID: tenantID, ID: n.ID}, At: t0, Reason: "test"}, event("off"))
				return err
			})
			if err != nil || len(ended) != 1 || ended[0].ID != f.ID {
				t.Errorf("%s: ended %v, %v", name, ended, err)
			}
			if got, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: f.ID}); err != nil || !got.Family.Revoked() {
				t.Errorf("%s: the session that was being opened lives on: %v", name, err)
			}
		}
	})
}

// TestExchangeAgainstEveryStop: a code that is being exchanged while its person is stopped, or takes the consent back.
func TestExchangeAgainstEveryStop(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		for _, st := range append(stops, stop{"withdraw", "", nil}) {
			u := enrol(t, s, st.name+"@example.com")
			if st.act == nil {
				st.act = func(ctx context.Context, s *sqlstore.Store, userID string) error {
					_, err := s.OAuthRequests().Withdraw(ctx, tenantID, userID, "store", t0, audit.Record{})
					return err
				}
			}
			_, c, f := signOnRows(t, s, u)
			if err := held(t, s, func(tx sqlstore.Tx) error { return tx.HalfExchange(c.Hash, f) }, func() error { return st.act(t.Context(), s, u) }); err != nil {
				t.Fatalf("%s: %v", st.name, err)
			}
			if got, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: f.ID}); err != nil || !got.Family.Revoked() {
				t.Errorf("%s: the session that was being opened lives on: %v", st.name, err)
			}
			if st.half == "" {
				continue
			}
			u = enrol(t, s, "again-"+st.name+"@example.com")
			_, c, f = signOnRows(t, s, u)
			err := held(t, s, func(tx sqlstore.Tx) error { _, err := tx.Exec(st.half, tenantID, u); return err }, func() error {
				_, err := s.OAuthCodes().Exchange(t.Context(), tenantID, c.Hash, f, nil, event("late"))
				return err
			})
			if fault.ReasonOf(err) != fault.ReasonUserChanged {
				t.Errorf("%s: an exchange slipped past: %v", st.name, err)
			}
		}
	})
}
