package recipe

import (
	"context"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// SignUp makes an account. Its mailbox is not proved, and until it is anybody who proves it takes the address. Reasons: email_taken, busy.
func (s *Service) SignUp(ctx context.Context, call *audit.Call, t *tenant.Tenant, org, email string, pw secret.Text) (Account, error) {
	normal, err := user.NormaliseEmail(email)
	if err != nil {
		return Account{}, err
	}
	hash, err := s.hash(ctx, call, pw)
	if err != nil {
		return Account{}, err
	}
	return s.settle(ctx, call, t, Newcomer{Org: org, Email: normal, Typed: email, Password: hash}, EventSignedUp)
}

// maxPassword bounds what is hashed, in bytes.
const maxPassword = 1024

func (s *Service) hash(ctx context.Context, call *audit.Call, pw secret.Text) (credential.Password, error) {
	if len(pw.Reveal()) > maxPassword {
		return credential.Password{}, fault.New(fault.Invalid, fault.ReasonInvalid, "the password is too long").
			WithFields(fault.Field{Name: "password", Message: "is too long"})
	}
	return s.cfg.Passwords.Hash(ctx, pw, call.At)
}

// settle makes the account of n.
func (s *Service) settle(ctx context.Context, call *audit.Call, t *tenant.Tenant, n Newcomer, kind string) (Account, error) {
	n.TenantID, n.UserID, n.At = t.ID, secret.NewID(call.At), call.At
	n.Password.UserID = n.UserID
	// Registered with the client that the native login takes when none is named: who signed up here may log in there.
	if c := s.cfg.Directory.Client(t.ID, t.Policy.DefaultClient); c != nil {
		n.ClientID, n.Roles = c.ID, append([]string(nil), c.Settings.DefaultRoles...)
	}
	err := s.cfg.Accounts.SignUp(ctx, n, trail(call, kind, n.UserID, n.Email, "organisation", n.Org))
	if err != nil {
		return Account{}, emailTaken(err)
	}
	return Account{
		User: user.User{
			TenantID: t.ID, ID: n.UserID, Status: user.Active, Epoch: 1, CreatedAt: n.At, UpdatedAt: n.At, Version: 1,
			Identifiers: []user.Identifier{{Kind: user.Email, Value: n.Email, Typed: n.Typed, VerifiedHow: user.Claimed, Primary: true}},
		},
		HasPassword: true, Orgs: []string{n.Org},
	}, nil
}

func emailTaken(err error) error {
	return as(err, fault.Conflict, fault.ReasonEmailTaken, "the address belongs to somebody")
}

// Import sets the password hash of another system on the account of an address, or makes the account. form is what the caller says it is
// ("BCRYPT", "ARGON2"), "" when it does not. existed reports an account that was there.
func (s *Service) Import(ctx context.Context, call *audit.Call, t *tenant.Tenant, n Newcomer, hash, form string) (a Account, existed bool, err error) {
	normal, err := user.NormaliseEmail(n.Email)
	if err != nil {
		return Account{}, false, err
	}
	phc, err := importable(hash, form)
	if err != nil {
		return Account{}, false, err
	}
	n.Typed, n.Email = n.Email, normal
	n.Password = credential.Password{ID: secret.NewID(call.At), PHC: phc, CreatedAt: call.At, UpdatedAt: call.At}
	a, err = s.cfg.People.ByEmail(ctx, t.ID, normal)
	switch {
	case err == nil:
		c := Change{TenantID: t.ID, UserID: a.User.ID, Password: &n.Password, At: call.At}
		c.Password.UserID = a.User.ID
		err = s.cfg.Accounts.Change(ctx, c, trail(call, EventImported, a.User.ID, ""))
		a.HasPassword = true
		return a, true, unknownUser(err)
	case fault.From(err).Kind != fault.NotFound:
		return Account{}, false, err
	}
	a, err = s.settle(ctx, call, t, n, EventImported)
	return a, false, err
}

// importable takes the two families that the dialect names and we can check.
func importable(hash, form string) (string, error) {
	starts := map[string]string{"BCRYPT": "$2", "ARGON2": "$argon2"}
	start, known := starts[strings.ToUpper(form)]
	if form != "" && !known {
		return "", badHash("hashingAlgorithm")
	}
	if form == "" && !strings.HasPrefix(hash, "$2") && !strings.HasPrefix(hash, "$argon2") || !strings.HasPrefix(hash, start) {
		return "", badHash("passwordHash")
	}
	phc, err := credential.CheckImported(hash)
	if err != nil {
		return "", badHash("passwordHash")
	}
	return phc, nil
}

func badHash(field string) error {
	return fault.New(fault.Invalid, fault.ReasonInvalid, "Password hash is in invalid format").
		WithFields(fault.Field{Name: field, Message: "is of no form that can be checked here"})
}

// Get reads an account by its id or external name. Reason: no_such_user.
func (s *Service) Get(ctx context.Context, t *tenant.Tenant, id string) (Account, error) {
	a, err := s.cfg.People.Get(ctx, t.ID, id)
	return a, unknownUser(err)
}

// ByEmail reads the account of an address, in any writing of it; one that no account can have is nobody's. Reason: no_such_user.
func (s *Service) ByEmail(ctx context.Context, t *tenant.Tenant, email string) (Account, error) {
	normal, err := user.NormaliseEmail(email)
	if err != nil {
		return Account{}, fault.New(fault.NotFound, fault.ReasonUnknownUser, "there is no such user")
	}
	a, err := s.cfg.People.ByEmail(ctx, t.ID, normal)
	return a, unknownUser(err)
}

// Page and Count list accounts.
func (s *Service) Page(ctx context.Context, q PageQuery) ([]Account, error) {
	return s.cfg.People.Page(ctx, q)
}

// Count counts what Page lists.
func (s *Service) Count(ctx context.Context, q PageQuery) (int64, error) {
	return s.cfg.People.Count(ctx, q)
}

// Change sets a new address (claimed until it is proved), a new password, or both; nil leaves one as it is. A new password ends every
// session of the user: whoever came in by the old one must not stay. Reasons: no_such_user, email_taken.
func (s *Service) Change(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, email *string, pw *secret.Text) error {
	c := Change{TenantID: t.ID, At: call.At}
	if email != nil {
		normal, err := user.NormaliseEmail(*email)
		if err != nil {
			return err
		}
		c.Email, c.Typed = normal, *email
	}
	a, err := s.Get(ctx, t, id)
	if err != nil {
		return err
	}
	c.UserID = a.User.ID
	if pw != nil {
		hash, err := s.hash(ctx, call, *pw)
		if err != nil {
			return err
		}
		hash.UserID = c.UserID
		c.Password = &hash
	}
	return unknownUser(emailTaken(s.cfg.Accounts.Change(ctx, c, trail(call, EventChanged, c.UserID, c.Email))))
}

// Remove deletes whatever stands under a name, be it a user's or not.
func (s *Service) Remove(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string) error {
	names := []string{id}
	a, err := s.cfg.People.Get(ctx, t.ID, id)
	switch {
	case err == nil && a.External != "":
		names = []string{a.User.ID, a.External}
	case err == nil:
		names = []string{a.User.ID}
	case fault.From(err).Kind != fault.NotFound:
		return err
	}
	_, err = s.cfg.Accounts.Remove(ctx, t.ID, names, call.At, call.At.Add(t.For(nil).DeletedLife), trail(call, EventRemoved, names[0], ""))
	return err
}

// SetPrimary notes that others may be linked to a user. Reason: no_such_user.
func (s *Service) SetPrimary(ctx context.Context, call *audit.Call, t *tenant.Tenant, userID string, primary bool) (changed bool, err error) {
	changed, err = s.cfg.Accounts.SetPrimary(ctx, t.ID, userID, primary, trail(call, EventChanged, userID, ""))
	return changed, unknownUser(err)
}

// Subject gives the name under which things are kept for a name that a caller used: a user's own id for an external name.
func (s *Service) Subject(ctx context.Context, t *tenant.Tenant, name string) (string, error) {
	e, err := s.cfg.Externals.ByName(ctx, t.ID, name)
	switch {
	case err == nil:
		return e.UserID, nil
	case fault.From(err).Kind == fault.NotFound:
		return name, nil
	}
	return "", err
}

// Shown is the reverse of Subject.
func (s *Service) Shown(ctx context.Context, t *tenant.Tenant, subject string) (string, error) {
	e, err := s.cfg.Externals.ByUser(ctx, t.ID, subject)
	switch {
	case err == nil:
		return e.Name, nil
	case fault.From(err).Kind == fault.NotFound:
		return subject, nil
	}
	return "", err
}
