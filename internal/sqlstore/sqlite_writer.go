package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// maxGroup bounds how many writes share one commit, so that the first of them is answered soon.
const maxGroup = 256

// writer owns the one connection that writes. It takes everything that waits, runs it, commits once, and then answers all: durability costs
// one sync per group instead of one per request.
type writer struct {
	conn   *liteConn
	jobs   chan *job
	gate   sync.RWMutex // held shared while a job is handed over; exclusively to stop
	ended  bool
	done   chan struct{}
	writes atomic.Int64
	groups atomic.Int64
	group  []*job
	apart  bool // a job of this group has failed: those after it run in savepoints
}

// job is one verb waiting for the writer. state decides between the caller who gives up and the writer who begins.
type job struct {
	fn     func(q queryer) error
	state  atomic.Int32
	err    error
	answer chan struct{}
}

const (
	queued int32 = iota
	begun
	dropped
)

func newWriter(c *liteConn) *writer {
	w := &writer{conn: c, jobs: make(chan *job, 1024), done: make(chan struct{})}
	go w.run()
	return w
}

// do hands fn to the writer and waits. A caller whose context ends before its job begins leaves no trace; later it gets the true outcome.
func (w *writer) do(ctx context.Context, fn func(q queryer) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	j := &job{fn: fn, answer: make(chan struct{})}
	if err := w.hand(ctx, j); err != nil {
		return err
	}
	select {
	case <-j.answer:
		return j.err
	case <-ctx.Done():
		if j.state.CompareAndSwap(queued, dropped) {
			return unavailable(ctx.Err())
		}
		<-j.answer
		return j.err
	}
}

func (w *writer) hand(ctx context.Context, j *job) error {
	w.gate.RLock()
	defer w.gate.RUnlock()
	if w.ended {
		return unavailable(sql.ErrConnDone)
	}
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

// stop lets what was handed over finish and closes the connection.
func (w *writer) stop() {
	w.gate.Lock()
	first := !w.ended
	w.ended = true
	if first {
		close(w.jobs)
	}
	w.gate.Unlock()
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	defer w.conn.close()
	for j := range w.jobs {
		w.commit(j)
	}
}

// commit runs one group, beginning with first.
func (w *writer) commit(first *job) {
	w.group, w.apart = w.group[:0], false
	_, err := w.conn.exec(beginText)
	for j := first; j != nil; j = w.next() {
		if !j.state.CompareAndSwap(queued, begun) {
			continue
		}
		if err == nil {
			err = w.try(j)
		}
		w.group = append(w.group, j)
		if err != nil {
			break
		}
	}
	if err == nil {
		_, err = w.conn.exec(commitText)
	}
	if err != nil {
		_, _ = w.conn.exec(rollbackText)
	}
	w.settle(err)
}

// next takes another job if one waits. Before giving up it lets others run once: callers answered a moment ago are about to come back.
func (w *writer) next() *job {
	if len(w.group) >= maxGroup {
		return nil
	}
	for range 2 {
		select {
		case j := <-w.jobs:
			return j
		default:
			runtime.Gosched()
		}
	}
	return nil
}

// try runs one job so that its failure is undone alone. Hardly any fails, and a savepoint costs each that succeeds copies of the pages that
// the group has changed before it: so there is none until one fails. The error means that the whole transaction is lost.
func (w *writer) try(j *job) error {
	if w.apart {
		return w.save(j)
	}
	if j.err = guarded(j.fn, w.conn); j.err == nil {
		return nil
	}
	return w.again()
}

// again undoes the group with the job that has just failed, and runs what stood before it once more.
func (w *writer) again() error {
	w.apart = true
	_, _ = w.conn.exec(rollbackText) // fails when SQLite has rolled back by itself
	if _, err := w.conn.exec(beginText); err != nil {
		return err
	}
	for _, j := range w.group {
		if err := w.save(j); err != nil {
			return err
		}
	}
	return nil
}

// save runs one job in a savepoint.
func (w *writer) save(j *job) error {
	if _, err := w.conn.exec(saveText); err != nil {
		return err
	}
	if j.err = guarded(j.fn, w.conn); j.err != nil {
		if _, err := w.conn.exec(undoText); err != nil {
			return err
		}
	}
	_, err := w.conn.exec(releaseText)
	return err
}

// guarded keeps a panic of one job from ending the writer and everybody's writes.
func guarded(fn func(q queryer) error, c *liteConn) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = misuse("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	return failed(fn(c))
}

// settle answers the group. Whoever did not fail alone fails with the group.
func (w *writer) settle(err error) {
	if err != nil {
		err = failed(fmt.Errorf("group commit: %w", err))
	}
	w.groups.Add(1)
	w.writes.Add(int64(len(w.group)))
	for i, j := range w.group {
		if j.err == nil {
			j.err = err
		}
		close(j.answer)
		w.group[i] = nil
	}
}
