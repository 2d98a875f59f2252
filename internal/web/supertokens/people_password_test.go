package supertokens_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPeoplePasswords(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		for name, test := range map[string]func(*testing.T, *people){
			"sign-up and sign-in": peopleSignUp, "shapes": peopleShapes, "bad input": peopleBadInput, "equal work": peopleEqualWork,
			"change": peopleChange, "reset": peopleReset, "import": peopleImport, "one of many": peopleRaces, "both ways": peopleBothWays,
			"limits": peopleLimits, "one logout ends both": peopleLogout, "later recipes": peopleLater,
		} {
			t.Run(name, func(t *testing.T) { test(t, p) })
		}
	})
}

func credentials(email, pw string) object { return object{"email": email, "password": pw} }

func peopleSignUp(t *testing.T, p *people) {
	email := p.address()
	got := p.do(t, "POST", "/public/recipe/signup", credentials("  "+strings.ToUpper(email)+" ", password), "OK")
	id := text(t, got, "user", "id")
	if got["recipeUserId"] != id {
		t.Errorf("recipeUserId %v", got["recipeUserId"])
	}
	p.do(t, "POST", "/recipe/signup", credentials(email, "another password"), "EMAIL_ALREADY_EXISTS_ERROR")
	in := p.do(t, "POST", "/recipe/signin", credentials(strings.ToUpper(email), password), "OK")
	if diff := cmp.Diff(got["user"], in["user"]); diff != "" {
		t.Errorf("sign-in differs from sign-up:\n%s", diff)
	}
	p.do(t, "POST", "/recipe/signin", credentials(email, "another password"), "WRONG_CREDENTIALS_ERROR")
	p.do(t, "POST", "/recipe/signin", credentials("nobody@example.com", password), "WRONG_CREDENTIALS_ERROR")
	p.do(t, "POST", "/recipe/signin", credentials("no address", password), "WRONG_CREDENTIALS_ERROR")
	refused(t, p.login(t, email, password), 401, "email_unverified")
	refused(t, p.login(t, email, "wrong"+password), 401, "invalid_credentials")
}

// peopleShapes: the user object of each dialect, field by field.
func peopleShapes(t *testing.T, p *people) {
	for version, want := range map[string][]string{
		"3.0": {"email", "id", "tenantIds", "timeJoined"}, "3.1": {"email", "id", "tenantIds", "timeJoined"},
		"4.0": {"emails", "id", "isPrimaryUser", "loginMethods", "phoneNumbers", "tenantIds", "thirdParty", "timeJoined"},
		"5.2": {"emails", "id", "isPrimaryUser", "loginMethods", "phoneNumbers", "tenantIds", "thirdParty", "timeJoined"},
		"5.4": {"emails", "id", "isPrimaryUser", "loginMethods", "phoneNumbers", "tenantIds", "thirdParty", "timeJoined", "webauthn"},
	} {
		email := p.address()
		got := p.say(t, version, "POST", "/recipe/signup", credentials(email, password), "OK")
		u := at(t, got, "user").(object)
		var names []string
		for name := range u {
			names = append(names, name)
		}
		less := cmp.Diff(sorted(want), sorted(names))
		if _, there := got["recipeUserId"]; less != "" || there != (version >= "4.0") {
			t.Errorf("%s: %s %v", version, less, got)
		}
		if version < "4.0" {
			if u["email"] != email {
				t.Errorf("%s: %v", version, u)
			}
			continue
		}
		m := u["loginMethods"].([]any)[0].(object)
		if m["recipeUserId"] != u["id"] || m["recipeId"] != "emailpassword" || m["email"] != email || m["verified"] != false ||
			m["timeJoined"] != u["timeJoined"] || u["emails"].([]any)[0] != email || u["isPrimaryUser"] != false {
			t.Errorf("%s: %v", version, u)
		}
		p.prove(t, u["id"].(string), email)
		again := p.say(t, version, "GET", "/user/id?userId="+u["id"].(string), nil, "OK")
		if at(t, again, "user", "loginMethods").([]any)[0].(object)["verified"] != true {
			t.Errorf("%s: not verified: %v", version, again)
		}
	}
}

func peopleBadInput(t *testing.T, p *people) {
	for _, c := range []struct {
		path, want string
		body       any
	}{
		{"/recipe/signup", "Password cannot be an empty string", credentials("a@example.com", "")},
		{"/recipe/signup", "Field name 'email' is invalid in JSON input", object{"password": password}},
		{"/recipe/signup", "Field name 'email' is invalid in JSON input", object{"email": 7, "password": password}},
		{"/recipe/signup", "Field name 'email' is invalid in JSON input", credentials("no address", password)},
		{"/recipe/signup", "Field name 'password' is invalid in JSON input", credentials("a@example.com", strings.Repeat("x", 5000))},
		{"/recipe/signin", "Field name 'password' is invalid in JSON input", object{"email": "a@example.com", "password": nil}},
		{"/recipe/signin", "Invalid Json Input", `[1]`},
		{"/recipe/signin", "Invalid Json Input", `{"email":"a@example.com","email":"b@example.com","password":"x"}`},
		{"/recipe/user/password/reset", "Unsupported method for email verification or password reset", object{"method": "x", "token": "x", "newPassword": "x"}},
		{"/recipe/user/email/verify", "Unsupported method for email verification or password reset", object{"method": "otp", "token": "x"}},
		{"/recipe/user/password/reset/token", "Field name 'email' is invalid in JSON input", object{"userId": "x"}},
	} {
		if got := strings.TrimSpace(p.refuse(t, "POST", c.path, c.body, 400)); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.path, c.body, got, c.want)
		}
	}
}

// peopleEqualWork counts hashes: an address that nobody has costs the one that a wrong guess costs.
func peopleEqualWork(t *testing.T, p *people) {
	email := p.address()
	p.signUp(t, email)
	work := func(email, pw string) int64 {
		before := p.passwords.Stats()
		p.do(t, "POST", "/recipe/signin", credentials(email, pw), "WRONG_CREDENTIALS_ERROR")
		after := p.passwords.Stats()
		return after.Hashed + after.Verified + after.Decoys - before.Hashed - before.Verified - before.Decoys
	}
	if known, unknown := work(email, "wrong wrong"), work("nobody@example.com", "wrong wrong"); known != 1 || unknown != 1 {
		t.Errorf("hashes: %d for an account, %d for none", known, unknown)
	}
}

func peopleChange(t *testing.T, p *people) {
	email, next, third := p.address(), p.address(), p.address()
	id := p.signUp(t, email)
	p.signUp(t, third)
	p.prove(t, id, email)
	s := p.open(t, id)
	p.do(t, "PUT", "/recipe/user", object{"recipeUserId": id, "email": third}, "EMAIL_ALREADY_EXISTS_ERROR")
	p.do(t, "PUT", "/recipe/user", object{"recipeUserId": "absent", "email": next}, "UNKNOWN_USER_ID_ERROR")
	p.do(t, "PUT", "/recipe/user", object{"recipeUserId": id, "email": next}, "OK")
	if p.do(t, "GET", "/recipe/user/email/verify?userId="+id+"&email="+next, nil, "OK")["isVerified"] != false {
		t.Error("a new address is verified")
	}
	status(t, p.verify(t, s.access, true), "OK") // an address alone ends nothing
	p.do(t, "POST", "/recipe/signin", credentials(next, password), "OK")
	p.do(t, "POST", "/recipe/signin", credentials(email, password), "WRONG_CREDENTIALS_ERROR")
	refused(t, p.login(t, next, password), 401, "email_unverified")
	p.say(t, oldest, "PUT", "/recipe/user", object{"userId": id, "password": "a new password 8"}, "OK")
	status(t, p.verify(t, s.access, true), "UNAUTHORISED")
	p.do(t, "POST", "/recipe/signin", credentials(next, password), "WRONG_CREDENTIALS_ERROR")
	p.do(t, "POST", "/recipe/signin", credentials(next, "a new password 8"), "OK")
	p.refuse(t, "PUT", "/recipe/user", object{"recipeUserId": id, "password": ""}, 400)
	p.refuse(t, "PUT", "/recipe/user", object{"userId": id}, 400) // the field of another version
}

func peopleReset(t *testing.T, p *people) {
	email := p.address()
	id := p.signUp(t, email)
	ask := func() string {
		return text(t, p.do(t, "POST", "/recipe/user/password/reset/token", object{"userId": id, "email": email}, "OK"), "token")
	}
	p.do(t, "POST", "/recipe/user/password/reset/token", object{"userId": "absent", "email": email}, "UNKNOWN_USER_ID_ERROR")
	s, other, token := p.open(t, id), ask(), ask()
	consume := func(token, want string) object {
		return p.do(t, "POST", "/recipe/user/password/reset/token/consume", object{"token": token}, want)
	}
	consume("made up", "RESET_PASSWORD_INVALID_TOKEN_ERROR")
	p.do(t, "POST", "/recipe/user/email/verify", object{"method": "token", "token": token}, "EMAIL_VERIFICATION_INVALID_TOKEN_ERROR")
	got := consume(token, "OK")
	if got["userId"] != id || got["email"] != email {
		t.Errorf("consumed: %v", got)
	}
	for _, used := range []string{token, other} {
		consume(used, "RESET_PASSWORD_INVALID_TOKEN_ERROR")
	}
	status(t, p.verify(t, s.access, true), "UNAUTHORISED")
	p.do(t, "PUT", "/recipe/user", object{"recipeUserId": id, "password": "after the reset 9"}, "OK")
	p.do(t, "POST", "/recipe/signin", credentials(email, "after the reset 9"), "OK")

	token = text(t, p.say(t, oldest, "POST", "/recipe/user/password/reset/token", object{"userId": id}, "OK"), "token")
	body := object{"method": "token", "token": token, "newPassword": "the old way 10"}
	if p.say(t, oldest, "POST", "/recipe/user/password/reset", body, "OK")["userId"] != id {
		t.Error("another user was reset")
	}
	p.say(t, oldest, "POST", "/recipe/user/password/reset", body, "RESET_PASSWORD_INVALID_TOKEN_ERROR")
	p.do(t, "POST", "/recipe/signin", credentials(email, "the old way 10"), "OK")

	token = ask()
	p.pass(time.Hour + time.Second)
	consume(token, "RESET_PASSWORD_INVALID_TOKEN_ERROR")
}

func peopleImport(t *testing.T, p *people) {
	const hash = "$2a$04$H8BC9wAHAQQjeMLbWTfqRe6NPx5LILhqxpMwq9nfHNtzqzZ7dZx6a"
	email := p.address()
	body := object{"email": email, "passwordHash": hash, "hashingAlgorithm": "bcrypt"}
	got := p.do(t, "POST", "/recipe/user/passwordhash/import", body, "OK")
	if got["didUserAlreadyExist"] != false {
		t.Errorf("a new user existed: %v", got)
	}
	delete(body, "hashingAlgorithm")
	again := p.do(t, "POST", "/recipe/user/passwordhash/import", body, "OK")
	if again["didUserAlreadyExist"] != true || text(t, again, "user", "id") != text(t, got, "user", "id") {
		t.Errorf("a second import: %v", again)
	}
	p.do(t, "POST", "/recipe/signin", credentials(email, "not it"), "WRONG_CREDENTIALS_ERROR")
	for _, bad := range []object{
		{"email": email, "passwordHash": "plain"}, {"email": email, "passwordHash": hash, "hashingAlgorithm": "argon2"},
		{"email": email, "passwordHash": hash, "hashingAlgorithm": "firebase_scrypt"}, {"email": email, "passwordHash": hash, "hashingAlgorithm": "md5"},
		{"email": email, "passwordHash": "$2a$31$" + strings.Repeat("a", 53)},
	} {
		p.refuse(t, "POST", "/recipe/user/passwordhash/import", bad, 400)
	}
}

// peopleRaces: of 64 who spend one token at once, one does.
func peopleRaces(t *testing.T, p *people) {
	email := p.address()
	id := p.signUp(t, email)
	reset := text(t, p.do(t, "POST", "/recipe/user/password/reset/token", object{"userId": id, "email": email}, "OK"), "token")
	p.oneOK(t, "/recipe/user/password/reset/token/consume", object{"token": reset})
	verify := text(t, p.do(t, "POST", "/recipe/user/email/verify/token", object{"userId": id, "email": email}, "OK"), "token")
	p.oneOK(t, "/recipe/user/email/verify", object{"method": "token", "token": verify})
	fresh := p.address()
	p.oneOK(t, "/recipe/signup", credentials(fresh, password))
}

func (p *people) oneOK(t *testing.T, path string, body object) {
	t.Helper()
	var won atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			h := p.node.call(t, tell{method: "POST", path: "/supertokens" + path, body: body, key: p.key, version: newest})
			if h.code != 200 {
				t.Errorf("%s: %d %s", path, h.code, h.text)
			} else if h.json["status"] == "OK" {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Fatalf("%s: %d of 64 succeeded", path, won.Load())
	}
}

// peopleBothWays: who signed up here and proved the mailbox logs in natively, and the other way round.
func peopleBothWays(t *testing.T, p *people) {
	email := p.address()
	id := p.signUp(t, email)
	p.prove(t, id, email)
	h := p.login(t, email, password)
	if h.code != 200 || text(t, h.json, "user", "id") != id {
		t.Fatalf("native login: %d %s", h.code, h.text)
	}
	email = p.address()
	p.register(t, email, "natively chosen 11")
	got := p.do(t, "POST", "/recipe/signin", credentials(email, "natively chosen 11"), "OK")
	if m := at(t, got, "user", "loginMethods").([]any)[0].(object); m["verified"] != true || m["recipeId"] != "emailpassword" {
		t.Errorf("a native user: %v", got)
	}
	p.do(t, "POST", "/recipe/signup", credentials(email, password), "EMAIL_ALREADY_EXISTS_ERROR")
}

func peopleLimits(t *testing.T, p *people) {
	email := p.address()
	p.signUp(t, email)
	limited := 0
	for range 110 {
		h := p.node.call(t, tell{method: "POST", path: "/supertokens/recipe/signin", body: credentials(email, "wrong wrong"), key: p.key, version: newest})
		if h.code == 429 {
			limited++
		}
	}
	if limited != 10 {
		t.Errorf("%d of 110 guesses were limited, want those beyond 100", limited)
	}
	p.do(t, "POST", "/recipe/signin", credentials(p.address(), "wrong wrong"), "WRONG_CREDENTIALS_ERROR") // others are not
}

// peopleLogout: a logout everywhere on either face ends the sessions of both.
func peopleLogout(t *testing.T, p *people) {
	email := p.address()
	id := p.signUp(t, email)
	p.prove(t, id, email)
	login := func() string {
		h := p.login(t, email, password)
		if h.code != 200 {
			t.Fatalf("login: %d %s", h.code, h.text)
		}
		return text(t, h.json, "access_token")
	}
	sessions := func(access string) int {
		return p.node.call(t, tell{method: "GET", path: "/sessions", header: map[string]string{"Authorization": "Bearer " + access, "X-Client-Id": p.client}}).code
	}
	native, super := login(), p.open(t, id)
	p.do(t, "POST", "/recipe/session/remove", object{"userId": id}, "OK")
	status(t, p.verify(t, super.access, true), "UNAUTHORISED")
	if code := sessions(native); code != 401 {
		t.Errorf("the native session answers %d", code)
	}
	native, super = login(), p.open(t, id)
	if h := p.native(t, "/logout", object{"all": true}, "Authorization", "Bearer "+native); h.code != 200 {
		t.Fatalf("logout: %d %s", h.code, h.text)
	}
	status(t, p.verify(t, super.access, true), "UNAUTHORISED")
	status(t, p.refresh(t, super.refresh), "UNAUTHORISED")
}

// peopleLater: recipes that are not there yet answer as unknown paths do.
func peopleLater(t *testing.T, p *people) {
	for _, path := range []string{"/recipe/signinup", "/recipe/signinup/code", "/recipe/signinup/code/consume", "/public/recipe/signinup/code/check", "/recipe/multitenancy/config/thirdparty"} {
		p.refuse(t, "POST", path, object{}, 404)
	}
	p.refuse(t, "GET", "/recipe/users/by-email?email=a@example.com", nil, 404)
}
