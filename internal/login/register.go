package login

import (
	"cmp"
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Register stores a sign-up attempt and mails its proof. It answers alike, and does alike (one hash, one look-up, one attempt, one mail),
// whether or not the address has an account: then the attempt is inert and the mail says so. Reasons: weak_password, breached_password,
// rate_limited, busy; registration_closed (403) where the client requires a registration.
func (s *Service) Register(ctx context.Context, call *audit.Call, req RegisterRequest) error {
	beat := s.begin()
	defer beat.end()
	if req.Client.Settings.RequireRegistration {
		return closed()
	}
	email, err := user.NormaliseEmail(req.Email)
	if err != nil {
		return err
	}
	if err := needPassword("password", req.Password); err != nil {
		return err
	}
	if req.Name, err = cleanName(req.Name); err != nil {
		return err
	}
	if req.Locale, err = cleanLocale(req.Locale); err != nil {
		return err
	}
	if err := s.checkNew(req.Tenant, req.Client, req.Password, email); err != nil {
		return err
	}
	about := trail{kind: eventSignupRefused, tenant: req.Tenant, client: req.Client.ID, email: email}
	if err := s.spendMail(ctx, call, about); err != nil {
		return err
	}
	pw, err := s.cfg.Passwords.Hash(ctx, req.Password, call.At)
	if err != nil {
		return err
	}
	known, err := s.known(ctx, call, req.Tenant, req.Client, email)
	if err != nil {
		return err
	}
	a := newAttempt(call, req, email, pw)
	about.kind = eventSignupTried
	m := mailing{to: email, template: delivery.TemplateVerify, locale: req.Locale, path: verifyPath}
	if known.User != nil && !known.Claimed {
		about.subject = known.User.ID
		m = mailing{to: email, template: delivery.TemplateExists, locale: known.User.Locale}
	}
	if known.Closed { // a link would lead nowhere: the address is held until the deleted account is erased
		m = mailing{to: email, template: delivery.TemplateClosed, locale: req.Locale}
	}
	err = s.saveAttempt(ctx, call, req.Client, attemptToSave{a: a, m: m, inert: known.taken(), events: []trail{about}})
	beat.wait(ctx)
	return err
}

// closed is the refusal of a sign-up at a client that lets in only who is registered: what an open sign-up made would be a registration. It
// says nothing about any address.
func closed() *fault.Error {
	return fault.New(fault.Forbidden, fault.ReasonRegistrationClosed, "nobody can sign up for this application; ask the people who run it")
}

// signUpByLogin is what AutoRegister makes of a login at an unknown address: a sign-up attempt with the typed password, and the answer that
// the mailbox is not proved. It tells that the address has no account, which AutoRegister accepts by design.
func (s *Service) signUpByLogin(ctx context.Context, call *audit.Call, try *passwordTry) error {
	try.wrong = true // it costs what a wrong guess costs, whatever comes of it
	locale, err := cleanLocale(try.Locale)
	if err != nil {
		locale = ""
	}
	if err := s.checkNew(try.Tenant, try.Client, try.Password, try.email); err != nil {
		return s.refused(ctx, call, try.about, fault.From(err))
	}
	if err := s.spendMail(ctx, call, try.about); err != nil {
		return err
	}
	pw, err := s.cfg.Passwords.Hash(ctx, try.Password, call.At)
	if err != nil {
		try.wrong = false
		return err
	}
	a := newAttempt(call, RegisterRequest{Tenant: try.Tenant, Client: try.Client, Email: try.Email, Locale: locale}, try.email, pw)
	m := mailing{to: try.email, template: delivery.TemplateVerify, locale: locale, path: verifyPath}
	signup, refusal := try.about, try.about
	signup.kind, refusal.reason = eventSignupTried, fault.ReasonEmailUnverified
	if err := s.saveAttempt(ctx, call, try.Client, attemptToSave{a: a, m: m, events: []trail{signup, refusal}}); err != nil {
		return err
	}
	return unverified()
}

// Resend mails the proof of a sign-up again, under a new token: only the hash of the old one is kept. The attempt of this browser is taken,
// else the newest. It always answers, stores and queues the same.
func (s *Service) Resend(ctx context.Context, call *audit.Call, req MailRequest) error {
	beat := s.begin()
	defer beat.end()
	email, err := user.NormaliseEmail(req.Email)
	if err != nil {
		return err
	}
	locale, err := cleanLocale(req.Locale)
	if err != nil {
		return err
	}
	about := trail{kind: eventSignupRefused, tenant: req.Tenant, client: req.Client.ID, email: email}
	if err := s.spendMail(ctx, call, about); err != nil {
		return err
	}
	known, err := s.known(ctx, call, req.Tenant, req.Client, email)
	if err != nil {
		return err
	}
	about.kind = eventSignupResent
	a := newAttempt(call, RegisterRequest{
		Tenant: req.Tenant, Client: req.Client, Email: req.Email, Locale: locale, ReturnTo: req.ReturnTo,
	}, email, credential.Password{})
	idle := known.taken() || known.Attempt == nil
	if !idle {
		a = again(*known.Attempt, a)
	}
	m := mailing{to: email, template: delivery.TemplateVerify, locale: a.Locale, path: verifyPath, drop: idle}
	err = s.saveAttempt(ctx, call, req.Client, attemptToSave{a: a, m: m, inert: idle, events: []trail{about}})
	beat.wait(ctx)
	return err
}

// again is old with the id and life of fresh. It stays bound to the browser that made it: who asks for the mail again proves nothing, and
// must not become the one whose button is enough. It may say where to go on: that is worth nothing but in the browser it belongs to.
func again(old, fresh Attempt) Attempt {
	a := old
	a.ID, a.CreatedAt, a.ExpiresAt = fresh.ID, fresh.CreatedAt, fresh.ExpiresAt
	a.Password.ID = secret.NewID(fresh.CreatedAt)
	a.ReturnTo = cmp.Or(fresh.ReturnTo, old.ReturnTo)
	return a
}

func newAttempt(call *audit.Call, req RegisterRequest, email string, pw credential.Password) Attempt {
	return Attempt{
		TenantID: req.Tenant.ID, ID: secret.NewID(call.At), ClientID: req.Client.ID, Email: email, Typed: req.Email, Name: req.Name,
		Locale: req.Locale, Password: pw, Browser: call.Browser, ReturnTo: req.ReturnTo,
		CreatedAt: call.At, ExpiresAt: call.At.Add(req.Tenant.For(req.Client).AttemptLife),
	}
}

// attemptToSave is an attempt with the mail and events that travel with it.
type attemptToSave struct {
	a      Attempt
	m      mailing
	inert  bool
	events []trail
}

func (s *Service) saveAttempt(ctx context.Context, call *audit.Call, c *tenant.Client, w attemptToSave) error {
	w.m.token, w.a.TokenHash = newToken(w.inert)
	t := w.events[0].tenant
	msg, err := s.message(call, t, c, w.m)
	if err != nil {
		return fault.From(err)
	}
	rec := audit.Record{Messages: []audit.Message{msg}}
	for _, e := range w.events {
		e.detail = map[string]string{"attempt": w.a.ID}
		rec.Events = append(rec.Events, e.event(call))
	}
	if err := s.cfg.Store.SaveAttempt(ctx, w.a, rec); err != nil {
		return fault.From(err)
	}
	return nil
}

func (s *Service) known(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, email string) (Known, error) {
	k, err := s.cfg.Store.Known(ctx, KnownQuery{TenantID: t.ID, ClientID: c.ID, Email: email, Browser: call.Browser, At: call.At})
	if err != nil {
		return Known{}, fault.From(err)
	}
	return k, nil
}

// spendMail spends the mail limits of about's address.
func (s *Service) spendMail(ctx context.Context, call *audit.Call, about trail) error {
	list, err := mailCharges(call, about.tenant, about.email)
	if err != nil {
		return err
	}
	return s.spend(ctx, call, list, about)
}

// checkNew holds a new password to the tenant's rules. c may be nil.
func (s *Service) checkNew(t *tenant.Tenant, c *tenant.Client, pw secret.Text, email string) error {
	about := []string{email, t.Name}
	if c != nil {
		about = append(about, c.Name)
	}
	return s.cfg.Passwords.CheckNew(pw, t.Policy.Password, about...)
}
