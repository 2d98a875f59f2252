package session_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/storetest/sessionmachine"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// scene is one logged-in person on a Memory store.
type scene struct {
	*testing.T
	w    sessionmachine.World
	m    *sessionmachine.Memory
	s    *session.Service
	sign *countingSigner
	ring *secret.Ring
	user *user.User
	now  time.Time
	open session.Tokens
}

type countingSigner struct {
	sessionmachine.Signer
	mu   sync.Mutex
	n    int
	hook func()
}

func (c *countingSigner) SignAccess(ctx context.Context, t *tenant.Tenant, alg string, a token.AccessClaims) (string, error) {
	c.mu.Lock()
	c.n++
	hook := c.hook
	c.mu.Unlock()
	if hook != nil {
		hook()
	}
	return c.Signer.SignAccess(ctx, t, alg, a)
}

func newScene(t *testing.T) *scene {
	w, m := sessionmachine.NewMemoryWorld()
	c := &scene{T: t, w: w, m: m, sign: &countingSigner{}, ring: sessionmachine.NewRing(), now: sessionmachine.Start}
	c.s = session.New(m, c.sign, c.ring, session.Config{})
	c.user, _ = w.NewUser(context.Background(), c.now)
	c.open = c.login()
	return c
}

func (c *scene) call() *audit.Call { return sessionmachine.Call(&c.w, c.now) }

func (c *scene) login() session.Tokens {
	c.Helper()
	got, err := c.s.Open(context.Background(), c.call(), session.OpenRequest{
		Tenant: c.w.Tenant, Client: c.w.Client, User: c.user, AMR: []string{"pwd"},
	})
	if err != nil {
		c.Fatal(err)
	}
	return got
}

func (c *scene) pass(d time.Duration) { c.now = c.now.Add(d) }

func (c *scene) refresh(t secret.Text, more ...func(*session.RefreshRequest)) (session.Tokens, error) {
	req := session.RefreshRequest{Tenant: c.w.Tenant, Client: c.w.Client, Refresh: t}
	for _, m := range more {
		m(&req)
	}
	return c.s.Refresh(context.Background(), c.call(), req)
}

func (c *scene) must(t secret.Text, more ...func(*session.RefreshRequest)) session.Tokens {
	c.Helper()
	got, err := c.refresh(t, more...)
	if err != nil {
		c.Fatal(err)
	}
	return got
}

func (c *scene) refused(want fault.Reason, t secret.Text, more ...func(*session.RefreshRequest)) {
	c.Helper()
	_, err := c.refresh(t, more...)
	if f := fault.From(err); err == nil || f.Reason != want || f.Kind != fault.Unauthenticated {
		c.Fatalf("got %v, want 401 %s", err, want)
	}
	rec, _ := c.m.Written()
	for _, e := range rec.Events {
		if e.Type == session.EventRefused && e.Reason == string(want) {
			return
		}
	}
	c.Fatalf("no event says %s", want)
}

func (c *scene) events() map[string]int {
	rec, _ := c.m.Written()
	n := map[string]int{}
	for _, e := range rec.Events {
		n[strings.TrimSuffix(e.Type+" "+e.Reason, " ")]++
	}
	return n
}

func with(access secret.Text) func(*session.RefreshRequest) {
	return func(r *session.RefreshRequest) { r.Access = access }
}

func TestOpen(t *testing.T) {
	c := newScene(t)
	want := token.AccessClaims{
		Issuer: "https://login.example.com", TenantID: c.w.Tenant.ID, Subject: c.user.ID, Audience: []string{"app"}, ClientID: "app",
		ExpiresAt: c.now.Add(15 * time.Minute), IssuedAt: c.now, NotBefore: c.now, ID: c.open.AccessClaims.ID, SessionID: c.open.Family.ID,
		Epoch: 1, Roles: []string{"member"}, Email: c.user.ID + "@example.com", EmailVerified: true,
		PreferredUsername: c.user.ID + "@example.com", ApplicationID: "app", AuthTime: c.now, AMR: []string{"pwd"},
	}
	if diff := cmp.Diff(want, c.open.AccessClaims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if want := c.now.Add(30 * 24 * time.Hour); !c.open.RefreshExpires.Equal(want) {
		t.Errorf("refresh expires %s, want %s", c.open.RefreshExpires, want)
	}
	if row := c.m.Row(c.open.Family.ID); row.Head != secret.RefreshHash(c.open.Refresh.Reveal()) || row.OpenedBy != "test" {
		t.Errorf("stored %+v", row)
	}
	if diff := cmp.Diff(map[string]int{"session.opened": 1}, c.events()); diff != "" {
		t.Error(diff)
	}
}

func TestOpenRegistersOnceAndNeverGivesNilRoles(t *testing.T) {
	c := newScene(t)
	c.m.Change(c.user.ID, func(u *user.User) { u.Registration = nil })
	c.user.Registration = nil
	client := *c.w.Client
	client.Settings.DefaultRoles = nil
	c.w.Client = &client
	if got := c.login(); got.AccessClaims.Roles == nil || len(got.AccessClaims.Roles) != 0 {
		t.Errorf("roles %#v, want an empty list", got.AccessClaims.Roles)
	}
	c.m.Change(c.user.ID, func(u *user.User) {
		if u.Registration == nil || u.Registration.ClientID != "app" {
			t.Errorf("registration %+v", u.Registration)
		}
	})
}

func TestOpenRefusesAUserWhoChanged(t *testing.T) {
	c := newScene(t)
	c.m.Change(c.user.ID, func(u *user.User) { u.Epoch++ })
	_, err := c.s.Open(context.Background(), c.call(), session.OpenRequest{Tenant: c.w.Tenant, Client: c.w.Client, User: c.user})
	if fault.ReasonOf(err) != fault.ReasonUserChanged {
		t.Fatalf("got %v", err)
	}
}

func TestRefreshRotatesAndRepeats(t *testing.T) {
	c := newScene(t)
	c.pass(16 * time.Minute)
	a := c.must(c.open.Refresh)
	if a.Refresh.Equal(c.open.Refresh) || a.Same {
		t.Fatal("did not rotate")
	}
	c.pass(10 * time.Second)
	if b := c.must(c.open.Refresh); !b.Refresh.Equal(a.Refresh) || b.Access.Equal(a.Access) {
		t.Fatal("a repeat must bring the same successor and a fresh access token")
	}
	c.pass(time.Second)
	if b := c.must(a.Refresh); !b.Refresh.Equal(a.Refresh) {
		t.Fatal("a young token must be handed back")
	}
	if b := c.must(c.open.Refresh); !b.Refresh.Equal(a.Refresh) { // the slow tab
		t.Fatal("a late parent must get the head")
	}
	if diff := cmp.Diff(map[string]int{"session.opened": 1, "session.refreshed": 2, "session.superseded superseded": 1}, c.events()); diff != "" {
		t.Error(diff)
	}
	rec, _ := c.m.Written()
	for _, e := range rec.Events {
		if e.Type == session.EventRefreshed && (e.Person != nil || e.Detail != nil) {
			t.Error("the event of a rotation must be cheap")
		}
	}
}

func TestRefreshRepeatWritesNothingButACoarseLastSeen(t *testing.T) {
	c := newScene(t)
	c.pass(16 * time.Minute)
	c.must(c.open.Refresh)
	row := c.m.Row(c.open.Family.ID)
	_, before := c.m.Written()
	for range 59 { // one a second
		c.pass(time.Second)
		c.must(c.open.Refresh)
	}
	if _, after := c.m.Written(); after != before {
		t.Fatalf("%d writes within the minute", after-before)
	}
	c.pass(time.Second)
	c.must(c.open.Refresh)
	if _, after := c.m.Written(); after != before+1 {
		t.Fatalf("%d writes after a minute, want 1", after-before)
	}
	got := c.m.Row(c.open.Family.ID)
	row.LastSeen = c.now
	if diff := cmp.Diff(row, got); diff != "" {
		t.Errorf("a repeat changed more than last_seen (-want +got):\n%s", diff)
	}
}

func TestRefreshSamePair(t *testing.T) {
	c := newScene(t)
	other := c.login()
	c.pass(14 * time.Minute)
	_, before := c.m.Written()
	got := c.must(c.open.Refresh, with(c.open.Access))
	if !got.Same || !got.Access.Equal(c.open.Access) || !got.Refresh.Equal(c.open.Refresh) || got.AccessClaims.SessionID != c.open.Family.ID {
		t.Fatalf("not the same pair: %+v", got)
	}
	if _, after := c.m.Written(); after != before || c.sign.n != 2 {
		t.Fatalf("%d writes, %d signatures", after-before, c.sign.n-2)
	}
	if got := c.must(c.open.Refresh, with(other.Access)); got.Same {
		t.Error("somebody else's access token counted")
	}
	if got := c.must(c.open.Refresh, with(secret.NewText("rubbish"))); got.Same {
		t.Error("rubbish counted")
	}
	old := c.open.AccessClaims
	old.Epoch = 0
	stale, _ := c.sign.Signer.SignAccess(context.Background(), c.w.Tenant, "", old)
	if got := c.must(c.open.Refresh, with(secret.NewText(stale))); got.Same {
		t.Error("an access token of another epoch counted")
	}
	c.refused(fault.ReasonRefreshUnknown, secret.NewText("made-up"), with(c.open.Access))
	c.pass(time.Millisecond) // less than 60 s are left
	if got := c.must(c.open.Refresh, with(c.open.Access)); got.Same {
		t.Error("the access token is nearly dead")
	}
}

func TestRefreshSamePairNotForAnAncestor(t *testing.T) {
	c := newScene(t)
	c.pass(16 * time.Minute)
	a := c.must(c.open.Refresh)
	c.must(a.Refresh)
	if got := c.must(c.open.Refresh, with(a.Access)); got.Same || !got.Refresh.Equal(a.Refresh) {
		t.Fatal("the parent of head, beside a valid access token, must not be handed back")
	}
	c.pass(61 * time.Second)
	c.refused(fault.ReasonRefreshReused, c.open.Refresh, with(a.Access))
}

func TestRefreshReuseEndsTheFamilyAndTellsTheOwner(t *testing.T) {
	c := newScene(t)
	c.pass(16 * time.Minute)
	a := c.must(c.open.Refresh)
	c.must(a.Refresh)
	c.pass(61 * time.Second)
	c.refused(fault.ReasonRefreshReused, c.open.Refresh)
	row := c.m.Row(c.open.Family.ID)
	if row.RevokedReason != string(fault.ReasonRefreshReused) {
		t.Fatalf("revoked: %q", row.RevokedReason)
	}
	rec, _ := c.m.Written()
	if len(rec.Messages) != 1 || len(rec.Revocations) != 1 || c.events()["session.ended refresh_reused"] != 1 {
		t.Errorf("notices %d, revocations %d, events %v", len(rec.Messages), len(rec.Revocations), c.events())
	}
	last := rec.Events[len(rec.Events)-1]
	if last.Detail["presented_generation"] != "0" || last.Detail["head_generation"] != "1" || last.Person == nil {
		t.Errorf("the views of both devices are missing: %+v", last)
	}
	c.refused(fault.ReasonSessionRevoked, a.Refresh)
	c.refused(fault.ReasonSessionRevoked, c.open.Refresh)
}

func TestRefreshRefusals(t *testing.T) {
	tests := map[string]struct {
		set  func(c *scene)
		want fault.Reason
	}{
		"31 idle days":      {func(c *scene) { c.pass(31 * 24 * time.Hour) }, fault.ReasonSessionExpired},
		"user disabled":     {func(c *scene) { c.m.Change(c.user.ID, func(u *user.User) { u.Status = user.Disabled }) }, fault.ReasonUserDisabled},
		"user erased":       {func(c *scene) { c.m.Remove(c.user.ID) }, fault.ReasonUserDisabled},
		"epoch raised":      {func(c *scene) { c.m.Change(c.user.ID, func(u *user.User) { u.Epoch++ }) }, fault.ReasonSessionRevoked},
		"registration gone": {func(c *scene) { c.m.Change(c.user.ID, func(u *user.User) { u.Registration = nil }) }, fault.ReasonClientGone},
		"client gone":       {func(c *scene) { c.w.Client = nil }, fault.ReasonClientGone},
		"other client":      {func(c *scene) { c.w.Client = &tenant.Client{ID: "other"} }, fault.ReasonWrongClient},
		"other ring":        {func(c *scene) { c.open.Refresh = secret.NewText(c.open.Refresh.Reveal()[:118] + "AAAA") }, fault.ReasonRefreshUnknown},
		"far too long":      {func(c *scene) { c.open.Refresh = secret.NewText(strings.Repeat("x", 5000)) }, fault.ReasonRefreshUnknown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newScene(t)
			call := c.call()
			tt.set(c)
			call.At = c.now
			_, err := c.s.Refresh(context.Background(), call, session.RefreshRequest{Tenant: c.w.Tenant, Client: c.w.Client, Refresh: c.open.Refresh})
			if f := fault.From(err); err == nil || f.Reason != tt.want || f.Kind != fault.Unauthenticated {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if c.events()["session.refused "+string(tt.want)] != 1 {
				t.Errorf("events %v", c.events())
			}
		})
	}
}

func TestRefreshAbsoluteLimit(t *testing.T) {
	c := newScene(t)
	jar := c.open.Refresh
	for range 9 { // every 20 days, so that the idle limit never ends it
		c.pass(20*24*time.Hour - time.Minute)
		got, err := c.refresh(jar)
		if err != nil {
			t.Fatal(err)
		}
		jar = got.Refresh
	}
	last := c.must(jar)
	if left := last.AccessClaims.ExpiresAt.Sub(c.now); left != 9*time.Minute {
		t.Errorf("the access token lives %s, and the family 9 minutes", left)
	}
	c.pass(9 * time.Minute)
	c.refused(fault.ReasonSessionExpired, last.Refresh)
}

func TestRefreshMACKeysRotateFreely(t *testing.T) {
	c := newScene(t)
	c.pass(16 * time.Minute)
	a := c.must(c.open.Refresh)
	lost := sessionmachine.NewRing() // other keys: no MAC of ours verifies, and nothing opens
	s := session.New(c.m, c.sign, lost, session.Config{})
	got, err := s.Refresh(context.Background(), c.call(), session.RefreshRequest{Tenant: c.w.Tenant, Client: c.w.Client, Refresh: a.Refresh})
	if err != nil || got.Refresh.IsZero() {
		t.Fatalf("a token whose hash is pending must be good without its MAC: %v", err)
	}
}

func TestRefreshForeignToken(t *testing.T) {
	c := newScene(t)
	row := c.m.Row(c.open.Family.ID)
	row.Head = secret.RefreshHash("imported-token")
	c.m.Put(row)
	c.pass(time.Hour)
	a := c.must(secret.NewText("imported-token"))
	if b := c.must(secret.NewText("imported-token")); !b.Refresh.Equal(a.Refresh) {
		t.Fatal("the first use of an imported token must repeat like any other")
	}
	c.must(a.Refresh)
	c.refused(fault.ReasonRefreshUnknown, secret.NewText("imported-token")) // no history of foreign tokens
}

func TestRefreshAfterARestore(t *testing.T) {
	c := newScene(t)
	snapshot := c.m.Row(c.open.Family.ID)
	c.pass(16 * time.Minute)
	a := c.must(c.open.Refresh)
	c.pass(2 * time.Minute)
	b := c.must(a.Refresh)
	c.m.Put(snapshot)
	c.refused(fault.ReasonRefreshUnknown, b.Refresh)
	c.s = session.New(c.m, c.sign, c.ring, session.Config{Restored: true})
	got := c.must(b.Refresh)
	if !got.Refresh.Equal(b.Refresh) || c.events()[session.EventAdopted] != 1 {
		t.Fatalf("not adopted: %v", c.events())
	}
	c.refused(fault.ReasonSuperseded, a.Refresh) // late, without harm
	c.pass(2 * time.Minute)
	c.refused(fault.ReasonRefreshReused, a.Refresh)
}

// A revoke that commits while the access token is being signed wins over every kind of answer.
func TestRefreshNothingLeavesAfterARevoke(t *testing.T) {
	for name, prepare := range map[string]func(c *scene) secret.Text{
		"rotation": func(c *scene) secret.Text { c.pass(16 * time.Minute); return c.open.Refresh },
		"young":    func(c *scene) secret.Text { return c.open.Refresh },
		"repeat":   func(c *scene) secret.Text { c.pass(16 * time.Minute); c.must(c.open.Refresh); return c.open.Refresh },
		"confirm":  func(c *scene) secret.Text { c.pass(16 * time.Minute); return c.must(c.open.Refresh).Refresh },
		"late": func(c *scene) secret.Text {
			c.pass(16 * time.Minute)
			c.must(c.must(c.open.Refresh).Refresh)
			return c.open.Refresh
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newScene(t)
			token := prepare(c)
			c.sign.hook = func() {
				if _, err := c.s.Revoke(context.Background(), c.call(), session.Match{ID: c.open.Family.ID}, "test"); err != nil {
					t.Error(err)
				}
			}
			c.refused(fault.ReasonSessionRevoked, token)
		})
	}
}

func TestRefreshLostSwapSignsOnceAndGivesTheWinnersToken(t *testing.T) {
	c := newScene(t)
	c.pass(16 * time.Minute)
	var winner session.Tokens
	c.m.BeforeSwap = func() {
		c.m.BeforeSwap = nil
		winner = c.must(c.open.Refresh)
	}
	before := c.sign.n
	got := c.must(c.open.Refresh)
	if !got.Refresh.Equal(winner.Refresh) {
		t.Fatal("two live successors")
	}
	if c.sign.n-before != 2 {
		t.Errorf("%d signatures for two callers", c.sign.n-before)
	}
}

func TestRefreshLostSwapSignsAgainWhenClaimsChanged(t *testing.T) {
	c := newScene(t)
	c.pass(16 * time.Minute)
	c.m.BeforeSwap = func() {
		c.m.BeforeSwap = nil
		c.must(c.open.Refresh)
		c.m.Change(c.user.ID, func(u *user.User) { u.Registration = &user.Registration{ClientID: "app", Roles: []string{"guest"}} })
	}
	if got := c.must(c.open.Refresh); cmp.Diff(got.AccessClaims.Roles, []string{"guest"}) != "" {
		t.Errorf("roles %v of before the lost swap", got.AccessClaims.Roles)
	}
}

func TestRefreshIsBounded(t *testing.T) {
	c := newScene(t)
	c.pass(16 * time.Minute)
	tries := 0
	c.m.BeforeSwap = func() { // somebody always comes first
		tries++
		row := c.m.Row(c.open.Family.ID)
		row.Version++
		c.m.Put(row)
	}
	_, err := c.refresh(c.open.Refresh)
	if f := fault.From(err); err == nil || f.Kind != fault.Unavailable || f.RetryAfter == 0 || tries != 16 {
		t.Fatalf("after %d tries: %v", tries, err)
	}
}

func TestRefreshReusablePolicy(t *testing.T) {
	c := newScene(t)
	client := *c.w.Client
	client.Settings.Reusable = true
	c.w.Client = &client
	for range 3 {
		c.pass(20 * 24 * time.Hour)
		if got := c.must(c.open.Refresh); !got.Refresh.Equal(c.open.Refresh) {
			t.Fatal("rotated")
		}
	}
}

func TestAuthenticate(t *testing.T) {
	tests := map[string]struct {
		set  func(c *scene)
		want fault.Reason
	}{
		"live":          {func(c *scene) {}, ""},
		"none":          {func(c *scene) { c.open.Access = secret.Text{} }, fault.ReasonMissingToken},
		"rubbish":       {func(c *scene) { c.open.Access = secret.NewText("x") }, fault.ReasonInvalidToken},
		"expired token": {func(c *scene) { c.pass(time.Hour) }, fault.ReasonTokenExpired},
		"disabled":      {func(c *scene) { c.m.Change(c.user.ID, func(u *user.User) { u.Status = user.Disabled }) }, fault.ReasonUserDisabled},
		"epoch":         {func(c *scene) { c.m.Change(c.user.ID, func(u *user.User) { u.Epoch++ }) }, fault.ReasonSessionRevoked},
		"revoked": {func(c *scene) {
			if _, err := c.s.Revoke(context.Background(), c.call(), session.Match{ID: c.open.Family.ID}, "test"); err != nil {
				c.Fatal(err)
			}
		}, fault.ReasonSessionRevoked},
		"session purged": {func(c *scene) {
			if n, err := c.m.Purge(context.Background(), c.w.Tenant.ID, c.now.Add(1000*24*time.Hour), 10); n != 1 || err != nil {
				c.Fatal(n, err)
			}
		}, fault.ReasonSessionRevoked},
		"session expired": {func(c *scene) { row := c.m.Row(c.open.Family.ID); row.IdleExpiry = c.now; c.m.Put(row) }, fault.ReasonSessionExpired},
		"other epoch than the session": {func(c *scene) {
			claims := c.open.AccessClaims
			claims.Epoch = 7
			raw, _ := c.sign.SignAccess(context.Background(), c.w.Tenant, "", claims)
			c.open.Access = secret.NewText(raw)
		}, fault.ReasonSessionRevoked},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newScene(t)
			tt.set(c)
			before := c.m.Loads()
			live, err := c.s.Authenticate(context.Background(), c.call(), c.w.Tenant, c.open.Access)
			if fault.ReasonOf(err) != tt.want || err != nil && fault.From(err).Kind != fault.Unauthenticated {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if err == nil && (live.Loaded.Family.ID != c.open.Family.ID || live.Claims.Subject != c.user.ID) {
				t.Errorf("live %+v", live)
			}
			if n := c.m.Loads() - before; n > 1 {
				t.Errorf("%d store reads", n)
			}
		})
	}
}

func TestSafeTextsNameNoSecrets(t *testing.T) {
	c := newScene(t)
	_, err := c.refresh(secret.NewText("s3cret-token"))
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error text %v", err)
	}
	if errors.Unwrap(err) != nil {
		t.Error("a refusal hides nothing")
	}
}
