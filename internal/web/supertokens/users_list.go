package supertokens

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func (f *Face) listEndpoints() []endpoint {
	return []endpoint{
		get("/user/id", onApp, worded(f.userByID)),
		get("/users", onTenant, worded(f.listUsers)),
		get("/users/count", onTenant, worded(f.countUsers)),
		get("/users/by-accountinfo", onTenant, worded(f.byAccountInfo)),
		post("/user/remove", onApp, worded(f.removeUser)),
	}
}

// userByID is asked by the Node library on every session it makes: one query by primary key.
func (f *Face) userByID(ctx context.Context, r *request) (any, error) {
	id, err := r.asked("userId")
	if err != nil {
		return nil, err
	}
	a, err := f.cfg.Recipe.Get(ctx, r.app, id)
	if err != nil {
		return nil, err
	}
	return ok(reply{"user": userObject(r.version, &a)}), nil
}

// Sizes of pages.
const (
	usersPage    = 100
	maxUsersPage = 500
)

// listUsers pages by a place in the order of joining, so that users who join meanwhile move nobody from one page to another.
func (f *Face) listUsers(ctx context.Context, r *request) (any, error) {
	q, nobody, err := r.page()
	if err != nil {
		return nil, err
	}
	out := ok(reply{"users": []reply{}})
	if nobody {
		return out, nil
	}
	size := q.Limit
	q.Limit++
	list, err := f.cfg.Recipe.Page(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(list) > size {
		list = list[:size]
		last := &list[size-1].User
		out["nextPaginationToken"] = cursorText(recipe.Cursor{JoinedAt: last.CreatedAt, UserID: last.ID})
	}
	users := make([]reply, 0, len(list))
	for i := range list {
		users = append(users, listed(r.version, &list[i]))
	}
	out["users"] = users
	return out, nil
}

// listed is a user in a list: below 4.0 the recipe stands beside.
func listed(v version, a *recipe.Account) reply {
	if v.from(linking) {
		return userObject(v, a)
	}
	return reply{"recipeId": recipeOf(a), "user": oldUser(a)}
}

// page reads the query of a list. nobody says that no user can match.
func (r *request) page() (q recipe.PageQuery, nobody bool, err error) {
	q = recipe.PageQuery{TenantID: r.app.ID, Org: r.org, Limit: usersPage}
	if text := r.query.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil {
			return q, false, bad("Field name 'limit' must be an int in the GET request")
		}
	}
	if q.Limit < 1 {
		return q, false, bad("limit must a positive integer with min value 1")
	}
	if q.Limit > maxUsersPage {
		return q, false, bad("max limit allowed is " + strconv.Itoa(maxUsersPage))
	}
	switch order := strings.ToUpper(r.query.Get("timeJoinedOrder")); order {
	case "", "ASC":
	case "DESC":
		q.Newest = true
	default:
		return q, false, bad("timeJoinedOrder can be either ASC OR DESC")
	}
	if token := r.query.Get("paginationToken"); token != "" {
		if q.After, err = cursorOf(token); err != nil {
			return q, false, err
		}
	}
	if nobody, err = r.recipes(&q.Filter); err != nil || nobody {
		return q, nobody, err
	}
	return q, r.tags(&q.Filter), nil
}

// recipes reads includeRecipeIds.
func (r *request) recipes(f *recipe.Filter) (nobody bool, err error) {
	text := r.query.Get("includeRecipeIds")
	if text == "" {
		return false, nil
	}
	var passwords, others bool
	for id := range strings.SplitSeq(text, ",") {
		switch strings.TrimSpace(id) {
		case ridPassword:
			passwords = true
		case ridPasswordless:
			others = true
		case "thirdparty", "webauthn":
		default:
			return false, bad("Unknown recipe ID: " + printable(id))
		}
	}
	f.Passwords, f.NoPasswords = passwords && !others, others && !passwords
	return !passwords && !others, nil
}

// maxTags bounds the beginnings of addresses that a search names.
const maxTags = 20

// tags reads the search: several beginnings with semicolons. Providers are not searched for, since there are none yet.
func (r *request) tags(f *recipe.Filter) (nobody bool) {
	for tag := range strings.SplitSeq(r.query.Get("email"), ";") {
		if tag = strings.ToLower(strings.TrimSpace(tag)); tag != "" && len(tag) <= user.MaxEmailBytes && len(f.EmailPrefix) < maxTags {
			f.EmailPrefix = append(f.EmailPrefix, tag)
		}
	}
	return len(f.EmailPrefix) == 0 && (r.query.Get("provider") != "" || r.query.Get("phone") != "" || r.query.Get("email") != "")
}

// A pagination token is opaque to callers: the place behind one user.
func cursorText(c recipe.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.JoinedAt.UnixMicro(), 10) + ";" + c.UserID))
}

func cursorOf(token string) (recipe.Cursor, error) {
	wrong := bad("invalid pagination token")
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(text) > 256 {
		return recipe.Cursor{}, wrong
	}
	at, id, found := strings.Cut(string(text), ";")
	micros, err := strconv.ParseInt(at, 10, 64)
	c := recipe.Cursor{JoinedAt: time.UnixMicro(micros).UTC(), UserID: id}
	if err != nil || !found || id == "" || cursorText(c) != token { // one spelling
		return recipe.Cursor{}, wrong
	}
	return c, nil
}

func (f *Face) countUsers(ctx context.Context, r *request) (any, error) {
	q := recipe.PageQuery{TenantID: r.app.ID, Org: r.org}
	all, err := r.askedFlag("includeAllTenants", false)
	if err != nil {
		return nil, err
	}
	if all {
		q.Org = ""
	}
	nobody, err := r.recipes(&q.Filter)
	if err != nil {
		return nil, err
	}
	var n int64
	if !nobody {
		if n, err = f.cfg.Recipe.Count(ctx, q); err != nil {
			return nil, err
		}
	}
	return ok(reply{"count": n}), nil
}

// byAccountInfo finds users by what they sign in with: all of it, or with doUnionOfAccountInfo any.
func (f *Face) byAccountInfo(ctx context.Context, r *request) (any, error) {
	if _, err := r.asked("doUnionOfAccountInfo"); err != nil {
		return nil, err
	}
	union, err := r.askedFlag("doUnionOfAccountInfo", false)
	if err != nil {
		return nil, err
	}
	if r.query.Has("thirdPartyId") != r.query.Has("thirdPartyUserId") {
		return nil, bad("If 'thirdPartyId' is provided, 'thirdPartyUserId' must also be provided, and vice versa")
	}
	out := ok(reply{"users": []reply{}})
	// Nobody here signs in by these: what asks for one of them too finds nobody.
	other := slices.ContainsFunc([]string{"phoneNumber", "thirdPartyId", "webauthnCredentialId"}, r.query.Has)
	if !r.query.Has("email") || other && !union {
		return out, nil
	}
	a, err := f.cfg.Recipe.ByEmail(ctx, r.app, r.query.Get("email"))
	if fault.ReasonOf(err) == fault.ReasonUnknownUser || err == nil && !a.In(r.org) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out["users"] = []reply{userObject(r.version, &a)}
	return out, nil
}

// removeUser deletes whatever stands under a name; that nothing did is no error.
func (f *Face) removeUser(ctx context.Context, r *request) (any, error) {
	id, err := r.text("userId")
	if err != nil {
		return nil, err
	}
	if err := f.cfg.Recipe.Remove(ctx, r.call, r.app, id); err != nil {
		return nil, err
	}
	return ok(nil), nil
}
