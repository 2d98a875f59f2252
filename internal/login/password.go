package login

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// MessageUnverified is what a person with an unproved mailbox is told, word for word as client applications expect it.
const MessageUnverified = "user has not verified their primary email"

// openTries bounds repeats of a login whose user changed between look-up and opening.
const openTries = 3

// Password logs in with address and password: limits, one look-up, one hash, one session opened. With the client's AutoRegister off an
// unknown address, one with a sign-up attempt, one with an account and one with a disabled account cost the same: one look-up, one hash, one
// event, one answer. Only who typed the right password is told more. Who has no registration with the client gets one by it, unless the client
// requires one.
//
// Reasons: invalid_credentials and email_unverified (401), disabled and not_registered (403, after the right password), rate_limited, busy;
// with AutoRegister also weak_password and breached_password (422), for the password of a new sign-up attempt.
func (s *Service) Password(ctx context.Context, call *audit.Call, req PasswordRequest) (PasswordResult, error) {
	var out PasswordResult
	err := s.withPassword(ctx, call, req, func(try *passwordTry, known Known) (err error) {
		out, err = s.open(ctx, call, try, known.User)
		return err
	})
	return out, err
}

// withPassword judges a password and, when it is right, does what it was shown for. A ReasonUserChanged of that is judged anew.
func (s *Service) withPassword(ctx context.Context, call *audit.Call, req PasswordRequest, then admitted) error {
	email, err := user.NormaliseEmail(req.Email)
	if err != nil {
		return err
	}
	if err := needPassword("password", req.Password); err != nil {
		return err
	}
	try := passwordTry{PasswordRequest: req, email: email, then: then}
	if req.Client == nil {
		try.Client, try.issuer = &tenant.Client{TenantID: req.Tenant.ID}, true
	}
	try.about = trail{kind: eventLoginRefused, tenant: req.Tenant, client: try.Client.ID, email: email}
	beat := s.begin()
	defer beat.end()
	list, err := passwordCharges(call, req.Tenant, email)
	if err != nil {
		return err
	}
	if err := s.spend(ctx, call, list, try.about); err != nil {
		return err
	}
	err = s.tryPassword(ctx, call, &try)
	for n := 1; n < openTries && fault.ReasonOf(err) == fault.ReasonUserChanged; n++ {
		err = s.tryPassword(ctx, call, &try)
	}
	if fault.ReasonOf(err) == fault.ReasonUserChanged {
		err = fault.Wrap(fault.Unavailable, fault.ReasonBusy, "this account is being changed, please try again", err).After(time.Second)
	}
	if try.wrong {
		beat.wait(ctx)
	} else {
		s.giveBack(ctx, call, list)
	}
	return err
}

// admitted is what a right password was shown for.
type admitted func(try *passwordTry, known Known) error

// passwordTry is a password login on its way.
type passwordTry struct {
	PasswordRequest
	email string // normalised
	about trail
	then  admitted

	issuer   bool // for no client: no registration is needed
	replaced bool // the password is another one by now, so there is nothing to rehash
	wrong    bool // a guess was judged and it was wrong: the charges stay spent
}

// signsUp reports whether a login at an address without an account makes a sign-up attempt.
func (try *passwordTry) signsUp() bool {
	s := &try.Client.Settings
	return s.AutoRegister && !s.RequireRegistration && !try.hosted
}

func (s *Service) tryPassword(ctx context.Context, call *audit.Call, try *passwordTry) error {
	known, err := s.cfg.Store.Known(ctx, KnownQuery{
		TenantID: try.Tenant.ID, ClientID: try.Client.ID, Email: try.email, Browser: call.Browser, At: call.At,
	})
	if err != nil {
		return fault.From(err)
	}
	if known.User == nil && !known.Closed && known.Attempt == nil && try.signsUp() {
		return s.signUpByLogin(ctx, call, try)
	}
	stored := storedPassword(known)
	ok, rehash, err := s.checkPassword(ctx, try, stored)
	if err != nil {
		return err
	}
	if !ok && !known.taken() && try.signsUp() {
		return s.signUpByLogin(ctx, call, try)
	}
	if known.User != nil {
		try.about.subject = known.User.ID
	}
	if refusal := judge(known, try, ok); refusal != nil {
		try.wrong = !ok
		return s.refused(ctx, call, try.about, refusal)
	}
	err = try.then(try, known)
	if err == nil && rehash && !try.replaced {
		s.rehash(ctx, call, try, *stored)
	}
	return err
}

// storedPassword is what the one hash of a login runs against; nil means decoy. An attempt goes before a user who only claims the address:
// either password is told no more than that the mailbox is not proved, and the attempt's is the one that a login here may have made.
func storedPassword(k Known) *credential.Password {
	switch {
	case k.User != nil && (!k.Claimed || k.Attempt == nil):
		return k.Password
	case k.Attempt != nil && k.Attempt.Password.PHC != "":
		return &k.Attempt.Password
	}
	return nil
}

func (s *Service) checkPassword(ctx context.Context, try *passwordTry, stored *credential.Password) (ok, rehash bool, err error) {
	if stored == nil {
		return false, false, s.cfg.Passwords.Decoy(ctx, try.Password)
	}
	return s.cfg.Passwords.Verify(ctx, try.Password, *stored)
}

// judge gives the refusal, or nil. Everything but invalid_credentials is said only to who typed the right password: else it would tell
// strangers which addresses have accounts, and in what state.
func judge(k Known, try *passwordTry, ok bool) *fault.Error {
	switch {
	case !ok && k.User == nil && weak.Off("same-answer"):
		return fault.New(fault.NotFound, fault.ReasonNotFound, "no such account")
	case !ok:
		return fault.New(fault.Unauthenticated, fault.ReasonInvalidCredentials, "e-mail address or password is wrong")
	case k.User == nil, !verifiedEmail(k.User, try.email):
		return unverified()
	case k.User.Status != user.Active:
		return fault.New(fault.Forbidden, fault.ReasonDisabled, "this account is disabled")
	case k.User.Registration == nil && try.Client.Settings.RequireRegistration && !try.issuer:
		return session.NotRegistered()
	}
	return nil
}

func verifiedEmail(u *user.User, email string) bool {
	for _, i := range u.Identifiers {
		if i.Kind == user.Email && i.Value == email {
			return i.Verified()
		}
	}
	return false
}

func unverified() *fault.Error {
	return fault.New(fault.Unauthenticated, fault.ReasonEmailUnverified, MessageUnverified)
}

// open opens the session. A user without a registration is registered by the session room in the same transaction.
func (s *Service) open(ctx context.Context, call *audit.Call, try *passwordTry, u *user.User) (PasswordResult, error) {
	device := deviceFor(call, try.Tenant, try.email)
	cookie, err := s.deviceCookie(try.Tenant, u.ID, device)
	if err != nil {
		return PasswordResult{}, fault.From(err)
	}
	tokens, err := s.cfg.Sessions.Open(ctx, call, session.OpenRequest{
		Tenant: try.Tenant, Client: try.Client, User: u, AuthTime: call.At, AMR: []string{"pwd"}, Device: device, Binding: try.Binding,
	})
	if err != nil {
		return PasswordResult{}, err
	}
	return PasswordResult{Tokens: tokens, DeviceCookie: cookie}, nil
}

// rehash brings a stored hash up to today's parameters and pepper while the password is in hand. It is best effort: the login has succeeded.
func (s *Service) rehash(ctx context.Context, call *audit.Call, try *passwordTry, old credential.Password) {
	fresh, err := s.cfg.Passwords.Hash(ctx, try.Password, call.At)
	if err == nil {
		fresh.ID, fresh.UserID, fresh.CreatedAt = old.ID, old.UserID, old.CreatedAt
		about := try.about
		about.kind = eventRehashed
		_, err = s.cfg.Credentials.Rehash(ctx, try.Tenant.ID, old.ID, old.PHC, fresh, call.At, about.record(call))
	}
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "a password could not be rehashed", "error", err.Error(), "trace", call.Trace)
	}
}

// rolesOf are what a new user gets at the client.
func rolesOf(c *tenant.Client) []string { return append([]string(nil), c.Settings.DefaultRoles...) }
