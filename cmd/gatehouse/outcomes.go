package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// outcomes counts what becomes of logins and refreshes. Both labels come from fixed lists: the calls below, and the reasons of fault.
type outcomes struct{ *prometheus.CounterVec }

func newOutcomes() outcomes {
	return outcomes{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gatehouse_outcomes_total", Help: "Logins, sign-ups, proofs, refreshes and logouts by what became of them.",
	}, []string{"call", "outcome"})}
}

func (o outcomes) count(call string, err error) {
	outcome := "ok"
	if err != nil {
		outcome = string(fault.ReasonOf(err))
	}
	o.WithLabelValues(call, outcome).Inc()
}

// countedLogins is a login.Service whose outcomes are counted.
type countedLogins struct {
	*login.Service
	outcomes outcomes
}

// Password counts password logins.
func (c countedLogins) Password(ctx context.Context, call *audit.Call, r login.PasswordRequest) (login.PasswordResult, error) {
	out, err := c.Service.Password(ctx, call, r)
	c.outcomes.count("login_password", err)
	return out, err
}

// Prove counts password logins on the hosted pages.
func (c countedLogins) Prove(ctx context.Context, call *audit.Call, r login.PasswordRequest) (login.Proven, error) {
	out, err := c.Service.Prove(ctx, call, r)
	c.outcomes.count("login_page", err)
	return out, err
}

// ChangePassword counts passwords changed by their owners.
func (c countedLogins) ChangePassword(ctx context.Context, call *audit.Call, r login.ChangePasswordRequest) (login.Proven, error) {
	out, err := c.Service.ChangePassword(ctx, call, r)
	c.outcomes.count("change_password", err)
	return out, err
}

// Register counts sign-ups.
func (c countedLogins) Register(ctx context.Context, call *audit.Call, r login.RegisterRequest) error {
	err := c.Service.Register(ctx, call, r)
	c.outcomes.count("register", err)
	return err
}

// Resend counts mails sent again.
func (c countedLogins) Resend(ctx context.Context, call *audit.Call, r login.MailRequest) error {
	err := c.Service.Resend(ctx, call, r)
	c.outcomes.count("resend", err)
	return err
}

// Forgot counts forgotten passwords.
func (c countedLogins) Forgot(ctx context.Context, call *audit.Call, r login.MailRequest) error {
	err := c.Service.Forgot(ctx, call, r)
	c.outcomes.count("forgot", err)
	return err
}

// Reset counts new passwords by mail.
func (c countedLogins) Reset(ctx context.Context, call *audit.Call, r login.ResetRequest) (login.Proved, error) {
	out, err := c.Service.Reset(ctx, call, r)
	c.outcomes.count("reset", err)
	return out, err
}

// VerifyEmail counts proofs of mailboxes.
func (c countedLogins) VerifyEmail(ctx context.Context, call *audit.Call, r login.VerifyRequest) (login.Proved, error) {
	out, err := c.Service.VerifyEmail(ctx, call, r)
	c.outcomes.count("verify_email", err)
	return out, err
}

// countedSessions is a session.Service whose outcomes are counted.
type countedSessions struct {
	*session.Service
	outcomes outcomes
}

// Refresh counts refreshes.
func (c countedSessions) Refresh(ctx context.Context, call *audit.Call, r session.RefreshRequest) (session.Tokens, error) {
	out, err := c.Service.Refresh(ctx, call, r)
	c.outcomes.count("refresh", err)
	return out, err
}

// Logout counts logouts.
func (c countedSessions) Logout(ctx context.Context, call *audit.Call, r session.LogoutRequest) error {
	err := c.Service.Logout(ctx, call, r)
	c.outcomes.count("logout", err)
	return err
}
