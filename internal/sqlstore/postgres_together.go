package sqlstore

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Most of what a small statement costs PostgreSQL is not its row: it is the round trip, the start of the plan with every table and index, and
// the commit. So hot statements of one kind that are asked for at the same moment run as one over arrays, as the writes of SQLite share a
// commit: what comes while one is on its way goes together with the next. A single one goes at once and by itself.

// together is the form of a statement for many at once. It takes an array for each parameter of the single form, in their order, and gives,
// for those that have a row, their number, from 1, before the columns of the single form.
type together struct {
	text  string
	types []string // of the parameters: text, bytea or bigint; only a bytea may be NULL
	// writes: it commits, and must skip rows that others have locked. A group may not wait for what one of its members wants, and locks taken
	// without waiting cannot deadlock. Whoever got no row then tries by itself.
	writes bool
}

const (
	maxTogether = 256                   // so that the first of a group is answered soon
	enough      = 8                     // who wait for no other group: together they cost little more than a larger one
	patience    = 20 * time.Millisecond // nobody waits for a group that takes longer
)

// queue are the callers of one statement.
type queue struct {
	e       *postgresEngine
	s       *stmt
	mu      sync.Mutex
	away    bool // one is on its way that has not been waited for too long: who comes now goes with the next
	waiting []*wish
}

// wish is one caller's part of a group.
type wish struct {
	args, dest []any
	found      bool
	alone      bool // it has to run by itself
	err        error
	answer     chan struct{}
}

func (e *postgresEngine) queueOf(s *stmt) *queue {
	if q, ok := e.queues.Load(s); ok {
		return q.(*queue)
	}
	q, _ := e.queues.LoadOrStore(s, &queue{e: e, s: s})
	return q.(*queue)
}

// do runs the statement for one caller. A caller whose context ends before its group goes has no part in it; later it gets the true outcome.
func (q *queue) do(ctx context.Context, args in, dest []any) (found bool, err error) {
	if err := clean(args); err != nil { // a fault of one must not be everybody's
		return false, err
	}
	w := q.join(args, dest)
	if w == nil {
		q.travel(func() { found, err = q.alone(ctx, args, dest) })
		return found, err
	}
	select {
	case <-w.answer:
	case <-ctx.Done():
		if q.withdraw(w) {
			return false, unavailable(ctx.Err())
		}
		<-w.answer
	}
	if w.alone {
		return q.alone(ctx, args, dest)
	}
	return w.found, w.err
}

func (q *queue) alone(ctx context.Context, args in, dest []any) (bool, error) {
	if q.s.many.writes {
		q.e.count(1)
		return q.e.alone(ctx, q.s, args, dest...)
	}
	return q.e.look(ctx, q.s, args, dest...)
}

// join queues a wish, or gives nil when nobody is on the way: then the caller goes at once.
func (q *queue) join(args in, dest []any) *wish {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.away {
		q.away = true
		return nil
	}
	w := &wish{args: args, dest: dest, answer: make(chan struct{})}
	if q.waiting = append(q.waiting, w); len(q.waiting) == enough {
		q.send(func(group []*wish) { q.run(group) })
	}
	return w
}

// travel runs one caller or group, and sends off those who came meanwhile when it is back, or has been away for long: a single caller may
// wait for a lock that is no concern of others.
func (q *queue) travel(run func()) {
	next := sync.OnceFunc(q.next)
	impatient := time.AfterFunc(patience, next)
	defer impatient.Stop()
	defer next()
	run()
}

// next sends the next group off, if anybody waits.
func (q *queue) next() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		q.away = false
		return
	}
	q.send(func(group []*wish) { q.travel(func() { q.run(group) }) })
}

// send hands those who wait to run. It is called with the lock held.
func (q *queue) send(run func(group []*wish)) {
	n := min(len(q.waiting), maxTogether)
	group := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	go run(group)
}

func (q *queue) withdraw(w *wish) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i >= 0 {
		q.waiting = slices.Concat(q.waiting[:i], q.waiting[i+1:]) // groups share the array
	}
	return i >= 0
}

// run sends one group and answers it. It has its own deadline: a caller who goes takes nobody along.
func (q *queue) run(group []*wish) {
	ctx, cancel := context.WithTimeout(context.Background(), verbTime)
	defer cancel()
	args := q.s.many.arrays(group)
	if q.s.many.writes {
		q.e.count(len(group))
	}
	err := q.e.with(ctx, func(t *pgConn) error {
		t.commits = q.s.many.writes
		return t.each(&stmt{pg: q.s.many.text}, args, func(scan scanner) error { return deal(group, scan) })
	})
	for _, w := range group {
		switch {
		case err == nil:
			w.alone = !w.found && q.s.many.writes
		case fault.From(err).Kind == fault.Unavailable && !again(err): // perhaps after the commit: it must not run again
			w.found, w.err = false, err
		default:
			w.alone = true
		}
		close(w.answer)
	}
}

// count notes a commit of n writes.
func (e *postgresEngine) count(n int) {
	e.writes.Add(int64(n))
	e.groups.Add(1)
}

// deal gives a row to the wish whose number it bears.
func deal(group []*wish, scan scanner) error {
	var n int64
	row := make([]any, 1+len(group[0].dest)) // nil: not wanted
	row[0] = &n
	if err := scan(row...); err != nil {
		return err
	}
	w := group[n-1]
	w.found, row[0] = true, nil
	copy(row[1:], w.dest)
	return scan(row...)
}

// arrays turns the arguments of many calls into one array for each parameter.
func (t *together) arrays(group []*wish) in {
	out := make(in, len(t.types))
	for i, kind := range t.types {
		switch kind {
		case "bigint":
			out[i] = gathered[int64](group, i)
		case "bytea":
			out[i] = gathered[[]byte](group, i)
		default:
			out[i] = gathered[string](group, i)
		}
	}
	return out
}

func gathered[T any](group []*wish, i int) []T {
	all := make([]T, len(group))
	for n, w := range group {
		all[n], _ = w.args[i].(T) // nil stays nil: NULL
	}
	return all
}

// unnested writes "unnest($1::bigint[], …) WITH ORDINALITY AS w (columns, n)": a row for each member of the group.
func unnested(types []string, columns string) string {
	var b strings.Builder
	typed(&b, 1, types...)
	return "unnest(" + strings.ReplaceAll(b.String(), ",", "[],") + "[]) WITH ORDINALITY AS w (" + columns + ", n)"
}
