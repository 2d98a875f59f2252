package supertokens

import (
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// The recipes that a user may have come by.
const (
	ridPassword     = "emailpassword"
	ridPasswordless = "passwordless"
)

// recipeOf is the recipe that an account shows: by password, else by its mailbox or phone.
func recipeOf(a *recipe.Account) string {
	if a.HasPassword {
		return ridPassword
	}
	return ridPasswordless
}

// orgsOf is never null: the Go library panics on one.
func orgsOf(a *recipe.Account) []string { return filled(a.Orgs) }

func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// userObject is a user in the words of the caller's version.
func userObject(v version, a *recipe.Account) reply {
	if !v.from(linking) {
		return oldUser(a)
	}
	email, verified := a.Email()
	phone := phoneOf(a)
	method := reply{
		"tenantIds": orgsOf(a), "recipeUserId": a.Name(), "verified": verified, "timeJoined": a.User.CreatedAt.UnixMilli(), "recipeId": recipeOf(a),
	}
	out := reply{
		"id": a.Name(), "isPrimaryUser": a.Primary, "tenantIds": orgsOf(a), "timeJoined": a.User.CreatedAt.UnixMilli(),
		"emails": listOf(email), "phoneNumbers": listOf(phone), "thirdParty": []string{}, "loginMethods": []reply{method},
	}
	if email != "" {
		method["email"] = email
	}
	if phone != "" && email == "" {
		method["phoneNumber"] = phone
	}
	if v.from(passkeyed) {
		out["webauthn"] = reply{"credentialIds": []string{}}
	}
	return out
}

// oldUser is the shape before accounts could be linked.
func oldUser(a *recipe.Account) reply {
	email, _ := a.Email()
	out := reply{"id": a.Name(), "timeJoined": a.User.CreatedAt.UnixMilli(), "tenantIds": orgsOf(a)}
	if email != "" {
		out["email"] = email
	}
	if phone := phoneOf(a); phone != "" && email == "" {
		out["phoneNumber"] = phone
	}
	return out
}

func phoneOf(a *recipe.Account) string {
	for _, i := range a.User.Identifiers {
		if i.Kind == user.Phone {
			return i.Value
		}
	}
	return ""
}

func listOf(value string) []string {
	if value == "" {
		return []string{}
	}
	return []string{value}
}

// userReply is the answer of a sign-in.
func userReply(v version, a *recipe.Account) reply {
	out := ok(reply{"user": userObject(v, a)})
	if v.from(linking) {
		out["recipeUserId"] = a.Name()
	}
	return out
}
