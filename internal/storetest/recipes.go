package storetest

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Recipes runs the suite of the recipe room's other stores.
func Recipes(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"roles", appRoles}, {"grants", grants}, {"grant against removal", grantAgainstRemoval}, {"metadata", metadata}, {"metadata race", metadataRace},
		{"external names", externalNames}, {"one external name", oneExternalName}, {"organisations", organisations}, {"memberships", memberships},
		{"apps", removeApp},
	})
}

func appRoles(s *scene) {
	put := func(want bool, name string, permissions ...string) {
		s.Helper()
		got, err := s.Recipe.Roles.Put(s.ctx, s.tenant.ID, recipe.Role{Name: name, Permissions: permissions}, audit.Record{})
		if s.ok(err); got != want {
			s.Fatalf("created %v, want %v", got, want)
		}
	}
	all := func(want ...recipe.Role) {
		s.Helper()
		got, err := s.Recipe.Roles.All(s.ctx, s.tenant.ID)
		s.ok(err)
		s.same("roles", got, want)
	}
	put(true, "b", "write", "read")
	put(false, "b", "read", "erase")
	put(true, "a")
	all(recipe.Role{Name: "a"}, recipe.Role{Name: "b", Permissions: []string{"erase", "read", "write"}})
	s.ok(s.Recipe.Roles.Strip(s.ctx, s.tenant.ID, "b", []string{"erase", "absent"}, audit.Record{}))
	all(recipe.Role{Name: "a"}, recipe.Role{Name: "b", Permissions: []string{"read", "write"}})
	s.ok(s.Recipe.Roles.Strip(s.ctx, s.tenant.ID, "b", nil, audit.Record{}))
	all(recipe.Role{Name: "a"}, recipe.Role{Name: "b"})
	s.refused(s.Recipe.Roles.Strip(s.ctx, s.tenant.ID, "absent", nil, audit.Record{}), fault.NotFound, "")
	far := s.elsewhere()
	for _, want := range []bool{true, false} {
		for _, in := range []*scene{far, s} {
			got, err := s.Recipe.Roles.Remove(s.ctx, in.tenant.ID, "b", audit.Record{})
			if s.ok(err); got != (want && in == s) {
				s.Fatalf("removed: %v", got)
			}
		}
	}
	all(recipe.Role{Name: "a"})
}

func grants(s *scene) {
	_, err := s.Recipe.Roles.Put(s.ctx, s.tenant.ID, recipe.Role{Name: "admin"}, audit.Record{})
	s.ok(err)
	_, err = s.Recipe.Organisations.Put(s.ctx, recipe.Organisation{TenantID: s.tenant.ID, ID: "t2"}, audit.Record{})
	s.ok(err)
	g := recipe.Grant{TenantID: s.tenant.ID, Org: recipe.Public, Subject: "somebody", Role: "admin"}
	for _, want := range []bool{false, true} {
		m := s.mark()
		had, err := s.Recipe.Roles.Grant(s.ctx, g, m.Record)
		if s.ok(err); had != want {
			s.Fatalf("had %v", had)
		}
		s.wrote(m, !want)
	}
	holders := func(org string, want ...string) {
		s.Helper()
		got, err := s.Recipe.Roles.Holders(s.ctx, s.tenant.ID, org, "admin")
		s.ok(err)
		s.same("holders", got, want)
	}
	holders(recipe.Public, "somebody")
	holders("t2")
	_, err = s.Recipe.Roles.Holders(s.ctx, s.tenant.ID, recipe.Public, "absent")
	s.refused(err, fault.NotFound, "")
	of, err := s.Recipe.Roles.Of(s.ctx, s.tenant.ID, recipe.Public, "somebody")
	s.ok(err)
	s.same("roles", of, []string{"admin"})
	wrong := g
	wrong.Role = "absent"
	_, err = s.Recipe.Roles.Grant(s.ctx, wrong, audit.Record{})
	s.refused(err, fault.NotFound, "")
	_, err = s.Recipe.Roles.Take(s.ctx, wrong, audit.Record{})
	s.refused(err, fault.NotFound, "")
	for _, want := range []bool{true, false} {
		had, err := s.Recipe.Roles.Take(s.ctx, g, audit.Record{})
		if s.ok(err); had != want {
			s.Fatalf("had %v, want %v", had, want)
		}
	}
	_, err = s.Recipe.Roles.Grant(s.ctx, g, audit.Record{})
	s.ok(err)
	_, err = s.Recipe.Roles.Remove(s.ctx, s.tenant.ID, "admin", audit.Record{})
	s.ok(err)
	of, err = s.Recipe.Roles.Of(s.ctx, s.tenant.ID, recipe.Public, "somebody")
	if s.ok(err); len(of) != 0 {
		s.Fatalf("a removed role is held: %v", of)
	}
}

// grantAgainstRemoval: a role that is removed while it is granted is held by nobody afterwards.
func grantAgainstRemoval(s *scene) {
	_, err := s.Recipe.Roles.Put(s.ctx, s.tenant.ID, recipe.Role{Name: "admin"}, audit.Record{})
	s.ok(err)
	s.together(func(i int) (bool, error) {
		if i == callers/2 {
			_, err := s.Recipe.Roles.Remove(s.ctx, s.tenant.ID, "admin", audit.Record{})
			return true, err
		}
		g := recipe.Grant{TenantID: s.tenant.ID, Org: recipe.Public, Subject: strconv.Itoa(i), Role: "admin"}
		_, err := s.Recipe.Roles.Grant(s.ctx, g, audit.Record{})
		if err != nil && fault.From(err).Kind == fault.NotFound {
			return false, nil
		}
		return true, err
	})
	for i := range callers {
		of, err := s.Recipe.Roles.Of(s.ctx, s.tenant.ID, recipe.Public, strconv.Itoa(i))
		if s.ok(err); len(of) != 0 {
			s.Fatalf("%d holds %v", i, of)
		}
	}
}

func metadata(s *scene) {
	load := func(version int64, want string) recipe.Metadata {
		s.Helper()
		m, err := s.Recipe.Metadatas.Load(s.ctx, s.tenant.ID, "somebody")
		if s.ok(err); m.Version != version || string(m.Data) != want {
			s.Fatalf("metadata %d %s, want %d %s", m.Version, m.Data, version, want)
		}
		return m
	}
	swap := func(from recipe.Metadata, to string, want bool) {
		s.Helper()
		m := s.mark()
		won, err := s.Recipe.Metadatas.Swap(s.ctx, s.tenant.ID, "somebody", from, recipe.Metadata{Data: json.RawMessage(to)}, m.Record)
		if s.ok(err); won != want {
			s.Fatalf("swapped %v, want %v", won, want)
		}
		s.wrote(m, want)
	}
	none := load(0, "")
	swap(none, `{"a":1}`, true)
	swap(none, `{"b":1}`, false)
	one := load(1, `{"a":1}`)
	swap(one, `{"a":2}`, true)
	swap(one, `{"a":3}`, false)
	load(2, `{"a":2}`)
	s.ok(s.Recipe.Metadatas.Remove(s.ctx, s.elsewhere().tenant.ID, "somebody", audit.Record{}))
	load(2, `{"a":2}`)
	s.ok(s.Recipe.Metadatas.Remove(s.ctx, s.tenant.ID, "somebody", audit.Record{}))
	load(0, "")
}

// metadataRace: of all who swap from the same value one wins, from none at first and from a value then.
func metadataRace(s *scene) {
	for range 2 {
		from, err := s.Recipe.Metadatas.Load(s.ctx, s.tenant.ID, "somebody")
		s.ok(err)
		won := s.together(func(i int) (bool, error) {
			to := recipe.Metadata{Data: json.RawMessage(`{"n":` + strconv.Itoa(i) + `}`)}
			return s.Recipe.Metadatas.Swap(s.ctx, s.tenant.ID, "somebody", from, to, audit.Record{})
		})
		if won != 1 {
			s.Fatalf("%d won", won)
		}
	}
}

func externalNames(s *scene) {
	a, b := s.signedUp(s.address()), s.signedUp(s.address())
	e := recipe.External{UserID: a.User.ID, Name: "old-1", Info: "", HasInfo: true}
	s.ok(s.Recipe.Externals.Map(s.ctx, s.tenant.ID, e, audit.Record{}))
	for _, again := range []recipe.External{e, {UserID: a.User.ID, Name: "old-2"}, {UserID: b.User.ID, Name: "old-1"}} {
		s.refused(s.Recipe.Externals.Map(s.ctx, s.tenant.ID, again, audit.Record{}), fault.Conflict, "")
	}
	s.refused(s.Recipe.Externals.Map(s.ctx, s.tenant.ID, recipe.External{UserID: "absent", Name: "x"}, audit.Record{}), fault.NotFound, "")
	got, err := s.Recipe.Externals.ByName(s.ctx, s.tenant.ID, "old-1")
	s.ok(err)
	s.same("by name", got, e)
	if x := s.account("old-1"); x.User.ID != a.User.ID || x.External != "old-1" || x.Name() != "old-1" {
		s.Fatalf("account: %+v", x)
	}
	e.Info = "from the old system"
	s.ok(s.Recipe.Externals.SetInfo(s.ctx, s.tenant.ID, e, audit.Record{}))
	got, err = s.Recipe.Externals.ByUser(s.ctx, s.tenant.ID, a.User.ID)
	s.ok(err)
	s.same("by user", got, e)
	e.Info, e.HasInfo = "", false
	s.ok(s.Recipe.Externals.SetInfo(s.ctx, s.tenant.ID, e, audit.Record{}))
	s.refused(s.Recipe.Externals.SetInfo(s.ctx, s.tenant.ID, recipe.External{UserID: b.User.ID}, audit.Record{}), fault.NotFound, "")
	for _, want := range []bool{true, false} {
		found, err := s.Recipe.Externals.Unmap(s.ctx, s.tenant.ID, a.User.ID, audit.Record{})
		if s.ok(err); found != want {
			s.Fatalf("found %v", found)
		}
	}
	s.nobody("old-1")
}

func oneExternalName(s *scene) {
	a := s.signedUp(s.address())
	s.onlyOne(fault.Conflict, func(i int) error {
		return s.Recipe.Externals.Map(s.ctx, s.tenant.ID, recipe.External{UserID: a.User.ID, Name: strconv.Itoa(i)}, audit.Record{})
	})
}

func organisations(s *scene) {
	put := func(id, config string, want bool) {
		s.Helper()
		created, err := s.Recipe.Organisations.Put(s.ctx, recipe.Organisation{TenantID: s.tenant.ID, ID: id, Config: json.RawMessage(config)}, audit.Record{})
		if s.ok(err); created != want {
			s.Fatalf("created %v", created)
		}
	}
	put(recipe.Public, `{"a":1}`, false)
	put("t2", "", true)
	put("t2", `{"b":2}`, false)
	all, err := s.Recipe.Organisations.List(s.ctx, s.tenant.ID)
	s.ok(err)
	s.same("organisations", all, []recipe.Organisation{
		{TenantID: s.tenant.ID, ID: recipe.Public, Config: json.RawMessage(`{"a":1}`)}, {TenantID: s.tenant.ID, ID: "t2", Config: json.RawMessage(`{"b":2}`)},
	})
	s.ok(s.Tenants.Put(s.ctx, []tenant.Tenant{s.tenant}, nil, audit.Record{})) // applying a file again leaves settings alone
	o, err := s.Recipe.Organisations.Get(s.ctx, s.tenant.ID, recipe.Public)
	if s.ok(err); string(o.Config) != `{"a":1}` {
		s.Fatalf("config: %s", o.Config)
	}
	_, err = s.Recipe.Organisations.Get(s.ctx, s.elsewhere().tenant.ID, "t2")
	s.refused(err, fault.NotFound, "")
	_, err = s.Recipe.Organisations.Remove(s.ctx, s.tenant.ID, recipe.Public, audit.Record{})
	s.refused(err, fault.Forbidden, "")
	for _, want := range []bool{true, false} {
		found, err := s.Recipe.Organisations.Remove(s.ctx, s.tenant.ID, "t2", audit.Record{})
		if s.ok(err); found != want {
			s.Fatalf("found %v", found)
		}
	}
}

func memberships(s *scene) {
	a := s.signedUp(s.address())
	orgs := func(want ...string) {
		s.Helper()
		s.same("organisations", s.account(a.User.ID).Orgs, want)
	}
	_, err := s.Recipe.Organisations.Join(s.ctx, s.tenant.ID, "t2", a.User.ID, noon, audit.Record{})
	s.refused(err, fault.NotFound, "")
	_, err = s.Recipe.Organisations.Put(s.ctx, recipe.Organisation{TenantID: s.tenant.ID, ID: "t2"}, audit.Record{})
	s.ok(err)
	_, err = s.Recipe.Organisations.Join(s.ctx, s.tenant.ID, "t2", "absent", noon, audit.Record{})
	s.refused(err, fault.NotFound, "")
	_, err = s.Recipe.Roles.Put(s.ctx, s.tenant.ID, recipe.Role{Name: "admin"}, audit.Record{})
	s.ok(err)
	_, err = s.Recipe.Roles.Grant(s.ctx, recipe.Grant{TenantID: s.tenant.ID, Org: "t2", Subject: a.User.ID, Role: "admin"}, audit.Record{})
	s.ok(err)
	for _, org := range []string{"t2", recipe.Public} {
		for _, want := range []bool{org == recipe.Public, true} {
			was, err := s.Recipe.Organisations.Join(s.ctx, s.tenant.ID, org, a.User.ID, noon, audit.Record{})
			if s.ok(err); was != want {
				s.Fatalf("joined %s: was %v", org, was)
			}
		}
	}
	orgs(recipe.Public, "t2")
	for _, want := range []bool{true, false} {
		was, err := s.Recipe.Organisations.Leave(s.ctx, s.tenant.ID, recipe.Public, a.User.ID, audit.Record{})
		if s.ok(err); was != want {
			s.Fatalf("left: was %v", was)
		}
	}
	orgs("t2")
	_, err = s.Recipe.Organisations.Remove(s.ctx, s.tenant.ID, "t2", audit.Record{})
	s.ok(err)
	orgs()
	_, err = s.Recipe.Organisations.Leave(s.ctx, s.tenant.ID, recipe.Public, "absent", audit.Record{})
	s.refused(err, fault.NotFound, "")
}

// removeApp deletes a tenant that an API made, with rows in every table that a suite can fill, and no other.
func removeApp(s *scene) {
	s.refused(s.Recipe.Apps.RemoveTenant(s.ctx, s.tenant.ID, audit.Record{}), fault.NotFound, "") // a file's
	id := secret.NewID(noon)
	made := tenant.Tenant{ID: id, Slug: "app" + id, Issuer: "https://" + id + ".example.com", Test: true, ManagedBy: tenant.ManagedByAPI}
	clients := []tenant.Client{{TenantID: id, ID: "app", ManagedBy: tenant.ManagedByAPI}}
	s.ok(s.Tenants.Put(s.ctx, []tenant.Tenant{made}, clients, audit.Record{}))
	there := &scene{Rooms: s.Rooms, T: s.T, ctx: s.ctx, tenant: made}
	u := there.person("kept@example.com")
	_, f, _ := there.planted("ann@example.com")
	there.opened(user.User{ID: "somebody"}, func(f *session.Family) { f.UserID = "" })
	_, err := s.Sessions.Revoke(s.ctx, session.Match{TenantID: id, ID: f.ID}, noon, "test", there.record())
	s.ok(err)
	here, live, _ := s.planted("ann@example.com")
	s.ok(s.Recipe.Accounts.SignUp(s.ctx, there.inOrg("t2", "eve@example.com"), audit.Record{}))
	before, err := s.Tenants.Version(s.ctx)
	s.ok(err)
	s.ok(s.Recipe.Apps.RemoveTenant(s.ctx, id, audit.Record{}))
	there.nobody(u.ID)
	s.account(here.User.ID)
	s.live(live)
	snapshot, err := s.Tenants.Snapshot(s.ctx)
	s.ok(err)
	for _, t := range snapshot.Tenants {
		if t.ID == id {
			s.Fatal("the tenant is there")
		}
	}
	if snapshot.Version <= before {
		s.Fatal("nodes are not told")
	}
	s.refused(s.Recipe.Apps.RemoveTenant(s.ctx, id, audit.Record{}), fault.NotFound, "")
}
