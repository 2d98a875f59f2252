package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// registrationTokenCmd manages initial access tokens (RFC 7591 section 3). A running server asks the store each time one is used, so what is
// done here holds at once.
type registrationTokenCmd struct {
	Create registrationTokenCreateCmd `cmd:"" help:"Make a token and show it, this once."`
	List   registrationTokenListCmd   `cmd:"" help:"List tokens and when they were last used."`
	Revoke registrationTokenRevokeCmd `cmd:"" help:"Revoke a token by its id. Clients that it registered stay."`
}

type registrationTokenCreateCmd struct {
	opsFlags
	Tenant string        `help:"Tenant (slug or id); needed when there are several."`
	Name   string        `required:"" help:"Who it is for, for people."`
	Uses   int64         `default:"1" help:"How many clients it may register; -1 for any number."`
	Life   time.Duration `default:"24h" help:"How long it works; 0 for as long as it is not revoked."`
}

// registrationTokenLine is one token of the list.
type registrationTokenLine struct {
	Tenant   string `json:"tenant"`
	ID       string `json:"id"`
	Name     string `json:"name"`
	State    string `json:"state"` // "in use", "revoked", "used up" or "expired"
	Left     int64  `json:"uses_left"`
	Made     string `json:"made"`
	Expires  string `json:"expires,omitempty"`
	LastUsed string `json:"last_used,omitempty"`
	Token    string `json:"token,omitempty"` // when it is made, and never again
}

func registrationLineOf(slug string, i *oauth.InitialToken, at time.Time) registrationTokenLine {
	l := registrationTokenLine{
		Tenant: slug, ID: i.ID, Name: i.Name, State: "in use", Left: i.Left, Made: instantText(i.CreatedAt), Expires: instantText(i.ExpiresAt),
		LastUsed: instantText(i.LastUsed),
	}
	switch {
	case !i.RevokedAt.IsZero():
		l.State = "revoked"
	case i.Left == 0:
		l.State = "used up"
	case !i.Live(at):
		l.State = "expired"
	}
	return l
}

func initialTrail(call *audit.Call, id, what string) audit.Record {
	e := call.Event(secret.NewID(call.At), oauth.EventInitial)
	e.Detail = map[string]string{"id": id, "act": what}
	return audit.Record{Events: []audit.Event{e}}
}

// Run makes a token. Standard output gets the token alone, so that it can be piped into where secrets are kept.
func (c *registrationTokenCreateCmd) Run(ctx context.Context, w world) error {
	if c.Uses == 0 || c.Uses < -1 || c.Life < 0 {
		return fmt.Errorf("--uses must be -1 or more than 0, and --life not negative")
	}
	return c.work(ctx, w, func(d *desk) error {
		t, err := d.tenant(c.Tenant)
		if err != nil {
			return err
		}
		call := d.call(t)
		expires := time.Time{}
		if c.Life > 0 {
			expires = call.At.Add(c.Life)
		}
		i, text := oauth.DrawInitial(t.ID, c.Name, c.Uses, call.At, expires)
		if err := d.store.OAuthRegistrations().AddInitial(ctx, i, initialTrail(call, i.ID, "created")); err != nil {
			return err
		}
		line := registrationLineOf(t.Slug, &i, call.At)
		line.Token = text.Reveal()
		return d.out.value(line, func(w io.Writer) error {
			_, _ = fmt.Fprintf(d.stderr, "token %s of %s for %s; it is shown this once:\n", i.ID, printable(i.Name), t.Slug)
			if !t.Policy.OAuth.Registration {
				_, _ = fmt.Fprintf(d.stderr, "registration is off for this tenant; set oauth.registration to use it\n")
			}
			_, err := fmt.Fprintln(w, line.Token)
			return err
		})
	})
}

type registrationTokenListCmd struct {
	opsFlags
	Tenant string `help:"Only this tenant (slug or id)."`
}

// Run lists tokens; nothing of a token itself is kept that could be shown.
func (c *registrationTokenListCmd) Run(ctx context.Context, w world) error {
	return c.work(ctx, w, func(d *desk) error {
		items, rows := []registrationTokenLine{}, [][]string{}
		for i := range d.have.Tenants {
			t := &d.have.Tenants[i]
			if c.Tenant != "" && c.Tenant != t.Slug && c.Tenant != t.ID {
				continue
			}
			tokens, err := d.store.OAuthRegistrations().Initials(ctx, t.ID)
			if err != nil {
				return err
			}
			for j := range tokens {
				l := registrationLineOf(t.Slug, &tokens[j], d.call(t).At)
				items = append(items, l)
				rows = append(rows, []string{l.Tenant, l.ID, l.Name, l.State, strconv.FormatInt(l.Left, 10), l.Made, l.Expires, l.LastUsed})
			}
		}
		return d.out.table(items, []string{"TENANT", "ID", "NAME", "STATE", "USES LEFT", "MADE", "EXPIRES", "LAST USED"}, rows)
	})
}

type registrationTokenRevokeCmd struct {
	opsFlags
	Tenant string `help:"Tenant (slug or id); needed when there are several."`
	ID     string `arg:"" help:"Id of the token, as list shows it."`
}

// Run revokes a token.
func (c *registrationTokenRevokeCmd) Run(ctx context.Context, w world) error {
	return c.work(ctx, w, func(d *desk) error {
		t, err := d.tenant(c.Tenant)
		if err != nil {
			return err
		}
		call := d.call(t)
		if err := d.store.OAuthRegistrations().RevokeInitial(ctx, t.ID, c.ID, call.At, initialTrail(call, c.ID, "revoked")); err != nil {
			return err
		}
		return d.out.value(map[string]string{"revoked": c.ID}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "revoked %s\n", c.ID)
			return err
		})
	})
}
