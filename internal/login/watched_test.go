package login_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// journal writes down every verb that reaches a store, every hash, every event and every mail.
type journal struct {
	mu     sync.Mutex
	ring   *secret.Ring
	verbs  []string
	events []audit.Event
	mails  []delivery.Mail // those that would be sent
}

func (j *journal) note(verb string, rec *audit.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if rec != nil {
		verb = fmt.Sprintf("%s with %d events, %d messages", verb, len(rec.Events), len(rec.Messages))
		j.events = append(j.events, rec.Events...)
		for _, m := range rec.Messages {
			j.keep(m)
		}
	}
	j.verbs = append(j.verbs, verb)
}

func (j *journal) keep(m audit.Message) {
	plain, err := j.ring.Open("outbox mail", nil, m.Sealed)
	var mail delivery.Mail
	if err != nil || json.Unmarshal(plain, &mail) != nil {
		panic(fmt.Sprint("a message does not open: ", err))
	}
	if m.Kind == delivery.KindMail {
		j.mails = append(j.mails, mail)
	}
}

// take gives the verbs since the last take.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := j.verbs
	j.verbs = nil
	return v
}

func (j *journal) last() audit.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.events) == 0 {
		return audit.Event{}
	}
	return j.events[len(j.events)-1]
}

// mail gives the newest mail to an address, and takes all of its mails out.
func (j *journal) mail(to string) delivery.Mail {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found delivery.Mail
	j.mails = slices.DeleteFunc(j.mails, func(m delivery.Mail) bool {
		if m.To == to {
			found = m
		}
		return m.To == to
	})
	return found
}

type watchedStore struct {
	login.Store
	j *journal
}

func (w watchedStore) Known(ctx context.Context, q login.KnownQuery) (login.Known, error) {
	w.j.note("Known", nil)
	return w.Store.Known(ctx, q)
}

func (w watchedStore) SaveAttempt(ctx context.Context, a login.Attempt, rec audit.Record) error {
	w.j.note("SaveAttempt", &rec)
	return w.Store.SaveAttempt(ctx, a, rec)
}

func (w watchedStore) AttemptByToken(ctx context.Context, tenantID string, hash []byte, at time.Time) (login.Attempt, error) {
	w.j.note("AttemptByToken", nil)
	return w.Store.AttemptByToken(ctx, tenantID, hash, at)
}

func (w watchedStore) Prove(ctx context.Context, p login.Proof, rec audit.Record) error {
	err := w.Store.Prove(ctx, p, rec)
	w.j.note("Prove", written(rec, err))
	return err
}

func (w watchedStore) SaveTicket(ctx context.Context, k login.Ticket, rec audit.Record) error {
	w.j.note("SaveTicket", &rec)
	return w.Store.SaveTicket(ctx, k, rec)
}

func (w watchedStore) TicketByToken(ctx context.Context, tenantID string, hash []byte, at time.Time) (login.Ticket, error) {
	w.j.note("TicketByToken", nil)
	return w.Store.TicketByToken(ctx, tenantID, hash, at)
}

func (w watchedStore) Reset(ctx context.Context, r login.ResetSpend, rec audit.Record) (string, error) {
	id, err := w.Store.Reset(ctx, r, rec)
	w.j.note("Reset", written(rec, err))
	return id, err
}

func (w watchedStore) ChangeEmail(ctx context.Context, k login.Ticket, at time.Time, rec audit.Record) error {
	err := w.Store.ChangeEmail(ctx, k, at, rec)
	w.j.note("ChangeEmail", written(rec, err))
	return err
}

// written is what a verb left behind: nothing when it failed.
func written(rec audit.Record, err error) *audit.Record {
	if err != nil {
		return nil
	}
	return &rec
}

type watchedUsers struct {
	user.Store
	j *journal
}

func (w watchedUsers) Get(ctx context.Context, tenantID, userID, clientID string) (user.User, error) {
	w.j.note("Get", nil)
	return w.Store.Get(ctx, tenantID, userID, clientID)
}

func (w watchedUsers) UpdateProfile(ctx context.Context, c user.ProfileChange, rec audit.Record) error {
	w.j.note("UpdateProfile", &rec)
	return w.Store.UpdateProfile(ctx, c, rec)
}

func (w watchedUsers) Delete(ctx context.Context, tenantID, userID string, at, purgeAt time.Time, rec audit.Record) error {
	w.j.note("Delete", &rec)
	return w.Store.Delete(ctx, tenantID, userID, at, purgeAt, rec)
}

type watchedCredentials struct {
	credential.Store
	j *journal
}

func (w watchedCredentials) Rehash(ctx context.Context, tenantID, id, old string, to credential.Password, at time.Time, rec audit.Record) (bool, error) {
	w.j.note("Rehash", &rec)
	return w.Store.Rehash(ctx, tenantID, id, old, to, at, rec)
}

func (w watchedCredentials) Change(ctx context.Context, c credential.Change, rec audit.Record) (int64, error) {
	epoch, err := w.Store.Change(ctx, c, rec)
	w.j.note("Change", written(rec, err))
	return epoch, err
}

type watchedRecorder struct {
	login.Recorder
	j *journal
}

func (w watchedRecorder) Record(ctx context.Context, rec audit.Record) error {
	w.j.note("Record", &rec)
	return w.Recorder.Record(ctx, rec)
}

type watchedLimits struct {
	ephemeral.Limiter
	j *journal
}

func (w watchedLimits) Take(ctx context.Context, c []ephemeral.Charge, at time.Time) (ephemeral.Verdict, error) {
	w.j.note(fmt.Sprintf("Take %d", len(c)), nil)
	return w.Limiter.Take(ctx, c, at)
}

func (w watchedLimits) GiveBack(ctx context.Context, c []ephemeral.Charge, at time.Time) error {
	w.j.note(fmt.Sprintf("GiveBack %d", len(c)), nil)
	return w.Limiter.GiveBack(ctx, c, at)
}

// watchedPasswords calls every kind of work a hash: which kind it is must not show.
type watchedPasswords struct {
	*credential.Passwords
	j *journal
}

func (w watchedPasswords) Hash(ctx context.Context, pw secret.Text, at time.Time) (credential.Password, error) {
	w.j.note("hash", nil)
	return w.Passwords.Hash(ctx, pw, at)
}

func (w watchedPasswords) Verify(ctx context.Context, pw secret.Text, p credential.Password) (bool, bool, error) {
	w.j.note("hash", nil)
	return w.Passwords.Verify(ctx, pw, p)
}

func (w watchedPasswords) Decoy(ctx context.Context, pw secret.Text) error {
	w.j.note("hash", nil)
	return w.Passwords.Decoy(ctx, pw)
}

func (w watchedPasswords) CheckNew(pw secret.Text, rules tenant.PasswordRules, about ...string) error {
	return w.Passwords.CheckNew(pw, rules, about...)
}
