package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/transfer"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type transfers struct{ e engine }

// Transfer moves users in bulk.
func (s *Store) Transfer() transfer.Store { return transfers{s.e} }

var (
	identifierOwner = hot(both(`SELECT user_id FROM identifier WHERE tenant_id = $1 AND kind = $2 AND value = $3`))
	userOnce        = hot(both(`INSERT INTO app_user (` + userColumns + `) VALUES (` + placeholders(12) + `) ON CONFLICT DO NOTHING`))
	// Pages walk the tenant in the order of ids; an operator's act.
	userPage = both(`SELECT ` + userColumns + ` FROM app_user WHERE tenant_id = $1 AND id > $2 AND ($4 OR status <> 'deleted') AND ($5 = '' OR id = $5)
		ORDER BY id LIMIT $3`)
	pageIdentifiers   = both(`SELECT user_id, ` + identifierColumns + ` FROM identifier WHERE tenant_id = $1 AND user_id >= $2 AND user_id <= $3 ORDER BY kind, value`)
	pageRegistrations = both(`SELECT user_id, client_id, roles, data, created_at FROM registration
		WHERE tenant_id = $1 AND user_id >= $2 AND user_id <= $3 ORDER BY client_id`)
	linkPut   = hot(both(`INSERT INTO link (tenant_id, issuer, subject, user_id, created_at, data) VALUES (` + placeholders(6) + `) ON CONFLICT DO NOTHING`))
	pageLinks = both(`SELECT user_id, issuer, subject, created_at, data FROM link
		WHERE tenant_id = $1 AND user_id >= $2 AND user_id <= $3 ORDER BY issuer, subject`)
	pagePasswords = both(`SELECT user_id, id, phc, pepper_id, created_at, updated_at FROM credential
		WHERE tenant_id = $1 AND kind = 'password' AND user_id >= $2 AND user_id <= $3`)
)

// Find gives the holder of an identifier.
func (s transfers) Find(ctx context.Context, tenantID string, kind user.IdentifierKind, value string) (id string, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		found, err := q.row(identifierOwner, in{tenantID, string(kind), value}, &id)
		if err == nil && !found {
			err = noUser()
		}
		return err
	})
	return id, err
}

// Import adds the users who are not there.
func (s transfers) Import(ctx context.Context, tenantID string, batch []transfer.Entry, rec audit.Record) (out []transfer.Outcome, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		out = make([]transfer.Outcome, len(batch))
		added := false
		for i := range batch {
			o, err := importOne(q, tenantID, &batch[i])
			if err != nil {
				return err
			}
			out[i] = o
			added = added || o == transfer.Added
		}
		if !added {
			return nil
		}
		return writeRecord(q, rec)
	})
	return out, err
}

func importOne(q queryer, tenantID string, e *transfer.Entry) (transfer.Outcome, error) {
	if o, err := standing(q, tenantID, e); err != nil || o != transfer.Added {
		return o, err
	}
	u := &e.User
	n, err := q.exec(userOnce, tenantID, u.ID, string(u.Status), u.Epoch, u.Name, u.Locale, raw(u.Data), micros(u.CreatedAt),
		micros(u.UpdatedAt), micros(u.DeletedAt), micros(u.PurgeAt), u.Version)
	if err != nil {
		return transfer.Clash, err
	}
	if n == 0 {
		return transfer.Clash, nil
	}
	for _, i := range u.Identifiers {
		free, err := putIdentifier(q, tenantID, u.ID, i)
		if err != nil {
			return transfer.Clash, err
		}
		if !free { // somebody signed up with it since we looked
			return transfer.Clash, q.later(userErase, tenantID, u.ID)
		}
	}
	for _, l := range e.Links {
		n, err := q.exec(linkPut, tenantID, l.Issuer, l.Subject, u.ID, micros(*l.CreatedAt), raw(l.Data))
		if err != nil {
			return transfer.Clash, err
		}
		if n == 0 { // it is somebody else's
			return transfer.Clash, q.later(userErase, tenantID, u.ID)
		}
	}
	for _, r := range e.Registrations {
		if err := putRegistration(q, tenantID, u.ID, r); err != nil {
			return transfer.Clash, err
		}
	}
	if e.Password == nil {
		return transfer.Added, nil
	}
	return transfer.Added, putPassword(q, tenantID, u.ID, *e.Password)
}

// standing says who holds the names of an entry: nobody (Added: it may be), the same user (Present) or another one (Clash). The same user is
// who has the id and the first name, or, when the file gave no id, who has the first name.
func standing(q queryer, tenantID string, e *transfer.Entry) (transfer.Outcome, error) {
	for n, i := range e.User.Identifiers {
		var owner string
		found, err := q.row(identifierOwner, in{tenantID, string(i.Kind), i.Value}, &owner)
		if err != nil {
			return transfer.Clash, err
		}
		switch {
		case !found:
		case n == 0 && (owner == e.User.ID || !e.Named):
			return transfer.Present, nil
		default:
			return transfer.Clash, nil
		}
	}
	return transfer.Added, nil
}

// Page gives users in the order of their ids.
func (s transfers) Page(ctx context.Context, pq transfer.PageQuery) (out []transfer.Entry, err error) {
	err = s.e.view(ctx, func(q queryer) error {
		out = nil
		at := map[string]int{}
		err := q.each(userPage, in{pq.TenantID, pq.After, int64(pq.Limit), pq.Deleted, pq.Only}, func(scan scanner) error {
			var r userRow
			if err := scan(r.dest()...); err != nil {
				return err
			}
			e := transfer.Entry{User: r.user(), Named: true}
			at[e.User.ID] = len(out)
			out = append(out, e)
			return nil
		})
		if err != nil || len(out) == 0 {
			return err
		}
		return fillPage(q, in{pq.TenantID, out[0].User.ID, out[len(out)-1].User.ID}, func(id string) *transfer.Entry {
			if i, ok := at[id]; ok {
				return &out[i]
			}
			return nil
		})
	})
	return out, err
}

// fillPage reads what belongs to the users of a page.
func fillPage(q queryer, span in, of func(id string) *transfer.Entry) error {
	err := q.each(pageIdentifiers, span, func(scan scanner) error {
		var id string
		var r identifierRow
		if err := scan(append([]any{&id}, r.dest()...)...); err != nil {
			return err
		}
		if e := of(id); e != nil {
			r.addTo(&e.User)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = q.each(pageRegistrations, span, func(scan scanner) error {
		var id, client string
		var r registrationRow
		if err := scan(append([]any{&id, &client}, r.dest()...)...); err != nil {
			return err
		}
		e := of(id)
		if e == nil {
			return nil
		}
		var u user.User
		if err := r.setOn(&u, client); err != nil || u.Registration == nil {
			return err
		}
		e.Registrations = append(e.Registrations, *u.Registration)
		return nil
	})
	if err != nil {
		return err
	}
	if err := fillLinks(q, span, of); err != nil {
		return err
	}
	return q.each(pagePasswords, span, func(scan scanner) error {
		var id string
		var r passwordRow
		if err := scan(append([]any{&id}, r.dest()...)...); err != nil {
			return err
		}
		if e := of(id); e != nil {
			e.Password = r.password(e.User)
		}
		return nil
	})
}

func fillLinks(q queryer, span in, of func(id string) *transfer.Entry) error {
	return q.each(pageLinks, span, func(scan scanner) error {
		var id string
		var l transfer.Link
		var created int64
		var data *string
		if err := scan(&id, &l.Issuer, &l.Subject, &created, &data); err != nil {
			return err
		}
		if e := of(id); e != nil {
			at := instant(created)
			l.CreatedAt, l.Data = &at, rawOf(data)
			e.Links = append(e.Links, l)
		}
		return nil
	})
}
