package supertokens_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// TestMachine holds the face against a model of the original's two-phase rotation: any refresh token ever handed out, any access token ever
// handed out, in any order, with replies lost. Where we differ the model says so: a parent has one child, and theft ends the session.
func TestMachine(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		w := newWorld(t, s)
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			m := &model{w: w, t: t, rt: rt}
			m.start(fmt.Sprintf("machine %d", n))
			rt.Repeat(map[string]func(*rapid.T){
				"refresh": func(rt *rapid.T) { m.rt = rt; m.refresh(false) },
				"lost":    func(rt *rapid.T) { m.rt = rt; m.refresh(true) },
				"verify":  func(rt *rapid.T) { m.rt = rt; m.verify() },
				"put":     func(rt *rapid.T) { m.rt = rt; m.put() },
				"renew":   func(rt *rapid.T) { m.rt = rt; m.regenerate() },
				"tamper":  func(rt *rapid.T) { m.rt = rt; m.tamper() },
				"remove":  func(rt *rapid.T) { m.rt = rt; m.remove() },
			})
		})
	})
}

const none = -1

// held is an access token somebody holds.
type held struct {
	text    string
	refresh int // the refresh token it came with, by generation
	parent  int // the one it was got for, none when it needs no confirmation
	payload int
}

type model struct {
	w  *world
	t  *testing.T
	rt *rapid.T

	handle    string
	refreshes []string // texts by generation; "" when the reply was lost
	access    []held
	head      int
	pending   int // none, or head+1
	payload   int // the stored claims
	ended     bool
}

func (m *model) start(subject string) {
	s := m.w.open(m.t, subject)
	m.handle, m.refreshes, m.pending = s.handle, []string{s.refresh}, none
	m.access = []held{{text: s.access, parent: none}}
}

func (m *model) want(r object, word string) object {
	if r["status"] != word {
		m.rt.Fatalf("%v, want %s; head %d, pending %d, ended %v", r, word, m.head, m.pending, m.ended)
	}
	return r
}

// known draws a refresh token that somebody holds.
func (m *model) known() int {
	return rapid.IntRange(0, len(m.refreshes)-1).Filter(func(i int) bool { return m.refreshes[i] != "" }).Draw(m.rt, "refresh token")
}

func (m *model) drawAccess() held {
	return m.access[rapid.IntRange(0, len(m.access)-1).Draw(m.rt, "access token")]
}

func (m *model) refresh(lost bool) {
	i := m.known()
	r := m.w.refresh(m.t, m.refreshes[i])
	switch {
	case m.ended:
		m.want(r, "UNAUTHORISED")
		return
	case i < m.head:
		m.want(r, "TOKEN_THEFT_DETECTED")
		m.ended = true
		return
	case i == m.pending:
		m.head, m.pending = i, none
	}
	m.want(r, "OK")
	if m.pending == none {
		m.pending = m.head + 1
		m.refreshes = append(m.refreshes, "")
	}
	if lost {
		return
	}
	s := sessionOf(m.t, r)
	if had := m.refreshes[m.pending]; had != "" && had != s.refresh {
		m.rt.Fatal("two children of one parent")
	}
	m.refreshes[m.pending] = s.refresh
	m.access = append(m.access, held{text: s.access, refresh: m.pending, parent: i, payload: m.payload})
}

func (m *model) verify() {
	a, stored := m.drawAccess(), rapid.Bool().Draw(m.rt, "check the store")
	r := m.w.verify(m.t, a.text, stored)
	if a.parent == none && !stored {
		m.noToken(r)
		return
	}
	if m.ended {
		m.want(r, "UNAUTHORISED")
		return
	}
	promoted := a.parent != none && a.parent == m.head && a.refresh == m.pending
	if promoted {
		m.head, m.pending = m.pending, none
	}
	if !promoted && (a.parent == none || a.refresh != m.head) && a.payload == m.payload {
		m.noToken(r)
		return
	}
	m.access = append(m.access, held{text: text(m.t, m.want(r, "OK"), "accessToken", "token"), refresh: a.refresh, parent: none, payload: m.payload})
}

func (m *model) noToken(r object) {
	if m.want(r, "OK")["accessToken"] != nil {
		m.rt.Fatalf("a token for nothing; head %d, pending %d", m.head, m.pending)
	}
}

func (m *model) put() {
	n := rapid.IntRange(0, 2).Draw(m.rt, "claims")
	r := m.w.asked(m.t, "PUT", "/recipe/jwt/data", object{"sessionHandle": m.handle, "userDataInJWT": claimsOf(n)})
	if m.ended {
		m.want(r, "UNAUTHORISED")
		return
	}
	m.want(r, "OK")
	m.payload = n
}

func claimsOf(n int) object {
	if n == 0 {
		return object{}
	}
	return object{"n": n, "null": nil}
}

func (m *model) regenerate() {
	a, n := m.drawAccess(), rapid.IntRange(-1, 2).Draw(m.rt, "claims")
	body := object{"accessToken": a.text}
	if n >= 0 {
		body["userDataInJWT"] = claimsOf(n)
	}
	r := m.w.asked(m.t, "POST", "/recipe/session/regenerate", body)
	if m.ended {
		m.want(r, "UNAUTHORISED")
		return
	}
	if n >= 0 {
		m.payload = n
	}
	a.text, a.payload = text(m.t, m.want(r, "OK"), "accessToken", "token"), m.payload
	m.access = append(m.access, a)
}

// tamper: what we did not make changes nothing.
func (m *model) tamper() {
	raw := []byte(m.refreshes[m.known()])
	i := rapid.IntRange(0, len(raw)-1).Draw(m.rt, "where")
	raw[i] ^= 1
	m.want(m.w.refresh(m.t, string(raw)), "UNAUTHORISED")
}

func (m *model) remove() {
	if rapid.IntRange(0, 9).Draw(m.rt, "seldom") > 0 {
		return
	}
	r := m.w.asked(m.t, "POST", "/recipe/session/remove", object{"sessionHandles": []string{m.handle}})
	if n := len(listed(m.t, r, "sessionHandlesRevoked")); (n == 1) == m.ended {
		m.rt.Fatalf("ended %d, was ended %v", n, m.ended)
	}
	m.ended = true
}
