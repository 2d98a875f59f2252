package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

const ticketColumns = `tenant_id, id, kind, client_id, user_id, email, typed, browser, token_hash, created_at, expires_at, return_to`

var (
	ticketReplace = hot(both(`DELETE FROM ticket WHERE tenant_id = $1 AND email = $2 AND kind = $3`))
	ticketPut     = hot(both(`INSERT INTO ticket (` + ticketColumns + `) VALUES (` + placeholders(12) + `)`))
	ticketByToken = hot(both(`SELECT ` + ticketColumns + ` FROM ticket WHERE tenant_id = $1 AND token_hash = $2 AND expires_at > $3`))
	// The delete decides who spends it.
	ticketSpend = hot(both(`DELETE FROM ticket WHERE tenant_id = $1 AND id = $2 AND kind = $3 AND expires_at > $4
		AND token_hash IS NOT NULL RETURNING id`))
	ticketDrop     = hot(both(`DELETE FROM ticket WHERE tenant_id = $1 AND email = $2`))
	ticketDropUser = hot(both(`DELETE FROM ticket WHERE tenant_id = $1 AND user_id = $2`))
	ticketPurge    = hot(both(`DELETE FROM ticket WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM ticket WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3)`))

	// A reset is for people who may log in: a disabled or deleted user's ticket is spent in vain.
	resetUser = hot(both(`UPDATE app_user SET epoch = epoch + 1, updated_at = $3, version = version + 1
		WHERE tenant_id = $1 AND id = $2 AND status = 'active' RETURNING epoch`))
	resetVerified = hot(both(`UPDATE identifier SET verified_at = $4, verified_how = 'reset'
		WHERE tenant_id = $1 AND kind = 'email' AND value = $3 AND user_id = $2`))
	userTouched = hot(both(`UPDATE app_user SET updated_at = $3, version = version + 1
		WHERE tenant_id = $1 AND id = $2 AND status = 'active'`))
	emailRelease = hot(both(`DELETE FROM identifier WHERE tenant_id = $1 AND user_id = $2 AND kind = 'email' AND (is_primary OR value = $3)`))
)

// SaveTicket inserts a ticket in the place of older ones.
func (s logins) SaveTicket(ctx context.Context, t login.Ticket, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := holdAddress(q, t.TenantID, t.Email); err != nil {
			return err
		}
		if err := q.later(ticketReplace, t.TenantID, t.Email, string(t.Kind)); err != nil {
			return err
		}
		err := q.later(ticketPut, t.TenantID, t.ID, string(t.Kind), t.ClientID, orNull(t.UserID), t.Email, t.Typed, t.Browser,
			hashOrNull(t.TokenHash), micros(t.CreatedAt), micros(t.ExpiresAt), t.ReturnTo)
		if err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// TicketByToken reads a live ticket.
func (s logins) TicketByToken(ctx context.Context, tenantID string, tokenHash []byte, at time.Time) (login.Ticket, error) {
	var t login.Ticket
	var ticketKind string
	var userID *string
	var created, expires int64
	err := s.e.read(ctx, func(q queryer) error {
		return mustFind(q, ticketByToken, in{tenantID, nonNil(tokenHash), micros(at)},
			&t.TenantID, &t.ID, &ticketKind, &t.ClientID, &userID, &t.Email, &t.Typed, &t.Browser, &t.TokenHash, &created, &expires, &t.ReturnTo)
	})
	if err != nil {
		return login.Ticket{}, err
	}
	t.Kind, t.UserID, t.CreatedAt, t.ExpiresAt = login.TicketKind(ticketKind), orEmpty(userID), instant(created), instant(expires)
	return t, nil
}

func spendTicket(q queryer, t login.Ticket, kind login.TicketKind, at time.Time) error {
	var id string
	return mustFind(q, ticketSpend, in{t.TenantID, t.ID, string(kind), micros(at)}, &id)
}

// Reset spends a reset ticket.
func (s logins) Reset(ctx context.Context, r login.ResetSpend, rec audit.Record) (userID string, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		if err := holdAddress(q, r.Ticket.TenantID, r.Ticket.Email); err != nil {
			return err
		}
		if r.Ticket.UserID == "" {
			userID = r.UserID
			return resetNewcomer(q, r, rec)
		}
		userID = r.Ticket.UserID
		return resetKnown(q, r, rec)
	})
	if err != nil {
		return "", err
	}
	return userID, nil
}

// resetKnown sets the password of an existing user. The user's row comes first, as in every verb that ends sessions: taken in one order,
// the locks cannot deadlock.
func resetKnown(q queryer, r login.ResetSpend, rec audit.Record) error {
	t := r.Ticket
	var epoch int64
	if err := mustFind(q, resetUser, in{t.TenantID, t.UserID, micros(r.At)}, &epoch); err != nil {
		return err
	}
	if err := spendTicket(q, t, login.TicketReset, r.At); err != nil {
		return err
	}
	n, err := q.exec(resetVerified, t.TenantID, t.UserID, t.Email, micros(r.At))
	if err != nil {
		return err
	}
	if n == 0 { // the address changed hands since the mail was sent: its reader is no proof of this user any more
		return gone()
	}
	if err := putPassword(q, t.TenantID, t.UserID, r.Password); err != nil {
		return err
	}
	if err := dropPending(q, t.TenantID, t.Email, t.UserID); err != nil {
		return err
	}
	return endUser(q, t.TenantID, t.UserID, "password_reset", r.At, rec)
}

// resetNewcomer makes the user that attempts never became. Nothing is taken from the attempts: a stranger may have planted them.
func resetNewcomer(q queryer, r login.ResetSpend, rec audit.Record) error {
	t := r.Ticket
	if err := spendTicket(q, t, login.TicketReset, r.At); err != nil {
		return err
	}
	maker := newcomer{
		tenantID: t.TenantID, userID: r.UserID, clientID: t.ClientID, roles: r.Roles, at: r.At, password: r.Password,
		email: user.Identifier{Value: t.Email, Typed: t.Typed, VerifiedHow: "reset"},
	}
	if err := maker.write(q); err != nil {
		return err
	}
	if err := dropPending(q, t.TenantID, t.Email, ""); err != nil {
		return err
	}
	return writeRecord(q, rec)
}

// ChangeEmail spends an e-mail change ticket.
func (s logins) ChangeEmail(ctx context.Context, t login.Ticket, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := holdAddress(q, t.TenantID, t.Email); err != nil {
			return err
		}
		n, err := q.exec(userTouched, t.TenantID, t.UserID, micros(at))
		if err != nil {
			return err
		}
		if n == 0 {
			return gone()
		}
		if err := spendTicket(q, t, login.TicketEmailChange, at); err != nil {
			return err
		}
		if err := q.later(emailRelease, t.TenantID, t.UserID, t.Email); err != nil {
			return err
		}
		free, err := putIdentifier(q, t.TenantID, t.UserID, user.Identifier{
			Kind: user.Email, Value: t.Email, Typed: t.Typed, VerifiedAt: at, VerifiedHow: "mail", Primary: true,
		})
		if err != nil {
			return err
		}
		if !free {
			return gone()
		}
		if err := dropPending(q, t.TenantID, t.Email, t.UserID); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}
