package supertokens_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const tenancy = "/recipe/multitenancy"

func peopleTenants(t *testing.T, p *people) {
	for _, created := range []bool{true, false} {
		if got := p.do(t, "PUT", tenancy+"/tenant/v2", object{"tenantId": "Blue-1", "firstFactors": []string{"emailpassword"}}, "OK")["createdNew"]; got != created {
			t.Errorf("created %v", got)
		}
	}
	get := func(id string) string {
		t.Helper()
		got := p.do(t, "GET", "/"+id+tenancy+"/tenant/v2", nil, "OK")
		return fmt.Sprintln(got["tenantId"], got["firstFactors"], got["requiredSecondaryFactors"], got["coreConfig"], got["thirdParty"])
	}
	is := func(got, want string) {
		t.Helper()
		if got != want+"\n" {
			t.Errorf("tenant %s, want %s", got, want)
		}
	}
	is(get("blue-1"), "blue-1 [emailpassword] <nil> map[] map[providers:[]]")
	p.do(t, "PUT", tenancy+"/tenant/v2", object{"tenantId": "blue-1", "requiredSecondaryFactors": []string{"totp"}, "coreConfig": object{"a": 1}}, "OK")
	is(get("blue-1"), "blue-1 [emailpassword] [totp] map[a:1] map[providers:[]]")
	p.do(t, "PUT", tenancy+"/tenant/v2", object{"tenantId": "blue-1", "firstFactors": nil, "requiredSecondaryFactors": nil, "coreConfig": object{"a": nil}}, "OK")
	is(get("blue-1"), "blue-1 <nil> <nil> map[] map[providers:[]]")
	is(get("public"), "public <nil> <nil> map[] map[providers:[]]")
	p.do(t, "GET", "/absent"+tenancy+"/tenant/v2", nil, "TENANT_NOT_FOUND_ERROR")
	p.refuse(t, "GET", "/absent/users", nil, 400)
	list := p.do(t, "GET", tenancy+"/tenant/list/v2", nil, "OK")["tenants"].([]any)
	if !slices.ContainsFunc(list, func(o any) bool { return o.(object)["tenantId"] == "blue-1" }) || len(list) < 2 {
		t.Errorf("list: %v", list)
	}
	p.refuse(t, "POST", tenancy+"/tenant/remove", object{"tenantId": "public"}, 403)
	for _, there := range []bool{true, false} {
		if got := p.do(t, "POST", tenancy+"/tenant/remove", object{"tenantId": "blue-1"}, "OK")["didExist"]; got != there {
			t.Errorf("existed %v", got)
		}
	}
	for _, bad := range []object{
		{"tenantId": "recipe"}, {"tenantId": "appid-x"}, {"tenantId": "a b"}, {"tenantId": ""}, {"tenantId": 7}, {"tenantId": "ok", "firstFactors": []string{}},
		{"tenantId": "ok", "firstFactors": []string{"a", "a"}}, {"tenantId": "ok", "coreConfig": object{"postgresql_connection_uri": "postgres://u:p@h/d"}},
	} {
		p.refuse(t, "PUT", tenancy+"/tenant/v2", bad, 400)
	}
}

func peopleOldTenants(t *testing.T, p *people) {
	p.say(t, "3.1", "PUT", tenancy+"/tenant", object{"tenantId": "old", "emailPasswordEnabled": true, "thirdPartyEnabled": false, "passwordlessEnabled": false}, "OK")
	got := p.say(t, "3.1", "GET", "/old"+tenancy+"/tenant", nil, "OK")
	if at(t, got, "emailPassword", "enabled") != true || at(t, got, "thirdParty", "enabled") != false || at(t, got, "passwordless", "enabled") != false ||
		at(t, got, "thirdParty", "providers") == nil {
		t.Errorf("tenant: %v", got)
	}
	if got := p.do(t, "GET", "/old"+tenancy+"/tenant/v2", nil, "OK")["firstFactors"]; fmt.Sprint(got) != "[emailpassword]" {
		t.Errorf("in the new form: %v", got)
	}
	p.say(t, "3.1", "PUT", tenancy+"/tenant", object{"tenantId": "old", "thirdPartyEnabled": true, "passwordlessEnabled": true}, "OK")
	if got := p.do(t, "GET", "/old"+tenancy+"/tenant/v2", nil, "OK")["firstFactors"]; got != nil {
		t.Errorf("in the new form: %v", got)
	}
	if list := p.say(t, "3.1", "GET", tenancy+"/tenant/list", nil, "OK")["tenants"].([]any); len(list) < 2 {
		t.Errorf("list: %v", list)
	}
	p.do(t, "POST", tenancy+"/tenant/remove", object{"tenantId": "old"}, "OK")
}

func peopleMembers(t *testing.T, p *people) {
	p.do(t, "PUT", tenancy+"/tenant/v2", object{"tenantId": "red"}, "OK")
	email := p.address()
	id := p.signUp(t, email)
	in := func(org, want string) {
		t.Helper()
		p.do(t, "POST", "/"+org+"/recipe/signin", credentials(email, password), want)
	}
	in("public", "OK")
	in("red", "WRONG_CREDENTIALS_ERROR")
	join := func(org, call, field string, want bool) {
		t.Helper()
		if got := p.do(t, "POST", "/"+org+tenancy+"/tenant/"+call, object{"recipeUserId": id}, "OK")[field]; got != want {
			t.Errorf("%s %s: %v", org, call, got)
		}
	}
	join("red", "user", "wasAlreadyAssociated", false)
	join("red", "user", "wasAlreadyAssociated", true)
	if got := at(t, p.do(t, "GET", "/user/id?userId="+id, nil, "OK"), "user", "tenantIds"); fmt.Sprint(got) != "[public red]" {
		t.Errorf("tenants: %v", got)
	}
	join("public", "user/remove", "wasAssociated", true)
	join("public", "user/remove", "wasAssociated", false)
	in("red", "OK")
	in("public", "WRONG_CREDENTIALS_ERROR")
	p.do(t, "POST", "/red"+tenancy+"/tenant/user", object{"recipeUserId": "absent"}, "UNKNOWN_USER_ID_ERROR")
	if p.do(t, "POST", "/red"+tenancy+"/tenant/user/remove", object{"recipeUserId": "absent"}, "OK")["wasAssociated"] != false {
		t.Error("nobody was associated")
	}
	other := p.address()
	got := p.do(t, "POST", "/red/recipe/signup", credentials(other, password), "OK")
	if fmt.Sprint(at(t, got, "user", "tenantIds")) != "[red]" {
		t.Errorf("signed up at red: %v", got)
	}
	ids := func(path string) (out []string) {
		for _, u := range p.do(t, "GET", path, nil, "OK")["users"].([]any) {
			out = append(out, text(t, u, "id"))
		}
		return sorted(out)
	}
	if want := sorted([]string{id, text(t, got, "user", "id")}); !slices.Equal(ids("/red/users"), want) {
		t.Errorf("users of red: %v, want %v", ids("/red/users"), want)
	}
	if len(ids("/public/users/by-accountinfo?doUnionOfAccountInfo=true&email="+other)) != 0 || len(ids("/red/users/by-accountinfo?doUnionOfAccountInfo=true&email="+other)) != 1 {
		t.Error("an account is found where it is not")
	}
	token := text(t, p.do(t, "POST", "/red/recipe/user/email/verify/token", object{"userId": id, "email": email}, "OK"), "token")
	body := object{"method": "token", "token": token}
	p.do(t, "POST", "/public/recipe/user/email/verify", body, "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR")
	p.do(t, "POST", "/red/recipe/user/email/verify", body, "OK")
	p.do(t, "POST", tenancy+"/tenant/remove", object{"tenantId": "red"}, "OK")
	if got := at(t, p.do(t, "GET", "/user/id?userId="+id, nil, "OK"), "user", "tenantIds"); fmt.Sprint(got) != "[]" {
		t.Errorf("tenants: %v", got)
	}
}

// peopleApps: an app is a tenant of its own; the key that made it opens it, another does not.
func peopleApps(t *testing.T, p *people) {
	h := p.node.call(t, tell{method: "PUT", path: "/supertokens" + tenancy + "/app/v2", body: object{"appId": "shop"}, key: p.weak, version: newest})
	if h.code != 403 {
		t.Fatalf("a key without the scope: %d %s", h.code, h.text)
	}
	for _, created := range []bool{true, false} {
		if got := p.do(t, "PUT", tenancy+"/app/v2", object{"appId": "shop"}, "OK")["createdNew"]; got != created {
			t.Errorf("created %v", got)
		}
	}
	p.say(t, "3.1", "PUT", tenancy+"/app", object{"appId": "stall"}, "OK")
	email := p.address()
	id := p.signUp(t, email)
	there := p.do(t, "POST", "/appid-shop/public/recipe/signup", credentials(email, "another password 12"), "OK")
	if text(t, there, "user", "id") == id {
		t.Error("two apps share a user")
	}
	p.do(t, "GET", "/appid-shop/user/id?userId="+id, nil, "UNKNOWN_USER_ID_ERROR")
	p.do(t, "POST", "/recipe/signin", credentials(email, "another password 12"), "WRONG_CREDENTIALS_ERROR")
	h = p.node.call(t, tell{method: "GET", path: "/supertokens/appid-shop/users", key: p.weak, version: newest})
	if h.code != 401 {
		t.Errorf("a key without the scope opens an app: %d", h.code)
	}
	apps := p.do(t, "GET", tenancy+"/app/list/v2", nil, "OK")["apps"].([]any)
	var names []string
	for _, a := range apps {
		names = append(names, text(t, a, "appId"))
	}
	if !slices.Equal(sorted(names), []string{"public", "shop", "stall"}) {
		t.Errorf("apps: %v", names)
	}
	within(t, "keys of the app", func() bool {
		return p.node.call(t, tell{method: "GET", path: "/supertokens/appid-shop/.well-known/jwks.json"}).code == 200
	})
	sessionOf(t, p.do(t, "POST", "/appid-shop/public/recipe/session", creation(text(t, there, "user", "id")), "OK"))
	p.refuse(t, "POST", tenancy+"/app/remove", object{"appId": "public"}, 403)
	p.refuse(t, "PUT", tenancy+"/app/v2", object{"appId": "main"}, 403) // a tenant that was not made so
	p.refuse(t, "PUT", tenancy+"/app/v2", object{"appId": "-x-"}, 400)
	for _, name := range []string{"shop", "stall"} {
		for _, there := range []bool{true, false} {
			if got := p.do(t, "POST", tenancy+"/app/remove", object{"appId": name}, "OK")["didExist"]; got != there {
				t.Errorf("existed %v", got)
			}
		}
	}
	p.refuse(t, "GET", "/appid-shop/users", nil, 400)
	p.do(t, "POST", "/recipe/signin", credentials(email, password), "OK")
}

// peopleOnTenants: from 5.0 what belongs to the app is refused at its tenants; before, it was not.
func peopleOnTenants(t *testing.T, p *people) {
	p.do(t, "PUT", tenancy+"/tenant/v2", object{"tenantId": "green"}, "OK")
	for _, path := range []string{"/user/id?userId=x", "/recipe/roles", "/recipe/user/metadata?userId=x", tenancy + "/tenant/list/v2", "/recipe/userid/map?userId=x"} {
		p.refuse(t, "GET", "/green"+path, nil, 403)
		if h := p.node.call(t, tell{method: "GET", path: "/supertokens/green" + path, key: p.key, version: "4.0"}); h.code != 200 {
			t.Errorf("%s in 4.0: %d %s", path, h.code, h.text)
		}
	}
}

// peoplePreHijack: a stranger signs up here with a victim's address and plants all there is; the victim comes natively, by registering or by
// a reset, and nothing planted is of use any more.
func peoplePreHijack(t *testing.T, p *people) {
	for _, road := range []string{"registers", "resets"} {
		email := p.address()
		id := p.signUp(t, email)
		s := p.open(t, id)
		who := object{"userId": id, "email": email}
		verify := text(t, p.do(t, "POST", "/recipe/user/email/verify/token", who, "OK"), "token")
		move := text(t, p.do(t, "POST", "/recipe/user/email/verify/token", object{"userId": id, "email": "mallory@example.com"}, "OK"), "token")
		reset := text(t, p.do(t, "POST", "/recipe/user/password/reset/token", who, "OK"), "token")
		refused(t, p.login(t, email, password), 401, "email_unverified")
		if road == "registers" {
			p.register(t, email, "the victim's own 13")
		} else {
			if h := p.native(t, "/password/forgot", object{"email": email}); h.code != 202 {
				t.Fatal(h.text)
			}
			_, err := p.logins.Reset(t.Context(), p.callOf("victim"), login.ResetRequest{
				Tenant: p.main, Token: secret.NewText(p.post.token(t, email)), Password: secret.NewText("the victim's own 13"),
			})
			ok(t, err)
		}
		refused(t, p.login(t, email, password), 401, "invalid_credentials")
		p.do(t, "POST", "/recipe/signin", credentials(email, password), "WRONG_CREDENTIALS_ERROR")
		status(t, p.verify(t, s.access, true), "UNAUTHORISED")
		status(t, p.refresh(t, s.refresh), "UNAUTHORISED")
		for _, token := range []string{verify, move} {
			p.do(t, "POST", "/recipe/user/email/verify", object{"method": "token", "token": token}, "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR")
		}
		p.do(t, "POST", "/recipe/user/password/reset/token/consume", object{"token": reset}, "RESET_PASSWORD_INVALID_TOKEN_ERROR")
		got := p.do(t, "POST", "/recipe/signin", credentials(email, "the victim's own 13"), "OK")
		if h := p.login(t, email, "the victim's own 13"); h.code != 200 || (road == "registers") == (text(t, got, "user", "id") == id) {
			t.Errorf("%s: %d %v", road, h.code, got)
		}
		p.do(t, "POST", "/recipe/signup", credentials(email, password), "EMAIL_ALREADY_EXISTS_ERROR")
	}
}

// peopleStolen: what the store keeps of a token opens nothing.
func peopleStolen(t *testing.T, p *people) {
	email := p.address()
	id := p.signUp(t, email)
	token := text(t, p.do(t, "POST", "/recipe/user/password/reset/token", object{"userId": id, "email": email}, "OK"), "token")
	_, err := p.store.RecipeTokens().Peek(t.Context(), recipe.Spend{TenantID: p.main.ID, Org: recipe.Public, Kind: recipe.TokenReset, Hash: []byte(token), At: p.now()})
	if err == nil {
		t.Fatal("the token itself is stored")
	}
	k, err := p.store.RecipeTokens().Peek(t.Context(), recipe.Spend{
		TenantID: p.main.ID, Org: recipe.Public, Kind: recipe.TokenReset, Hash: secret.Hash(token), At: p.now(),
	})
	ok(t, err)
	for _, stolen := range []string{string(k.Hash), fmt.Sprintf("%x", k.Hash)} {
		h := p.node.call(t, tell{method: "POST", path: "/supertokens/recipe/user/password/reset/token/consume", body: object{"token": stolen}, key: p.key, version: newest})
		if h.code == 200 && h.json["status"] == "OK" {
			t.Error("a stolen hash is a token")
		}
	}
	p.do(t, "POST", "/recipe/user/password/reset/token/consume", object{"token": token}, "OK")
}
