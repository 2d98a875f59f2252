package login

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// CheckRequest asks whether a password is the account's.
type CheckRequest struct {
	Tenant   *tenant.Tenant
	Email    string
	Password secret.Text
}

// Check checks a password and opens nothing, for an application that asks on behalf of the person in front of it. Mailboxes may be unproved.
// The caller's address is the application's, so only the account's own limit counts. Any address costs the same: one look-up and one hash,
// of a decoy where there is no account. Reasons: invalid_credentials, for everything that is wrong; rate_limited, busy.
func (s *Service) Check(ctx context.Context, call *audit.Call, req CheckRequest) (user.User, error) {
	email, err := user.NormaliseEmail(req.Email)
	if err != nil {
		return user.User{}, err
	}
	if err := needPassword("password", req.Password); err != nil {
		return user.User{}, err
	}
	beat := s.begin()
	defer beat.end()
	about := trail{kind: eventLoginRefused, tenant: req.Tenant, email: email}
	list, err := accountCharges(req.Tenant, email)
	if err != nil {
		return user.User{}, err
	}
	if err := s.spend(ctx, call, list, about); err != nil {
		return user.User{}, err
	}
	try := passwordTry{PasswordRequest: PasswordRequest{Tenant: req.Tenant, Password: req.Password}, email: email, about: about}
	u, err := s.check(ctx, call, &try)
	if try.wrong {
		beat.wait(ctx)
	} else {
		s.giveBack(ctx, call, list)
	}
	return u, err
}

func (s *Service) check(ctx context.Context, call *audit.Call, try *passwordTry) (user.User, error) {
	known, err := s.cfg.Store.Known(ctx, KnownQuery{TenantID: try.Tenant.ID, Email: try.email, At: call.At})
	if err != nil {
		return user.User{}, fault.From(err)
	}
	var ok, rehash bool
	if known.User == nil { // an attempt is nobody here
		known.Password = nil
	}
	if ok, rehash, err = s.checkPassword(ctx, try, known.Password); err != nil {
		return user.User{}, err
	}
	if known.User != nil {
		try.about.subject = known.User.ID
	}
	if !ok || known.User.Status != user.Active {
		try.wrong = !ok
		return user.User{}, s.refused(ctx, call, try.about,
			fault.New(fault.Unauthenticated, fault.ReasonInvalidCredentials, "e-mail address or password is wrong"))
	}
	if rehash {
		s.rehash(ctx, call, try, *known.Password)
	}
	return *known.User, nil
}
