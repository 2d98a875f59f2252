package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
)

// Text is a statement as tests see it.
type Text struct {
	Lite, PG string
	Hot      bool
}

// Texts gives every statement, the single-statement shapes of PostgreSQL included.
func Texts() []Text {
	var out []Text
	for _, s := range statements {
		out = append(out, Text{Lite: s.lite, PG: s.pg, Hot: s.hot})
	}
	event := audit.Event{Person: &audit.Person{}}
	rec := audit.Record{Events: []audit.Event{event, {}}, Messages: []audit.Message{{}, {}}}
	plain := audit.Record{Events: []audit.Event{{Type: session.EventRefreshed}}}
	for _, r := range []audit.Record{{}, rec, plain} {
		out = append(out, Text{PG: swapShape(shapeOf("swap", r)), Hot: true}, Text{PG: swapShape(shapeOf("rotate", r)), Hot: true})
		s := shapeOf("open", r)
		out = append(out, Text{PG: openShape(s), Hot: true})
		s.guard, s.register = true, true
		out = append(out, Text{PG: openShape(s), Hot: true})
		s.spend = true
		out = append(out, Text{PG: openShape(s), Hot: true})
		s.signOn = true
		out = append(out, Text{PG: openShape(s), Hot: true})
	}
	for _, many := range []*together{rotateTogether, loadTogether, guardTogether, codeTogether} {
		out = append(out, Text{PG: many.text, Hot: true})
	}
	return out
}

// Withdrawn is what a caller gets whose context ends while a group before his is on its way, and how many wait after him.
func Withdrawn(ctx context.Context) (waiting int, err error) {
	q := &queue{s: &stmt{many: rotateTogether}, away: true}
	_, err = q.do(ctx, in{}, nil)
	return len(q.waiting), err
}

// Tx runs statements of a test's own inside a write of the store.
type Tx struct{ q queryer }

// Exec runs text, the same on both engines.
func (t Tx) Exec(text string, args ...any) (int64, error) { return t.q.exec(adhoc(text), args...) }

// Row reads one row.
func (t Tx) Row(text string, args []any, dest ...any) (bool, error) {
	return t.q.row(adhoc(text), args, dest...)
}

var adhocTexts = map[string]*stmt{}

func adhoc(text string) *stmt {
	return adhocTexts[text]
}

// Prepare names a test's statement; call it from package-level variables only.
func Prepare(text string) string {
	adhocTexts[text] = both(text)
	return text
}

// Write runs fn in one transaction.
func (s *Store) Write(ctx context.Context, fn func(t Tx) error) error {
	return s.e.write(ctx, func(q queryer) error { return fn(Tx{q}) })
}

// Read runs fn without one.
func (s *Store) Read(ctx context.Context, fn func(t Tx) error) error {
	return s.e.read(ctx, func(q queryer) error { return fn(Tx{q}) })
}

// Settings are those of the store's PostgreSQL connections.
func Settings() map[string]string { return settings }

// HalfOpen is the inside of session.Store.Open, so that a test can hold it open before the commit.
func (t Tx) HalfOpen(f session.Family) error {
	if err := guardOpen(t.q, &f); err != nil {
		return err
	}
	_, err := t.q.exec(sessionPut, sessionArgs(&f)...)
	return err
}

// HalfUnregister is the part of user.Store.Unregister that comes before it looks for sessions.
func (t Tx) HalfUnregister(tenantID, userID, clientID string, at time.Time) error {
	if _, err := t.q.exec(userHeld, tenantID, userID, micros(at)); err != nil {
		return err
	}
	_, err := t.q.exec(registrationDrop, tenantID, userID, clientID)
	return err
}

// HalfSwap is the inside of session.Store.Swap.
func (t Tx) HalfSwap(from, to session.Family) (bool, error) {
	n, err := t.q.exec(sessionSwap, swapArgs(&from, &to, true)...)
	return n == 1, err
}

// HalfEnd is the inside of session.Store.Revoke by id.
func (t Tx) HalfEnd(tenantID, id string, at time.Time) error {
	_, err := end(t.q, endByID, tenantID, "test", at, "", id, "")
	return err
}

// HalfRevoke is the inside of session.Store.Revoke by user.
func (t Tx) HalfRevoke(tenantID, userID string, at time.Time) error {
	return endUser(t.q, fallen{tenantID, userID, 1}, "test", at, audit.Record{})
}

// Elsewhere makes the store believe that it was served from another place before.
func (s *Store) Elsewhere(ctx context.Context) error {
	return s.e.write(ctx, func(q queryer) error { return q.later(placePut, "elsewhere") })
}

// TenantTables are emptied when a tenant is removed.
func TenantTables() []string { return tenantTables }

// HalfSignOff is the part of sso.Store.Revoke that touches the sign-on session's row.
func (t Tx) HalfSignOff(tenantID, id string, at time.Time) error {
	_, err := endSignOns(t.q, sso.Match{TenantID: tenantID, ID: id}, at, "test")
	return err
}

// HalfExchange is the inside of oauth.Codes.Exchange.
func (t Tx) HalfExchange(hash []byte, f session.Family) error {
	if err := guardOpen(t.q, &f); err != nil {
		return err
	}
	if _, err := t.q.exec(codeSpend, micros(f.CreatedAt), f.ID, f.TenantID, hash); err != nil {
		return err
	}
	_, err := t.q.exec(sessionPut, sessionArgs(&f)...)
	return err
}
