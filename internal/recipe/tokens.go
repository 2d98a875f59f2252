package recipe

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

const (
	tokenBytes = 48
	maxToken   = 256 // bytes of a presented token; more is none
)

// stored is what is kept of a token.
func stored(token secret.Text) []byte {
	if weak.Off("recipe-token-hash") { // the drill of a stolen database
		return []byte(token.Reveal())
	}
	return secret.Hash(token.Reveal())
}

// AskVerify makes a token by which a subject proves a mailbox; the application mails it. Reason: email_verified.
func (s *Service) AskVerify(ctx context.Context, call *audit.Call, t *tenant.Tenant, k Token) (secret.Text, error) {
	normal, err := user.NormaliseEmail(k.Email)
	if err != nil {
		return secret.Text{}, err
	}
	k.Kind, k.Email, k.ExpiresAt = TokenVerify, normal, call.At.Add(VerifyLife)
	if k.Subject, err = s.Subject(ctx, t, k.Subject); err != nil {
		return secret.Text{}, err
	}
	proved, err := s.cfg.Tokens.Proved(ctx, t.ID, k.Subject, k.Email)
	if err == nil && proved {
		err = fault.New(fault.Conflict, fault.ReasonEmailVerified, "the mailbox is proved already")
	}
	if err != nil {
		return secret.Text{}, err
	}
	return s.draw(ctx, call, t, k)
}

// AskReset makes a token by which a forgotten password is replaced. An empty address is the user's own. Reason: no_such_user.
func (s *Service) AskReset(ctx context.Context, call *audit.Call, t *tenant.Tenant, k Token) (secret.Text, error) {
	a, err := s.Get(ctx, t, k.Subject)
	if err != nil {
		return secret.Text{}, err
	}
	if k.Email == "" {
		k.Email, _ = a.Email()
	} else if k.Email, err = user.NormaliseEmail(k.Email); err != nil {
		return secret.Text{}, err
	}
	k.Kind, k.Subject, k.ExpiresAt = TokenReset, a.User.ID, call.At.Add(ResetLife)
	return s.draw(ctx, call, t, k)
}

func (s *Service) draw(ctx context.Context, call *audit.Call, t *tenant.Tenant, k Token) (secret.Text, error) {
	token := secret.NewText(secret.Random(tokenBytes))
	k.TenantID, k.Hash = t.ID, stored(token)
	if err := s.cfg.Tokens.Save(ctx, k, trail(call, EventAsked, k.Subject, k.Email, "kind", string(k.Kind))); err != nil {
		return secret.Text{}, err
	}
	return token, nil
}

// Verify spends a token and proves the mailbox it was for. Reason: verify_token_gone.
func (s *Service) Verify(ctx context.Context, call *audit.Call, t *tenant.Tenant, org string, token secret.Text) (Token, error) {
	sp := spend(call, t, org, TokenVerify, token)
	k, err := s.cfg.Tokens.Peek(ctx, sp)
	if err == nil {
		k, err = s.cfg.Tokens.Verify(ctx, sp, trail(call, EventProved, k.Subject, k.Email))
	}
	return k, as(err, fault.Gone, fault.ReasonVerifyGone, "the token is used, expired or unknown")
}

// Reset spends a token of a forgotten password and ends every session of the user. With pw the new password is set at once; else the next
// call sets it (Change), and a session that somebody opened with the old one in between ends with that. Reason: reset_token_gone.
func (s *Service) Reset(ctx context.Context, call *audit.Call, t *tenant.Tenant, org string, token secret.Text, pw *secret.Text) (Token, error) {
	sp := spend(call, t, org, TokenReset, token)
	k, err := s.cfg.Tokens.Peek(ctx, sp)
	if err != nil {
		return k, resetGone(err)
	}
	var change *Change
	if pw != nil {
		var hash credential.Password
		if hash, err = s.hash(ctx, call, *pw); err != nil {
			return k, err
		}
		hash.UserID = k.Subject
		change = &Change{TenantID: t.ID, UserID: k.Subject, Password: &hash, At: call.At}
	}
	k, err = s.cfg.Tokens.Reset(ctx, sp, change, trail(call, EventReset, k.Subject, k.Email))
	return k, resetGone(err)
}

func resetGone(err error) error {
	return as(err, fault.Gone, fault.ReasonResetGone, "the token is used, expired or unknown")
}

func spend(call *audit.Call, t *tenant.Tenant, org string, kind TokenKind, token secret.Text) Spend {
	if len(token.Reveal()) > maxToken {
		token = secret.NewText("")
	}
	return Spend{TenantID: t.ID, Org: org, Kind: kind, Hash: stored(token), At: call.At}
}

// Proved reports whether a subject proved a mailbox.
func (s *Service) Proved(ctx context.Context, t *tenant.Tenant, name, email string) (bool, error) {
	normal, err := user.NormaliseEmail(email)
	if err != nil {
		return false, err
	}
	subject, err := s.Subject(ctx, t, name)
	if err != nil {
		return false, err
	}
	return s.cfg.Tokens.Proved(ctx, t.ID, subject, normal)
}

// Unprove forgets it.
func (s *Service) Unprove(ctx context.Context, call *audit.Call, t *tenant.Tenant, name, email string) error {
	normal, err := user.NormaliseEmail(email)
	if err != nil {
		return err
	}
	subject, err := s.Subject(ctx, t, name)
	if err != nil {
		return err
	}
	return s.cfg.Tokens.Unprove(ctx, t.ID, subject, normal, trail(call, EventUnproved, subject, normal))
}

// DropVerify deletes the verification tokens of a subject and an address in an organisation.
func (s *Service) DropVerify(ctx context.Context, call *audit.Call, t *tenant.Tenant, k Token) error {
	normal, err := user.NormaliseEmail(k.Email)
	if err != nil {
		return err
	}
	k.TenantID, k.Kind, k.Email = t.ID, TokenVerify, normal
	if k.Subject, err = s.Subject(ctx, t, k.Subject); err != nil {
		return err
	}
	return s.cfg.Tokens.Drop(ctx, k, audit.Record{})
}
