package sqlstore_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/revocation"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func revoked(id string) audit.Record {
	return audit.Record{Revocations: []audit.Revocation{{TenantID: tenantID, Kind: "token", Target: id, At: t0, Reason: "test", Until: t0.Add(time.Hour)}}}
}

func headOf(t *testing.T, s *sqlstore.Store) revocation.Head {
	t.Helper()
	h, err := s.Revocations().Head(t.Context(), tenantID)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func pageOf(t *testing.T, s *sqlstore.Store, after, upTo int64, at time.Time, limit int) []revocation.Entry {
	t.Helper()
	page, err := s.Revocations().Page(t.Context(), revocation.Span{TenantID: tenantID, After: after, UpTo: upTo, At: at}, limit)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// TestNumbersAreInTheOrderOfCommits: a transaction that has taken a number and not committed holds up every later one, so that no follower
// passes a number that appears afterwards.
func TestNumbersAreInTheOrderOfCommits(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		if err := s.Sessions().Record(t.Context(), revoked("first")); err != nil {
			t.Fatal(err)
		}
		u := enrol(t, s, "a@example.com")
		f := family(u)
		if err := s.Sessions().Open(t.Context(), f, nil, audit.Record{}); err != nil {
			t.Fatal(err)
		}
		err := held(t, s, func(tx sqlstore.Tx) error {
			if err := tx.HalfRevoke(tenantID, u, t0); err != nil {
				return err
			}
			if h := headOf(t, s); h.Seq != 1 || len(pageOf(t, s, 0, 100, t0, 100)) != 1 {
				t.Errorf("seen before its commit: %+v", h)
			}
			return nil
		}, func() error { return s.Sessions().Record(t.Context(), revoked("last")) })
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, e := range pageOf(t, s, 0, headOf(t, s).Seq, t0, 100) {
			if e.Seq != int64(i+1) {
				t.Errorf("number %d at place %d", e.Seq, i+1)
			}
			got = append(got, e.Kind+" "+e.Target)
		}
		if want := []string{"token first", "subject " + u, "session " + f.ID, "token last"}; strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

// TestFallenUsersAreInTheFeed: disable, delete and epoch raise tell the new epoch, which no token given before carries.
func TestFallenUsersAreInTheFeed(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		for _, st := range stops {
			u := enrol(t, s, "fallen-"+st.name+"@example.com")
			before := headOf(t, s).Seq
			if err := st.act(t.Context(), s, u); err != nil {
				t.Fatal(err)
			}
			got := pageOf(t, s, before, headOf(t, s).Seq, t0, 10)
			if len(got) != 1 || got[0].Kind != "subject" || got[0].Target != u || got[0].Epoch != 2 || !got[0].Until.Equal(t0.Add(24*time.Hour)) {
				t.Errorf("%s: %+v", st.name, got)
			}
		}
		u := enrol(t, s, "back@example.com")
		for _, to := range []user.Status{user.Disabled, user.Active} {
			if err := s.Users().SetStatus(t.Context(), tenantID, u, to, t0, audit.Record{}); err != nil {
				t.Fatal(err)
			}
		}
		f := family(u)
		f.Epoch = 2 // what it gets after its enabling is not below what the feed told
		if err := s.Sessions().Open(t.Context(), f, nil, audit.Record{}); err != nil {
			t.Error(err)
		}
	})
}

func TestPagesOfTheFeed(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		var all []audit.Revocation
		for i := range 10 {
			all = append(all, audit.Revocation{TenantID: tenantID, Kind: "token", Target: string(rune('a' + i)), At: t0, Until: t0.Add(time.Duration(i) * time.Hour)})
		}
		if err := s.Sessions().Record(t.Context(), audit.Record{Revocations: all}); err != nil {
			t.Fatal(err)
		}
		if n := len(pageOf(t, s, 0, 10, t0.Add(4*time.Hour), 100)); n != 5 {
			t.Errorf("%d are relevant, want 5", n)
		}
		if got := pageOf(t, s, 3, 8, t0.Add(-time.Hour), 2); len(got) != 2 || got[0].Seq != 4 || got[1].Seq != 5 || !got[0].Until.Equal(t0.Add(3*time.Hour)) {
			t.Errorf("%+v", got)
		}
		n, err := s.Revocations().Purge(t.Context(), tenantID, t0.Add(4*time.Hour))
		if err != nil || n != 4 {
			t.Errorf("%d purged, %v", n, err)
		}
		if h := headOf(t, s); h.Seq != 10 || h.Stream == "" {
			t.Errorf("head after a purge: %+v", h)
		}
	})
}

// TestRevokedIsTold: each commit that wrote to the feed is told, and nothing else.
func TestRevokedIsTold(t *testing.T) {
	for _, url := range []string{testbed.SQLite(t), testbed.Postgres(t)} {
		var told atomic.Int64
		s := testbed.Open(t, url, sqlstore.Config{Revoked: func() { told.Add(1) }})
		seed(t, s)
		u := enrol(t, s, "a@example.com")
		if told.Load() != 0 {
			t.Error("told of nothing")
		}
		for i, act := range []func() error{
			func() error { return s.Sessions().Record(t.Context(), revoked("x")) },
			func() error {
				_, err := s.Users().RaiseEpoch(t.Context(), tenantID, u, "test", t0, audit.Record{})
				return err
			},
		} {
			if err := act(); err != nil || told.Load() != int64(i+1) {
				t.Errorf("act %d: told %d times, %v", i, told.Load(), err)
			}
		}
		bad := revoked("x")
		bad.Revocations[0].Target = "\x00"
		if err := s.Sessions().Record(t.Context(), bad); err == nil || told.Load() != 2 {
			t.Errorf("a failed verb was told: %v", err)
		}
	}
}

// TestStreamFollowsThePlace: the same database keeps its stream over restarts; a copy that is put in another place gets a new one, when it is
// served and not when a command looks at it.
func TestStreamFollowsThePlace(t *testing.T) {
	dir := t.TempDir()
	stream := func(path string, own bool) string {
		s, err := sqlstore.Open(t.Context(), "sqlite:"+path, sqlstore.Config{Own: own})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return headOf(t, s).Stream
	}
	home, copied := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
	first := stream(home, true)
	if first == "" || stream(home, true) != first || stream(home, false) != first {
		t.Error("the stream changed where nothing else did")
	}
	raw, err := os.ReadFile(home)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if stream(copied, false) != first {
		t.Error("a command named the stream anew")
	}
	if second := stream(copied, true); second == first || second != stream(copied, true) {
		t.Error("a restored copy goes on with the stream")
	}
	if stream(home, true) != first {
		t.Error("the original was touched")
	}
}

func TestStreamOnPostgres(t *testing.T) {
	url := testbed.Postgres(t)
	open := func() *sqlstore.Store { return testbed.Open(t, url, sqlstore.Config{Own: true}) }
	a, b := open(), open()
	first := headOf(t, a).Stream
	if first == "" || headOf(t, b).Stream != first {
		t.Error("two nodes have two streams")
	}
	if err := a.RenewStream(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if headOf(t, b).Stream == first {
		t.Error("the stream was not named anew")
	}
	second := headOf(t, a).Stream
	if err := a.Elsewhere(t.Context()); err != nil { // as if the database had been read in from a dump of another system
		t.Fatal(err)
	}
	if headOf(t, open()).Stream == second {
		t.Error("a moved database goes on with the stream")
	}
}
