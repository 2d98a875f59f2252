package sqlstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// signedOn is a person whose sign-on has opened one application, and who is logged in at another without it.
type signedOn struct {
	userID, email string
	n             sso.Session
	under, apart  string
}

func (p *signedOn) password(text string) credential.Password {
	return credential.Password{ID: secret.NewID(t0), UserID: p.userID, PHC: text, PepperID: 7, CreatedAt: t0, UpdatedAt: t0}
}

// endings are all the ways in which everything of a person ends at once, each with the reason it leaves.
var endings = map[string]struct {
	reason string
	act    func(t *testing.T, s *sqlstore.Store, p *signedOn) error
}{
	"a reset by mail": {"password_reset", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		k := login.Ticket{
			TenantID: tenantID, ID: secret.NewID(t0), Kind: login.TicketReset, ClientID: "store", UserID: p.userID, Email: p.email, Typed: p.email,
			TokenHash: secret.Bytes(32), CreatedAt: t0, ExpiresAt: t0.Add(time.Hour),
		}
		if err := s.Logins().SaveTicket(t.Context(), k, audit.Record{}); err != nil {
			return err
		}
		_, err := s.Logins().Reset(t.Context(), login.ResetSpend{Ticket: k, Password: p.password("$new"), At: t0}, event("reset"))
		return err
	}},
	"a password change": {"password_changed", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		c := credential.Change{TenantID: tenantID, UserID: p.userID, OldPHC: "$test$1", Password: p.password("$new"), At: t0}
		_, err := s.Credentials().Change(t.Context(), c, event("changed"))
		return err
	}},
	"a disable": {"user_disabled", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		return s.Users().SetStatus(t.Context(), tenantID, p.userID, user.Disabled, t0, event("disabled"))
	}},
	"a delete": {"user_deleted", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		return s.Users().Delete(t.Context(), tenantID, p.userID, t0, t0.Add(time.Hour), event("deleted"))
	}},
	"a raised epoch": {"stolen", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		_, err := s.Users().RaiseEpoch(t.Context(), tenantID, p.userID, "stolen", t0, event("raised"))
		return err
	}},
	"log out everywhere": {"logout", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		_, err := s.Sessions().Revoke(t.Context(), session.Match{TenantID: tenantID, UserID: p.userID}, t0, "logout", event("everywhere"))
		return err
	}},
	"a password set by a backend": {"password_changed", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		pw := p.password("$new")
		return s.Accounts().Change(t.Context(), recipe.Change{TenantID: tenantID, UserID: p.userID, Password: &pw, At: t0}, event("set"))
	}},
	"a reset by a backend's token": {"password_reset", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		k := recipe.Token{
			TenantID: tenantID, Hash: secret.Bytes(32), Kind: recipe.TokenReset, Org: recipe.Public, Subject: p.userID, Email: p.email, ExpiresAt: t0.Add(time.Hour),
		}
		if err := s.RecipeTokens().Save(t.Context(), k, audit.Record{}); err != nil {
			return err
		}
		_, err := s.RecipeTokens().Reset(t.Context(), recipe.Spend{TenantID: tenantID, Org: k.Org, Kind: k.Kind, Hash: k.Hash, At: t0}, nil, event("spent"))
		return err
	}},
	"a removal by a backend": {"user_deleted", func(t *testing.T, s *sqlstore.Store, p *signedOn) error {
		_, err := s.Accounts().Remove(t.Context(), tenantID, []string{p.userID}, t0, t0.Add(time.Hour), event("removed"))
		return err
	}},
}

// eachTelling runs fn on every kind of store, with one message for each ended session that tells its id.
func eachTelling(t *testing.T, fn func(t *testing.T, s *sqlstore.Store)) {
	tell := func(tenant string, ended []session.Ended) (out []audit.Message, err error) {
		for _, e := range ended {
			out = append(out, audit.Message{ID: secret.NewID(t0), TenantID: tenant, Kind: delivery.KindLogout, Sealed: []byte(e.ID), NotBefore: t0})
		}
		return out, nil
	}
	for name, url := range map[string]func(testing.TB) string{"sqlite": testbed.SQLite, "postgres": testbed.Postgres} {
		t.Run(name, func(t *testing.T) {
			s := testbed.Open(t, url(t), sqlstore.Config{Tell: tell})
			seed(t, s)
			fn(t, s)
		})
	}
}

// arrives signs somebody on who has left one more application before: that one was told then, and what was told is gone from the outbox.
func arrives(t *testing.T, s *sqlstore.Store, name string) *signedOn {
	t.Helper()
	p := &signedOn{email: secret.NewID(t0) + "@example.com"}
	p.userID = enrol(t, s, p.email)
	var under, left session.Family
	p.n, _, under = signOnRows(t, s, p.userID)
	left, apart := family(p.userID), family(p.userID)
	left.SSOID = p.n.ID
	for _, f := range []session.Family{under, left, apart} {
		if err := s.Sessions().Open(t.Context(), f, nil, audit.Record{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	p.under, p.apart = under.ID, apart.ID
	if _, err := s.Sessions().Revoke(t.Context(), session.Match{TenantID: tenantID, ID: left.ID}, t0, "logout", audit.Record{}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got := messages(t, s); !slices.Equal(got, []string{left.ID}) {
		t.Fatalf("%s: leaving one application told %v", name, got)
	}
	return p
}

// messages empties the outbox and gives whom it told of, sorted.
func messages(t *testing.T, s *sqlstore.Store) (sids []string) {
	t.Helper()
	leased, err := s.Outbox().Lease(t.Context(), 100, t0.Add(time.Hour), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leased {
		if l.Message.Kind == delivery.KindLogout {
			sids = append(sids, string(l.Message.Sealed))
		}
		if err := s.Outbox().Done(t.Context(), l.Message.ID, audit.Record{}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(sids)
	return sids
}

func (p *signedOn) all() []string {
	both := []string{p.under, p.apart}
	slices.Sort(both)
	return both
}

// TestWhateverEndsASignOnTellsItsApplications: once, in the transaction that ends it, whatever the cause; and no sign-on stays behind. A
// password change told nobody before, and some left the rows of sign-ons as they were, good again in a backup that knows no epoch.
func TestWhateverEndsASignOnTellsItsApplications(t *testing.T) {
	eachTelling(t, func(t *testing.T, s *sqlstore.Store) {
		for name, e := range endings {
			p := arrives(t, s, name)
			if err := e.act(t, s, p); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := messages(t, s); !slices.Equal(got, p.all()) {
				t.Errorf("%s told of %v, want %v", name, got, p.all())
			}
			live, err := s.SignOns().ByHash(t.Context(), tenantID, p.n.Hash)
			if err != nil || live.Session.RevokedReason != e.reason {
				t.Errorf("%s: the sign-on ended for %q, want %q: %v", name, live.Session.RevokedReason, e.reason, err)
			}
			for what, m := range map[string]sso.Match{"the sign-on": {ID: p.n.ID}, "every sign-on": {UserID: p.userID}} {
				m.TenantID = tenantID
				if _, err := s.SignOns().Revoke(t.Context(), sso.End{Match: m, At: t0, Reason: "again"}, audit.Record{}); err != nil {
					t.Fatal(err)
				}
				if got := messages(t, s); len(got) != 0 {
					t.Errorf("%s, and then %s ended by name, told %v again", name, what, got)
				}
			}
		}
	})
}

// TestEndOfASignOnByNameTells: logout, and a person's own list of browsers, end what was opened under a sign-on and nothing else. Who had
// left before was told then, and is not told twice.
func TestEndOfASignOnByNameTells(t *testing.T) {
	eachTelling(t, func(t *testing.T, s *sqlstore.Store) {
		for name, match := range map[string]func(p *signedOn) sso.Match{
			"one":         func(p *signedOn) sso.Match { return sso.Match{ID: p.n.ID} },
			"all of them": func(p *signedOn) sso.Match { return sso.Match{UserID: p.userID} },
			"all others":  func(p *signedOn) sso.Match { return sso.Match{UserID: p.userID, Except: "another"} },
		} {
			p := arrives(t, s, name)
			m := match(p)
			m.TenantID = tenantID
			for i, want := range [][]string{{p.under}, nil} {
				if _, err := s.SignOns().Revoke(t.Context(), sso.End{Match: m, At: t0, Reason: "logout"}, event("off")); err != nil {
					t.Fatal(err)
				}
				if got := messages(t, s); !slices.Equal(got, want) {
					t.Errorf("%s, time %d: told of %v, want %v", name, i+1, got, want)
				}
			}
		}
	})
}
