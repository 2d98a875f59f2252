package login_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// memory is the smallest thing that keeps the contracts of the stores this room uses, so that its own rules are tested without a database.
type memory struct {
	mu        sync.Mutex
	users     map[string]user.User
	regs      map[[2]string]user.Registration // user, client
	passwords map[string]credential.Password  // by user
	attempts  []login.Attempt
	tickets   []login.Ticket
	sessions  map[string]string // sid → user
	events    []audit.Event
}

func newMemory() *memory {
	return &memory{users: map[string]user.User{}, regs: map[[2]string]user.Registration{}, passwords: map[string]credential.Password{},
		sessions: map[string]string{}}
}

func (m *memory) begin(rec audit.Record) func() {
	m.mu.Lock()
	return func() { m.events = append(m.events, rec.Events...); m.mu.Unlock() }
}

func (m *memory) owner(tenantID, email string) (user.User, bool) {
	for _, u := range m.users {
		for _, i := range u.Identifiers {
			if u.TenantID == tenantID && i.Kind == user.Email && i.Value == email && u.Status != user.Deleted {
				return u, true
			}
		}
	}
	return user.User{}, false
}

func (m *memory) with(u user.User, clientID string) user.User {
	u.Identifiers = slices.Clone(u.Identifiers)
	if r, ok := m.regs[[2]string{u.ID, clientID}]; ok {
		u.Registration = &r
	}
	return u
}

func (m *memory) Known(_ context.Context, q login.KnownQuery) (k login.Known, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u, ok := m.owner(q.TenantID, q.Email); ok {
		u = m.with(u, q.ClientID)
		k.User = &u
		if p, ok := m.passwords[u.ID]; ok {
			k.Password = &p
		}
	}
	for _, u := range m.users {
		for _, i := range u.Identifiers {
			if u.TenantID == q.TenantID && u.Status == user.Deleted && i.Kind == user.Email && i.Value == q.Email {
				k.Closed = true
			}
		}
	}
	for _, a := range m.attempts {
		if a.TenantID == q.TenantID && a.Email == q.Email && len(a.TokenHash) > 0 && a.ExpiresAt.After(q.At) {
			if k.Attempt == nil || k.Attempt.Browser != q.Browser || a.Browser == q.Browser {
				k.Attempt = &a
			}
		}
	}
	return k, nil
}

func (m *memory) SaveAttempt(_ context.Context, a login.Attempt, rec audit.Record) error {
	defer m.begin(rec)()
	m.attempts = append(m.attempts, a)
	return nil
}

func gone() error { return fault.New(fault.Gone, fault.ReasonGone, "gone") }

func (m *memory) AttemptByToken(_ context.Context, tenantID string, hash []byte, at time.Time) (login.Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.attempts {
		if a.TenantID == tenantID && len(a.TokenHash) > 0 && bytes.Equal(a.TokenHash, hash) && a.ExpiresAt.After(at) {
			return a, nil
		}
	}
	return login.Attempt{}, gone()
}

func (m *memory) clear(tenantID, email, userID string) {
	m.attempts = slices.DeleteFunc(m.attempts, func(a login.Attempt) bool { return a.TenantID == tenantID && a.Email == email })
	m.tickets = slices.DeleteFunc(m.tickets, func(k login.Ticket) bool {
		return k.TenantID == tenantID && (k.Email == email || (userID != "" && k.UserID == userID))
	})
}

func (m *memory) insert(u user.User, clientID string, roles []string, pw credential.Password) {
	m.users[u.ID] = u
	m.passwords[u.ID] = pw
	m.regs[[2]string{u.ID, clientID}] = user.Registration{ClientID: clientID, Roles: roles}
}

func (m *memory) Prove(_ context.Context, p login.Proof, rec audit.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := p.Attempt
	if _, taken := m.owner(a.TenantID, a.Email); taken || !slices.ContainsFunc(m.attempts, func(b login.Attempt) bool { return b.ID == a.ID }) {
		return gone()
	}
	m.insert(newUser(a.TenantID, p.UserID, a.Email, a.Typed, "mail", p.At, p.Name), a.ClientID, p.Roles, p.Password)
	m.clear(a.TenantID, a.Email, "")
	m.events = append(m.events, rec.Events...)
	return nil
}

func newUser(tenantID, id, email, typed, how string, at time.Time, name string) user.User {
	return user.User{TenantID: tenantID, ID: id, Status: user.Active, Epoch: 1, Name: name, CreatedAt: at, UpdatedAt: at, Version: 1,
		Identifiers: []user.Identifier{{Kind: user.Email, Value: email, Typed: typed, VerifiedAt: at, VerifiedHow: how, Primary: true}}}
}

func (m *memory) SaveTicket(_ context.Context, k login.Ticket, rec audit.Record) error {
	defer m.begin(rec)()
	m.tickets = slices.DeleteFunc(m.tickets, func(o login.Ticket) bool {
		return o.TenantID == k.TenantID && o.Kind == k.Kind && o.Email == k.Email
	})
	m.tickets = append(m.tickets, k)
	return nil
}

func (m *memory) TicketByToken(_ context.Context, tenantID string, hash []byte, at time.Time) (login.Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.tickets {
		if k.TenantID == tenantID && len(k.TokenHash) > 0 && bytes.Equal(k.TokenHash, hash) && k.ExpiresAt.After(at) {
			return k, nil
		}
	}
	return login.Ticket{}, gone()
}

func (m *memory) holds(k login.Ticket) bool {
	return slices.ContainsFunc(m.tickets, func(o login.Ticket) bool { return o.ID == k.ID })
}

func (m *memory) Reset(_ context.Context, r login.ResetSpend, rec audit.Record) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := r.Ticket
	owner, taken := m.owner(k.TenantID, k.Email)
	if !m.holds(k) || taken != (k.UserID != "") || (taken && owner.ID != k.UserID) {
		return "", gone()
	}
	if taken {
		owner.Epoch++
		owner.Version++
		m.users[owner.ID] = owner
		m.passwords[owner.ID] = r.Password
		m.endSessions(owner.ID)
	} else {
		m.insert(newUser(k.TenantID, r.UserID, k.Email, k.Typed, "reset", r.At, ""), k.ClientID, r.Roles, r.Password)
	}
	m.clear(k.TenantID, k.Email, r.UserID)
	m.events = append(m.events, rec.Events...)
	return r.UserID, nil
}

func (m *memory) endSessions(userID string) {
	maps.DeleteFunc(m.sessions, func(_, u string) bool { return u == userID })
}

func (m *memory) ChangeEmail(_ context.Context, k login.Ticket, at time.Time, rec audit.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.owner(k.TenantID, k.Email); taken || !m.holds(k) {
		return gone()
	}
	u := m.users[k.UserID]
	u.Identifiers = newUser(k.TenantID, u.ID, k.Email, k.Typed, "mail", at, "").Identifiers
	u.Version++
	m.users[u.ID] = u
	m.clear(k.TenantID, k.Email, u.ID)
	m.events = append(m.events, rec.Events...)
	return nil
}

func (m *memory) Change(_ context.Context, c credential.Change, rec audit.Record) (int64, error) {
	defer m.begin(rec)()
	u, p := m.users[c.UserID], m.passwords[c.UserID]
	if u.TenantID != c.TenantID || u.Status != user.Active || p.PHC != c.OldPHC {
		return 0, fault.New(fault.Conflict, fault.ReasonUserChanged, "changed")
	}
	u.Epoch++
	u.Version++
	m.users[u.ID] = u
	p.PHC, p.PepperID = c.Password.PHC, c.Password.PepperID
	m.passwords[u.ID] = p
	m.endSessions(u.ID)
	m.tickets = slices.DeleteFunc(m.tickets, func(k login.Ticket) bool { return k.UserID == u.ID })
	return u.Epoch, nil
}

func (m *memory) PurgeExpired(_ context.Context, tenantID string, at time.Time, _ int) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.attempts) + len(m.tickets)
	m.attempts = slices.DeleteFunc(m.attempts, func(a login.Attempt) bool { return a.TenantID == tenantID && a.ExpiresAt.Before(at) })
	m.tickets = slices.DeleteFunc(m.tickets, func(k login.Ticket) bool { return k.TenantID == tenantID && k.ExpiresAt.Before(at) })
	return before - len(m.attempts) - len(m.tickets), nil
}

func (m *memory) Record(_ context.Context, rec audit.Record) error {
	m.begin(rec)()
	return nil
}

func (m *memory) Rehash(_ context.Context, _, id, old string, to credential.Password, _ time.Time, rec audit.Record) (bool, error) {
	defer m.begin(rec)()
	for u, p := range m.passwords {
		if p.ID == id && p.PHC == old {
			m.passwords[u] = to
			return true, nil
		}
	}
	return false, nil
}

func (m *memory) Open(_ context.Context, f session.Family, register *user.Registration, rec audit.Record) error {
	defer m.begin(rec)()
	u := m.users[f.UserID]
	if u.Status != user.Active || u.Epoch != f.Epoch {
		return fault.New(fault.Conflict, fault.ReasonUserChanged, "changed")
	}
	if f.ParentID != "" && m.sessions[f.ParentID] == "" {
		return fault.New(fault.Unauthenticated, fault.ReasonSessionRevoked, "ended")
	}
	if register != nil && register.Held {
		if _, ok := m.regs[[2]string{u.ID, f.ClientID}]; !ok {
			return session.NotRegistered()
		}
	} else if register != nil {
		m.regs[[2]string{u.ID, f.ClientID}] = *register
	}
	m.sessions[f.ID] = u.ID
	return nil
}

// people is memory as user.Store; a type of its own, since verbs of two stores share names.
type people struct{ *memory }

func (p people) Get(_ context.Context, tenantID, userID, clientID string) (user.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.users[userID]
	if !ok || u.TenantID != tenantID {
		return user.User{}, fault.New(fault.NotFound, fault.ReasonNotFound, "no such user")
	}
	return p.with(u, clientID), nil
}

func (p people) change(userID string, rec audit.Record, f func(*user.User)) error {
	defer p.begin(rec)()
	u := p.users[userID]
	f(&u)
	u.Version++
	p.users[userID] = u
	return nil
}

func (p people) UpdateProfile(_ context.Context, c user.ProfileChange, rec audit.Record) error {
	p.mu.Lock()
	moved := p.users[c.UserID].Version != c.Version
	p.mu.Unlock()
	if moved {
		return fault.New(fault.Conflict, fault.ReasonConflict, "moved")
	}
	return p.change(c.UserID, rec, func(u *user.User) {
		if c.Name != nil {
			u.Name = *c.Name
		}
		if c.Locale != nil {
			u.Locale = *c.Locale
		}
		if c.Data != nil {
			u.Data = *c.Data
		}
	})
}

func (p people) SetStatus(_ context.Context, _, userID string, to user.Status, _ time.Time, rec audit.Record) error {
	return p.change(userID, rec, func(u *user.User) { u.Status = to; p.endSessions(u.ID) })
}

func (p people) Delete(_ context.Context, _, userID string, at, purgeAt time.Time, rec audit.Record) error {
	return p.change(userID, rec, func(u *user.User) {
		u.Status, u.DeletedAt, u.PurgeAt = user.Deleted, at, purgeAt
		p.endSessions(u.ID)
	})
}

func (p people) RaiseEpoch(_ context.Context, _, userID, _ string, _ time.Time, rec audit.Record) (n int64, err error) {
	err = p.change(userID, rec, func(u *user.User) { u.Epoch++; n = u.Epoch; p.endSessions(u.ID) })
	return n, err
}

func (p people) Register(_ context.Context, _, userID string, r user.Registration, _ time.Time, rec audit.Record) error {
	defer p.begin(rec)()
	p.regs[[2]string{userID, r.ClientID}] = r
	return nil
}

func (p people) Unregister(_ context.Context, _, userID, clientID string, _ time.Time, rec audit.Record) error {
	defer p.begin(rec)()
	delete(p.regs, [2]string{userID, clientID})
	return nil
}

func (p people) Purge(_ context.Context, tenantID string, at time.Time, _ int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.users)
	maps.DeleteFunc(p.users, func(_ string, u user.User) bool {
		return u.TenantID == tenantID && u.Status == user.Deleted && !u.PurgeAt.After(at)
	})
	return before - len(p.users), nil
}

func (m *memory) revoke(_ *testing.T, _, sid string, _ time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, sid)
}
