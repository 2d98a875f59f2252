package sessionmachine

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// family is what the model knows of one family. It is written from the specification's point of view, by generations and instants, and
// shares nothing with the engine's own rule.
type family struct {
	id        string
	userID    string
	binding   string
	tokens    []string // every refresh token ever handed out, by generation
	minted    []time.Time
	confirmed []time.Time // when a generation was first presented; the first generation never was
	head      int
	parent    bool // the store still lets head's parent open head: until a write after the grace
	idle      time.Time
	absolute  time.Time
	ended     fault.Reason // what a genuine token of the family hears from now on, "" while it lives
	stolen    bool         // somebody else has used a token
}

// lives are the client's settings in a run.
type lives struct{ grace, minRotation, idle, absolute time.Duration }

// expected is what the model says about one request.
type expected struct {
	reason fault.Reason // refused with it
	same   bool         // the pair that was sent
	text   string       // the refresh token handed out
	fresh  bool         // a token never seen before is handed out
}

func since(t, at time.Time) time.Duration { return max(0, at.Sub(t)) }

// late reports whether generation g is an ancestor whose successor was confirmed less than the grace ago (and is still remembered).
func (f *family) late(g int, at time.Time, l *lives) bool {
	return since(f.confirmed[g+1], at) < l.grace && f.head-(g+1) < session.MaxConfirmations
}

// present says what must happen when generation g is presented, and moves the model.
func (f *family) present(g int, proof string, goodAccess bool, at time.Time, l *lives) expected {
	switch {
	case f.ended != "":
		return expected{reason: f.ended}
	case !at.Before(f.idle) || !at.Before(f.absolute):
		return expected{reason: fault.ReasonSessionExpired}
	case f.binding != proof && f.binding != "":
		return expected{reason: fault.ReasonBindingMismatch}
	case g >= f.head && goodAccess:
		return expected{same: true, text: f.tokens[g]}
	case g >= f.head:
		return f.serve(g, at, l)
	case f.binding == "" && !f.late(g, at, l):
		f.ended = fault.ReasonSessionRevoked
		return expected{reason: fault.ReasonRefreshReused}
	case g == f.head-1 && f.parent:
		return expected{text: f.tokens[f.head]}
	}
	return expected{reason: fault.ReasonSuperseded}
}

// serve is head or pending presented.
func (f *family) serve(g int, at time.Time, l *lives) expected {
	if g == f.head && g+1 < len(f.tokens) {
		return expected{text: f.tokens[g+1]}
	}
	if g > f.head {
		f.head = g
		f.confirmed[g] = at
		f.parent = true
		f.extend(at, l)
	} else if since(f.minted[g], at) >= l.minRotation && since(f.confirmed[g], at) >= l.grace {
		f.parent = false
	}
	if since(f.minted[g], at) < l.minRotation {
		return expected{text: f.tokens[g]}
	}
	f.extend(at, l)
	return expected{fresh: true}
}

func (f *family) extend(at time.Time, l *lives) {
	f.idle = at.Add(l.idle)
	if f.idle.After(f.absolute) {
		f.idle = f.absolute
	}
}

// learn adds a token that was just minted.
func (f *family) learn(text string, at time.Time) {
	f.tokens = append(f.tokens, text)
	f.minted = append(f.minted, at)
	f.confirmed = append(f.confirmed, time.Time{})
}

func (f *family) generation(text string) int {
	for g, t := range f.tokens {
		if t == text {
			return g
		}
	}
	return -1
}
