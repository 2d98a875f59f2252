package supertokens_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

var peoplePosts = []string{
	"POST /recipe/signup", "POST /recipe/signin", "PUT /recipe/user", "POST /recipe/user/password/reset/token", "POST /recipe/user/password/reset/token/consume",
	"POST /recipe/user/password/reset", "POST /recipe/user/passwordhash/import", "POST /recipe/user/email/verify/token", "POST /recipe/user/email/verify",
	"POST /recipe/user/email/verify/remove", "POST /recipe/user/email/verify/token/remove", "PUT /recipe/user/metadata", "POST /recipe/user/metadata/remove",
	"PUT /recipe/role", "PUT /recipe/user/role", "POST /recipe/user/role/remove", "POST /recipe/role/remove", "POST /recipe/role/permissions/remove",
	"POST /user/remove", "POST /recipe/userid/map", "POST /recipe/userid/map/remove", "PUT /recipe/userid/external-user-id-info",
	"POST /recipe/accountlinking/user/primary", "POST /recipe/accountlinking/user/link", "PUT /recipe/multitenancy/tenant/v2", "PUT /recipe/multitenancy/tenant",
	"POST /recipe/multitenancy/tenant/remove", "POST /recipe/multitenancy/tenant/user", "POST /recipe/multitenancy/tenant/user/remove",
}

// FuzzPeople: whatever a body holds, the answer is one of the dialect's.
func FuzzPeople(f *testing.F) {
	for i, body := range []string{
		`{"email":"a@example.com","password":"x"}`, `{"email":"a@example.com","password":""}`, `{"recipeUserId":"u","email":"b@example.com","password":"y"}`,
		`{"userId":"u","email":"a@example.com"}`, `{"token":"x"}`, `{"method":"token","token":"x","newPassword":"y"}`,
		`{"email":"a@example.com","passwordHash":"$2a$04$H8BC9wAHAQQjeMLbWTfqRe6NPx5LILhqxpMwq9nfHNtzqzZ7dZx6a"}`, `{"userId":"\u0000","email":"a@example.com"}`,
		`{"userId":"u","metadataUpdate":{"a":null,"b":{"c":null}}}`, `{"role":"r","permissions":["a",null]}`, `{"userId":"u","role":"r"}`,
		`{"superTokensUserId":"u","externalUserId":"e","externalUserIdInfo":7}`, `{"tenantId":"t","firstFactors":["x"],"coreConfig":{"a":1e999}}`, `{"tenantId":"PUBLIC"}`,
	} {
		for n := range peoplePosts {
			if (n+i)%5 == 0 {
				f.Add(uint8(n), body)
			}
		}
	}
	p := newPeople(f, testbed.OpenSQLite(f).Store)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		method, path, _ := strings.Cut(peoplePosts[int(which)%len(peoplePosts)], " ")
		h := p.node.call(t, tell{method: method, path: "/supertokens" + path, body: body, key: p.key})
		switch {
		case h.code == 200 && h.kind == "application/json; charset=UTF-8" && h.json["status"] != nil:
		case h.code >= 400 && h.code < 500 && strings.HasPrefix(h.kind, "text/plain") && h.text != "":
		default:
			t.Fatalf("%s %s %q: %d %s %s", method, path, body, h.code, h.kind, h.text)
		}
	})
}

// FuzzPeopleQuery: likewise for queries.
func FuzzPeopleQuery(f *testing.F) {
	paths := []string{
		"/users", "/users/count", "/users/by-accountinfo", "/user/id", "/recipe/user", "/recipe/user/email/verify", "/recipe/user/metadata", "/recipe/user/roles",
		"/recipe/role/users", "/recipe/role/permissions", "/recipe/permission/roles", "/recipe/userid/map", "/recipe/accountlinking/user/link/check",
	}
	for i, query := range []string{
		"limit=10&timeJoinedOrder=DESC&paginationToken=MTI7eA", "includeAllTenants=TRUE", "doUnionOfAccountInfo=true&email=%ff", "userId=%00", "email=a;b&phone=x",
		"userId=x&email=a@example.com", "role=%20", "email=" + strings.Repeat("%25", 300),
	} {
		f.Add(uint8(i), query)
	}
	p := newPeople(f, testbed.OpenSQLite(f).Store)
	f.Fuzz(func(t *testing.T, which uint8, query string) {
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
			return // no request line
		}
		h := p.node.call(t, tell{method: "GET", path: "/supertokens" + paths[int(which)%len(paths)] + "?" + query, key: p.key})
		if h.code != 200 && (h.code < 400 || h.code >= 500) {
			t.Fatalf("%s %q: %d %s", paths[int(which)%len(paths)], query, h.code, h.text)
		}
	})
}
