package main

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/login"
)

// waking is a login.Store that wakes the mail worker after each commit that wrote a message, so that a person who waits for a mail does
// not wait for the next poll as well.
type waking struct {
	login.Store
	wake func()
}

var _ login.Store = waking{}

func (w waking) after(rec audit.Record, err error) error {
	if err == nil && len(rec.Messages) > 0 {
		w.wake()
	}
	return err
}

// SaveAttempt implements login.Store.
func (w waking) SaveAttempt(ctx context.Context, a login.Attempt, rec audit.Record) error {
	return w.after(rec, w.Store.SaveAttempt(ctx, a, rec))
}

// Prove implements login.Store.
func (w waking) Prove(ctx context.Context, p login.Proof, rec audit.Record) error {
	return w.after(rec, w.Store.Prove(ctx, p, rec))
}

// SaveTicket implements login.Store.
func (w waking) SaveTicket(ctx context.Context, t login.Ticket, rec audit.Record) error {
	return w.after(rec, w.Store.SaveTicket(ctx, t, rec))
}

// Reset implements login.Store.
func (w waking) Reset(ctx context.Context, r login.ResetSpend, rec audit.Record) (string, error) {
	id, err := w.Store.Reset(ctx, r, rec)
	return id, w.after(rec, err)
}

// ChangeEmail implements login.Store.
func (w waking) ChangeEmail(ctx context.Context, t login.Ticket, at time.Time, rec audit.Record) error {
	return w.after(rec, w.Store.ChangeEmail(ctx, t, at, rec))
}

// wakingCredentials is a credential.Store that does the same.
type wakingCredentials struct {
	credential.Store
	mail waking
}

// Change implements credential.Store.
func (w wakingCredentials) Change(ctx context.Context, c credential.Change, rec audit.Record) (int64, error) {
	epoch, err := w.Store.Change(ctx, c, rec)
	return epoch, w.mail.after(rec, err)
}
