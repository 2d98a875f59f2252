package login

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Inspect tells what a mailed token would do, for the inert page behind its link. It changes nothing: mail scanners open every link.
func (s *Service) Inspect(ctx context.Context, call *audit.Call, t *tenant.Tenant, token secret.Text) (Pending, error) {
	hash, err := tokenHash(token)
	if err != nil {
		return Pending{}, err
	}
	a, err := s.cfg.Store.AttemptByToken(ctx, t.ID, hash, call.At)
	if err == nil {
		return Pending{
			Kind: PendingSignup, Email: a.Email, ClientID: a.ClientID, SameBrowser: sameBrowser(call, a.Browser),
			ReturnTo: returnTo(call, a.Browser, a.ReturnTo),
		}, nil
	}
	if !isGone(err) {
		return Pending{}, fault.From(err)
	}
	k, err := s.cfg.Store.TicketByToken(ctx, t.ID, hash, call.At)
	if err != nil {
		return Pending{}, asGone(err)
	}
	p := Pending{
		Kind: PendingReset, Email: k.Email, ClientID: k.ClientID, SameBrowser: sameBrowser(call, k.Browser),
		ReturnTo: returnTo(call, k.Browser, k.ReturnTo),
	}
	if k.Kind == TicketEmailChange {
		p.Kind = PendingEmailChange
	}
	return p, nil
}

// VerifyEmail spends a mailed token of a sign-up or of a change of address. Reading the mail proves the mailbox and nothing else: the one who
// made the attempt may be a stranger who planted a password in a victim's name (pre-hijacking). So the person must also show to be the one
// who asked, by the browser's cookie or by the password; or, for a sign-up, bring a new password, and then nothing planted survives.
//
// Reasons: gone (410), invalid_credentials (401), weak_password and breached_password (422), rate_limited, busy.
func (s *Service) VerifyEmail(ctx context.Context, call *audit.Call, req VerifyRequest) (Proved, error) {
	about := trail{kind: eventVerifyRefused, tenant: req.Tenant}
	hash, err := tokenHash(req.Token)
	if err != nil {
		return Proved{}, s.refused(ctx, call, about, fault.From(err))
	}
	a, err := s.cfg.Store.AttemptByToken(ctx, req.Tenant.ID, hash, call.At)
	if err == nil {
		return s.proveAttempt(ctx, call, req, a)
	}
	if !isGone(err) {
		return Proved{}, fault.From(err)
	}
	k, err := s.cfg.Store.TicketByToken(ctx, req.Tenant.ID, hash, call.At)
	if err == nil && k.Kind != TicketEmailChange {
		err = gone() // a reset ticket proves the mailbox too, but only Reset may spend it
	}
	if err != nil {
		return Proved{}, s.refusedGone(ctx, call, about, err)
	}
	return s.changeEmail(ctx, call, req, k)
}

func (s *Service) proveAttempt(ctx context.Context, call *audit.Call, req VerifyRequest, a Attempt) (Proved, error) {
	about := trail{kind: eventVerifyRefused, tenant: req.Tenant, client: a.ClientID, email: a.Email, detail: map[string]string{"attempt": a.ID}}
	c := s.cfg.Directory.Client(a.TenantID, a.ClientID)
	if c == nil {
		return Proved{}, s.refused(ctx, call, about, gone())
	}
	if c.Settings.RequireRegistration { // closed since the attempt was made
		return Proved{}, s.refused(ctx, call, about, closed())
	}
	p := Proof{Attempt: a, UserID: secret.NewID(call.At), Name: a.Name, Password: a.Password, Roles: rolesOf(c), At: call.At}
	if err := s.settlePassword(ctx, call, req, &p); err != nil {
		return Proved{}, s.refusedVerify(ctx, call, about, err)
	}
	p.Password.UserID, p.Password.UpdatedAt = p.UserID, call.At
	done := about
	done.kind, done.subject = eventSignupProved, p.UserID
	if err := s.cfg.Store.Prove(ctx, p, done.record(call)); err != nil {
		return Proved{}, s.refusedGone(ctx, call, about, err)
	}
	return Proved{
		UserID: p.UserID, ClientID: c.ID, RedirectURL: c.Settings.AfterVerifyURL, ReturnTo: returnTo(call, a.Browser, a.ReturnTo),
	}, nil
}

// settlePassword decides which password the user starts with, and refuses who cannot show to have made the attempt.
func (s *Service) settlePassword(ctx context.Context, call *audit.Call, req VerifyRequest, p *Proof) error {
	a := p.Attempt
	switch {
	case !req.NewPassword.IsZero():
		pw, err := s.newPassword(ctx, call, req, a)
		p.Name, p.Password = "", pw // the planted name goes with the planted password
		return err
	case sameBrowser(call, a.Browser), weak.Off("inert-attempts"):
		return nil
	}
	return s.confirm(ctx, call, req, a.Email, &a.Password)
}

func (s *Service) newPassword(ctx context.Context, call *audit.Call, req VerifyRequest, a Attempt) (credential.Password, error) {
	if err := needPassword("new_password", req.NewPassword); err != nil {
		return credential.Password{}, err
	}
	err := s.checkNew(req.Tenant, s.cfg.Directory.Client(a.TenantID, a.ClientID), req.NewPassword, a.Email)
	if f := fault.From(err); f != nil {
		for i := range f.Fields {
			f.Fields[i].Name = "new_password"
		}
		return credential.Password{}, f
	}
	return s.cfg.Passwords.Hash(ctx, req.NewPassword, call.At)
}

// confirm checks a typed password against a stored one under the limits of a login at that address: the holder of a mailed token must not
// gain a place to guess where nobody counts. stored nil refuses after the same work.
func (s *Service) confirm(ctx context.Context, call *audit.Call, req VerifyRequest, email string, stored *credential.Password) error {
	if req.Password.IsZero() {
		return fault.New(fault.Unauthenticated, fault.ReasonInvalidCredentials, "type your password: this is not the browser that asked for the mail").
			WithFields(fault.Field{Name: "password", Message: "is needed in this browser"})
	}
	if err := needPassword("password", req.Password); err != nil {
		return err
	}
	list, err := passwordCharges(call, req.Tenant, email)
	if err != nil {
		return err
	}
	if err := s.spend(ctx, call, list, trail{kind: eventVerifyRefused, tenant: req.Tenant, email: email}); err != nil {
		return err
	}
	try := passwordTry{PasswordRequest: PasswordRequest{Password: req.Password}}
	ok, _, err := s.checkPassword(ctx, &try, stored)
	if err == nil && !ok {
		return fault.New(fault.Unauthenticated, fault.ReasonInvalidCredentials, "this is not the password")
	}
	s.giveBack(ctx, call, list)
	return err
}

// changeEmail moves an account to the address whose mailbox was proved. The old address is told.
func (s *Service) changeEmail(ctx context.Context, call *audit.Call, req VerifyRequest, k Ticket) (Proved, error) {
	about := trail{kind: eventVerifyRefused, tenant: req.Tenant, client: k.ClientID, subject: k.UserID, email: k.Email,
		detail: map[string]string{"ticket": k.ID}}
	u, err := s.cfg.Users.Get(ctx, k.TenantID, k.UserID, k.ClientID)
	if err == nil && u.Status != user.Active {
		err = gone()
	}
	if err != nil {
		return Proved{}, s.refusedGone(ctx, call, about, err)
	}
	old := u.PrimaryEmail().Value
	c := s.cfg.Directory.Client(k.TenantID, k.ClientID)
	if !sameBrowser(call, k.Browser) {
		if err := s.confirmAccount(ctx, call, req, k, old); err != nil {
			return Proved{}, s.refusedVerify(ctx, call, about, err)
		}
	}
	done := about
	done.kind = eventChangeDone
	msg, err := s.message(call, req.Tenant, c, mailing{to: old, template: delivery.TemplateEmailChanged, locale: u.Locale, drop: old == ""})
	if err != nil {
		return Proved{}, fault.From(err)
	}
	if err := s.cfg.Store.ChangeEmail(ctx, k, call.At, done.record(call, msg)); err != nil {
		return Proved{}, s.refusedGone(ctx, call, about, err)
	}
	p := Proved{UserID: k.UserID, ClientID: k.ClientID}
	if c != nil {
		p.RedirectURL = c.Settings.AfterVerifyURL
	}
	return p, nil
}

// confirmAccount asks for the account's password, so that a stranger cannot make a victim's click attach the victim's mailbox to the
// stranger's account.
func (s *Service) confirmAccount(ctx context.Context, call *audit.Call, req VerifyRequest, k Ticket, email string) error {
	known, err := s.cfg.Store.Known(ctx, KnownQuery{TenantID: k.TenantID, ClientID: k.ClientID, Email: email, At: call.At})
	if err != nil {
		return fault.From(err)
	}
	if known.User == nil || known.User.ID != k.UserID {
		return gone()
	}
	return s.confirm(ctx, call, req, email, known.Password)
}

func sameBrowser(call *audit.Call, browser string) bool {
	return browser != "" && subtle.ConstantTimeCompare([]byte(call.Browser), []byte(browser)) == 1
}

// returnTo leads on only in the browser that asked for the mail: who opens it elsewhere has no authorization request there.
func returnTo(call *audit.Call, browser, to string) string {
	if !sameBrowser(call, browser) {
		return ""
	}
	return to
}

func isGone(err error) bool {
	r := fault.ReasonOf(err)
	return r == fault.ReasonGone || r == fault.ReasonNotFound
}

// asGone gives every way of not being there any more one face; other errors stay what they are.
func asGone(err error) *fault.Error {
	if isGone(err) {
		return gone()
	}
	return fault.From(err)
}

// refusedGone records a Gone; an error of ours is given back as it is.
func (s *Service) refusedGone(ctx context.Context, call *audit.Call, about trail, err error) error {
	f := asGone(err)
	if f.Kind != fault.Gone {
		return f
	}
	return s.refused(ctx, call, about, f)
}

// refusedVerify records a refusal that nobody recorded yet.
func (s *Service) refusedVerify(ctx context.Context, call *audit.Call, about trail, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal || f.Kind == fault.Unavailable || f.Kind == fault.Limited || f.Kind == fault.Invalid {
		return fault.From(err) // limits recorded themselves
	}
	return s.refused(ctx, call, about, f)
}
