package transfer

import (
	"context"
	"encoding/json"
	"io"

	"github.com/gatehouse-auth/gatehouse/internal/user"
)

const exportPage = 500

// Export writes every user of a tenant but deleted ones as JSON lines, by id, a page at a time, and gives how many. Password hashes leave
// only when pepper is given, to name the keys mixed into them: whoever has the hashes may guess at them.
func Export(ctx context.Context, store Store, tenantID string, w io.Writer, pepper PepperName, each func(n int64)) (n int64, err error) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	q := PageQuery{TenantID: tenantID, Limit: exportPage}
	for {
		page, err := store.Page(ctx, q)
		if err != nil {
			return n, err
		}
		for i := range page {
			if err := enc.Encode(person(&page[i], pepper)); err != nil {
				return n, err
			}
			n++
		}
		each(n)
		if len(page) < exportPage {
			return n, nil
		}
		q.After = page[len(page)-1].User.ID
	}
}

func person(e *Entry, pepper PepperName) Person {
	created := e.User.CreatedAt
	p := Person{
		ID: e.User.ID, Name: e.User.Name, Locale: e.User.Locale, Data: e.User.Data, CreatedAt: &created,
	}
	if e.User.Status != user.Active {
		p.Status = string(e.User.Status)
	}
	if email := e.User.PrimaryEmail(); email.Value != "" {
		p.Email, p.Verified = email.Typed, email.Verified()
	}
	for _, i := range e.User.Identifiers {
		if i.Kind == user.Username {
			p.Username = i.Typed
		}
	}
	for _, r := range e.Registrations {
		if p.Roles == nil {
			p.Roles = map[string][]string{}
		}
		p.Roles[r.ClientID] = append([]string{}, r.Roles...)
		if r.Data != nil {
			if p.ClientData == nil {
				p.ClientData = map[string]json.RawMessage{}
			}
			p.ClientData[r.ClientID] = r.Data
		}
	}
	p.Links = e.Links
	if pepper != nil && e.Password != nil {
		p.PasswordHash = e.Password.PHC
		if e.Password.PepperID != 0 {
			p.Pepper = pepper(e.Password.PepperID)
		}
	}
	return p
}
