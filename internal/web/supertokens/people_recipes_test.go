package supertokens_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPeopleRecipes(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		for _, step := range []struct {
			name string
			test func(*testing.T, *people)
		}{
			{"mailboxes", peopleMailboxes}, {"roles", peopleRoles}, {"metadata", peopleMetadata}, {"names", peopleNames}, {"linking", peopleLinking},
			{"tenants", peopleTenants}, {"tenants of old", peopleOldTenants}, {"members", peopleMembers}, {"apps", peopleApps},
			{"on tenants", peopleOnTenants}, {"pre-hijacking", peoplePreHijack}, {"a stolen database", peopleStolen},
		} {
			t.Run(step.name, func(t *testing.T) { step.test(t, p) })
		}
	})
}

func (p *people) verified(t testing.TB, id, email string) bool {
	t.Helper()
	return p.do(t, "GET", "/recipe/user/email/verify?userId="+id+"&email="+email, nil, "OK")["isVerified"] == true
}

func peopleMailboxes(t *testing.T, p *people) {
	email := p.address()
	id := p.signUp(t, email)
	who := object{"userId": id, "email": strings.ToUpper(email)}
	ask := func() string { return text(t, p.do(t, "POST", "/recipe/user/email/verify/token", who, "OK"), "token") }
	spend := func(token, want string) object {
		return p.do(t, "POST", "/recipe/user/email/verify", object{"method": "token", "token": token}, want)
	}
	const invalid = "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR"
	first, second := ask(), ask()
	p.do(t, "POST", "/recipe/user/email/verify/token/remove", who, "OK")
	spend(first, invalid)
	spend(second, invalid)
	first, second = ask(), ask()
	if got := spend(first, "OK"); got["userId"] != id || got["email"] != email {
		t.Errorf("spent: %v", got)
	}
	spend(first, invalid)
	spend(second, invalid)
	if !p.verified(t, id, email) || p.verified(t, id, "other@example.com") || p.verified(t, "absent", email) {
		t.Error("proved is what was not, or was is not")
	}
	p.do(t, "POST", "/recipe/user/email/verify/token", who, "EMAIL_ALREADY_VERIFIED_ERROR")
	p.do(t, "POST", "/recipe/user/email/verify/remove", who, "OK")
	if p.verified(t, id, email) {
		t.Error("still proved")
	}
	refused(t, p.login(t, email, password), 401, "email_unverified")
	late := ask()
	p.pass(24*time.Hour + time.Second)
	spend(late, invalid)
	next := p.address() // proved before the account moves to it
	p.prove(t, id, next)
	p.do(t, "PUT", "/recipe/user", object{"recipeUserId": id, "email": next}, "OK")
	if h := p.login(t, next, password); !p.verified(t, id, next) || h.code != 200 {
		t.Errorf("an address proved before: %d %s", h.code, h.text)
	}
}

func peopleRoles(t *testing.T, p *people) {
	id := p.signUp(t, p.address())
	put := func(role string, permissions []string, created bool) {
		t.Helper()
		if got := p.do(t, "PUT", "/recipe/role", object{"role": role, "permissions": permissions}, "OK")["createdNewRole"]; got != created {
			t.Errorf("created %v", got)
		}
	}
	put(" writer ", []string{"read", "write"}, true)
	put("writer", []string{"erase"}, false)
	put("reader", []string{"read"}, true)
	p.do(t, "PUT", "/recipe/role", object{"role": "bare"}, "OK")
	list := func(path, field string, want ...string) {
		t.Helper()
		var got []string
		for _, v := range p.do(t, "GET", path, nil, "OK")[field].([]any) {
			got = append(got, v.(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	list("/recipe/roles", "roles", "bare", "reader", "writer")
	list("/recipe/role/permissions?role=writer", "permissions", "erase", "read", "write")
	list("/recipe/permission/roles?permission=read", "roles", "reader", "writer")
	list("/recipe/permission/roles?permission=absent", "roles")
	const unknown = "UNKNOWN_ROLE_ERROR"
	p.do(t, "GET", "/recipe/role/permissions?role=absent", nil, unknown)
	p.do(t, "GET", "/recipe/role/users?role=absent", nil, unknown)
	p.do(t, "PUT", "/recipe/user/role", object{"userId": id, "role": "absent"}, unknown)
	p.do(t, "POST", "/recipe/user/role/remove", object{"userId": id, "role": "absent"}, unknown)
	p.do(t, "POST", "/recipe/role/permissions/remove", object{"role": "absent"}, unknown)
	for _, had := range []bool{false, true} {
		if got := p.do(t, "PUT", "/public/recipe/user/role", object{"userId": id, "role": "writer"}, "OK")["didUserAlreadyHaveRole"]; got != had {
			t.Errorf("had %v", got)
		}
	}
	list("/recipe/user/roles?userId="+id, "roles", "writer")
	list("/recipe/role/users?role=writer", "users", id)
	p.do(t, "POST", "/recipe/role/permissions/remove", object{"role": "writer", "permissions": []string{"erase"}}, "OK")
	list("/recipe/role/permissions?role=writer", "permissions", "read", "write")
	p.do(t, "POST", "/recipe/role/permissions/remove", object{"role": "writer"}, "OK")
	list("/recipe/role/permissions?role=writer", "permissions")
	for _, had := range []bool{true, false} {
		if got := p.do(t, "POST", "/recipe/user/role/remove", object{"userId": id, "role": "writer"}, "OK")["didUserHaveRole"]; got != had {
			t.Errorf("had %v", got)
		}
	}
	for _, there := range []bool{true, false} {
		if got := p.do(t, "POST", "/recipe/role/remove", object{"role": "writer"}, "OK")["didRoleExist"]; got != there {
			t.Errorf("there %v", got)
		}
	}
	p.refuse(t, "PUT", "/recipe/role", object{"role": " "}, 400)
	p.refuse(t, "PUT", "/recipe/role", object{"role": "x", "permissions": []string{""}}, 400)
	p.refuse(t, "PUT", "/recipe/role", object{"role": "x", "permissions": "read"}, 400)
}

func peopleMetadata(t *testing.T, p *people) {
	get := func() any { return p.do(t, "GET", "/recipe/user/metadata?userId=anybody", nil, "OK")["metadata"] }
	put := func(update object) any {
		t.Helper()
		got := p.do(t, "PUT", "/recipe/user/metadata", object{"userId": "anybody", "metadataUpdate": update}, "OK")["metadata"]
		if diff := cmp.Diff(got, get()); diff != "" {
			t.Errorf("answer and store differ: %s", diff)
		}
		return got
	}
	is := func(got any, want string) {
		t.Helper()
		if fmt.Sprint(got) != want {
			t.Errorf("metadata %v, want %s", got, want)
		}
	}
	is(get(), "map[]")
	is(put(object{"a": object{"x": 1, "n": nil}, "b": []any{nil, 1.5}, "c": nil}), "map[a:map[n:<nil> x:1] b:[<nil> 1.5]]")
	is(put(object{"a": object{"y": 2}, "b": nil}), "map[a:map[y:2]]")
	p.do(t, "POST", "/recipe/user/metadata/remove", object{"userId": "anybody"}, "OK")
	is(get(), "map[]")
	p.refuse(t, "PUT", "/recipe/user/metadata", object{"userId": "anybody", "metadataUpdate": []any{}}, 400)
	p.refuse(t, "PUT", "/recipe/user/metadata", object{"userId": "anybody"}, 400)
	big := object{}
	for i := range 5 {
		big[fmt.Sprint(i)] = strings.Repeat("x", 12<<10)
	}
	put(big)
	p.refuse(t, "PUT", "/recipe/user/metadata", object{"userId": "anybody", "metadataUpdate": object{"more": strings.Repeat("x", 12<<10)}}, 413)
}

func peopleNames(t *testing.T, p *people) {
	email := p.address()
	id, other := p.signUp(t, email), p.signUp(t, p.address())
	name := "legacy-" + id
	m := func(user, name, want string) object {
		t.Helper()
		return p.do(t, "POST", "/recipe/userid/map", object{"superTokensUserId": user, "externalUserId": name, "externalUserIdInfo": "i"}, want)
	}
	s := p.open(t, id)
	m("absent", name, "UNKNOWN_SUPERTOKENS_USER_ID_ERROR")
	m(id, name, "OK")
	for _, c := range []struct {
		user, name       string
		hasUser, hasName bool
	}{{id, "x", true, false}, {other, name, false, true}, {id, name, true, true}} {
		got := m(c.user, c.name, "USER_ID_MAPPING_ALREADY_EXISTS_ERROR")
		if got["doesSuperTokensUserIdExist"] != c.hasUser || got["doesExternalUserIdExist"] != c.hasName {
			t.Errorf("%v: %v", c, got)
		}
	}
	p.refuse(t, "POST", "/recipe/userid/map", object{"superTokensUserId": other, "externalUserId": id}, 400)
	for query, want := range map[string]string{
		"userId=" + id: "OK", "userId=" + name: "OK", "userId=" + name + "&userIdType=EXTERNAL": "OK", "userId=" + id + "&userIdType=SUPERTOKENS": "OK",
		"userId=" + name + "&userIdType=SUPERTOKENS": "UNKNOWN_MAPPING_ERROR", "userId=" + other: "UNKNOWN_MAPPING_ERROR",
	} {
		got := p.do(t, "GET", "/recipe/userid/map?"+query, nil, want)
		if want == "OK" && (got["superTokensUserId"] != id || got["externalUserId"] != name || got["externalUserIdInfo"] != "i") {
			t.Errorf("%s: %v", query, got)
		}
	}
	p.do(t, "PUT", "/recipe/userid/external-user-id-info", object{"userId": name, "externalUserIdInfo": nil}, "OK")
	if got := p.do(t, "GET", "/recipe/userid/map?userId="+id, nil, "OK"); got["externalUserIdInfo"] != nil {
		t.Errorf("info: %v", got)
	}
	p.do(t, "PUT", "/recipe/userid/external-user-id-info", object{"userId": other, "externalUserIdInfo": "x"}, "UNKNOWN_MAPPING_ERROR")
	in := p.do(t, "POST", "/recipe/signin", credentials(email, password), "OK")
	if in["recipeUserId"] != name || text(t, in, "user", "id") != name {
		t.Errorf("sign-in shows %v", in)
	}
	ext := p.open(t, name) // what the library opens from here on
	p.prove(t, name, email)
	h := p.login(t, email, password)
	if h.code != 200 || text(t, h.json, "user", "id") != id {
		t.Fatalf("native login: %d %s", h.code, h.text)
	}
	if h := p.native(t, "/logout", object{"all": true}, "Authorization", "Bearer "+text(t, h.json, "access_token")); h.code != 200 {
		t.Fatal(h.text)
	}
	for _, s := range []opened{s, ext} {
		status(t, p.verify(t, s.access, true), "UNAUTHORISED")
	}
	s, ext = p.open(t, id), p.open(t, name)
	if got := p.do(t, "GET", "/recipe/session/user?userId="+name, nil, "OK")["sessionHandles"].([]any); len(got) != 2 {
		t.Errorf("%d sessions", len(got))
	}
	p.do(t, "POST", "/user/remove", object{"userId": name}, "OK")
	for _, s := range []opened{s, ext} {
		status(t, p.verify(t, s.access, true), "UNAUTHORISED")
	}
	if p.do(t, "POST", "/recipe/userid/map/remove", object{"userId": name}, "OK")["didMappingExist"] != false {
		t.Error("a removed user is mapped")
	}
	m(other, name, "OK")
	if p.do(t, "POST", "/recipe/userid/map/remove", object{"userId": name, "userIdType": "EXTERNAL", "force": true}, "OK")["didMappingExist"] != true {
		t.Error("no mapping to remove")
	}
	p.refuse(t, "GET", "/recipe/userid/map?userId=x&userIdType=x", nil, 400)
}

func peopleLinking(t *testing.T, p *people) {
	id, other := p.signUp(t, p.address()), p.signUp(t, p.address())
	link := func(primary, id, want string) object {
		t.Helper()
		p.do(t, "GET", "/recipe/accountlinking/user/link/check?primaryUserId="+primary+"&recipeUserId="+id, nil, want)
		return p.do(t, "POST", "/recipe/accountlinking/user/link", object{"primaryUserId": primary, "recipeUserId": id}, want)
	}
	link(id, id, "INPUT_USER_IS_NOT_A_PRIMARY_USER")
	for _, was := range []bool{false, true} {
		if got := p.do(t, "GET", "/recipe/accountlinking/user/primary/check?recipeUserId="+id, nil, "OK")["wasAlreadyAPrimaryUser"]; got != was {
			t.Errorf("was primary: %v", got)
		}
		got := p.do(t, "POST", "/recipe/accountlinking/user/primary", object{"recipeUserId": id}, "OK")
		if got["wasAlreadyAPrimaryUser"] != was || at(t, got, "user", "isPrimaryUser") != true {
			t.Errorf("made primary: %v", got)
		}
	}
	link(id, id, "OK")
	link(id, other, "ACCOUNT_INFO_ALREADY_ASSOCIATED_WITH_ANOTHER_PRIMARY_USER_ID_ERROR")
	if p.do(t, "POST", "/recipe/accountlinking/user/unlink", object{"recipeUserId": id}, "OK")["wasLinked"] != true {
		t.Error("not unlinked")
	}
	p.refuse(t, "GET", "/recipe/accountlinking/user/primary/check?recipeUserId=absent", nil, 400)
}
