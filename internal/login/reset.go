package login

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Forgot mails a reset link: to an account's address, or to one that has sign-up attempts only, where spending it makes the user. For any
// other address (and for a disabled account) the same rows are written, inert, and nothing is sent. Reasons: rate_limited.
func (s *Service) Forgot(ctx context.Context, call *audit.Call, req MailRequest) error {
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
	about := trail{kind: eventResetRefused, tenant: req.Tenant, client: req.Client.ID, email: email}
	if err := s.spendMail(ctx, call, about); err != nil {
		return err
	}
	known, err := s.known(ctx, call, req.Tenant, req.Client, email)
	if err != nil {
		return err
	}
	about.kind = eventResetAsked
	k := Ticket{
		TenantID: req.Tenant.ID, ID: secret.NewID(call.At), Kind: TicketReset, ClientID: req.Client.ID, Email: email, Typed: req.Email,
		Browser: call.Browser, ReturnTo: req.ReturnTo, CreatedAt: call.At, ExpiresAt: call.At.Add(req.Tenant.For(req.Client).ResetLife),
	}
	m := mailing{to: email, template: delivery.TemplateReset, locale: locale, path: resetPath}
	switch {
	case known.User != nil && known.User.Status == user.Active:
		k.UserID, about.subject = known.User.ID, known.User.ID
		if known.User.Locale != "" {
			m.locale = known.User.Locale
		}
	case !known.taken() && known.Attempt != nil && !req.Client.Settings.RequireRegistration: // spending it signs up
		m.template = templateResetSignup
	default:
		m.drop = true
	}
	err = s.saveTicket(ctx, call, k, m, about)
	beat.wait(ctx)
	return err
}

// saveTicket writes a ticket, inert when its mail is to be dropped, with mail and event.
func (s *Service) saveTicket(ctx context.Context, call *audit.Call, k Ticket, m mailing, about trail) error {
	m.token, k.TokenHash = newToken(m.drop)
	msg, err := s.message(call, about.tenant, s.cfg.Directory.Client(k.TenantID, k.ClientID), m)
	if err != nil {
		return fault.From(err)
	}
	about.detail = map[string]string{"ticket": k.ID}
	if err := s.cfg.Store.SaveTicket(ctx, k, about.record(call, msg)); err != nil {
		return fault.From(err)
	}
	return nil
}

// Reset spends a reset ticket and sets the password. All sessions, other attempts and pending changes of the address and the user end with
// it: whoever had a foot in the door is out. It logs nobody in. Reasons: gone, weak_password, breached_password, busy.
func (s *Service) Reset(ctx context.Context, call *audit.Call, req ResetRequest) (Proved, error) {
	about := trail{kind: eventResetRefused, tenant: req.Tenant}
	if err := needPassword("password", req.Password); err != nil {
		return Proved{}, err
	}
	hash, err := tokenHash(req.Token)
	if err != nil {
		return Proved{}, s.refused(ctx, call, about, fault.From(err))
	}
	k, err := s.cfg.Store.TicketByToken(ctx, req.Tenant.ID, hash, call.At)
	if err == nil && k.Kind != TicketReset {
		err = gone()
	}
	if err != nil {
		return Proved{}, s.refusedGone(ctx, call, about, err)
	}
	about.client, about.subject, about.email, about.detail = k.ClientID, k.UserID, k.Email, map[string]string{"ticket": k.ID}
	return s.spendReset(ctx, call, req, k, about)
}

func (s *Service) spendReset(ctx context.Context, call *audit.Call, req ResetRequest, k Ticket, about trail) (Proved, error) {
	c := s.cfg.Directory.Client(k.TenantID, k.ClientID)
	if k.UserID == "" && (c == nil || c.Settings.RequireRegistration) { // no client to register the new user with
		return Proved{}, s.refused(ctx, call, about, gone())
	}
	if err := s.checkNew(req.Tenant, c, req.Password, k.Email); err != nil {
		return Proved{}, s.refused(ctx, call, about, fault.From(err))
	}
	pw, err := s.cfg.Passwords.Hash(ctx, req.Password, call.At)
	if err != nil {
		return Proved{}, err
	}
	r := ResetSpend{Ticket: k, UserID: k.UserID, Password: pw, At: call.At}
	if r.UserID == "" {
		r.UserID = secret.NewID(call.At)
	}
	if c != nil {
		r.Roles = rolesOf(c)
	}
	r.Password.UserID = r.UserID
	msg, err := s.message(call, req.Tenant, c, mailing{to: k.Email, template: delivery.TemplateResetDone})
	if err != nil {
		return Proved{}, fault.From(err)
	}
	done := about
	done.kind, done.subject = eventResetDone, r.UserID
	userID, err := s.cfg.Store.Reset(ctx, r, done.record(call, msg))
	if err != nil {
		return Proved{}, s.refusedGone(ctx, call, about, err)
	}
	p := Proved{UserID: userID, ClientID: k.ClientID, ReturnTo: returnTo(call, k.Browser, k.ReturnTo)}
	if c != nil {
		p.RedirectURL = c.Settings.AfterResetURL
	}
	return p, nil
}
