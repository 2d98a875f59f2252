package supertokens_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func TestPeopleLists(t *testing.T) {
	eachPeople(t, func(t *testing.T, p *people) {
		for _, step := range []struct {
			name string
			test func(*testing.T, *people)
		}{
			{"find", peopleFind}, {"search", peopleSearch}, {"remove", peopleRemove}, {"more than a thousand", peoplePages}, {"bad queries", peopleBadQueries},
		} {
			t.Run(step.name, func(t *testing.T) { step.test(t, p) })
		}
	})
}

func peopleFind(t *testing.T, p *people) {
	email := p.address()
	id := p.signUp(t, email)
	p.do(t, "GET", "/user/id?userId=absent", nil, "UNKNOWN_USER_ID_ERROR")
	want := at(t, p.do(t, "GET", "/user/id?userId="+id, nil, "OK"), "user")
	by := func(query string) []any {
		return p.do(t, "GET", "/public/users/by-accountinfo?"+query, nil, "OK")["users"].([]any)
	}
	for query, found := range map[string]bool{
		"doUnionOfAccountInfo=false&email=" + strings.ToUpper(email): true, "doUnionOfAccountInfo=true&email=" + email + "&phoneNumber=%2B15": true,
		"doUnionOfAccountInfo=false&email=" + email + "&phoneNumber=%2B15": false, "doUnionOfAccountInfo=true&email=absent@example.com": false,
		"doUnionOfAccountInfo=true&email=rubbish": false, "doUnionOfAccountInfo=false&thirdPartyId=x&thirdPartyUserId=y": false, "doUnionOfAccountInfo=true": false,
	} {
		got := by(query)
		if len(got) != map[bool]int{true: 1}[found] || found && cmp.Diff(want, got[0]) != "" {
			t.Errorf("%s: %v", query, got)
		}
	}
	for query, word := range map[string]string{
		"userId=" + id: "OK", "email=" + email: "OK", "userId=absent": "UNKNOWN_USER_ID_ERROR", "email=absent@example.com": "UNKNOWN_EMAIL_ERROR",
		"phoneNumber=%2B15": "UNKNOWN_PHONE_NUMBER_ERROR", "thirdPartyId=a&thirdPartyUserId=b": "UNKNOWN_THIRD_PARTY_USER_ERROR",
	} {
		p.say(t, "3.1", "GET", "/public/recipe/user?"+query, nil, word)
	}
	p.refuse(t, "GET", "/recipe/user", nil, 400)
	old := p.say(t, "3.1", "GET", "/public/users?limit=500", nil, "OK")["users"].([]any)
	if i := slices.IndexFunc(old, func(u any) bool { return u.(object)["user"].(object)["id"] == id }); i < 0 || old[i].(object)["recipeId"] != "emailpassword" {
		t.Errorf("the older list: %v", old)
	}
}

func peopleSearch(t *testing.T, p *people) {
	id := p.signUp(t, "Findme@Search.example")
	other := p.signUp(t, "other@search.example")
	ids := func(query string) (out []string) {
		for _, u := range p.do(t, "GET", "/users?"+query, nil, "OK")["users"].([]any) {
			out = append(out, text(t, u, "id"))
		}
		return sorted(out)
	}
	for query, want := range map[string][]string{
		"email=findme": {id}, "email=search.ex": {id, other}, "email=FIND%3Bother%40s": {id, other}, "email=%25": nil, "provider=google": nil, "phone=1": nil,
		"email=findme&includeRecipeIds=passwordless": nil, "email=findme&includeRecipeIds=thirdparty": nil,
		"email=findme&includeRecipeIds=emailpassword,thirdparty": {id},
	} {
		if got := ids(query); !slices.Equal(got, sorted(want)) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

// peopleRemove: nothing that stood under a name is left, whether or not it was a user's.
func peopleRemove(t *testing.T, p *people) {
	email := p.address()
	id := p.signUp(t, email)
	p.prove(t, id, email)
	p.do(t, "PUT", "/recipe/role", object{"role": "admin", "permissions": []string{"all"}}, "OK")
	for _, subject := range []string{id, "no-user-of-ours"} {
		s := p.open(t, subject)
		p.do(t, "PUT", "/recipe/user/metadata", object{"userId": subject, "metadataUpdate": object{"a": 1}}, "OK")
		p.do(t, "PUT", "/public/recipe/user/role", object{"userId": subject, "role": "admin"}, "OK")
		p.prove(t, subject, "other-"+email)
		p.do(t, "POST", "/user/remove", object{"userId": subject, "removeAllLinkedAccounts": true}, "OK")
		p.do(t, "GET", "/user/id?userId="+subject, nil, "UNKNOWN_USER_ID_ERROR")
		status(t, p.verify(t, s.access, true), "UNAUTHORISED")
		if m := p.do(t, "GET", "/recipe/user/metadata?userId="+subject, nil, "OK")["metadata"].(object); len(m) != 0 {
			t.Errorf("metadata: %v", m)
		}
		if r := p.do(t, "GET", "/recipe/user/roles?userId="+subject, nil, "OK")["roles"].([]any); len(r) != 0 {
			t.Errorf("roles: %v", r)
		}
		if p.do(t, "GET", "/recipe/user/email/verify?userId="+subject+"&email=other-"+email, nil, "OK")["isVerified"] != false {
			t.Error("a proof is left")
		}
		p.do(t, "POST", "/user/remove", object{"userId": subject}, "OK")
	}
	p.do(t, "POST", "/recipe/signin", credentials(email, password), "WRONG_CREDENTIALS_ERROR")
	refused(t, p.login(t, email, password), 401, "invalid_credentials")
	if again := p.signUp(t, email); again == id {
		t.Error("the same user came back")
	}
}

// peoplePages: more users than two pages hold, while others join and leave: nobody who was there all the time is missed or comes twice.
func peoplePages(t *testing.T, p *people) {
	const many = 1100
	want := map[string]bool{}
	for i := range many {
		n := recipe.Newcomer{
			TenantID: p.main.ID, UserID: secret.NewID(p.now()), Org: recipe.Public, Email: fmt.Sprintf("page%d@example.org", i), Typed: "x", At: p.now(),
			Password: credential.Password{ID: secret.NewID(p.now()), PHC: "$x$"},
		}
		ok(t, p.store.Accounts().SignUp(t.Context(), n, audit.Record{}))
		want[n.UserID] = true
	}
	for _, order := range []string{"ASC", "DESC"} {
		seen, last, pages := map[string]bool{}, "", 0
		for token := ""; ; pages++ {
			got := p.do(t, "GET", "/public/users?limit=500&timeJoinedOrder="+order+"&paginationToken="+url.QueryEscape(token), nil, "OK")
			for _, u := range got["users"].([]any) {
				id, joined := text(t, u, "id"), fmt.Sprint(at(t, u, "timeJoined"))
				if seen[id] || last != "" && (order == "ASC") != (joined >= last) && joined != last {
					t.Fatalf("%s: %s twice, or %s after %s", order, id, joined, last)
				}
				seen[id], last = true, joined
			}
			next, more := got["nextPaginationToken"].(string)
			if !more {
				break
			}
			token = next
			p.do(t, "POST", "/user/remove", object{"userId": p.signUp(t, p.address())}, "OK")
			p.signUp(t, p.address())
		}
		for id := range want {
			if !seen[id] {
				t.Fatalf("%s: %s is missing", order, id)
			}
		}
		if pages < 2 {
			t.Errorf("%s: %d pages", order, pages)
		}
	}
	first := p.do(t, "GET", "/users", nil, "OK")
	if n := len(first["users"].([]any)); n != 100 {
		t.Errorf("%d users on a page of no size", n)
	}
	count := fmt.Sprint(p.do(t, "GET", "/users/count", nil, "OK")["count"])
	all := fmt.Sprint(p.do(t, "GET", "/users/count?includeAllTenants=true&includeRecipeIds=emailpassword", nil, "OK")["count"])
	none := fmt.Sprint(p.do(t, "GET", "/users/count?includeRecipeIds=thirdparty", nil, "OK")["count"])
	if len(count) < 4 || all != count || none != "0" {
		t.Errorf("counts: %s, %s, %s", count, all, none)
	}
}

func peopleBadQueries(t *testing.T, p *people) {
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=501", "limit=x", "timeJoinedOrder=up", "includeRecipeIds=nonsense", "paginationToken=x", "paginationToken=" + "%00",
		"paginationToken=" + base64.RawURLEncoding.EncodeToString([]byte("12")), "paginationToken=" + base64.RawURLEncoding.EncodeToString([]byte("x;y")),
		"paginationToken=" + base64.RawURLEncoding.EncodeToString([]byte("+1;y")), "paginationToken=" + strings.Repeat("a", 5000),
	} {
		p.refuse(t, "GET", "/users?"+query, nil, 400)
	}
	p.refuse(t, "GET", "/users/by-accountinfo?email=a@example.com", nil, 400)
	p.refuse(t, "GET", "/users/by-accountinfo?doUnionOfAccountInfo=maybe&email=a@example.com", nil, 400)
	p.refuse(t, "GET", "/users/by-accountinfo?doUnionOfAccountInfo=true&thirdPartyId=a", nil, 400)
	p.refuse(t, "GET", "/user/id", nil, 400)
	p.refuse(t, "POST", "/user/remove", object{}, 400)
}
