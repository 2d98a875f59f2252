package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// revokedByOperator is the reason of sessions that an operator ended.
const revokedByOperator = "revoked_by_operator"

type sessionsCmd struct {
	List   sessionsListCmd   `cmd:"" help:"List a user's live sessions, newest first."`
	Revoke sessionsRevokeCmd `cmd:"" help:"End one session, or every session of a user."`
}

type sessionsListCmd struct {
	tenantFlags
	whoArg
}

type sessionLine struct {
	ID       string `json:"id"`
	Client   string `json:"client"`
	OpenedBy string `json:"opened_by"`
	Created  string `json:"created_at"`
	LastSeen string `json:"last_seen_at"`
	Expires  string `json:"expires_at"`
	Place    string `json:"place,omitempty"`
	Agent    string `json:"agent,omitempty"`
	Parent   string `json:"parent,omitempty"`
}

const sessionPage = 200

// Run lists.
func (s *sessionsListCmd) Run(ctx context.Context, w world) error {
	return s.at(ctx, w, func(d *desk, t *tenant.Tenant) error {
		u, err := d.find(ctx, t, s.User)
		if err != nil {
			return err
		}
		items, rows := []sessionLine{}, [][]string{}
		q := session.ListQuery{TenantID: t.ID, Subject: u.ID, At: t.At(d.wall()), Limit: sessionPage}
		for {
			page, err := d.store.Sessions().List(ctx, q)
			if err != nil {
				return err
			}
			for i := range page {
				l := sessionLineOf(&page[i])
				items = append(items, l)
				rows = append(rows, []string{l.ID, l.Client, l.Created, l.LastSeen, l.Expires, l.Place, l.Agent, l.Parent})
			}
			if len(page) < sessionPage {
				return d.out.table(items, []string{"ID", "CLIENT", "CREATED", "LAST SEEN", "EXPIRES", "PLACE", "AGENT", "PARENT"}, rows)
			}
			q.After = page[len(page)-1].ID
		}
	})
}

func sessionLineOf(f *session.Family) sessionLine {
	expires := f.IdleExpiry
	if !f.AbsoluteExpiry.IsZero() && f.AbsoluteExpiry.Before(expires) {
		expires = f.AbsoluteExpiry
	}
	return sessionLine{
		ID: f.ID, Client: f.ClientID, OpenedBy: f.OpenedBy, Created: instantText(f.CreatedAt), LastSeen: instantText(f.LastSeen),
		Expires: instantText(expires), Place: f.Place, Agent: f.Agent, Parent: f.ParentID,
	}
}

type sessionsRevokeCmd struct {
	tenantFlags
	Session string `arg:"" optional:"" help:"Session id."`
	User    string `help:"Every session of this user (id, e-mail address or username) instead."`
	Client  string `help:"With --user: only those of this client." placeholder:"ID"`
}

// Run revokes.
func (s *sessionsRevokeCmd) Run(ctx context.Context, w world) error {
	if (s.Session == "") == (s.User == "") {
		return errors.New("name one session, or a user with --user")
	}
	return s.at(ctx, w, func(d *desk, t *tenant.Tenant) error {
		m := session.Match{TenantID: t.ID, ID: s.Session, ClientID: s.Client}
		if s.User != "" {
			u, err := d.find(ctx, t, s.User)
			if err != nil {
				return err
			}
			m.UserID = u.ID
		}
		ended, err := session.New(d.store.Sessions(), nil, nil, session.Config{Log: d.site.log}).Revoke(ctx, d.call(t), m, revokedByOperator)
		if err != nil {
			return err
		}
		ids := []string{}
		for _, e := range ended {
			ids = append(ids, e.ID)
		}
		return d.out.value(map[string]any{"ended": ids}, func(w io.Writer) error {
			_, err := fmt.Fprintln(w, strconv.Itoa(len(ids))+" sessions ended")
			return err
		})
	})
}
