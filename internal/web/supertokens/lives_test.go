package supertokens_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/transfer"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func listed(t testing.TB, r object, name string) []string {
	t.Helper()
	list, isList := r[name].([]any)
	if !isList {
		t.Fatalf("%s is no list: %v", name, r)
	}
	out := []string{}
	for _, v := range list {
		out = append(out, v.(string))
	}
	slices.Sort(out)
	return out
}

func remove(t *testing.T, w *world) {
	a, b, c := w.open(t, "remove"), w.open(t, "remove"), w.open(t, "remove other")
	post := func(body object) object { return status(t, w.asked(t, "POST", "/recipe/session/remove", body), "OK") }
	if got := listed(t, w.asked(t, "GET", "/recipe/session/user?userId=remove", nil), "sessionHandles"); len(got) != 2 {
		t.Errorf("listed %v", got)
	}
	got := listed(t, post(object{"sessionHandles": []string{a.handle, "nothing", a.handle, "00000000-0000-7000-8000-000000000000"}}), "sessionHandlesRevoked")
	if !slices.Equal(got, []string{a.handle}) {
		t.Errorf("by handle: %v", got)
	}
	got = listed(t, post(object{"userId": "remove"}), "sessionHandlesRevoked")
	if !slices.Equal(got, []string{b.handle}) {
		t.Errorf("by user: %v", got)
	}
	for _, none := range []object{{"userId": "remove"}, {"userId": "nobody"}, {"sessionHandles": []string{}}, {"userId": ""}} {
		if got := listed(t, post(none), "sessionHandlesRevoked"); len(got) != 0 {
			t.Errorf("%v: %v", none, got)
		}
	}
	if got := listed(t, w.asked(t, "GET", "/recipe/session/user?userId=remove", nil), "sessionHandles"); len(got) != 0 {
		t.Errorf("listed %v", got)
	}
	status(t, w.refresh(t, b.refresh), "UNAUTHORISED")
	status(t, w.verify(t, c.access, true), "OK")
	for _, bad := range []object{{}, {"userId": "x", "sessionHandles": []string{}}, {"sessionHandles": "x"}, {"userId": 5}} {
		if h := w.node.call(t, tell{method: "POST", path: w.home + "/supertokens/recipe/session/remove", body: bad, key: w.key}); h.code != 400 {
			t.Errorf("%v: %d", bad, h.code)
		}
	}
	if n := w.revocations(t, b.handle); n != 1 {
		t.Errorf("the revocation feed has %d entries for it", n)
	}
}

// revocations counts the feed's entries for a target.
func (w *world) revocations(t testing.TB, target string) (n int) {
	t.Helper()
	entries, err := w.store.Events().Revocations(t.Context(), w.main.ID, 0, 100000)
	ok(t, err)
	for _, e := range entries {
		if e.Kind == "session" && e.Target == target {
			n++
		}
	}
	return n
}

// thousands: every handle is listed and ended, not a page of them. The sessions stand in the store as the face would leave them.
func thousands(t *testing.T, w *world) {
	const many = 1050
	first := w.open(t, "thousands")
	l, err := w.store.Sessions().Load(t.Context(), session.Ref{TenantID: w.main.ID, ID: first.handle})
	ok(t, err)
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < many-1; i += 8 {
				f := l.Family
				f.ID = secret.NewID(w.now())
				if i%2 == 1 {
					f.OrgID = "blue"
				}
				if err := w.store.Sessions().Open(t.Context(), f, nil, audit.Record{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all := listed(t, w.asked(t, "GET", "/public/recipe/session/user?userId=thousands", nil), "sessionHandles")
	if n := len(slices.Compact(slices.Clone(all))); n != many {
		t.Fatalf("%d handles", n)
	}
	own := listed(t, w.asked(t, "GET", "/recipe/session/user?userId=thousands&fetchAcrossAllTenants=false", nil), "sessionHandles")
	blue := slices.DeleteFunc(slices.Clone(all), func(h string) bool { return !strings.HasSuffix(h, "_blue") })
	if len(own)+len(blue) != many || len(blue) != (many-1)/2 {
		t.Fatalf("%d of public, %d of blue", len(own), len(blue))
	}
	if r := status(t, w.asked(t, "GET", "/recipe/session?sessionHandle="+blue[0], nil), "OK"); r["tenantId"] != "blue" {
		t.Errorf("%v", r)
	}
	if got := listed(t, w.asked(t, "POST", "/recipe/session/remove", object{"sessionHandles": blue[:3]}), "sessionHandlesRevoked"); !slices.Equal(got, blue[:3]) {
		t.Errorf("ended %v", got)
	}
	got := listed(t, w.asked(t, "POST", "/recipe/session/remove", object{"userId": "thousands", "revokeAcrossAllTenants": false}), "sessionHandlesRevoked")
	if !slices.Equal(got, own) {
		t.Errorf("ended %d of public", len(got))
	}
	got = listed(t, w.asked(t, "POST", "/recipe/session/remove", object{"userId": "thousands"}), "sessionHandlesRevoked")
	if !slices.Equal(got, blue[3:]) {
		t.Errorf("ended %d of blue", len(got))
	}
}

// newUser is an active user of the main tenant without a registration.
func (w *world) newUser(t *testing.T) user.User {
	t.Helper()
	id, now := secret.NewID(w.now()), w.now().UTC().Truncate(time.Microsecond)
	u := user.User{
		TenantID: w.main.ID, ID: id, Status: user.Active, CreatedAt: now, UpdatedAt: now, Version: 1,
		Identifiers: []user.Identifier{{Kind: user.Email, Value: id + "@example.com", Typed: id + "@example.com", Primary: true}},
	}
	out, err := w.store.Transfer().Import(t.Context(), w.main.ID, []transfer.Entry{{User: u, Named: true}}, audit.Record{})
	if ok(t, err); out[0] != transfer.Added {
		t.Fatalf("import: %v", out)
	}
	return u
}

// ourUsers: a subject that is one of our users is registered with the client and guarded: disabled, they neither open nor refresh.
func ourUsers(t *testing.T, w *world) {
	u := w.newUser(t)
	s := w.open(t, u.ID)
	got, err := w.store.Users().Get(t.Context(), w.main.ID, u.ID, "app")
	if ok(t, err); got.Registration == nil {
		t.Error("not registered with the client")
	}
	l, err := w.store.Sessions().Load(t.Context(), session.Ref{TenantID: w.main.ID, ID: s.handle})
	if ok(t, err); l.Family.UserID != u.ID || l.Family.ClientID != "app" || l.Family.OpenedBy != "supertokens" {
		t.Errorf("%+v", l.Family)
	}
	next := sessionOf(t, status(t, w.refresh(t, s.refresh), "OK"))
	ok(t, w.store.Users().SetStatus(t.Context(), w.main.ID, u.ID, user.Disabled, w.now(), audit.Record{}))
	status(t, w.refresh(t, next.refresh), "UNAUTHORISED")
	status(t, w.verify(t, next.access, false), "UNAUTHORISED")
	h := w.node.call(t, tell{method: "POST", path: w.home + "/supertokens/recipe/session", body: creation(u.ID), key: w.key})
	plainly(t, h, 403, "this user is not active")
}

// otherDialects: a session of one face is refreshed at no other, whoever holds its token, and nothing comes of the attempt.
func otherDialects(t *testing.T, w *world) {
	s := w.open(t, "dialects")
	u := w.newUser(t)
	call := &audit.Call{At: w.main.At(w.now()), Wall: w.now(), TenantID: w.main.ID, Face: "login-api"}
	client := w.node.dir.Client(w.main.ID, "app")
	native, err := w.node.sessions.Open(t.Context(), call, session.OpenRequest{Tenant: w.main, Client: client, User: &u})
	ok(t, err)
	for range 2 {
		_, err = w.node.sessions.Refresh(t.Context(), call, session.RefreshRequest{Tenant: w.main, Client: client, Authenticated: true, Refresh: secret.NewText(s.refresh)})
		if fault.ReasonOf(err) != fault.ReasonWrongClient {
			t.Errorf("a session of this face, refreshed natively: %v", err)
		}
		status(t, w.refresh(t, native.Refresh.Reveal()), "UNAUTHORISED")
	}
	status(t, w.verify(t, native.Access.Reveal(), true), "TRY_REFRESH_TOKEN")
	if _, err := w.node.sessions.Authenticate(t.Context(), call, w.main, secret.NewText(s.access)); fault.ReasonOf(err) != fault.ReasonInvalidToken {
		t.Errorf("an access token of this face, natively: %v", err)
	}
	status(t, w.refresh(t, s.refresh), "OK")
	if _, err = w.node.sessions.Refresh(t.Context(), call, session.RefreshRequest{Tenant: w.main, Client: client, Authenticated: true, Refresh: native.Refresh}); err != nil {
		t.Errorf("the native session: %v", err)
	}
	// One logout ends both.
	mine := w.open(t, u.ID)
	ended := listed(t, w.asked(t, "POST", "/recipe/session/remove", object{"userId": u.ID}), "sessionHandlesRevoked")
	want := []string{mine.handle, native.Family.ID}
	if slices.Sort(want); !slices.Equal(ended, want) {
		t.Errorf("ended %v, want %v", ended, want)
	}
}

// clientChanges: another default client logs nobody out; a client that is gone ends its sessions.
func clientChanges(t *testing.T, w *world) {
	s := w.open(t, "client")
	put := func(def string) {
		main := *w.main
		main.Policy.DefaultClient = def
		clients := []tenant.Client{{TenantID: main.ID, ID: "second", Name: "Second", ManagedBy: "file"}}
		ok(t, w.store.Tenants().Put(t.Context(), []tenant.Tenant{main}, clients, audit.Record{}))
		ok(t, w.node.dir.Refresh(t.Context()))
	}
	put("second")
	defer func() { put("app"); w.main = w.node.dir.ByID(w.main.ID) }()
	s = sessionOf(t, status(t, w.refresh(t, s.refresh), "OK"))
	other := w.open(t, "client")
	put("app")
	other = sessionOf(t, status(t, w.refresh(t, other.refresh), "OK"))
	put("second")
	ok(t, w.store.Tenants().RemoveClient(t.Context(), w.main.ID, "second", w.now(), audit.Record{}))
	ok(t, w.node.dir.Refresh(t.Context()))
	status(t, w.refresh(t, other.refresh), "UNAUTHORISED")
	status(t, w.verify(t, other.access, true), "UNAUTHORISED")
	status(t, w.refresh(t, s.refresh), "OK")
	h := w.node.call(t, tell{method: "POST", path: w.home + "/supertokens/recipe/session", body: creation("x"), key: w.key})
	plainly(t, h, 400, "This app has no default client: sessions need one")
}

// expiry: an unused session ends, a used one lives on until its last day.
func expiry(t *testing.T, w *world) {
	used, unused := w.open(t, "expiry"), w.open(t, "expiry")
	w.pass(accessLife)
	status(t, w.verify(t, used.access, false), "TRY_REFRESH_TOKEN")
	r := status(t, w.asked(t, "POST", "/recipe/session/regenerate", object{"accessToken": used.access}), "OK")
	if r["accessToken"] != nil {
		t.Errorf("an expired token is regenerated: %v", r)
	}
	w.pass(idle - 2*accessLife)
	used = sessionOf(t, status(t, w.refresh(t, used.refresh), "OK"))
	w.pass(accessLife + time.Minute)
	status(t, w.refresh(t, unused.refresh), "UNAUTHORISED")
	if got := listed(t, w.asked(t, "GET", "/recipe/session/user?userId=expiry", nil), "sessionHandles"); !slices.Equal(got, []string{used.handle}) {
		t.Errorf("listed %v", got)
	}
	w.pass(idle - 20*time.Minute)
	s := sessionOf(t, status(t, w.refresh(t, used.refresh), "OK"))
	w.pass(10 * time.Minute)
	s = sessionOf(t, status(t, w.refresh(t, s.refresh), "OK"))
	_, claims := parts(t, s.access)
	l, err := w.store.Sessions().Load(t.Context(), session.Ref{TenantID: w.main.ID, ID: s.handle})
	ok(t, err)
	if exp := number(t, claims, "exp"); exp > l.Family.AbsoluteExpiry.Unix() || exp-number(t, claims, "iat") > int64(accessLife/time.Second)-60 {
		t.Errorf("a token until %d outlives its session, which ends at %d", exp, l.Family.AbsoluteExpiry.Unix())
	}
	w.pass(10 * time.Minute)
	status(t, w.refresh(t, s.refresh), "UNAUTHORISED")
	status(t, w.asked(t, "GET", "/recipe/session?sessionHandle="+s.handle, nil), "UNAUTHORISED")
}

// twoNodes: sessions and keys of one node are good on the other, both ways, at once.
func twoNodes(t *testing.T, w *world) {
	other := &world{store: w.store, main: w.main, key: w.key, home: w.home, node: w.newNode(t)}
	other.past.Store(w.past.Load())
	s := w.open(t, "nodes")
	for i := range 6 {
		here, there := w, other
		if i%2 == 1 {
			here, there = other, w
		}
		s = sessionOf(t, status(t, here.refresh(t, s.refresh), "OK"))
		r := status(t, there.verify(t, s.access, true), "OK")
		status(t, here.verify(t, text(t, r, "accessToken", "token"), true), "OK")
	}
	path := w.home + "/supertokens/.well-known/jwks.json"
	within(t, "the same keys", func() bool {
		return w.node.call(t, tell{method: "GET", path: path}).text == other.node.call(t, tell{method: "GET", path: path}).text
	})
	service := w.asked(t, "POST", "/recipe/jwt", vending(object{"source": "microservice"}))
	header, _ := parts(t, text(t, service, "jwt"))
	again, _ := parts(t, text(t, other.asked(t, "POST", "/recipe/jwt", vending(object{"source": "microservice"})), "jwt"))
	if header["kid"] != again["kid"] {
		t.Errorf("%v, %v", header, again)
	}
	rotation(t, w, other)
}

// rotation: the next key signs on both nodes at the same instant, announced before, and what the old one signed is good until it expires.
func rotation(t *testing.T, w, other *world) {
	both := func(d time.Duration) { w.pass(d); other.pass(d) }
	kid := func(s opened) string {
		header, _ := parts(t, s.access)
		return text(t, header, "kid")
	}
	both(w.start.Add(168*time.Hour - 2*time.Minute).Sub(w.now()))
	before := w.open(t, "rotation")
	if at := kid(other.open(t, "rotation")); at != kid(before) {
		t.Fatalf("two keys at once: %s, %s", at, kid(before))
	}
	announced := w.node.call(t, tell{method: "GET", path: w.home + "/supertokens/.well-known/jwks.json"}).text
	both(4 * time.Minute)
	a, b := w.open(t, "rotation"), other.open(t, "rotation")
	if kid(a) == kid(before) || kid(a) != kid(b) || !strings.Contains(announced, kid(a)) {
		t.Errorf("before %s, after %s and %s, announced %v", kid(before), kid(a), kid(b), strings.Contains(announced, kid(a)))
	}
	for _, node := range []*world{w, other} {
		for _, s := range []opened{before, a, b} {
			status(t, node.verify(t, s.access, true), "OK")
		}
	}
	service := w.asked(t, "POST", "/recipe/jwt", vending(object{"source": "microservice"}))
	header, _ := parts(t, text(t, service, "jwt"))
	if !strings.Contains(announced, text(t, header, "kid")) {
		t.Error("the static key changed")
	}
}
