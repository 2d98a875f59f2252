package storetest

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// anyOrder runs random verbs on one person's sessions and compares every answer, and at the end every row and the feed, with a model of
// a few lines. It knows nothing of the refresh rule, which stands above the store.
func anyOrder(s *scene) {
	rapid.Check(s.T, func(t *rapid.T) {
		m := &machine{s: s, t: t, user: s.person(s.address()), rows: map[string]*row{}}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			steps := []func(){m.open, m.open, m.swap, m.swap, m.touch, m.revoke, m.revokeAll, m.raise, m.status}
			rapid.SampledFrom(steps).Draw(t, "step")()
		}
		m.compare()
	})
}

type machine struct {
	s     *scene
	t     *rapid.T
	user  user.User // as the model has it: status and epoch
	rows  map[string]*row
	order []string // ids, oldest first
}

type row struct {
	family session.Family // as last read
	reason string         // of its end
}

func (m *machine) fail(format string, args ...any) { m.t.Helper(); m.t.Fatalf(format, args...) }

func (m *machine) pick() *row {
	if len(m.order) == 0 {
		return nil
	}
	return m.rows[rapid.SampledFrom(m.order).Draw(m.t, "family")]
}

// open may come with an epoch from the past, and as a child of any session.
func (m *machine) open() {
	f := m.s.family(m.user)
	f.ID = secret.NewID(noon.Add(time.Duration(len(m.order)) * time.Second))
	f.Epoch -= int64(rapid.IntRange(0, 1).Draw(m.t, "epochs behind"))
	if r := m.pick(); r != nil && r.reason == "" && rapid.Bool().Draw(m.t, "child") {
		f.ParentID = r.family.ID
	}
	err := m.s.Sessions.Open(m.s.ctx, f, nil, audit.Record{})
	if want := m.user.Status == user.Active && f.Epoch == m.user.Epoch; (err == nil) != want {
		m.fail("open with %s and epoch %d of %d: %v", m.user.Status, f.Epoch, m.user.Epoch, err)
	} else if !want {
		if reason := fault.ReasonOf(err); reason != fault.ReasonUserChanged {
			m.fail("open refused for %s", reason)
		}
		return
	}
	m.rows[f.ID] = &row{family: m.s.load(f.ID).Family}
	m.order = append(m.order, f.ID)
}

// swap may come from a version that somebody else has replaced.
func (m *machine) swap() {
	r := m.pick()
	if r == nil {
		return
	}
	from := r.family
	from.Version -= int64(rapid.IntRange(0, 1).Draw(m.t, "versions behind"))
	to := rotated(from)
	won, err := m.s.Sessions.Swap(m.s.ctx, from, to, audit.Record{})
	if want := r.reason == "" && from.Version == r.family.Version; err != nil || won != want {
		m.fail("swap from version %d of %d, ended %q: %v, %v", from.Version, r.family.Version, r.reason, won, err)
	}
	if won {
		r.family.Version++
		r.family.Pending = to.Pending
	}
}

func (m *machine) touch() {
	if r := m.pick(); r != nil {
		live, err := m.s.Sessions.Touch(m.s.ctx, r.family, noon.Add(time.Hour))
		if err != nil || live != (r.reason == "") {
			m.fail("touch of a session ended for %q: %v, %v", r.reason, live, err)
		}
	}
}

func (m *machine) revoke() {
	if r := m.pick(); r != nil {
		m.revokes(session.Match{ID: r.family.ID}, func(f session.Family) bool { return f.ID == r.family.ID })
	}
}

func (m *machine) revokeAll() {
	except := ""
	if r := m.pick(); r != nil && rapid.Bool().Draw(m.t, "but one") && r.family.ParentID == "" {
		except = r.family.ID
	}
	m.revokes(session.Match{UserID: m.user.ID, Except: except}, func(f session.Family) bool { return f.ID != except })
}

func (m *machine) revokes(match session.Match, chosen func(session.Family) bool) {
	match.TenantID = m.s.tenant.ID
	reason := fmt.Sprint("reason ", rapid.IntRange(1, 1000).Draw(m.t, "reason"))
	ended, err := m.s.Sessions.Revoke(m.s.ctx, match, noon, reason, audit.Record{})
	if err != nil {
		m.fail("revoke: %v", err)
	}
	var got []string
	for _, e := range ended {
		got = append(got, e.ID)
	}
	slices.Sort(got)
	if want := m.end(reason, chosen); !slices.Equal(got, want) {
		m.fail("revoke %+v ended %v, want %v", match, got, want)
	}
}

// end marks the chosen live sessions and their live descendants, and gives their ids.
func (m *machine) end(reason string, chosen func(session.Family) bool) (ids []string) {
	for _, id := range m.order { // parents stand before their children
		r := m.rows[id]
		parent := m.rows[r.family.ParentID]
		if r.reason == "" && (chosen(r.family) || parent != nil && slices.Contains(ids, r.family.ParentID)) {
			r.reason = reason
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func everything(session.Family) bool { return true }

func (m *machine) raise() {
	epoch, err := m.s.Users.RaiseEpoch(m.s.ctx, m.s.tenant.ID, m.user.ID, "raised", noon, audit.Record{})
	if m.user.Epoch++; err != nil || epoch != m.user.Epoch {
		m.fail("epoch %d, %v, want %d", epoch, err, m.user.Epoch)
	}
	m.end("raised", everything)
}

func (m *machine) status() {
	to := user.Active
	if m.user.Status == user.Active {
		to = user.Disabled
	}
	if err := m.s.Users.SetStatus(m.s.ctx, m.s.tenant.ID, m.user.ID, to, noon, audit.Record{}); err != nil {
		m.fail("status: %v", err)
	}
	if m.user.Status = to; to == user.Disabled {
		m.user.Epoch++
		m.end("disabled", everything)
	}
}

// compare checks every row, the list and the feed against the model.
func (m *machine) compare() {
	feed, live := m.s.revoked(), []string(nil)
	for _, id := range m.order {
		want, got := m.rows[id], m.s.load(id)
		if got.Family.Revoked() != (want.reason != "") || got.Family.UserID != m.user.ID || got.Holder.Epoch != m.user.Epoch {
			m.fail("session %s: %+v, the model has %q", id, got, want.reason)
		}
		if want.reason == "" {
			live = append([]string{id}, live...)
			if got.Family.Version != want.family.Version || (want.family.Pending != nil && *got.Family.Pending != *want.family.Pending) {
				m.fail("session %s is at version %d, want %d", id, got.Family.Version, want.family.Version)
			}
		}
		reason, found := feed[id]
		if found != (want.reason != "") || found && want.reason != "disabled" && reason != want.reason {
			m.fail("session %s: the feed has %q, want %q", id, reason, want.reason)
		}
	}
	if got := m.s.page(m.user.ID, "", 100, noon); !slices.Equal(got, live) {
		m.fail("listed %v, want %v", got, live)
	}
}
