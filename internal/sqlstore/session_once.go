package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// On PostgreSQL the two hot verbs are one statement each, so one round trip and no begin or commit: the guard stands in a first CTE, and
// everything beside it is inserted from that CTE's row, or from none when the guard fails.

// maxInline is how many events, and how many messages, a statement takes along. Each mix of numbers is a text of its own to prepare.
const maxInline = 2

// simple reports whether rec can travel inside one statement. Revocations need the counter's lock; opaque tokens are rare, and a shape for
// them is not worth its texts.
func simple(rec audit.Record) bool {
	return len(rec.Revocations) == 0 && len(rec.Tokens) == 0 && len(rec.Events) <= maxInline && len(rec.Messages) <= maxInline
}

// shape names the mix of things a statement takes along.
type shape struct {
	verb     string
	guard    bool // open: there is a user row to guard
	register bool
	spend    bool // open: a code is spent with it
	signOn   bool // and comes from a sign-on session, to be guarded
	persons  [maxInline]bool
	plain    [maxInline]bool // events that are plain refreshes
	events   int
	messages int
}

var shapes sync.Map // shape → *stmt

// statement gives the text for a shape, made once.
func (s shape) statement(make func(shape) string) *stmt {
	if known, ok := shapes.Load(s); ok {
		return known.(*stmt)
	}
	made := &stmt{number: -1, pg: tidy(make(s))}
	if s == plainRotation {
		jointly(rotateTogether, made)
	}
	known, _ := shapes.LoadOrStore(s, made)
	return known.(*stmt)
}

func shapeOf(verb string, rec audit.Record) shape {
	s := shape{verb: verb, events: len(rec.Events), messages: len(rec.Messages)}
	for i := range rec.Events {
		s.persons[i], s.plain[i] = rec.Events[i].Person != nil, plainRefresh(&rec.Events[i])
	}
	return s
}

// recordArgs appends what along's text expects.
func recordArgs(args []any, rec audit.Record) ([]any, error) {
	for i := range rec.Events {
		e := &rec.Events[i]
		if plainRefresh(e) {
			args = append(args, refreshArgs(e)...)
			continue
		}
		more, err := eventArgs(e)
		if err != nil {
			return nil, err
		}
		args = append(args, more...)
		if e.Person != nil {
			args = append(args, e.Person.Address, e.Person.Agent, e.Person.Email)
		}
	}
	for i := range rec.Messages {
		args = append(args, messageArgs(&rec.Messages[i])...)
	}
	return args, nil
}

// along writes the CTEs that insert events, persons and messages from the row of the CTE named done.
func (s shape) along(b *strings.Builder, next int) {
	for i := range s.events {
		first := next
		if s.plain[i] {
			fmt.Fprintf(b, `, e%d AS (INSERT INTO event_refreshed (%s) SELECT `, i, refreshColumns)
			next = typed(b, next, "text", "text", "bigint", "text", "text", "text", "text", "text", "text")
			b.WriteString(` FROM done)`)
			continue
		}
		fmt.Fprintf(b, `, e%d AS (INSERT INTO event (%s) SELECT `, i, eventColumns)
		next = typed(b, next, "text", "text", "bigint", "text", "text", "text", "text", "text", "text", "text", "text", "text")
		b.WriteString(` FROM done)`)
		if s.persons[i] {
			fmt.Fprintf(b, `, p%d AS (INSERT INTO event_person (%s) SELECT $%d::text, $%d::text, `, i, personColumns, first, first+1)
			next = typed(b, next, "text", "text", "text")
			b.WriteString(` FROM done)`)
		}
	}
	for i := range s.messages {
		fmt.Fprintf(b, `, m%d AS (INSERT INTO outbox (%s) SELECT `, i, outboxColumns)
		next = typed(b, next, "text", "text", "text", "bytea", "bigint")
		b.WriteString(` FROM done)`)
	}
}

// typed writes "$n::type, …" and gives the next number.
func typed(b *strings.Builder, next int, types ...string) int {
	for i, t := range types {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(next) + "::" + t)
		next++
	}
	return next
}

func swapShape(s shape) string {
	var b strings.Builder
	text, width := rotateText, rotateWidth
	if s.verb == "swap" {
		text, width = swapText, swapWidth
	}
	b.WriteString(`WITH done AS (` + text + ` RETURNING 1)`)
	s.along(&b, width+guardWidth+1)
	b.WriteString(` SELECT 1 FROM done`)
	return b.String()
}

func (s sessions) swapOnce(ctx context.Context, args []any, rest bool, rec audit.Record) (bool, error) {
	verb := "rotate"
	if rest {
		verb = "swap"
	}
	args, err := recordArgs(args, rec)
	if err != nil {
		return false, err
	}
	var one int64
	return s.e.once(ctx, shapeOf(verb, rec).statement(swapShape), args, &one)
}

// sessionTypes are the parameter types of sessionColumns.
var sessionTypes = strings.Fields(`text text text bool text text text bigint bigint bytea bytea bytea bytea bytea text bigint bigint bigint
	bigint bigint bigint text text text text text text text text text bigint text text text bool bytea bytea bigint bigint text bigint`)

// openShape inserts a session when the guards before it hold. Each guard reads from the one before, so rows are locked in the order of
// guardOpen: user, sign-on session, code.
func openShape(s shape) string {
	var b strings.Builder
	b.WriteString(`WITH `)
	next, last := len(sessionTypes)+1, ""
	if s.guard { // $7 of the row is the user id, $8 the epoch
		b.WriteString(`held AS (SELECT 1 FROM app_user WHERE tenant_id = $1::text AND id = $7::text AND status = 'active'
			AND epoch = $8::bigint FOR SHARE), `)
		last = ` FROM held`
	}
	if s.spend {
		next, last = s.spending(&b, next), ` FROM spent`
	}
	b.WriteString(`done AS (INSERT INTO session (` + sessionColumns + `) SELECT `)
	typed(&b, 1, sessionTypes...)
	b.WriteString(last + ` RETURNING 1)`)
	if s.register {
		b.WriteString(`, r AS (INSERT INTO registration (` + registrationColumns + `) SELECT $1::text, $7::text, `)
		next = typed(&b, next, "text", "text", "text", "bigint")
		b.WriteString(` FROM done ON CONFLICT DO NOTHING)`)
	}
	s.along(&b, next)
	if s.spend {
		signed := `1::bigint`
		if s.signOn {
			signed = `(SELECT count(*) FROM signed)`
		}
		b.WriteString(` SELECT ` + `(SELECT count(*) FROM held), ` + signed + `, (SELECT count(*) FROM spent)`)
	} else {
		b.WriteString(` SELECT 1 FROM done`)
	}
	return b.String()
}

func (s sessions) openOnce(ctx context.Context, f session.Family, register *user.Registration, rec audit.Record) error {
	sh := shapeOf("open", rec)
	sh.guard = f.UserID != ""
	args, err := sh.openArgs(sessionArgs(&f), register, rec)
	if err != nil {
		return err
	}
	var one int64
	ok, err := s.e.once(ctx, sh.statement(openShape), args, &one)
	if err == nil && !ok {
		err = userChanged()
	}
	return err
}

// openArgs appends the registration and the record to the arguments of the row and its guards.
func (s *shape) openArgs(args []any, register *user.Registration, rec audit.Record) ([]any, error) {
	if s.register = register != nil; s.register {
		args = append(args, register.ClientID, list(register.Roles), raw(register.Data), micros(register.CreatedAt))
	}
	return recordArgs(args, rec)
}
