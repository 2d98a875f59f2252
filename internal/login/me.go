package login

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// updateTries bounds repeats of a profile change that lost against another one.
const updateTries = 3

// self is the authenticated person of a call, with what policy needs.
type self struct {
	tenant *tenant.Tenant
	client *tenant.Client // nil when it is gone
	userID string
	live   session.Live
}

func (s *Service) self(live session.Live) (self, error) {
	f := live.Loaded.Family
	t := s.cfg.Directory.ByID(f.TenantID)
	if t == nil || f.UserID == "" {
		return self{}, fault.New(fault.NotFound, fault.ReasonNotFound, "there is no profile for this session")
	}
	return self{tenant: t, client: s.cfg.Directory.Client(f.TenantID, f.ClientID), userID: f.UserID, live: live}, nil
}

func (m self) trail(kind string) trail {
	f := m.live.Loaded.Family
	return trail{kind: kind, tenant: m.tenant, client: f.ClientID, subject: m.userID, session: f.ID, email: m.live.Loaded.Holder.Email}
}

// Profile gives the person's own profile with the registration for the session's client, as the check of the session has just read it: nothing
// is read again. It is to be shown, not to be written back: of the identifiers it has the primary address, and it has no version.
func (s *Service) Profile(_ context.Context, _ *audit.Call, live session.Live) (user.User, error) {
	m, err := s.self(live)
	if err != nil {
		return user.User{}, err
	}
	h := live.Loaded.Holder
	u := user.User{
		TenantID: m.tenant.ID, ID: m.userID, Status: h.Status, Epoch: h.Epoch, Name: h.Name, Locale: h.Locale, Data: h.UserData,
		CreatedAt: h.CreatedAt,
	}
	if h.Email != "" {
		u.Identifiers = []user.Identifier{{Kind: user.Email, Value: h.Email, VerifiedAt: h.VerifiedAt, Primary: true}}
	}
	if h.Registered {
		u.Registration = &user.Registration{ClientID: live.Loaded.Family.ClientID, Roles: h.Roles, Data: h.RegisterData}
	}
	return u, nil
}

func (s *Service) getUser(ctx context.Context, m self) (user.User, error) {
	u, err := s.cfg.Users.Get(ctx, m.tenant.ID, m.userID, m.live.Loaded.Family.ClientID)
	if err != nil {
		return user.User{}, fault.From(err)
	}
	return u, nil
}

// Update changes the profile. A new address is only pending (emailPending true, whether or not it is taken) until its mailbox is proved, and
// asking for it needs a login at most policy Fresh old: 403 step_up_required. Everything is checked before anything is written.
func (s *Service) Update(ctx context.Context, call *audit.Call, live session.Live, change MeChange) (u user.User, emailPending bool, err error) {
	m, err := s.self(live)
	if err != nil {
		return user.User{}, false, err
	}
	if change, err = cleanChange(change); err != nil {
		return user.User{}, false, err
	}
	if u, err = s.getUser(ctx, m); err != nil {
		return user.User{}, false, err
	}
	if change.Email != nil && *change.Email != u.PrimaryEmail().Value {
		if err := s.askEmailChange(ctx, call, m, u, *change.Email); err != nil {
			return user.User{}, false, err
		}
		emailPending = true
	}
	if change.Name == nil && change.Locale == nil && change.Data == nil {
		return u, emailPending, nil
	}
	u, err = s.updateProfile(ctx, call, m, u, change)
	return u, emailPending, err
}

func cleanChange(c MeChange) (MeChange, error) {
	if c.Name != nil {
		name, err := cleanName(*c.Name)
		if err != nil {
			return c, err
		}
		c.Name = &name
	}
	if c.Locale != nil {
		if _, err := cleanLocale(*c.Locale); err != nil {
			return c, err
		}
	}
	if c.Data != nil {
		data, err := cleanData(*c.Data)
		if err != nil {
			return c, err
		}
		c.Data = &data
	}
	if c.Email != nil {
		email, err := user.NormaliseEmail(*c.Email)
		if err != nil {
			return c, err
		}
		c.Email = &email
	}
	return c, nil
}

func (s *Service) updateProfile(ctx context.Context, call *audit.Call, m self, u user.User, c MeChange) (user.User, error) {
	for n := 1; ; n++ {
		err := s.cfg.Users.UpdateProfile(ctx, user.ProfileChange{
			TenantID: u.TenantID, UserID: u.ID, Version: u.Version, At: call.At, Name: c.Name, Locale: c.Locale, Data: c.Data,
		}, m.trail(eventProfileChanged).record(call))
		if err != nil && (fault.From(err).Kind != fault.Conflict || n == updateTries) {
			return user.User{}, fault.From(err)
		}
		fresh, errGet := s.getUser(ctx, m)
		if errGet != nil || err == nil {
			return fresh, errGet
		}
		u = fresh
	}
}

// askEmailChange stores a ticket and mails the new address. For an address that belongs to somebody the ticket is inert and the mail is
// dropped: a change of address must not be a way to ask who has an account.
func (s *Service) askEmailChange(ctx context.Context, call *audit.Call, m self, u user.User, email string) error {
	if err := s.needFresh(ctx, call, m); err != nil {
		return err
	}
	beat := s.begin()
	defer beat.end()
	refusal := m.trail(eventMeRefused)
	refusal.email = email
	if err := s.spendMail(ctx, call, refusal); err != nil {
		return err
	}
	clientID := m.live.Loaded.Family.ClientID
	known, err := s.cfg.Store.Known(ctx, KnownQuery{TenantID: m.tenant.ID, ClientID: clientID, Email: email, At: call.At})
	if err != nil {
		return fault.From(err)
	}
	k := Ticket{
		TenantID: m.tenant.ID, ID: secret.NewID(call.At), Kind: TicketEmailChange, ClientID: clientID, UserID: u.ID, Email: email, Typed: email,
		Browser: call.Browser, CreatedAt: call.At, ExpiresAt: call.At.Add(m.tenant.For(m.client).ResetLife),
	}
	asked := refusal
	asked.kind = eventChangeAsked
	err = s.saveTicket(ctx, call, k, mailing{
		to: email, template: delivery.TemplateEmailChange, locale: u.Locale, path: verifyPath, drop: known.taken(),
	}, asked)
	beat.wait(ctx)
	return err
}

// Delete closes the account: all sessions end now, the data is erased after policy DeletedLife. It needs a fresh login.
func (s *Service) Delete(ctx context.Context, call *audit.Call, live session.Live) error {
	m, err := s.self(live)
	if err != nil {
		return err
	}
	if err := s.needFresh(ctx, call, m); err != nil {
		return err
	}
	u, err := s.getUser(ctx, m)
	if err != nil {
		return err
	}
	to := u.PrimaryEmail().Value
	msg, err := s.message(call, m.tenant, m.client, mailing{to: to, template: delivery.TemplateDeleted, locale: u.Locale, drop: to == ""})
	if err != nil {
		return fault.From(err)
	}
	purge := call.At.Add(m.tenant.For(m.client).DeletedLife)
	if err := s.cfg.Users.Delete(ctx, m.tenant.ID, m.userID, call.At, purge, m.trail(eventUserDeleted).record(call, msg)); err != nil {
		return fault.From(err)
	}
	return nil
}

// needFresh refuses who did not prove themselves lately: who finds a signed-in browser, or rides its session by script, must not move or end
// the account. Refreshing does not make a login fresh.
func (s *Service) needFresh(ctx context.Context, call *audit.Call, m self) error {
	age := call.At.Sub(m.live.Loaded.Family.AuthTime)
	if age >= 0 && age <= m.tenant.For(m.client).Fresh {
		return nil
	}
	return s.refused(ctx, call, m.trail(eventMeRefused),
		fault.New(fault.Forbidden, fault.ReasonStepUpRequired, "please log in again to do this"))
}
