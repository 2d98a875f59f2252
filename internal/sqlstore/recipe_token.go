package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

type recipeTokens struct{ e engine }

// RecipeTokens keeps the one-time tokens of the recipe room.
func (s *Store) RecipeTokens() recipe.Tokens { return recipeTokens{s.e} }

const recipeTokenColumns = `tenant_id, token_hash, kind, org_id, subject, email, expires_at`

var (
	recipeTokenPut = hot(both(`INSERT INTO recipe_token (` + recipeTokenColumns + `) VALUES (` + placeholders(7) + `)`))
	recipeTokenGet = hot(both(`SELECT ` + recipeTokenColumns + ` FROM recipe_token
		WHERE tenant_id = $1 AND token_hash = $2 AND kind = $3 AND org_id = $4 AND expires_at > $5`))
	// The delete decides who spends it.
	recipeTokenSpend = hot(both(`DELETE FROM recipe_token
		WHERE tenant_id = $1 AND token_hash = $2 AND kind = $3 AND org_id = $4 AND expires_at > $5 RETURNING subject`))
	recipeTokenDrop = hot(both(`DELETE FROM recipe_token WHERE tenant_id = $1 AND subject = $2 AND kind = $3
		AND ($4 = '' OR email = $4) AND ($5 = '' OR org_id = $5)`))
	recipeTokenPurge = hot(both(`DELETE FROM recipe_token WHERE tenant_id || '' = $1 AND token_hash IN
		(SELECT token_hash FROM recipe_token WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3)`))
	mailboxPut = hot(both(`INSERT INTO proved_mailbox (tenant_id, subject, email, proved_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`))
	proveEmail = hot(both(`UPDATE identifier SET verified_at = $4, verified_how = 'mail'
		WHERE tenant_id = $1 AND kind = 'email' AND value = $3 AND user_id = $2 AND verified_at = 0`))
	provedEmail = hot(both(`SELECT 1 FROM identifier WHERE tenant_id = $1 AND kind = 'email' AND value = $3 AND user_id = $2 AND verified_at <> 0
		UNION ALL SELECT 1 FROM proved_mailbox WHERE tenant_id = $1 AND subject = $2 AND email = $3 LIMIT 1`))
	holdsEmail = hot(both(`SELECT verified_at FROM identifier WHERE tenant_id = $1 AND kind = 'email' AND value = $3 AND user_id = $2`))
)

// Save inserts a token.
func (s recipeTokens) Save(ctx context.Context, t recipe.Token, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		err := q.later(recipeTokenPut, t.TenantID, nonNil(t.Hash), string(t.Kind), t.Org, t.Subject, t.Email, micros(t.ExpiresAt))
		if err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// Peek reads a live token.
func (s recipeTokens) Peek(ctx context.Context, sp recipe.Spend) (t recipe.Token, err error) {
	err = s.e.read(ctx, func(q queryer) (err error) {
		t, err = peek(q, sp)
		return err
	})
	return t, err
}

func peek(q queryer, sp recipe.Spend) (t recipe.Token, err error) {
	var kind string
	var expires int64
	err = mustFind(q, recipeTokenGet, in{sp.TenantID, nonNil(sp.Hash), string(sp.Kind), sp.Org, micros(sp.At)},
		&t.TenantID, &t.Hash, &kind, &t.Org, &t.Subject, &t.Email, &expires)
	t.Kind, t.ExpiresAt = recipe.TokenKind(kind), instant(expires)
	return t, err
}

func spendRecipeToken(q queryer, sp recipe.Spend) error {
	var subject string
	return mustFind(q, recipeTokenSpend, in{sp.TenantID, nonNil(sp.Hash), string(sp.Kind), sp.Org, micros(sp.At)}, &subject)
}

// Verify spends a token and marks the address proved.
func (s recipeTokens) Verify(ctx context.Context, sp recipe.Spend, rec audit.Record) (t recipe.Token, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		if t, err = peek(q, sp); err != nil {
			return err
		}
		// In the order of every verb about an address: the address, the user, and what is spent.
		if err := holdAddress(q, t.TenantID, t.Email); err != nil {
			return err
		}
		if _, err := q.exec(accountLock, t.TenantID, t.Subject, micros(sp.At)); err != nil {
			return err
		}
		if err := spendRecipeToken(q, sp); err != nil {
			return err
		}
		if err := q.later(recipeTokenDrop, t.TenantID, t.Subject, string(sp.Kind), t.Email, ""); err != nil {
			return err
		}
		if err := prove(q, t, sp.At); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
	return t, err
}

// prove marks an address proved: on the user who holds it, else beside. Attempts and tickets for a user's proved address go, as always.
func prove(q queryer, t recipe.Token, at time.Time) error {
	var verified int64
	held, err := q.row(holdsEmail, in{t.TenantID, t.Subject, t.Email}, &verified)
	if err != nil {
		return err
	}
	if !held {
		return q.later(mailboxPut, t.TenantID, t.Subject, t.Email, micros(at))
	}
	if verified != 0 {
		return nil
	}
	if err := q.later(proveEmail, t.TenantID, t.Subject, t.Email, micros(at)); err != nil {
		return err
	}
	return dropPending(q, t.TenantID, t.Email, "")
}

// Reset spends a token, ends what the old password opened, and perhaps sets a new one.
func (s recipeTokens) Reset(ctx context.Context, sp recipe.Spend, change *recipe.Change, rec audit.Record) (t recipe.Token, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		if t, err = peek(q, sp); err != nil {
			return err
		}
		var epoch int64
		found, err := q.row(userEpoch, in{t.TenantID, t.Subject, micros(sp.At)}, &epoch)
		if err != nil {
			return err
		}
		if err := spendRecipeToken(q, sp); err != nil {
			return err
		}
		if err := q.later(forgetTokens, t.TenantID, t.Subject); err != nil {
			return err
		}
		if change != nil && found {
			if err := putPassword(q, t.TenantID, t.Subject, *change.Password); err != nil {
				return err
			}
		}
		out, err := endPerson(q, t.TenantID, t.Subject, "password_reset", sp.At)
		if err != nil {
			return err
		}
		return out.write(q, rec)
	})
	return t, err
}

// Proved reports whether a subject proved an address.
func (s recipeTokens) Proved(ctx context.Context, tenantID, subject, email string) (yes bool, err error) {
	err = s.e.read(ctx, func(q queryer) (err error) {
		var one int64
		yes, err = q.row(provedEmail, in{tenantID, subject, email}, &one)
		return err
	})
	return yes, err
}

// Unprove makes a proved address a claimed one.
func (s recipeTokens) Unprove(ctx context.Context, tenantID, subject, email string, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := holdAddress(q, tenantID, email); err != nil {
			return err
		}
		if err := q.later(claimTo, tenantID, email, subject); err != nil {
			return err
		}
		if err := q.later(mailboxCut, tenantID, subject, email); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// Drop deletes tokens.
func (s recipeTokens) Drop(ctx context.Context, t recipe.Token, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := q.later(recipeTokenDrop, t.TenantID, t.Subject, string(t.Kind), t.Email, t.Org); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// Purge deletes expired tokens.
func (s recipeTokens) Purge(ctx context.Context, tenantID string, at time.Time, limit int) (int, error) {
	return purge(ctx, s.e, recipeTokenPurge, tenantID, micros(at), int64(limit))
}
