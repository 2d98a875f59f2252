package peers

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/supertokens/supertokens-golang/recipe/emailpassword"
	"github.com/supertokens/supertokens-golang/recipe/emailverification"
	stjwt "github.com/supertokens/supertokens-golang/recipe/jwt"
	"github.com/supertokens/supertokens-golang/recipe/multitenancy"
	"github.com/supertokens/supertokens-golang/recipe/multitenancy/multitenancymodels"
	"github.com/supertokens/supertokens-golang/recipe/session"
	sterrors "github.com/supertokens/supertokens-golang/recipe/session/errors"
	"github.com/supertokens/supertokens-golang/recipe/session/sessmodels"
	"github.com/supertokens/supertokens-golang/recipe/usermetadata"
	"github.com/supertokens/supertokens-golang/recipe/userroles"
	"github.com/supertokens/supertokens-golang/supertokens"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
)

// TestSuperTokensGo runs the Go library of SuperTokens, as published, against the built binary.
func TestSuperTokensGo(t *testing.T) {
	a := newApp(t)
	for _, s := range []struct {
		name string
		tell func(*testing.T, *app)
	}{
		{"service tokens", serviceTokens}, {"like-comment", likeComment}, {"session in headers", headers}, {"session in cookies", cookies},
		{"theft", theft}, {"without requests", withoutRequests}, {"revoke", revoke}, {"payload and data", payload}, {"a thousand sessions", thousand},
		{"sign-up and sign-in", signUp}, {"mailbox and one logout", mailbox}, {"password reset", reset}, {"users", users}, {"roles", roles},
		{"metadata", metadata}, {"tenants", tenants},
	} {
		t.Run(s.name, func(t *testing.T) { s.tell(t, a) })
	}
}

func decoded(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	for i, into := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		ok(t, err)
		ok(t, json.Unmarshal(raw, into))
	}
	return header, claims
}

func made(t *testing.T, claims map[string]any, static *bool) string {
	t.Helper()
	r, err := stjwt.CreateJWT(claims, nil, static)
	ok(t, err)
	if r.OK == nil {
		t.Fatal("the algorithm is not supported")
	}
	return r.OK.Jwt
}

// mark is what services know each other by; the library writes into what it gets.
func mark() map[string]any { return map[string]any{"source": "microservice"} }

func serviceTokens(t *testing.T, a *app) {
	no := false
	static, dynamic := made(t, map[string]any{"source": "microservice", "n": nil, "list": []any{1, nil}}, nil), made(t, mark(), &no)
	for token, prefix := range map[string]string{static: "s-", dynamic: "d-"} {
		claims, err := a.service(t.Context(), token)
		if err != nil {
			t.Fatalf("%s: %v", prefix, err)
		}
		h, c := decoded(t, token)
		if kid, _ := h["kid"].(string); !strings.HasPrefix(kid, prefix) || c["exp"].(float64)-c["iat"].(float64) != 3153600000 || c["iss"] != a.url {
			t.Errorf("%s: %v %v", prefix, h, claims)
		}
	}
	bySession, err := session.CreateJWT(mark(), nil, nil)
	ok(t, err)
	if _, err := a.service(t.Context(), bySession.OK.Jwt); err != nil {
		t.Errorf("session.CreateJWT: %v", err)
	}
	keys, err := stjwt.GetJWKS()
	ok(t, err)
	if len(keys.OK.Keys) < 2 || keys.OK.ValidityInSeconds < 1 {
		t.Errorf("keys: %+v", keys.OK)
	}
	parts := strings.Split(static, ".")
	h, c := decoded(t, static)
	c["team"] = "mine"
	segment := func(v any) string {
		raw, err := json.Marshal(v)
		ok(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	none := maps.Clone(h)
	none["alg"] = "none"
	unsigned := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(c))
	unsigned.Header["kid"] = h["kid"]
	hmac, err := unsigned.SignedString([]byte("key"))
	ok(t, err)
	app := a.target.Visitor().With("st-auth-mode", "header")
	user := call(t, app, 200, http.MethodPost, "/sessions?user=somebody", nil).Header.Get(accessHeader)
	for what, bad := range map[string]string{
		"a user's session": user, "no mark": made(t, map[string]any{"a": 1}, nil), "another payload": parts[0] + "." + segment(c) + "." + parts[2],
		"alg none": segment(none) + "." + parts[1] + ".", "alg HS256": hmac, "rubbish": "x", "nothing": "",
	} {
		if _, err := a.service(t.Context(), bad); err == nil {
			t.Errorf("%s was accepted", what)
		}
	}
	if _, err := session.CreateNewSessionWithoutRequestResponse("public", "planter", mark(), nil, nil); err == nil {
		t.Error("a user's session with the mark of a service")
	}
}

func likeComment(t *testing.T, a *app) {
	app := a.target.Visitor().With("st-auth-mode", "header")
	access := call(t, app, 200, http.MethodPost, "/sessions?user=liker", nil).Header.Get(accessHeader)
	bearer := func(token string) *drill.Visitor { return a.target.Visitor().With("Authorization", "Bearer "+token) }
	if r := call(t, bearer(access), 200, http.MethodPost, "/like-comment", nil); r.Text("user") != "liker" {
		t.Errorf("a user: %s", r.Body)
	}
	if r := call(t, bearer(made(t, mark(), nil)), 200, http.MethodPost, "/like-comment", nil); r.Text("service") != "microservice" {
		t.Errorf("a service: %s", r.Body)
	}
	for _, bad := range []string{"", "x", access + "x", made(t, map[string]any{"source": "batch"}, nil)} {
		call(t, bearer(bad), 401, http.MethodPost, "/like-comment", nil)
	}
	call(t, a.target.Visitor(), 401, http.MethodPost, "/like-comment", nil)
}

// headers is an app's session: each refresh is confirmed by the first use of what it gave.
func headers(t *testing.T, a *app) {
	app := a.target.Visitor().With("st-auth-mode", "header")
	r := call(t, app, 200, http.MethodPost, "/sessions?user=headers", nil)
	refresh := r.Header.Get(refreshHeader)
	h, c := decoded(t, r.Header.Get(accessHeader))
	if h["version"] != "4" || c["sub"] != "headers" || c["tId"] != "public" || c["plan"] != "pro" || c["rsub"] != nil || c["antiCsrfToken"] != nil {
		t.Errorf("%v %v", h, c)
	}
	bearer := func(token string) *drill.Visitor { return app.With("Authorization", "Bearer "+token) }
	call(t, bearer(r.Header.Get(accessHeader)), 200, http.MethodPost, "/who", nil)
	for range 3 {
		r = call(t, bearer(refresh), 200, http.MethodPost, refreshPath, nil)
		refresh = r.Header.Get(refreshHeader)
		r = call(t, bearer(r.Header.Get(accessHeader)), 200, http.MethodGet, "/who", nil)
		if r.Header.Get(accessHeader) == "" {
			t.Error("the first use did not promote")
		}
		call(t, bearer(r.Header.Get(accessHeader)), 200, http.MethodGet, "/who/stored", nil)
	}
	call(t, bearer("x"), 401, http.MethodPost, refreshPath, nil)
	call(t, bearer(r.Header.Get(accessHeader)), 200, http.MethodPost, "/log-out", nil)
	call(t, bearer(r.Header.Get(accessHeader)), 401, http.MethodGet, "/who/stored", nil)
	call(t, bearer(refresh), 401, http.MethodPost, refreshPath, nil)
}

// cookies is a browser's session with anti-csrf tokens.
func cookies(t *testing.T, a *app) {
	b := a.target.Visitor().With("st-auth-mode", "cookie")
	r := call(t, b, 200, http.MethodPost, "/sessions?user=cookies", nil)
	csrf := r.Header.Get("Anti-Csrf")
	if csrf == "" || b.Cookies["sAccessToken"] == "" || b.Cookies["sRefreshToken"] == "" {
		t.Fatalf("a browser got %v", r.Header)
	}
	call(t, b, 200, http.MethodGet, "/who", nil)
	call(t, b, 401, http.MethodPost, "/who", nil)
	call(t, b.With("anti-csrf", csrf), 200, http.MethodPost, "/who", nil)
	call(t, b.Thief(), 401, http.MethodPost, refreshPath, nil) // another site's page
	r = call(t, b.With("anti-csrf", csrf), 200, http.MethodPost, refreshPath, nil)
	call(t, b.With("anti-csrf", r.Header.Get("Anti-Csrf")), 200, http.MethodPost, "/who", nil)
}

func theft(t *testing.T, a *app) {
	app := a.target.Visitor().With("st-auth-mode", "header")
	bearer := func(token string) *drill.Visitor { return app.With("Authorization", "Bearer "+token) }
	r := call(t, app, 200, http.MethodPost, "/sessions?user=robbed", nil)
	old := r.Header.Get(refreshHeader)
	r = call(t, bearer(old), 200, http.MethodPost, refreshPath, nil)
	next := r.Header.Get(refreshHeader)
	used := call(t, bearer(r.Header.Get(accessHeader)), 200, http.MethodGet, "/who", nil)
	if r := call(t, bearer(old), 401, http.MethodPost, refreshPath, nil); !strings.Contains(string(r.Body), "token theft detected") {
		t.Errorf("the thief is told %s", r.Body)
	}
	call(t, bearer(used.Header.Get(accessHeader)), 401, http.MethodGet, "/who/stored", nil)
	call(t, bearer(next), 401, http.MethodPost, refreshPath, nil)
	left, err := session.GetAllSessionHandlesForUser("robbed", nil)
	ok(t, err)
	if len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func withoutRequests(t *testing.T, _ *app) {
	yes, no := true, false
	unchecked := &sessmodels.VerifySessionOptions{AntiCsrfCheck: &no}
	s, err := session.CreateNewSessionWithoutRequestResponse("public", "bare", map[string]any{"none": nil}, nil, &yes)
	ok(t, err)
	tokens := s.GetAllSessionTokensDangerously()
	got, err := session.GetSessionWithoutRequestResponse(tokens.AccessToken, nil, unchecked)
	ok(t, err)
	if v, there := got.GetAccessTokenPayload()["none"]; !there || v != nil || got.GetUserID() != "bare" {
		t.Errorf("%v", got.GetAccessTokenPayload())
	}
	next, err := session.RefreshSessionWithoutRequestResponse(*tokens.RefreshToken, &yes, nil)
	ok(t, err)
	access := next.GetAllSessionTokensDangerously().AccessToken
	if _, err := session.GetSessionWithoutRequestResponse(access, nil, unchecked); err != nil {
		t.Fatal(err)
	}
	_, err = session.RefreshSessionWithoutRequestResponse(*tokens.RefreshToken, &yes, nil)
	var stolen sterrors.TokenTheftDetectedError
	if !errors.As(err, &stolen) || stolen.Payload.SessionHandle != s.GetHandle() || stolen.Payload.UserID != "bare" {
		t.Errorf("an old token: %v", err)
	}
	_, err = session.RefreshSessionWithoutRequestResponse("rubbish", &yes, nil)
	if unauthorised := new(sterrors.UnauthorizedError); !errors.As(err, unauthorised) {
		t.Errorf("rubbish: %v", err)
	}
	_, err = session.GetSessionWithoutRequestResponse(access[:len(access)-8]+"AAAAAAAA", nil, unchecked)
	if again := new(sterrors.TryRefreshTokenError); !errors.As(err, again) {
		t.Errorf("a changed token: %v", err)
	}
}

func newSession(t *testing.T, user string) string {
	t.Helper()
	s, err := session.CreateNewSessionWithoutRequestResponse("public", user, nil, map[string]any{"cart": 1}, nil)
	ok(t, err)
	return s.GetHandle()
}

func revoke(t *testing.T, _ *app) {
	one, two, three := newSession(t, "revoked"), newSession(t, "revoked"), newSession(t, "revoked")
	info, err := session.GetSessionInformation(one)
	ok(t, err)
	if info.SessionHandle != one || info.UserId != "revoked" || info.TenantId != "public" || info.Expiry <= info.TimeCreated || info.SessionDataInDatabase["cart"] != 1.0 {
		t.Errorf("information: %+v", info)
	}
	for _, want := range []bool{true, false} {
		if gone, err := session.RevokeSession(one); err != nil || gone != want {
			t.Errorf("revoke: %v %v", gone, err)
		}
	}
	if info, err := session.GetSessionInformation(one); err != nil || info != nil {
		t.Errorf("information about what is gone: %v %v", info, err)
	}
	if gone, err := session.RevokeMultipleSessions([]string{one, two, "unknown"}); err != nil || !slices.Equal(gone, []string{two}) {
		t.Errorf("several: %v %v", gone, err)
	}
	if gone, err := session.RevokeAllSessionsForUser("revoked", nil); err != nil || !slices.Equal(gone, []string{three}) {
		t.Errorf("all: %v %v", gone, err)
	}
	if none, err := session.RevokeAllSessionsForUser("revoked", nil); err != nil || len(none) != 0 {
		t.Errorf("again: %v %v", none, err)
	}
}

func payload(t *testing.T, _ *app) {
	handle := newSession(t, "payload")
	for _, want := range []map[string]any{{"a": 1.0, "b": "x"}, {"b": nil, "c": []any{nil}}} {
		if there, err := session.MergeIntoAccessTokenPayload(handle, want); err != nil || !there {
			t.Fatalf("merge: %v %v", there, err)
		}
	}
	if there, err := session.UpdateSessionDataInDatabase(handle, map[string]any{"x": nil}); err != nil || !there {
		t.Fatalf("data: %v %v", there, err)
	}
	info, err := session.GetSessionInformation(handle)
	ok(t, err)
	got := info.CustomClaimsInAccessTokenPayload
	if _, there := got["b"]; there || got["a"] != 1.0 || got["c"] == nil {
		t.Errorf("payload: %v", got)
	}
	if v, there := info.SessionDataInDatabase["x"]; !there || v != nil || len(info.SessionDataInDatabase) != 1 {
		t.Errorf("data: %v", info.SessionDataInDatabase)
	}
	if there, err := session.MergeIntoAccessTokenPayload("unknown", map[string]any{"a": 1}); err != nil || there {
		t.Errorf("merge into nothing: %v %v", there, err)
	}
	if _, err := session.MergeIntoAccessTokenPayload(handle, mark()); err == nil {
		t.Error("the mark of a service was merged into a user's session")
	}
}

func thousand(t *testing.T, _ *app) {
	const n = 1030
	want := make([]string, n)
	for i := range want {
		want[i] = newSession(t, "crowd")
	}
	have, err := session.GetAllSessionHandlesForUser("crowd", nil)
	ok(t, err)
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("%d handles, want %d", len(have), n)
	}
	gone, err := session.RevokeAllSessionsForUser("crowd", nil)
	if ok(t, err); len(gone) != n {
		t.Errorf("%d revoked", len(gone))
	}
}

func form(email, password string) map[string]any {
	return map[string]any{"formFields": []map[string]string{{"id": "email", "value": email}, {"id": "password", "value": password}}}
}

func signUp(t *testing.T, a *app) {
	email := drill.Fresh("signs-up")
	b := a.target.Visitor().With("st-auth-mode", "header")
	r := call(t, b, 200, http.MethodPost, "/auth/signup", form(email, password))
	id := r.Text("user.id")
	if r.Text("status") != "OK" || r.Text("user.email") != email || id == "" {
		t.Fatalf("sign-up: %s", r.Body)
	}
	if r := call(t, b.With("Authorization", "Bearer "+r.Header.Get(accessHeader)), 200, http.MethodGet, "/who", nil); r.Text("user") != id {
		t.Errorf("who: %s", r.Body)
	}
	if r := call(t, b, 200, http.MethodPost, "/auth/signup", form(email, password)); r.Text("status") != "FIELD_ERROR" {
		t.Errorf("twice: %s", r.Body)
	}
	if r := call(t, b, 200, http.MethodPost, "/auth/signin", form(email, "wrong password 1")); r.Text("status") != "WRONG_CREDENTIALS_ERROR" {
		t.Errorf("a wrong password: %s", r.Body)
	}
	if r := call(t, b, 200, http.MethodPost, "/auth/signin", form(strings.ToUpper(email), password)); r.Text("user.id") != id {
		t.Errorf("sign-in: %s", r.Body)
	}
	byID, err := emailpassword.GetUserByID(id)
	ok(t, err)
	byEmail, err := emailpassword.GetUserByEmail("public", email)
	ok(t, err)
	if byID == nil || byEmail == nil || byID.ID != id || byEmail.ID != id || byID.TimeJoined == 0 || !slices.Equal(byID.TenantIds, []string{"public"}) {
		t.Errorf("%+v %+v", byID, byEmail)
	}
	if none, err := emailpassword.GetUserByEmail("public", drill.Fresh("nobody")); err != nil || none != nil {
		t.Errorf("nobody: %v %v", none, err)
	}
	other, next := drill.Fresh("moved"), "another horse battery 2"
	if r, err := emailpassword.UpdateEmailOrPassword(id, &other, &next, nil, nil); err != nil || r.OK == nil {
		t.Fatalf("update: %+v %v", r, err)
	}
	if r, err := emailpassword.SignIn("public", other, next); err != nil || r.OK == nil || r.OK.User.ID != id {
		t.Errorf("after the update: %+v %v", r, err)
	}
}

// mailbox: proved through the library, the person logs in at the login API; revoking all of their sessions ends that one too.
func mailbox(t *testing.T, a *app) {
	email := drill.Fresh("mailbox")
	up, err := emailpassword.SignUp("public", email, password)
	ok(t, err)
	id := up.OK.User.ID
	native := func() *drill.Reply {
		v := a.core.Visitor().With("X-Token-Mode", "bearer")
		r, err := v.Post(t.Context(), "/login/password", map[string]string{"email": email, "password": password, "client_id": a.core.ClientID})
		ok(t, err)
		return r
	}
	if r := native(); r.Status == 200 {
		t.Fatal("a login before the mailbox was proved")
	}
	token, err := emailverification.CreateEmailVerificationToken("public", id, &email)
	ok(t, err)
	if r, err := emailverification.VerifyEmailUsingToken("public", "wrong"); err != nil || r.OK != nil {
		t.Errorf("a wrong token: %+v %v", r, err)
	}
	if r, err := emailverification.VerifyEmailUsingToken("public", token.OK.Token); err != nil || r.OK == nil || r.OK.User.ID != id {
		t.Fatalf("verify: %+v %v", r, err)
	}
	if proved, err := emailverification.IsEmailVerified(id, &email); err != nil || !proved {
		t.Errorf("verified: %v %v", proved, err)
	}
	r := native()
	if r.Status != 200 {
		t.Fatalf("the login API: %s", r)
	}
	if _, c := decoded(t, r.Text("access_token")); c["sub"] != id {
		t.Errorf("another person: %v", c["sub"])
	}
	if _, err := session.RevokeAllSessionsForUser(id, nil); err != nil {
		t.Fatal(err)
	}
	if r, err := a.core.Refresh(t.Context(), "", r.Text("refresh_token")); err != nil || r.Status != 401 {
		t.Errorf("the login API's session goes on: %v %v", r, err)
	}
	handle := newSession(t, id)
	r = native()
	r, err = a.core.Visitor().With("Authorization", "Bearer "+r.Text("access_token")).Post(t.Context(), "/logout", map[string]any{"all": true})
	if ok(t, err); r.Status != 200 {
		t.Fatalf("logout: %s", r)
	}
	if info, err := session.GetSessionInformation(handle); err != nil || info != nil {
		t.Errorf("the library's session goes on: %v %v", info, err)
	}
}

func reset(t *testing.T, a *app) {
	email := drill.Fresh("resets")
	_, err := emailpassword.SignUp("public", email, password)
	ok(t, err)
	b := a.target.Visitor()
	call(t, b, 200, http.MethodPost, "/auth/user/password/reset/token", map[string]any{"formFields": []map[string]string{{"id": "email", "value": email}}})
	_, rest, _ := strings.Cut(a.sent(t, email).PasswordReset.PasswordResetLink, "token=")
	token, _, _ := strings.Cut(rest, "&")
	next := "another horse battery 2"
	for _, want := range []bool{true, false} {
		if r, err := emailpassword.ResetPasswordUsingToken("public", token, next); err != nil || (r.OK != nil) != want {
			t.Errorf("reset: %+v %v", r, err)
		}
	}
	if r, err := emailpassword.SignIn("public", email, password); err != nil || r.OK != nil {
		t.Errorf("the old password: %+v %v", r, err)
	}
	if r, err := emailpassword.SignIn("public", email, next); err != nil || r.OK == nil {
		t.Errorf("the new password: %+v %v", r, err)
	}
}

func users(t *testing.T, _ *app) {
	var ids []string
	for range 12 {
		up, err := emailpassword.SignUp("public", drill.Fresh("page"), password)
		ok(t, err)
		ids = append(ids, up.OK.User.ID)
	}
	count, err := supertokens.GetUserCount(nil, nil)
	ok(t, err)
	var have []string
	size := 5
	for token := (*string)(nil); ; {
		page, err := supertokens.GetUsersOldestFirst("public", token, &size, nil, nil)
		ok(t, err)
		for _, u := range page.Users {
			if u.RecipeId != "emailpassword" {
				t.Errorf("%+v", u)
			}
			have = append(have, u.User["id"].(string))
		}
		if token = page.NextPaginationToken; token == nil {
			break
		}
	}
	if len(have) != int(count) || !slices.Equal(have[len(have)-12:], ids) {
		t.Errorf("%d users, want %v; the last are %v, want %v", len(have), count, have[max(0, len(have)-12):], ids)
	}
	ok(t, supertokens.DeleteUser(ids[0]))
	if u, err := emailpassword.GetUserByID(ids[0]); err != nil || u != nil {
		t.Errorf("a deleted user: %v %v", u, err)
	}
}

func roles(t *testing.T, _ *app) {
	up, err := emailpassword.SignUp("public", drill.Fresh("roles"), password)
	ok(t, err)
	id := up.OK.User.ID
	if r, err := userroles.CreateNewRoleOrAddPermissions("admin", []string{"read", "write"}); err != nil || !r.OK.CreatedNewRole {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := userroles.AddRoleToUser("public", id, "admin"); err != nil || r.OK == nil || r.OK.DidUserAlreadyHaveRole {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := userroles.AddRoleToUser("public", id, "nothing"); err != nil || r.UnknownRoleError == nil {
		t.Errorf("an unknown role: %+v %v", r, err)
	}
	if r, err := userroles.GetRolesForUser("public", id); err != nil || !slices.Equal(r.OK.Roles, []string{"admin"}) {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := userroles.GetUsersThatHaveRole("public", "admin"); err != nil || !slices.Equal(r.OK.Users, []string{id}) {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := userroles.GetPermissionsForRole("admin"); err != nil || len(r.OK.Permissions) != 2 {
		t.Errorf("%+v %v", r, err)
	}
	s, err := session.CreateNewSessionWithoutRequestResponse("public", id, map[string]any{}, nil, nil) // with nil this library forgets its claims
	ok(t, err)
	if v, _ := s.GetAccessTokenPayload()["st-role"].(map[string]any)["v"].([]any); len(v) != 1 || v[0] != "admin" {
		t.Errorf("payload: %v", s.GetAccessTokenPayload())
	}
	if r, err := userroles.RemoveUserRole("public", id, "admin"); err != nil || r.OK == nil || !r.OK.DidUserHaveRole {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := userroles.DeleteRole("admin", &map[string]any{}); err != nil || !r.OK.DidRoleExist { // without a context this library panics
		t.Errorf("%+v %v", r, err)
	}
}

func metadata(t *testing.T, _ *app) {
	up, err := emailpassword.SignUp("public", drill.Fresh("metadata"), password)
	ok(t, err)
	id := up.OK.User.ID
	for _, change := range []map[string]any{{"a": map[string]any{"b": 1}, "d": "x"}, {"a": 2, "d": nil}} {
		_, err := usermetadata.UpdateUserMetadata(id, change)
		ok(t, err)
	}
	have, err := usermetadata.GetUserMetadata(id)
	if ok(t, err); len(have) != 1 || have["a"] != 2.0 {
		t.Errorf("%v", have)
	}
	ok(t, usermetadata.ClearUserMetadata(id))
	if have, err := usermetadata.GetUserMetadata(id); err != nil || len(have) != 0 {
		t.Errorf("%v %v", have, err)
	}
}

func tenants(t *testing.T, _ *app) {
	yes := true
	for _, want := range []bool{true, false} {
		r, err := multitenancy.CreateOrUpdateTenant("acme", multitenancymodels.TenantConfig{EmailPasswordEnabled: &yes})
		if ok(t, err); r.OK.CreatedNew != want {
			t.Errorf("%+v", r.OK)
		}
	}
	if have, err := multitenancy.GetTenant("acme"); err != nil || have == nil || !have.EmailPassword.Enabled {
		t.Errorf("%+v %v", have, err)
	}
	if all, err := multitenancy.ListAllTenants(); err != nil || len(all.OK.Tenants) != 2 {
		t.Errorf("%+v %v", all, err)
	}
	email := drill.Fresh("acme")
	up, err := emailpassword.SignUp("acme", email, password)
	ok(t, err)
	if r, err := emailpassword.SignIn("public", email, password); err != nil || r.OK != nil {
		t.Errorf("elsewhere: %+v %v", r, err)
	}
	s, err := session.CreateNewSessionWithoutRequestResponse("acme", up.OK.User.ID, nil, nil, nil)
	if ok(t, err); s.GetTenantId() != "acme" {
		t.Errorf("a session of %s", s.GetTenantId())
	}
	if r, err := multitenancy.DeleteTenant("acme"); err != nil || !r.OK.DidExist {
		t.Errorf("%+v %v", r, err)
	}
	if have, err := multitenancy.GetTenant("acme"); err != nil || have != nil {
		t.Errorf("%+v %v", have, err)
	}
}
