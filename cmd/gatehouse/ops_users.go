package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/transfer"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type usersCmd struct {
	List       usersListCmd       `cmd:"" help:"List users, by id."`
	Show       usersShowCmd       `cmd:"" help:"Show one user."`
	Register   usersRegisterCmd   `cmd:"" help:"Register a user with a client, which lets them in where it requires a registration; or give them other roles there."`
	Unregister usersUnregisterCmd `cmd:"" help:"Remove a user's registration with a client; their sessions there end."`
	Disable    usersDisableCmd    `cmd:"" help:"Disable a user; all sessions end."`
	Enable     usersEnableCmd     `cmd:"" help:"Enable a disabled user."`
	Delete     usersDeleteCmd     `cmd:"" help:"Delete a user: sessions end now, the data is erased later (lives.deleted_s)."`
	Export     usersExportCmd     `cmd:"" help:"Write users as JSON lines."`
	Import     usersImportCmd     `cmd:"" help:"Add users from a file of JSON lines; what is there already is left alone."`
}

// tenantFlags are the flags of commands about one tenant.
type tenantFlags struct {
	opsFlags
	Tenant string `help:"The tenant (slug or id); may be left out when there is one."`
}

// at opens the store and finds the tenant.
func (f *tenantFlags) at(ctx context.Context, w world, do func(d *desk, t *tenant.Tenant) error) error {
	return f.work(ctx, w, func(d *desk) error {
		t, err := d.tenant(f.Tenant)
		if err != nil {
			return err
		}
		return do(d, t)
	})
}

// userLine is a user as commands show one.
type userLine struct {
	ID            string              `json:"id"`
	Status        string              `json:"status"`
	Email         string              `json:"email,omitempty"`
	Verified      bool                `json:"verified"`
	Username      string              `json:"username,omitempty"`
	Name          string              `json:"name,omitempty"`
	Locale        string              `json:"locale,omitempty"`
	Registrations map[string][]string `json:"registrations,omitempty"`
	Password      string              `json:"password,omitempty"` // the kind of hash
	CreatedAt     string              `json:"created_at"`
	DeletedAt     string              `json:"deleted_at,omitempty"`
	PurgeAt       string              `json:"purge_at,omitempty"`
}

func lineOf(e *transfer.Entry) userLine {
	u := &e.User
	email := u.PrimaryEmail()
	l := userLine{
		ID: u.ID, Status: string(u.Status), Email: email.Value, Verified: email.Verified(), Name: u.Name, Locale: u.Locale,
		CreatedAt: instantText(u.CreatedAt), DeletedAt: instantText(u.DeletedAt), PurgeAt: instantText(u.PurgeAt),
	}
	for _, i := range u.Identifiers {
		if i.Kind == user.Username {
			l.Username = i.Value
		}
	}
	for _, r := range e.Registrations {
		if l.Registrations == nil {
			l.Registrations = map[string][]string{}
		}
		l.Registrations[r.ClientID] = append([]string{}, r.Roles...)
	}
	if e.Password != nil {
		l.Password = hashKind(e.Password.PHC)
	}
	return l
}

// hashKind is the name of a hash's form: never more of it.
func hashKind(phc string) string {
	if form, _, ok := strings.Cut(strings.TrimPrefix(phc, "{"), "}"); ok && strings.HasPrefix(phc, "{") {
		return strings.ToLower(form)
	}
	if part := strings.Split(phc, "$"); len(part) > 2 {
		return part[1]
	}
	return "unknown"
}

type usersListCmd struct {
	tenantFlags
	Limit   int    `help:"Most users to list." default:"50"`
	After   string `help:"Begin after this id, as the last line of the page before shows it." placeholder:"ID"`
	Deleted bool   `help:"Deleted users too, until they are erased."`
}

const mostListed = 10000

// Run lists.
func (u *usersListCmd) Run(ctx context.Context, w world) error {
	if u.Limit < 1 || u.Limit > mostListed {
		return fmt.Errorf("--limit must be 1 to %d", mostListed)
	}
	return u.at(ctx, w, func(d *desk, t *tenant.Tenant) error {
		page, err := d.store.Transfer().Page(ctx, transfer.PageQuery{TenantID: t.ID, After: u.After, Limit: u.Limit, Deleted: u.Deleted})
		if err != nil {
			return err
		}
		items, rows := []userLine{}, [][]string{}
		for i := range page {
			l := lineOf(&page[i])
			items = append(items, l)
			rows = append(rows, []string{l.ID, l.Status, l.Email, fmt.Sprint(l.Verified), l.Username, l.Name, l.CreatedAt})
		}
		return d.out.table(items, []string{"ID", "STATUS", "EMAIL", "VERIFIED", "USERNAME", "NAME", "CREATED"}, rows)
	})
}

// find gives the user an operator named by id, e-mail address or username; deleted ones too.
func (d *desk) find(ctx context.Context, t *tenant.Tenant, who string) (user.User, error) {
	if email, err := user.NormaliseEmail(who); err == nil {
		id, err := d.store.Transfer().Find(ctx, t.ID, user.Email, email)
		if err != nil {
			return user.User{}, err
		}
		return d.store.Users().Get(ctx, t.ID, id, "")
	}
	if u, err := d.store.Users().Get(ctx, t.ID, who, ""); err == nil {
		return u, nil
	}
	id, err := d.store.Transfer().Find(ctx, t.ID, user.Username, strings.ToLower(who))
	if err != nil {
		return user.User{}, err
	}
	return d.store.Users().Get(ctx, t.ID, id, "")
}

type whoArg struct {
	User string `arg:"" help:"User id, e-mail address or username."`
}

type usersShowCmd struct {
	tenantFlags
	whoArg
}

// Run shows one user.
func (u *usersShowCmd) Run(ctx context.Context, w world) error {
	return u.at(ctx, w, func(d *desk, t *tenant.Tenant) error {
		found, err := d.find(ctx, t, u.User)
		if err != nil {
			return err
		}
		page, err := d.store.Transfer().Page(ctx, transfer.PageQuery{TenantID: t.ID, Only: found.ID, Limit: 1, Deleted: true})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return errors.New("the user went while it was read")
		}
		return d.printUser(lineOf(&page[0]))
	})
}

func (d *desk) printUser(l userLine) error {
	return d.out.value(l, func(w io.Writer) error {
		for _, row := range [][2]string{
			{"id", l.ID}, {"status", l.Status}, {"email", l.Email}, {"verified", fmt.Sprint(l.Verified)}, {"username", l.Username},
			{"name", l.Name}, {"locale", l.Locale}, {"password", l.Password}, {"created", l.CreatedAt}, {"deleted", l.DeletedAt},
			{"erased from", l.PurgeAt},
		} {
			if row[1] != "" {
				_, _ = fmt.Fprintf(w, "%-12s %s\n", row[0], printable(row[1]))
			}
		}
		for client, roles := range l.Registrations {
			_, _ = fmt.Fprintf(w, "%-12s %s %s\n", "registered", printable(client), printable(strings.Join(roles, ", ")))
		}
		return nil
	})
}

type (
	usersDisableCmd struct {
		tenantFlags
		whoArg
	}
	usersEnableCmd struct {
		tenantFlags
		whoArg
	}
	usersDeleteCmd struct {
		tenantFlags
		whoArg
	}
)

// Run disables.
func (u *usersDisableCmd) Run(ctx context.Context, w world) error {
	return u.act(ctx, w, u.User, "user.disabled", func(d *desk, t *tenant.Tenant, id string, call *audit.Call, rec audit.Record) error {
		return d.store.Users().SetStatus(ctx, t.ID, id, user.Disabled, call.At, rec)
	})
}

// Run enables.
func (u *usersEnableCmd) Run(ctx context.Context, w world) error {
	return u.act(ctx, w, u.User, "user.enabled", func(d *desk, t *tenant.Tenant, id string, call *audit.Call, rec audit.Record) error {
		return d.store.Users().SetStatus(ctx, t.ID, id, user.Active, call.At, rec)
	})
}

// Run deletes.
func (u *usersDeleteCmd) Run(ctx context.Context, w world) error {
	return u.act(ctx, w, u.User, "user.deleted", func(d *desk, t *tenant.Tenant, id string, call *audit.Call, rec audit.Record) error {
		return d.store.Users().Delete(ctx, t.ID, id, call.At, call.At.Add(t.For(nil).DeletedLife), rec)
	})
}

// userAct is one change of one user.
type userAct func(d *desk, t *tenant.Tenant, id string, call *audit.Call, rec audit.Record) error

func (f *tenantFlags) act(ctx context.Context, w world, who, kind string, do userAct) error {
	return f.at(ctx, w, func(d *desk, t *tenant.Tenant) error {
		u, err := d.find(ctx, t, who)
		if err != nil {
			return err
		}
		call := d.call(t)
		e := call.Event(secret.NewID(call.Wall), kind)
		e.Subject = u.ID
		if err := do(d, t, u.ID, call, audit.Record{Events: []audit.Event{e}}); err != nil {
			return err
		}
		return d.out.value(map[string]string{"user": u.ID, "act": kind, "trace": call.Trace, "at": instantText(call.At)}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s %s at %s\n", kind, u.ID, call.At.Format(time.RFC3339))
			return err
		})
	})
}
