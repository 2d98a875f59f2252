package sessionmachine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Memory is a session.Store that keeps its promises to the letter and refuses callers who break theirs. Hooks run before a verb, outside
// the lock, so that a test can put another act between two steps of the engine.
type Memory struct {
	BeforeSwap  func()
	BeforeTouch func()

	mu       sync.Mutex
	families map[string]session.Family
	users    map[string]*user.User
	rec      audit.Record
	writes   int
	loads    int
}

var _ session.Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{families: map[string]session.Family{}, users: map[string]*user.User{}}
}

// NewMemoryWorld is a world on a new Memory.
func NewMemoryWorld() (World, *Memory) {
	m := NewMemory()
	t := &tenant.Tenant{ID: secret.NewID(Start), Slug: "main", Name: "Main", Issuer: "https://login.example.com"}
	c := &tenant.Client{TenantID: t.ID, ID: "app", Name: "App", Settings: tenant.ClientSettings{DefaultRoles: []string{"member"}}}
	return World{Store: m, Users: m, Tenant: t, Client: c, NewUser: func(_ context.Context, at time.Time) (*user.User, error) {
		return m.AddUser(t.ID, c.ID, at), nil
	}}, m
}

// AddUser stores an active user with a verified address, registered with the client.
func (m *Memory) AddUser(tenantID, clientID string, at time.Time) *user.User {
	id := secret.NewID(at)
	u := &user.User{
		TenantID: tenantID, ID: id, Status: user.Active, Epoch: 1, Name: "Ann Example", Locale: "en", CreatedAt: at,
		Identifiers:  []user.Identifier{{Kind: user.Email, Value: id + "@example.com", Primary: true, VerifiedAt: at}},
		Registration: &user.Registration{ClientID: clientID, Roles: []string{"member"}, CreatedAt: at},
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[id] = u
	c := *u
	return &c
}

// Change edits a user as an operator would behind the engine's back (no session is ended).
func (m *Memory) Change(userID string, edit func(u *user.User)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	edit(m.users[userID])
}

// Remove erases a user.
func (m *Memory) Remove(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.users, userID)
}

// Put writes a row as a restore would, whatever stood there.
func (m *Memory) Put(f session.Family) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.families[f.ID] = clone(f)
}

// Row reads a family as stored.
func (m *Memory) Row(id string) session.Family {
	m.mu.Lock()
	defer m.mu.Unlock()
	return clone(m.families[id])
}

// Written gives everything recorded, and how many verbs wrote something.
func (m *Memory) Written() (audit.Record, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return audit.Record{
		Events: slices.Clone(m.rec.Events), Messages: slices.Clone(m.rec.Messages), Revocations: slices.Clone(m.rec.Revocations),
	}, m.writes
}

// Loads counts the calls of Load.
func (m *Memory) Loads() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loads
}

func clone(f session.Family) session.Family {
	if f.Pending != nil {
		h := *f.Pending
		f.Pending = &h
	}
	f.SealedPending, f.SealedHead = slices.Clone(f.SealedPending), slices.Clone(f.SealedHead)
	f.Confirmations = slices.Clone(f.Confirmations)
	return f
}

// write notes a record; the caller holds the lock.
func (m *Memory) write(rec audit.Record) {
	m.writes++
	m.rec.Events = append(m.rec.Events, rec.Events...)
	m.rec.Messages = append(m.rec.Messages, rec.Messages...)
	m.rec.Revocations = append(m.rec.Revocations, rec.Revocations...)
	m.rec.Tokens = append(m.rec.Tokens, rec.Tokens...)
}

// Open is session.Store.Open.
func (m *Memory) Open(_ context.Context, f session.Family, register *user.Registration, rec audit.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.families[f.ID]; taken || f.Version != 1 || f.Pending != nil || len(f.Confirmations) > 0 {
		return fmt.Errorf("open of a family that is not new: %s", f.ID)
	}
	if f.UserID != "" {
		u := m.users[f.UserID]
		if u == nil || u.Status != user.Active || u.Epoch != f.Epoch {
			return fault.New(fault.Conflict, fault.ReasonUserChanged, "the account has changed")
		}
		if register != nil && register.Held && u.Registration == nil {
			return fault.New(fault.Forbidden, fault.ReasonNotRegistered, "not registered")
		}
		if register != nil && u.Registration == nil {
			r := *register
			u.Registration = &r
		}
	}
	if parent, ok := m.families[f.ParentID]; f.ParentID != "" && (!ok || parent.Revoked() || parent.TenantID != f.TenantID) {
		return fault.New(fault.Unauthenticated, fault.ReasonSessionRevoked, "the parent has ended")
	}
	m.families[f.ID] = clone(f)
	m.write(rec)
	return nil
}

// Load is session.Store.Load.
func (m *Memory) Load(_ context.Context, ref session.Ref) (session.Loaded, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loads++
	for _, f := range m.candidates(ref.ID) {
		byHash := ref.ID == "" && (f.Head == ref.Hash || f.Pending != nil && *f.Pending == ref.Hash)
		if f.TenantID == ref.TenantID && (ref.ID == f.ID || byHash) {
			return session.Loaded{Family: clone(f), Holder: m.holder(&f, cmp.Or(ref.ClientID, f.ClientID))}, nil
		}
	}
	return session.Loaded{}, fault.New(fault.NotFound, fault.ReasonNotFound, "no such session")
}

func (m *Memory) candidates(id string) []session.Family {
	if id != "" {
		if f, ok := m.families[id]; ok {
			return []session.Family{f}
		}
		return nil
	}
	all := make([]session.Family, 0, len(m.families))
	for _, f := range m.families {
		all = append(all, f)
	}
	return all
}

func (m *Memory) holder(f *session.Family, clientID string) session.Holder {
	u := m.users[f.UserID]
	if f.UserID == "" || u == nil {
		return session.Holder{}
	}
	email := u.PrimaryEmail()
	h := session.Holder{
		Present: true, Status: u.Status, Epoch: u.Epoch, Name: u.Name, Locale: u.Locale, Email: email.Value, Verified: email.Verified(),
		VerifiedAt: email.VerifiedAt, CreatedAt: u.CreatedAt,
	}
	if r := u.Registration; r != nil && r.ClientID == clientID {
		h.Registered, h.Roles = true, r.Roles
	}
	return h
}

// Swap is session.Store.Swap.
func (m *Memory) Swap(_ context.Context, from, to session.Family, rec audit.Record) (bool, error) {
	if m.BeforeSwap != nil {
		m.BeforeSwap()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, ok := m.families[from.ID]
	if !ok || now.Version != from.Version || now.Revoked() {
		return false, nil
	}
	fixed := func(f session.Family) string {
		return fmt.Sprint(f.TenantID, f.ID, f.ClientID, f.ClientAuth, f.Subject, f.UserID, f.Epoch, f.Binding, f.AbsoluteExpiry, f.RevokedAt)
	}
	if fixed(now) != fixed(to) || to.Generation < now.Generation || len(to.Confirmations) > session.MaxConfirmations {
		return false, fmt.Errorf("swap changes what it must not: %s → %s", fixed(now), fixed(to))
	}
	to.Version = now.Version + 1
	m.families[from.ID] = clone(to)
	m.write(rec)
	return true, nil
}

// Touch is session.Store.Touch.
func (m *Memory) Touch(_ context.Context, f session.Family, lastSeen time.Time) (bool, error) {
	if m.BeforeTouch != nil {
		m.BeforeTouch()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now, ok := m.families[f.ID]
	if !ok || now.Version != f.Version || now.Revoked() {
		return false, nil
	}
	if lastSeen.After(f.LastSeen) {
		now.LastSeen = lastSeen
		m.families[f.ID] = now
		m.writes++
	}
	return true, nil
}

// Revoke is session.Store.Revoke.
func (m *Memory) Revoke(_ context.Context, q session.Match, at time.Time, reason string, rec audit.Record) ([]session.Ended, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(slices.DeleteFunc([]string{q.ID, q.UserID, q.Subject}, func(s string) bool { return s == "" })); n != 1 || q.TenantID == "" {
		return nil, fmt.Errorf("revoke by %d selectors", n)
	}
	ended := m.end(q, at, reason)
	if len(ended) > 0 {
		m.write(rec)
	}
	return ended, nil
}

// end revokes what matches, children included; the caller holds the lock.
func (m *Memory) end(q session.Match, at time.Time, reason string) []session.Ended {
	var ended []session.Ended
	for id, f := range m.families {
		hit := f.TenantID == q.TenantID && (q.ID == "" || q.ID == id) && (q.UserID == "" || q.UserID == f.UserID) &&
			(q.Subject == "" || q.Subject == f.Subject) && (q.ClientID == "" || q.ClientID == f.ClientID)
		if !hit || f.Revoked() || id == q.Except {
			continue
		}
		f.RevokedAt, f.RevokedReason, f.Version = at, reason, f.Version+1
		m.families[id] = f
		m.rec.Revocations = append(m.rec.Revocations, audit.Revocation{TenantID: f.TenantID, Kind: "session", Target: id, At: at, Reason: reason})
		ended = append(ended, session.Ended{ID: id, ClientID: f.ClientID, Subject: f.Subject, OrgID: f.OrgID})
	}
	for _, e := range ended {
		for id, f := range m.families {
			if f.ParentID == e.ID && !f.Revoked() {
				ended = append(ended, m.end(session.Match{TenantID: q.TenantID, ID: id}, at, reason)...)
			}
		}
	}
	return ended
}

// List is session.Store.List.
func (m *Memory) List(_ context.Context, q session.ListQuery) ([]session.Family, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []session.Family
	for _, f := range m.families {
		live := !f.Revoked() && q.At.Before(f.IdleExpiry) && q.At.Before(f.AbsoluteExpiry)
		if f.TenantID == q.TenantID && f.Subject == q.Subject && live && (q.After == "" || f.ID < q.After) {
			out = append(out, clone(f))
		}
	}
	slices.SortFunc(out, func(a, b session.Family) int { return cmp.Compare(b.ID, a.ID) })
	return out[:min(len(out), q.Limit)], nil
}

// Purge is session.Store.Purge.
func (m *Memory) Purge(_ context.Context, tenantID string, before time.Time, limit int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id, f := range m.families {
		dead := f.Revoked() && f.RevokedAt.Before(before) || f.IdleExpiry.Before(before) || f.AbsoluteExpiry.Before(before)
		if f.TenantID == tenantID && dead && n < limit {
			delete(m.families, id)
			n++
		}
	}
	return n, nil
}

// Record is session.Store.Record.
func (m *Memory) Record(_ context.Context, rec audit.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.write(rec)
	return nil
}

// SetStatus is user.Store.SetStatus.
func (m *Memory) SetStatus(_ context.Context, tenantID, userID string, to user.Status, at time.Time, rec audit.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[userID].Status = to
	if to != user.Active {
		m.end(session.Match{TenantID: tenantID, UserID: userID}, at, string(fault.ReasonUserDisabled))
	}
	m.write(rec)
	return nil
}

// RaiseEpoch is user.Store.RaiseEpoch.
func (m *Memory) RaiseEpoch(_ context.Context, tenantID, userID, reason string, at time.Time, rec audit.Record) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users[userID].Epoch++
	m.end(session.Match{TenantID: tenantID, UserID: userID}, at, reason)
	m.write(rec)
	return m.users[userID].Epoch, nil
}
