package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type logins struct{ e engine }

// Logins is the login room's store.
func (s *Store) Logins() login.Store { return logins{s.e} }

// Janitor deletes what the login room has let expire.
func (s *Store) Janitor() login.Janitor { return logins{s.e} }

const attemptColumns = `tenant_id, id, client_id, email, typed, name, locale, credential_id, phc, pepper_id, hashed_at, browser, token_hash,
	created_at, expires_at, return_to`

var (
	attemptPut = hot(both(`INSERT INTO attempt (` + attemptColumns + `) VALUES (` + placeholders(16) + `)`))
	// Keeps the newest 20 of an address.
	attemptTrim = hot(both(`DELETE FROM attempt WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM attempt WHERE tenant_id = $1 AND email = $2 ORDER BY created_at DESC, id DESC LIMIT 1000 OFFSET 20)`))
	attemptStale   = hot(both(`DELETE FROM attempt WHERE tenant_id = $1 AND email = $2 AND expires_at <= $3`))
	attemptByToken = hot(both(`SELECT ` + attemptColumns + ` FROM attempt WHERE tenant_id = $1 AND token_hash = $2 AND expires_at > $3`))
	// The delete decides who spends it.
	attemptSpend = hot(both(`DELETE FROM attempt WHERE tenant_id = $1 AND id = $2 AND expires_at > $3 AND token_hash IS NOT NULL RETURNING id`))
	attemptDrop  = hot(both(`DELETE FROM attempt WHERE tenant_id = $1 AND email = $2`))
	attemptPurge = hot(both(`DELETE FROM attempt WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM attempt WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3)`))
)

// addressHold makes verbs about one address take turns until they commit: each deletes the attempts and tickets of the others, and would
// meet them half-way. It comes before every other lock.
var addressHold = pair(`SELECT 1 WHERE $1 = $2`, `SELECT pg_advisory_xact_lock(hashtextextended($1::text || ' ' || $2::text, 0))`)

func holdAddress(q queryer, tenantID, email string) error {
	return q.later(addressHold, tenantID, email)
}

// attemptRow receives attemptColumns, all of which may be NULL on the right of a join.
type attemptRow struct {
	tenantID, id, clientID, email, typed, name, locale, credentialID, phc, browser, returnTo *string
	pepper, hashed, created, expires                                                         *int64
	token                                                                                    []byte
}

func (r *attemptRow) dest() []any {
	return []any{
		&r.tenantID, &r.id, &r.clientID, &r.email, &r.typed, &r.name, &r.locale, &r.credentialID, &r.phc, &r.pepper, &r.hashed, &r.browser,
		&r.token, &r.created, &r.expires, &r.returnTo,
	}
}

// attempt gives nil for a row of NULLs.
func (r *attemptRow) attempt() *login.Attempt {
	if r.id == nil {
		return nil
	}
	a := &login.Attempt{
		TenantID: *r.tenantID, ID: *r.id, ClientID: *r.clientID, Email: *r.email, Typed: *r.typed, Name: *r.name, Locale: *r.locale,
		Browser: *r.browser, ReturnTo: *r.returnTo, TokenHash: r.token, CreatedAt: instant(*r.created), ExpiresAt: instant(*r.expires),
	}
	a.Password.ID, a.Password.PHC, a.Password.PepperID = *r.credentialID, *r.phc, uint32(*r.pepper)
	a.Password.CreatedAt, a.Password.UpdatedAt = instant(*r.hashed), instant(*r.hashed)
	return a
}

// SaveAttempt inserts an attempt and drops the oldest beyond 20.
func (s logins) SaveAttempt(ctx context.Context, a login.Attempt, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := holdAddress(q, a.TenantID, a.Email); err != nil {
			return err
		}
		err := q.later(attemptPut, a.TenantID, a.ID, a.ClientID, a.Email, a.Typed, a.Name, a.Locale, a.Password.ID, a.Password.PHC,
			int64(a.Password.PepperID), micros(a.Password.CreatedAt), a.Browser, hashOrNull(a.TokenHash), micros(a.CreatedAt),
			micros(a.ExpiresAt), a.ReturnTo)
		if err != nil {
			return err
		}
		if err := q.later(attemptStale, a.TenantID, a.Email, micros(a.CreatedAt)); err != nil {
			return err
		}
		if err := q.later(attemptTrim, a.TenantID, a.Email); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// AttemptByToken reads a live attempt.
func (s logins) AttemptByToken(ctx context.Context, tenantID string, tokenHash []byte, at time.Time) (login.Attempt, error) {
	var r attemptRow
	err := s.e.read(ctx, func(q queryer) error {
		return mustFind(q, attemptByToken, in{tenantID, nonNil(tokenHash), micros(at)}, r.dest()...)
	})
	if err != nil {
		return login.Attempt{}, err
	}
	return *r.attempt(), nil
}

// mustFind is row for one-time things: Gone when there is none.
func mustFind(q queryer, s *stmt, args in, dest ...any) error {
	found, err := q.row(s, args, dest...)
	if err == nil && !found {
		err = gone()
	}
	return err
}

// Prove spends an attempt and makes the user of it.
func (s logins) Prove(ctx context.Context, p login.Proof, rec audit.Record) error {
	a := p.Attempt
	return s.e.write(ctx, func(q queryer) error {
		if err := holdAddress(q, a.TenantID, a.Email); err != nil {
			return err
		}
		var id string
		if err := mustFind(q, attemptSpend, in{a.TenantID, a.ID, micros(p.At)}, &id); err != nil {
			return err
		}
		maker := newcomer{
			tenantID: a.TenantID, userID: p.UserID, clientID: a.ClientID, name: p.Name, locale: a.Locale, roles: p.Roles, at: p.At,
			email: user.Identifier{Value: a.Email, Typed: a.Typed, VerifiedHow: "mail"}, password: p.Password,
		}
		if err := maker.write(q); err != nil {
			return err
		}
		if err := dropPending(q, a.TenantID, a.Email, ""); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// dropPending deletes every attempt and ticket of an address, and every ticket of a user when one is named.
func dropPending(q queryer, tenantID, email, userID string) error {
	if err := q.later(attemptDrop, tenantID, email); err != nil {
		return err
	}
	if err := q.later(ticketDrop, tenantID, email); err != nil || userID == "" {
		return err
	}
	return q.later(ticketDropUser, tenantID, userID)
}

// PurgeExpired deletes expired attempts, then tickets, up to limit of both together.
func (s logins) PurgeExpired(ctx context.Context, tenantID string, at time.Time, limit int) (int, error) {
	var n int64
	err := s.e.write(ctx, func(q queryer) error {
		attempts, err := q.exec(attemptPurge, tenantID, micros(at), int64(limit))
		n = attempts
		if err != nil || n >= int64(limit) {
			return err
		}
		tickets, err := q.exec(ticketPurge, tenantID, micros(at), int64(limit)-n)
		n += tickets
		return err
	})
	return int(n), err
}
