package endtoend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const newPassword = "another horse battery staple 2"

func superSignUp(t *testing.T, w *superWorld) {
	b, id, email := w.signedUp(t, "signs-up")
	who := b.want(200, http.MethodGet, "/who", nil)
	if who.json["userId"] != id || dig(who.json, "payload.st-ev.v") != false {
		t.Errorf("who: %s", who.body)
	}
	if kid := kidOf(t, b.cookie("/", accessCookie)); !strings.HasPrefix(kid, "d-") {
		t.Errorf("signed by %s", kid)
	}
	other := w.app.tab()
	if r := other.want(200, http.MethodPost, "/auth/signup", form(strings.ToUpper(email), newPassword)); r.json["status"] != "FIELD_ERROR" {
		t.Errorf("a second sign-up with the address: %s", r.body)
	}
	for what, f := range map[string]object{"a wrong password": form(email, newPassword), "nobody": form(drill.Fresh("nobody"), password)} {
		if r := other.want(200, http.MethodPost, "/auth/signin", f); r.json["status"] != "WRONG_CREDENTIALS_ERROR" {
			t.Errorf("%s: %s", what, r.body)
		}
	}
	r := other.with("st-auth-mode", "cookie").want(200, http.MethodPost, "/auth/signin", form(email, password))
	if r.json["status"] != "OK" || digText(r.json, "user.id") != id || dig(r.json, "user.loginMethods.0.recipeUserId") != id || dig(r.json, "user.emails.0") != email {
		t.Errorf("sign-in: %s", r.body)
	}
	if r := other.want(200, http.MethodGet, "/auth/emailpassword/email/exists?email="+url.QueryEscape(email), nil); r.json["exists"] != true {
		t.Errorf("exists: %s", r.body)
	}
	v := w.app.call("EmailPassword.verifyCredentials", "public", email, password)
	if digText(v, "status") != "OK" {
		t.Errorf("credentials: %v", v)
	}
	v = w.app.call("EmailPassword.updateEmailOrPassword", object{
		"recipeUserId": object{"$id": id}, "password": newPassword, "tenantIdForPasswordPolicy": "public", "applyPasswordPolicy": false,
	})
	if digText(v, "status") != "OK" {
		t.Errorf("a new password: %v", v)
	}
	if v := w.app.call("EmailPassword.signIn", "public", email, newPassword); digText(v, "status") != "OK" {
		t.Errorf("sign-in with the new password: %v", v)
	}
}

// nativeLogin logs somebody in at the login API.
func nativeLogin(t *testing.T, s *server.Server, email, password string) *drill.Reply {
	t.Helper()
	r, err := s.Visitor().With("X-Token-Mode", "bearer").Post(t.Context(), "/login/password",
		object{"email": email, "password": password, "client_id": s.ClientID})
	do(t, err)
	return r
}

// sentLink waits for a mail of the library to an address and gives its link.
func (p *peer) sentLink(email, field string) *url.URL {
	p.t.Helper()
	r := p.tab().want(200, http.MethodGet, "/outbox", nil)
	var mails []object
	do(p.t, json.Unmarshal(r.body, &mails))
	for _, m := range slices.Backward(mails) {
		if digText(m, "user.email") != email || digText(m, field) == "" {
			continue
		}
		u, err := url.Parse(digText(m, field))
		do(p.t, err)
		return u
	}
	p.t.Fatalf("no mail to %s", email)
	return nil
}

// superMailbox: who proves their mailbox through the library logs in at the login API with the same password, as the same person; not before.
func superMailbox(t *testing.T, w *superWorld) {
	s := w.nodes[len(w.nodes)-1]
	b, id, email := w.signedUp(t, "mailbox")
	if r := nativeLogin(t, s, email, password); r.Status == 200 {
		t.Fatalf("a login before the mailbox was proved: %s", r)
	}
	if r := b.want(200, http.MethodGet, "/auth/user/email/verify", nil); r.json["isVerified"] != false {
		t.Errorf("before: %s", r.body)
	}
	b.want(200, http.MethodPost, "/auth/user/email/verify/token", object{})
	link := w.app.sentLink(email, "emailVerifyLink")
	verify := object{"method": "token", "token": link.Query().Get("token")}
	if r := b.want(200, http.MethodPost, "/auth/user/email/verify", object{"method": "token", "token": "wrong"}); r.json["status"] != "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR" {
		t.Errorf("a wrong token: %s", r.body)
	}
	if r := b.want(200, http.MethodPost, "/auth/user/email/verify", verify); r.json["status"] != "OK" {
		t.Fatalf("verify: %s", r.body)
	}
	if r := b.want(200, http.MethodPost, "/auth/user/email/verify", verify); r.json["status"] != "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR" {
		t.Errorf("the token works twice: %s", r.body)
	}
	if r := b.want(200, http.MethodGet, "/auth/user/email/verify", nil); r.json["isVerified"] != true {
		t.Errorf("after: %s", r.body)
	}
	if r := b.want(200, http.MethodPost, "/auth/user/email/verify/token", object{}); r.json["status"] != "EMAIL_ALREADY_VERIFIED_ERROR" {
		t.Errorf("a second request: %s", r.body)
	}
	r := nativeLogin(t, s, email, password)
	if r.Status != 200 || claimsOf(t, r.Text("access_token"))["sub"] != id {
		t.Fatalf("the same person at the login API: %s", r)
	}

	// An application that wants a proved mailbox for every session.
	strict := w.newApp(t, object{"mailbox": "REQUIRED"})
	b, email = strict.tab().with("st-auth-mode", "cookie"), drill.Fresh("strict")
	b.want(200, http.MethodPost, "/auth/signup", form(email, password))
	b.want(403, http.MethodGet, "/who", nil)
	b.want(200, http.MethodPost, "/auth/user/email/verify/token", object{})
	token := strict.sentLink(email, "emailVerifyLink").Query().Get("token")
	b.want(200, http.MethodPost, "/auth/user/email/verify", object{"method": "token", "token": token})
	b.want(200, http.MethodGet, "/who", nil)
}

// superOneLogout: one person, two faces, one session engine: a logout at either ends the sessions of both.
func superOneLogout(t *testing.T, w *superWorld) {
	s, ctx := w.nodes[len(w.nodes)-1], t.Context()
	p := signUp(ctx, t, s, "both")
	start := func() (b *tab, id, access, refresh string) {
		t.Helper()
		b = w.app.tab().with("st-auth-mode", "cookie")
		r := b.want(200, http.MethodPost, "/auth/signin", form(p.Email, p.Password))
		if r.json["status"] != "OK" || dig(r.json, "user.loginMethods.0.verified") != true {
			t.Fatalf("a person of the login API: %s", r.body)
		}
		access, refresh = bearer(ctx, t, p)
		if id = digText(r.json, "user.id"); claimsOf(t, access)["sub"] != id {
			t.Fatalf("one person with two ids: %s", id)
		}
		return b, id, access, refresh
	}
	b, id, _, refresh := start()
	w.app.call("Session.revokeAllSessionsForUser", id)
	if r, err := s.Refresh(ctx, "", refresh); err != nil || r.Status != 401 {
		t.Errorf("the login API's session outlives revokeAllSessionsForUser: %v %v", r, err)
	}
	b.refused("revokeAllSessionsForUser")

	b, _, access, refresh := start()
	b.want(200, http.MethodGet, "/who/stored", nil)
	r, err := s.Visitor().With("Authorization", "Bearer "+access).Post(ctx, "/logout", object{"all": true})
	must(t, "logout", r, err, 200)
	b.refused("a logout of all at the login API")
	if r, err := s.Refresh(ctx, "", refresh); err != nil || r.Status != 401 {
		t.Errorf("the login API's own session: %v %v", r, err)
	}

	b, id, _, _ = start()
	if v := w.app.call("supertokens.deleteUser", id); digText(v, "status") != "OK" {
		t.Fatalf("delete: %v", v)
	}
	b.refused("the user was deleted")
	if r := nativeLogin(t, s, p.Email, p.Password); r.Status == 200 {
		t.Error("a deleted user logs in")
	}
	if v := w.app.call("supertokens.getUser", id); v != nil {
		t.Errorf("a deleted user: %v", v)
	}
}

func superReset(t *testing.T, w *superWorld) {
	s := w.nodes[0]
	p := signUp(t.Context(), t, s, "resets")
	_, refresh := bearer(t.Context(), t, p)
	b := w.app.tab()
	b.want(200, http.MethodPost, "/auth/user/password/reset/token", object{"formFields": []object{{"id": "email", "value": p.Email}}})
	reset := object{
		"method": "token", "token": w.app.sentLink(p.Email, "passwordResetLink").Query().Get("token"),
		"formFields": []object{{"id": "password", "value": newPassword}},
	}
	if r := b.want(200, http.MethodPost, "/auth/user/password/reset", reset); r.json["status"] != "OK" {
		t.Fatalf("reset: %s", r.body)
	}
	if r := b.want(200, http.MethodPost, "/auth/user/password/reset", reset); r.json["status"] != "RESET_PASSWORD_INVALID_TOKEN_ERROR" {
		t.Errorf("the token works twice: %s", r.body)
	}
	if r := b.want(200, http.MethodPost, "/auth/signin", form(p.Email, p.Password)); r.json["status"] != "WRONG_CREDENTIALS_ERROR" {
		t.Errorf("the old password: %s", r.body)
	}
	if r := b.want(200, http.MethodPost, "/auth/signin", form(p.Email, newPassword)); r.json["status"] != "OK" {
		t.Errorf("the new password: %s", r.body)
	}
	if r := nativeLogin(t, s, p.Email, newPassword); r.Status != 200 {
		t.Errorf("the new password at the login API: %s", r)
	}
	if r, err := s.Refresh(t.Context(), "", refresh); err != nil || r.Status != 401 {
		t.Errorf("a session from before the reset: %v %v", r, err)
	}
}

// superUsers: more users than any page holds, in both orders, each once.
func superUsers(t *testing.T, w *superWorld) {
	const n = 1040
	w.importPeople(t, n)
	_, id, email := w.signedUp(t, "newest")
	count := w.app.call("supertokens.getUserCount").(float64)
	if count <= n {
		t.Fatalf("%v users", count)
	}
	newest := w.pages(t, "supertokens.getUsersNewestFirst", 500)
	oldest := w.pages(t, "supertokens.getUsersOldestFirst", 300)
	if len(newest) != int(count) || newest[0] != id {
		t.Errorf("newest first: %d users, want %v; the first is %s", len(newest), count, newest[0])
	}
	slices.Reverse(oldest)
	if !slices.Equal(newest, oldest) {
		t.Error("the two orders are not each other's reverse")
	}
	if v := w.app.call("supertokens.listUsersByAccountInfo", "public", object{"email": strings.ToUpper(email)}); digText(v, "0.id") != id || dig(v, "1") != nil {
		t.Errorf("by address: %v", v)
	}
	v := w.app.call("supertokens.getUsersNewestFirst", object{"tenantId": "public", "query": object{"email": email}})
	if digText(v, "users.0.id") != id || dig(v, "users.1") != nil {
		t.Errorf("searched: %v", v)
	}
	if u := w.app.call("supertokens.getUser", id); digText(u, "id") != id || dig(u, "loginMethods.0.recipeId") != "emailpassword" {
		t.Errorf("a user: %v", u)
	}
	if _, failure := w.app.try("supertokens.getUsersNewestFirst", object{"tenantId": "public", "paginationToken": "rubbish"}); failure == "" {
		t.Error("a page after rubbish")
	}
}

// pages reads every page and gives the ids in order, each only once.
func (w *superWorld) pages(t *testing.T, fn string, size int) []string {
	t.Helper()
	var ids []string
	known := map[string]bool{}
	for token := any(nil); ; {
		input := object{"tenantId": "public", "limit": size}
		if token != nil {
			input["paginationToken"] = token
		}
		v := w.app.call(fn, input)
		users := dig(v, "users").([]any)
		for _, u := range users {
			id := digText(u, "id")
			if known[id] {
				t.Fatalf("%s is on two pages", id)
			}
			known[id] = true
			ids = append(ids, id)
		}
		if token = dig(v, "nextPaginationToken"); token == nil {
			return ids
		}
		if len(users) != size {
			t.Fatalf("a page of %d that is not the last", len(users))
		}
	}
}

// importPeople brings users in by the command, beside the running servers.
func (w *superWorld) importPeople(t *testing.T, n int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "people.jsonl")
	f, err := os.Create(file)
	do(t, err)
	for i := range n {
		_, err = fmt.Fprintf(f, `{"email":"crowd%d@example.com","verified":true,"password_hash":"$2a$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}`+"\n", i)
		do(t, err)
	}
	do(t, f.Close())
	commanded(t, w.nodes[0].Data, server.Options{Store: w.store}, "users", "import", file, "--json")
}

func superMetadata(t *testing.T, w *superWorld) {
	_, id, _ := w.signedUp(t, "metadata")
	w.app.call("UserMetadata.updateUserMetadata", id, object{"a": object{"b": 1, "c": nil}, "d": "x"})
	v := w.app.call("UserMetadata.updateUserMetadata", id, object{"a": object{"e": 2}, "f": []any{nil}})
	if dig(v, "metadata.a.b") != nil || dig(v, "metadata.a.e") != 2.0 || dig(v, "metadata.d") != "x" {
		t.Errorf("merged: %v", v)
	}
	w.app.call("UserMetadata.clearUserMetadata", id)
	if v := w.app.call("UserMetadata.getUserMetadata", id); len(dig(v, "metadata").(object)) != 0 {
		t.Errorf("cleared: %v", v)
	}
}

func superTenants(t *testing.T, w *superWorld) {
	create := func() any {
		return dig(w.app.call("Multitenancy.createOrUpdateTenant", "acme", object{"firstFactors": []string{"emailpassword"}}), "createdNew")
	}
	if create() != true || create() != false {
		t.Error("a tenant is made once")
	}
	if v := w.app.call("Multitenancy.getTenant", "acme"); dig(v, "firstFactors.0") != "emailpassword" {
		t.Errorf("the tenant: %v", v)
	}
	if v := w.app.call("Multitenancy.listAllTenants"); len(dig(v, "tenants").([]any)) != 2 {
		t.Errorf("all tenants: %v", v)
	}
	email := drill.Fresh("acme")
	made := w.app.call("EmailPassword.signUp", "acme", email, password)
	if digText(made, "status") != "OK" || dig(made, "user.tenantIds.0") != "acme" {
		t.Fatalf("sign-up in a tenant: %v", made)
	}
	if v := w.app.call("EmailPassword.signIn", "public", email, password); digText(v, "status") != "WRONG_CREDENTIALS_ERROR" {
		t.Errorf("sign-in elsewhere: %v", v)
	}
	if v := w.app.call("EmailPassword.signIn", "acme", email, password); digText(v, "status") != "OK" {
		t.Errorf("sign-in in the tenant: %v", v)
	}
	b, r := w.bare.opened("cookie", object{"userId": digText(made, "recipeUserId"), "tenant": "acme"})
	if c := claimsOf(t, b.cookie("/", accessCookie)); c["tId"] != "acme" || !strings.HasSuffix(digText(r.json, "handle"), "_acme") {
		t.Errorf("a session in a tenant: %v", c)
	}
	b.want(200, http.MethodPost, refreshPath, nil)
	b.want(200, http.MethodGet, "/who/stored", nil)
	if v := w.app.call("Session.getAllSessionHandlesForUser", digText(made, "recipeUserId"), true, "public"); len(v.([]any)) != 0 {
		t.Errorf("its handles in another tenant: %v", v)
	}
	if v := w.app.call("Multitenancy.deleteTenant", "acme"); dig(v, "didExist") != true {
		t.Errorf("deleted: %v", v)
	}
	if v := w.app.call("Multitenancy.getTenant", "acme"); v != nil {
		t.Errorf("a deleted tenant: %v", v)
	}
}
