package delivery

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// The worker's timing. A lease is renewed for as long as its message is in hand, so a second worker sees it only after a crash, and soon.
const (
	pollEvery  = time.Second      // retries and other nodes' messages; our own come by Wake
	leaseFor   = 30 * time.Second // how long people wait for a mail that was in the hands of a node that died
	holdEvery  = leaseFor / 3     // a store that is slow once does not cost the lease
	batch      = 8                // messages in hand at once, each on its own connection
	firstRetry = 5 * time.Second  // doubled on every failure …
	lastRetry  = 15 * time.Minute // … up to this
	giveUp     = 72 * time.Hour   // after the message was written
)

var errNoServer = errors.New("no mail server is configured")

// Worker drains the outbox. A message is delivered at least once: a crash between delivery and Done sends it again, nothing loses it.
type Worker struct {
	Now func() time.Time // the machine's clock

	cfg    Config
	server atomic.Pointer[server] // nil: no mail server
	wake   chan struct{}
	sent   atomic.Int64
	failed atomic.Int64
	lost   atomic.Int64
}

// New makes a worker; Run starts it.
func New(cfg Config) (*Worker, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	w := &Worker{Now: cfg.Now, cfg: cfg, wake: make(chan struct{}, 1)}
	if cfg.SMTP.URL.IsZero() {
		return w, nil
	}
	return w, w.Use(cfg.SMTP)
}

// Use sends what is delivered from now on by another server, or the same one with another password. A faulty s changes nothing. The sender
// stays the one that New was given.
func (w *Worker) Use(s SMTP) error {
	if err := s.Validate(); err != nil {
		return err
	}
	parsed, err := parseServer(s)
	if err == nil {
		w.server.Store(&parsed)
	}
	return err
}

// Stats are counts since the start.
type Stats struct {
	Sent   int64 // delivered to a server or a mailbox
	Failed int64 // tries that failed and are made again
	Lost   int64 // messages given up
}

// Stats gives the counts since the start.
func (w *Worker) Stats() Stats {
	return Stats{Sent: w.sent.Load(), Failed: w.failed.Load(), Lost: w.lost.Load()}
}

// Wake tells the worker that a message was committed. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run drains until ctx ends, then finishes what is in hand.
func (w *Worker) Run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	if w.cfg.Alone { // what is leased was in the hands of a process that has died: people need not wait for the lease to end
		ahead := w.Now().Add(leaseFor)
		for ctx.Err() == nil && w.deliverDue(ctx, ahead, pollEvery) == batch {
		}
	}
	for {
		for ctx.Err() == nil && w.round(ctx) == batch {
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-w.wake:
		}
	}
}

// round delivers one batch of what is due now and gives its size.
func (w *Worker) round(ctx context.Context) int { return w.deliverDue(ctx, w.Now(), leaseFor) }

func (w *Worker) deliverDue(ctx context.Context, at time.Time, lease time.Duration) int {
	leased, err := w.cfg.Store.Lease(ctx, batch, at, lease)
	if err != nil {
		if ctx.Err() == nil {
			w.cfg.Log.WarnContext(ctx, "the outbox cannot be read", "error", err.Error())
		}
		return 0
	}
	var all sync.WaitGroup
	for _, l := range leased {
		all.Go(func() { w.handle(context.WithoutCancel(ctx), l) }) // a stop must not cut a delivery in half
	}
	all.Wait()
	return len(leased)
}

func (w *Worker) handle(ctx context.Context, l Leased) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	let := w.hold(ctx, l.Message.ID)
	err := w.deliver(ctx, l)
	cancel()
	let()
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	switch {
	case err == nil:
		w.sent.Add(1)
		err = w.cfg.Store.Done(ctx, l.Message.ID)
	case errors.Is(err, errRefused) || w.Now().Sub(born(l)) > giveUp:
		w.lost.Add(1)
		w.report(ctx, slog.LevelError, "a message was given up", l, err)
		err = w.cfg.Store.Done(ctx, l.Message.ID)
	default:
		w.failed.Add(1)
		w.report(ctx, slog.LevelWarn, "a message could not be delivered and will be tried again", l, err)
		err = w.cfg.Store.Retry(ctx, l.Message.ID, w.Now().Add(backoff(l.Attempts)))
	}
	if err != nil {
		w.report(ctx, slog.LevelWarn, "the outbox cannot be written; the message may be sent again", l, err)
	}
}

// hold renews the lease of a message until its result is called, which waits: a renewal that came after a retry would undo it.
func (w *Worker) hold(ctx context.Context, id string) (let func()) {
	ctx, cancel := context.WithCancel(ctx)
	var held sync.WaitGroup
	held.Go(func() {
		tick := time.NewTicker(holdEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := w.cfg.Store.Hold(ctx, id, w.Now().Add(leaseFor)); err != nil && ctx.Err() == nil {
				w.cfg.Log.WarnContext(ctx, "a message cannot be kept in hand and may be sent twice", "message", id, "error", err.Error())
			}
		}
	})
	return func() { cancel(); held.Wait() }
}

// report logs ids only. A server's refusal often repeats the recipient, so of err only its class is logged.
func (w *Worker) report(ctx context.Context, level slog.Level, text string, l Leased, err error) {
	w.cfg.Log.Log(ctx, level, text, "message", l.Message.ID, "tenant", l.Message.TenantID, "kind", l.Message.Kind, "attempts", l.Attempts+1,
		"error", class(err))
}

func (w *Worker) deliver(ctx context.Context, l Leased) error {
	if l.Message.Kind != KindMail {
		return nil // KindNone: written only so that known and unknown addresses cost the same
	}
	t := w.cfg.Directory.ByID(l.Message.TenantID)
	if t == nil {
		return errors.New("the tenant is not known (yet)")
	}
	m, err := open(w.cfg.Ring, l.Message.Sealed)
	if err != nil {
		return err
	}
	r, err := Render(t, m)
	if err != nil {
		return err
	}
	server := w.server.Load()
	if t.Test || (server == nil && w.cfg.Dev) {
		return w.cfg.Store.PutMail(ctx, boxed(t, m, r, w.Now()))
	}
	if server == nil {
		return errNoServer
	}
	return server.send(ctx, w.envelope(t, m), r)
}

func (w *Worker) envelope(t *tenant.Tenant, m Mail) envelope {
	e := envelope{from: w.cfg.SMTP.From, replyTo: t.Policy.Mail.ReplyTo, to: m.To}
	if t.Policy.Mail.From != "" {
		e.from = t.Policy.Mail.From
	}
	return e
}

func boxed(t *tenant.Tenant, m Mail, r Rendered, now time.Time) BoxMail {
	b := BoxMail{
		ID: secret.NewID(now), TenantID: t.ID, To: m.To, Subject: r.Subject, Text: r.Text, HTML: r.HTML,
		Links: []string{}, Codes: []string{}, At: now.UTC().Truncate(time.Microsecond),
	}
	if m.Link != "" {
		b.Links = append(b.Links, m.Link)
	}
	if m.Code != "" {
		b.Codes = append(b.Codes, m.Code)
	}
	return b
}

// born is when the message was written: ids are UUIDv7, whose first 48 bits are milliseconds (RFC 9562 section 5.7). Retry moves every
// other instant of the row.
func born(l Leased) time.Time {
	raw, err := hex.DecodeString(strings.ReplaceAll(l.Message.ID, "-", ""))
	if err != nil || len(raw) != 16 {
		return l.Message.NotBefore
	}
	var ms int64
	for _, b := range raw[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms)
}

// backoff is 5 s · 2^attempts up to 15 min, then a random half of it, so that messages that failed together do not return together.
func backoff(attempts int) time.Duration {
	d := lastRetry
	if attempts < 8 {
		d = min(firstRetry<<max(attempts, 0), lastRetry)
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // keeps retries apart, and keeps no secret
}
