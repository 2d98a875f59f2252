package login

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Proven is a person who has just shown to be the user. What they are let into is somebody else's to decide.
type Proven struct {
	User         user.User // with the registration for the request's client when there is one
	AuthTime     time.Time
	AMR          []string // RFC 8176
	ACR          string
	DeviceCookie secret.Text // the known-device statement for this browser to keep
	Device       string      // its id
}

// ACROneFactor is the authentication context class of one factor: a password, or a mailed one-time token.
const ACROneFactor = "1"

// ACRs are the authentication context classes that a login here can reach, weakest first.
func ACRs() []string { return []string{ACROneFactor} }

// Prove is Password for a page of ours: the same limits, work and refusals, and no session of a client is opened. It never signs up, whatever
// the client's AutoRegister says: the page has a link for that, so it need not tell which addresses have accounts.
func (s *Service) Prove(ctx context.Context, call *audit.Call, req PasswordRequest) (Proven, error) {
	var out Proven
	req.hosted = true
	err := s.withPassword(ctx, call, req, func(try *passwordTry, known Known) (err error) {
		out, err = s.proven(call, try, known.User)
		return err
	})
	return out, err
}

func (s *Service) proven(call *audit.Call, try *passwordTry, u *user.User) (Proven, error) {
	device := deviceFor(call, try.Tenant, try.email)
	cookie, err := s.deviceCookie(try.Tenant, u.ID, device)
	if err != nil {
		return Proven{}, fault.From(err)
	}
	return Proven{User: *u, AuthTime: call.At, AMR: []string{"pwd"}, ACR: ACROneFactor, DeviceCookie: cookie, Device: device}, nil
}

// ChangePasswordRequest changes the password of a person who is signed on. The current one is asked for: who finds a signed-on browser, or
// rides it by script, must not be able to lock its owner out.
type ChangePasswordRequest struct {
	Tenant  *tenant.Tenant
	UserID  string
	Current secret.Text
	New     secret.Text
}

// ChangePassword sets a new password under the limits of a login. Every session of the user ends with the old one, and the owner is told by
// mail. It gives the person proved anew, at the new epoch, so that this browser can be signed on again. Reasons: invalid_credentials,
// weak_password, breached_password, rate_limited, busy, disabled. Faults of the new password name the field "new_password".
func (s *Service) ChangePassword(ctx context.Context, call *audit.Call, req ChangePasswordRequest) (Proven, error) {
	u, err := s.cfg.Users.Get(ctx, req.Tenant.ID, req.UserID, "")
	if err != nil {
		return Proven{}, fault.From(err)
	}
	email := u.PrimaryEmail().Value
	if err := needPassword("new_password", req.New); err != nil {
		return Proven{}, err
	}
	if err := fieldNewPassword(s.checkNew(req.Tenant, nil, req.New, email)); err != nil {
		return Proven{}, err
	}
	var out Proven
	shown := PasswordRequest{Tenant: req.Tenant, Email: email, Password: req.Current, hosted: true}
	err = s.withPassword(ctx, call, shown, func(try *passwordTry, known Known) (err error) {
		if known.User.ID != req.UserID { // the address changed hands between the two look-ups
			return fault.New(fault.Conflict, fault.ReasonConflict, "please try again")
		}
		out, err = s.changePassword(ctx, call, try, known, req.New)
		return err
	})
	return out, err
}

func (s *Service) changePassword(ctx context.Context, call *audit.Call, try *passwordTry, known Known, next secret.Text) (Proven, error) {
	pw, err := s.cfg.Passwords.Hash(ctx, next, call.At)
	if err != nil {
		return Proven{}, err
	}
	pw.UserID = known.User.ID
	msg, err := s.message(call, try.Tenant, nil, mailing{to: try.email, template: delivery.TemplateResetDone, locale: known.User.Locale})
	if err != nil {
		return Proven{}, fault.From(err)
	}
	about := try.about
	about.kind = eventPasswordSet
	change := credential.Change{TenantID: try.Tenant.ID, UserID: known.User.ID, OldPHC: known.Password.PHC, Password: pw, At: call.At}
	epoch, err := s.cfg.Credentials.Change(ctx, change, about.record(call, msg))
	if err != nil {
		return Proven{}, fault.From(err)
	}
	try.replaced = true
	out, err := s.proven(call, try, known.User)
	out.User.Epoch = epoch
	return out, err
}

// fieldNewPassword names the field of the form.
func fieldNewPassword(err error) error {
	f := fault.From(err)
	if f == nil {
		return nil
	}
	for i := range f.Fields {
		f.Fields[i].Name = "new_password"
	}
	return f
}
