package storetest

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// revokes ends what matches and checks which families that were.
func (s *scene) revokes(m session.Match, reason string, want ...session.Family) {
	s.Helper()
	m.TenantID = s.tenant.ID
	got, err := s.Sessions.Revoke(s.ctx, m, noon.Add(time.Hour), reason, audit.Record{})
	s.ok(err)
	var ended []session.Ended
	for _, f := range want {
		ended = append(ended, session.Ended{ID: f.ID, ClientID: f.ClientID, Subject: f.Subject, OrgID: f.OrgID})
	}
	byID := func(a, b session.Ended) int { return strings.Compare(a.ID, b.ID) }
	slices.SortFunc(got, byID)
	slices.SortFunc(ended, byID)
	s.same("ended", got, ended)
	s.ended(reason, want...)
}

func revoke(s *scene) {
	u := s.person(s.address())
	a, b := s.opened(u), s.opened(u)
	m := s.mark()
	ended, err := s.Sessions.Revoke(s.ctx, session.Match{TenantID: s.tenant.ID, ID: a.ID}, noon.Add(time.Hour), "logout", m.Record)
	s.ok(err)
	s.wrote(m, true)
	s.same("ended", ended, []session.Ended{{ID: a.ID, ClientID: "app", Subject: u.ID}})
	s.ended("logout", a)
	s.live(b)
	now := s.load(a.ID).Family
	if !now.RevokedAt.Equal(noon.Add(time.Hour)) || now.Version == a.Version || now.Head != a.Head {
		s.Fatalf("after revoke: %+v", now)
	}
	all, err := s.Trail.Revocations(s.ctx, s.tenant.ID)
	s.ok(err)
	last := all[len(all)-1]
	if last.TenantID != s.tenant.ID || !last.At.Equal(noon.Add(time.Hour)) || !last.Until.After(last.At) {
		s.Fatalf("in the feed: %+v", last)
	}
}

func revokeByMatch(s *scene) {
	u, friend, far := s.person(s.address()), s.person(s.address()), s.elsewhere()
	a, b, c, d := s.opened(u), s.opened(u), s.opened(u, inOther), s.opened(friend)
	foreign := s.opened(user.User{}, func(f *session.Family) { f.Subject = "someone" })
	theirs := far.opened(user.User{}, func(f *session.Family) { f.Subject = "someone" })
	s.revokes(session.Match{UserID: secret.NewID(noon)}, "none")
	s.revokes(session.Match{ID: theirs.ID}, "none")
	s.revokes(session.Match{ID: "nonsense"}, "none")
	s.revokes(session.Match{ID: a.ID, ClientID: "other"}, "none")
	s.live(a, b, c, d, foreign)
	s.revokes(session.Match{UserID: u.ID, ClientID: "other"}, "narrowed", c)
	s.revokes(session.Match{UserID: u.ID, Except: a.ID}, "others", b)
	s.revokes(session.Match{Subject: "someone"}, "subject", foreign)
	s.live(a, d)
	s.revokes(session.Match{UserID: u.ID}, "all", a)
	s.live(d)
	far.live(theirs)
}

// revokeAgain: ending what has ended gives none, and neither instant, reason nor feed changes.
func revokeAgain(s *scene) {
	f := s.opened(s.person(s.address()))
	s.revokes(session.Match{ID: f.ID}, "first", f)
	was := s.load(f.ID).Family
	s.revokes(session.Match{ID: f.ID}, "second")
	s.revokes(session.Match{UserID: f.UserID}, "second")
	s.same("family", s.load(f.ID).Family, was)
	s.ended("first", f)
}

func childrenEnd(s *scene) {
	u := s.person(s.address())
	parent, other := s.opened(u), s.opened(u)
	child := s.opened(u, func(f *session.Family) { f.ParentID = parent.ID })
	grandchild := s.opened(u, func(f *session.Family) { f.ParentID, f.ClientID = child.ID, "other" })
	stepchild := s.opened(u, func(f *session.Family) { f.ParentID = other.ID })
	s.revokes(session.Match{ID: parent.ID}, "logout", parent, child, grandchild)
	s.live(other, stepchild)
	late := s.opened(u, func(f *session.Family) { f.ParentID = stepchild.ID })
	s.revokes(session.Match{ID: stepchild.ID}, "logout", stepchild, late)
	s.live(other)
}

// childOfTheDead: a session can come from a live one of its own tenant only.
func childOfTheDead(s *scene) {
	u, far := s.person(s.address()), s.elsewhere()
	theirs := far.opened(far.person(s.address()))
	ended, idle := s.opened(u), s.opened(u, func(f *session.Family) { f.IdleExpiry = noon })
	s.revokes(session.Match{ID: ended.ID}, "logout", ended)
	for _, parent := range []string{ended.ID, idle.ID, theirs.ID, secret.NewID(noon), "nonsense"} {
		f := s.family(u)
		f.ParentID = parent
		m := s.mark()
		s.refused(s.Sessions.Open(s.ctx, f, &user.Registration{ClientID: "other", CreatedAt: noon}, m.Record), fault.Unauthenticated,
			fault.ReasonSessionRevoked)
		s.wrote(m, false)
		_, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: f.ID})
		s.refused(err, fault.NotFound, "")
	}
}

// childAgainstRevoke: 64 hand-offs race the end of their parent. Afterwards none is live.
func childAgainstRevoke(s *scene) {
	u := s.person(s.address())
	for range 5 {
		parent := s.opened(u)
		s.together(func(i int) (bool, error) {
			if i == callers/2 {
				_, err := s.Sessions.Revoke(s.ctx, session.Match{TenantID: s.tenant.ID, ID: parent.ID}, noon, "logout", audit.Record{})
				return true, err
			}
			f := s.family(u)
			f.ParentID = parent.ID
			err := s.Sessions.Open(s.ctx, f, nil, audit.Record{})
			if fault.ReasonOf(err) == fault.ReasonSessionRevoked {
				return false, nil
			}
			return err == nil, err
		})
		if left := s.page(u.ID, "", 100, noon); len(left) != 0 {
			s.Fatalf("%d sessions slipped past the end of their parent", len(left))
		}
	}
}

func oneRevokeEnds(s *scene) {
	u := s.person(s.address())
	f := s.opened(u)
	won := s.together(func(i int) (bool, error) {
		m := session.Match{TenantID: s.tenant.ID, ID: f.ID}
		if i%2 == 1 {
			m.ID, m.UserID = "", u.ID
		}
		ended, err := s.Sessions.Revoke(s.ctx, m, noon, "race", audit.Record{})
		return len(ended) == 1, err
	})
	if won != 1 {
		s.Fatalf("%d of %d callers ended one session", won, callers)
	}
	s.ended("race", f)
}

// feedWithoutGaps: 64 parallel revokes, some of which fail, number their entries one by one in the order in which a follower finds them.
func feedWithoutGaps(s *scene) {
	u := s.person(s.address())
	var families [callers]session.Family
	for i := range families {
		families[i] = s.opened(u)
	}
	s.together(func(i int) (bool, error) {
		rec := audit.Record{}
		if i%4 == 0 { // refused after its number may have been taken
			rec.Events = []audit.Event{{ID: secret.NewID(noon), TenantID: s.tenant.ID, At: noon, Type: "a\x00b"}}
		}
		_, err := s.Sessions.Revoke(s.ctx, session.Match{TenantID: s.tenant.ID, ID: families[i].ID}, noon, "race", rec)
		if i%4 == 0 && fault.From(err).Kind == fault.Invalid {
			return false, nil
		}
		return err == nil, err
	})
	all, err := s.Trail.Revocations(s.ctx, s.tenant.ID)
	s.ok(err)
	if len(all) != callers*3/4 {
		s.Fatalf("%d revocations, want %d", len(all), callers*3/4)
	}
	for i := 1; i < len(all); i++ {
		if all[i].Sequence != all[i-1].Sequence+1 {
			s.Fatalf("number %d follows %d", all[i].Sequence, all[i-1].Sequence)
		}
	}
}

// swapAgainstRevoke: whoever comes first, the family is ended afterwards, once, and a swap that said yes is in it.
func swapAgainstRevoke(s *scene) {
	u := s.person(s.address())
	for round := range 20 {
		from := s.opened(u)
		to := rotated(from)
		var won bool
		var swapErr, revokeErr error
		var wg sync.WaitGroup
		start := make(chan struct{})
		wg.Go(func() { <-start; won, swapErr = s.Sessions.Swap(s.ctx, from, to, audit.Record{}) })
		wg.Go(func() {
			<-start
			_, revokeErr = s.Sessions.Revoke(s.ctx, session.Match{TenantID: s.tenant.ID, ID: from.ID}, noon, "race", audit.Record{})
		})
		close(start)
		wg.Wait()
		s.ok(swapErr)
		s.ok(revokeErr)
		now := s.load(from.ID).Family
		if swapped := now.Pending != nil && *now.Pending == *to.Pending; swapped != won {
			s.Fatalf("round %d: the swap said %v, the row says %v", round, won, swapped)
		}
		s.ended("race", from)
	}
}

// openAgainstDisable: 64 opens race one disable. Afterwards nothing is live: an open either was refused or has been ended.
func openAgainstDisable(s *scene) {
	for range 5 {
		u := s.person(s.address())
		s.together(func(i int) (bool, error) {
			if i == callers/2 {
				return true, s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Disabled, noon, audit.Record{})
			}
			err := s.Sessions.Open(s.ctx, s.family(u), nil, audit.Record{})
			if fault.ReasonOf(err) == fault.ReasonUserChanged {
				return false, nil
			}
			return err == nil, err
		})
		left, err := s.Sessions.List(s.ctx, session.ListQuery{TenantID: s.tenant.ID, Subject: u.ID, At: noon, Limit: 100})
		if s.ok(err); len(left) != 0 {
			s.Fatalf("%d sessions slipped past a disable", len(left))
		}
	}
}

func (s *scene) page(subject, after string, limit int, at time.Time) (ids []string) {
	s.Helper()
	q := session.ListQuery{TenantID: s.tenant.ID, Subject: subject, At: at, After: after, Limit: limit}
	page, err := s.Sessions.List(s.ctx, q)
	s.ok(err)
	for _, f := range page {
		ids = append(ids, f.ID)
	}
	return ids
}

func listSessions(s *scene) {
	u, far := s.person(s.address()), s.elsewhere()
	far.opened(user.User{}, func(f *session.Family) { f.Subject = u.ID })
	s.opened(s.person(s.address()))
	var ids []string
	for i := range 7 {
		created := noon.Add(time.Duration(i) * time.Second)
		f := s.opened(u, func(f *session.Family) { f.ID, f.CreatedAt = secret.NewID(created), created })
		ids = append([]string{f.ID}, ids...)
	}
	idle := s.opened(u, func(f *session.Family) { f.IdleExpiry = noon.Add(time.Minute) })
	absolute := s.opened(u, func(f *session.Family) { f.AbsoluteExpiry = noon.Add(time.Minute) })
	ended := s.opened(u)
	s.revokes(session.Match{ID: ended.ID}, "logout", ended)
	at := noon.Add(time.Minute)
	s.same("all", s.page(u.ID, "", 100, at), ids)
	if early := s.page(u.ID, "", 100, at.Add(-time.Microsecond)); len(early) != 9 {
		s.Fatalf("%d live before the expiry of %s and %s", len(early), idle.ID, absolute.ID)
	}
	s.same("first page", s.page(u.ID, "", 3, at), ids[:3])
	s.same("second page", s.page(u.ID, ids[2], 3, at), ids[3:6])
	s.same("last page", s.page(u.ID, ids[5], 3, at), ids[6:])
	s.same("past the end", s.page(u.ID, ids[6], 3, at), []string(nil))
	s.same("nobody", s.page("nobody", "", 3, at), []string(nil))
}

// listUnderInserts: new and ended sessions between two pages make no old one appear twice or not at all.
func listUnderInserts(s *scene) {
	u := s.person(s.address())
	want := map[string]bool{}
	for i := range 9 {
		created := noon.Add(time.Duration(i) * time.Second)
		want[s.opened(u, func(f *session.Family) { f.ID, f.CreatedAt = secret.NewID(created), created }).ID] = true
	}
	seen := map[string]int{}
	for after := ""; ; {
		page := s.page(u.ID, after, 2, noon)
		if len(page) == 0 {
			break
		}
		for _, id := range page {
			seen[id]++
		}
		after = page[len(page)-1]
		late := noon.Add(time.Hour)
		s.opened(u, func(f *session.Family) { f.ID, f.CreatedAt = secret.NewID(late), late })
		s.revokes(session.Match{ID: after}, "ended between pages", s.load(after).Family)
	}
	for id := range want {
		if seen[id] != 1 {
			s.Fatalf("session %s came %d times", id, seen[id])
		}
	}
}

func purgeSessions(s *scene) {
	u := s.person(s.address())
	stays, revoked := s.opened(u), s.opened(u)
	idle := s.opened(u, func(f *session.Family) { f.IdleExpiry = noon.Add(time.Hour) })
	absolute := s.opened(u, func(f *session.Family) { f.AbsoluteExpiry = noon.Add(time.Hour) })
	far := s.elsewhere()
	theirs := far.opened(far.person(s.address()), func(f *session.Family) { f.IdleExpiry = noon })
	s.revokes(session.Match{ID: revoked.ID}, "logout", revoked)
	for _, c := range []struct {
		before time.Duration
		limit  int
		want   int
	}{{time.Hour, 10, 0}, {time.Hour + time.Microsecond, 2, 2}, {time.Hour + time.Microsecond, 2, 1}, {time.Hour + time.Microsecond, 2, 0}} {
		n, err := s.Sessions.Purge(s.ctx, s.tenant.ID, noon.Add(c.before), c.limit)
		if s.ok(err); n != c.want {
			s.Fatalf("purged %d dead before noon+%v, want %d", n, c.before, c.want)
		}
	}
	s.live(stays)
	far.load(theirs.ID)
	for _, f := range []session.Family{revoked, idle, absolute} {
		_, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: f.ID})
		s.refused(err, fault.NotFound, "")
	}
}
