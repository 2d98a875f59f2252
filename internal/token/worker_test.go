package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

func kidOf(t testing.TB, raw string) string {
	t.Helper()
	head, err := rawURL(strings.Split(raw, ".")[0])
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(head), `"kid":"`)
	kid, _, _ := strings.Cut(after, `"`)
	return kid
}

func sign(t testing.TB, s *Service, tn *tenant.Tenant) string {
	t.Helper()
	raw, err := s.SignAccess(t.Context(), tn, jose.ES256, userClaims(tn.At(time.Now())))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// published gives the kids of a JWKS in order.
func published(t testing.TB, s *Service) []string {
	t.Helper()
	var kids []string
	for part := range strings.SplitSeq(string(s.JWKS(tenantID)), `"kid":"`) {
		kid, _, _ := strings.Cut(part, `"`)
		kids = append(kids, kid)
	}
	return kids[1:]
}

// TestRotations lets five rotations of three hours pass: each key was published long before it signs, and every token verifies for its
// whole life.
func TestRotations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, store := testDirectory(t, time.Now, 1)
		store.change(d, func(snap *tenant.Snapshot) { snap.Tenants[0].Policy.Keys.RotationH = 3 })
		f := &fakeKeys{}
		s := node(t, f, d, Config{})
		tn := d.ByID(tenantID)
		seen := map[string]time.Time{} // kid → first time in the JWKS
		used := map[string]bool{}
		type out struct {
			raw   string
			until time.Time
		}
		var live []out
		begin := time.Now()
		raw := sign(t, s, tn)
		first := kidOf(t, raw)
		time.Sleep(time.Second)
		for time.Since(begin) < 5*3*time.Hour-time.Hour {
			for _, kid := range published(t, s) {
				if _, ok := seen[kid]; !ok {
					seen[kid] = time.Now()
				}
			}
			raw := sign(t, s, tn)
			kid := kidOf(t, raw)
			if !used[kid] && kid != first && time.Since(seen[kid]) < 300*time.Second {
				t.Fatalf("%s signs %v after it was published", kid, time.Since(seen[kid]))
			}
			used[kid] = true
			live = append(live, out{raw, time.Now().Add(14 * time.Minute)})
			live = slices.DeleteFunc(live, func(o out) bool { return time.Now().After(o.until) })
			for _, o := range live {
				if _, err := s.VerifyAccess(tn, o.raw, tn.At(time.Now())); err != nil {
					t.Fatalf("a live token: %v", err)
				}
			}
			time.Sleep(7 * time.Minute)
		}
		if len(used) != 5 {
			t.Errorf("%d keys signed in five rotations", len(used))
		}
		if kids := published(t, s); len(kids) != 7 || !strings.HasPrefix(kids[6], "s-") || slices.Contains(kids, first) {
			t.Errorf("published %v", kids) // current and next of three algorithms, one static
		}
		if !slices.Contains(f.kinds, "key.announced") || !slices.Contains(f.kinds, "key.retired") {
			t.Errorf("events %v", f.kinds)
		}
	})
}

// TestPurge: the rows of the dead go a while after.
func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, store := testDirectory(t, time.Now, 1)
		f := &fakeKeys{}
		s := node(t, f, d, Config{})
		sign(t, s, d.ByID(tenantID))
		for range 6 {
			time.Sleep(10 * time.Minute)
			store.change(d, func(snap *tenant.Snapshot) { snap.Tenants[0].ClockOffset += 8 * 24 * time.Hour })
		}
		time.Sleep(time.Minute)
		if n := len(f.all()); n > 13 { // current, next and newly dead of three algorithms, and those that died within the week
			t.Errorf("%d keys in the store: the dead are not purged", n)
		}
	})
}

// TestClockJump moves a test tenant's clock by a month: the announced key signs at once, and the next is announced in time.
func TestClockJump(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, store := testDirectory(t, time.Now, 1)
		s := node(t, &fakeKeys{}, d, Config{})
		before := kidOf(t, sign(t, s, d.ByID(tenantID)))
		time.Sleep(time.Second)
		kids := published(t, s)
		store.change(d, func(snap *tenant.Snapshot) { snap.Tenants[0].ClockOffset = 30 * 24 * time.Hour })
		after := kidOf(t, sign(t, s, d.ByID(tenantID)))
		if after == before || !slices.Contains(kids, after) {
			t.Errorf("signed by %s, then %s; announced were %v", before, after, kids)
		}
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if again := published(t, s); len(again) < 7 || slices.Contains(again, before) {
			t.Errorf("published after the jump: %v", again)
		}
		if kidOf(t, sign(t, s, d.ByID(tenantID))) != after {
			t.Error("the key changed again at once")
		}
	})
}

// TestNodesAgree starts three nodes on one store: one key a slot, the same JWKS everywhere, and each verifies what the others sign.
func TestNodesAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := testDirectory(t, time.Now, 3)
		f := &fakeKeys{}
		var nodes []*Service
		for range 3 {
			nodes = append(nodes, node(t, f, d, Config{Parallel: 3}))
		}
		tn := d.ByID(tenantID)
		for _, a := range nodes {
			raw := sign(t, a, tn)
			for i, b := range nodes {
				if _, err := b.VerifyAccess(tn, raw, tn.At(time.Now())); err != nil {
					t.Errorf("node %d: %v", i, err)
				}
			}
			time.Sleep(2 * askAgain)
		}
		time.Sleep(time.Minute)
		seen := map[string]bool{}
		for _, k := range f.all() {
			at := fmt.Sprint(k.TenantID, k.Kind, k.Alg, k.Slot)
			if seen[at] {
				t.Errorf("two keys for %s", at)
			}
			seen[at] = true
		}
		if len(seen) != 3*7 {
			t.Errorf("%d keys for three tenants", len(seen))
		}
		for _, s := range nodes[1:] {
			if string(s.JWKS(tenantID)) != string(nodes[0].JWKS(tenantID)) {
				t.Error("the nodes publish different sets")
			}
		}
	})
}

func TestStoreIsReadSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := testDirectory(t, time.Now, 1)
		f := &fakeKeys{}
		s := node(t, f, d, Config{})
		tn := d.ByID(tenantID)
		sign(t, s, tn)
		time.Sleep(10 * time.Second)
		before := f.readCount()
		for range 60 {
			time.Sleep(time.Second)
			sign(t, s, tn)
			s.JWKS(tenantID)
		}
		if n := f.readCount() - before; n > 13 {
			t.Errorf("%d reads in a minute", n)
		}
		other, _ := jose.Generate("d-1-made-up", jose.ES256)
		raw, _ := jose.Sign(other, "at+jwt", payload(t, sign(t, s, tn)))
		before = f.readCount()
		for range 1000 {
			if _, err := s.VerifyAccess(tn, raw, tn.At(time.Now())); !errors.Is(err, jose.ErrUnknownKey) {
				t.Fatalf("a made-up key: %v", err)
			}
		}
		if n := f.readCount() - before; n > 1 {
			t.Errorf("a thousand made-up tokens cost %d reads", n)
		}
	})
}

func TestFailingStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := testDirectory(t, time.Now, 1)
		f := &fakeKeys{err: errors.New("down")}
		s := node(t, f, d, Config{})
		tn := d.ByID(tenantID)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := s.SignAccess(ctx, tn, jose.ES256, userClaims(time.Now())); fault.From(err).Kind != fault.Unavailable {
			t.Errorf("while the store is down: %v", err)
		}
		f.mu.Lock()
		f.err = nil
		f.mu.Unlock()
		raw := sign(t, s, tn)
		time.Sleep(10 * time.Second)
		f.mu.Lock()
		f.err = errors.New("down again")
		f.mu.Unlock()
		time.Sleep(time.Minute)
		if _, err := s.VerifyAccess(tn, raw, tn.At(time.Now())); err != nil {
			t.Errorf("verification needs the store: %v", err)
		}
		sign(t, s, tn)
	})
}

func TestWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := testDirectory(t, time.Now, 1)
		f := &fakeKeys{}
		s := node(t, f, d, Config{})
		tn := d.ByID(tenantID)
		raw := sign(t, s, tn)
		time.Sleep(time.Second)
		for _, k := range f.all() { // every key at once: the worst day
			if err := f.Withdraw(t.Context(), tenantID, k.KID, tn.At(time.Now()), keyRecord("key.withdrawn", k, tn.At(time.Now()))); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Second)
		if _, err := s.VerifyAccess(tn, raw, tn.At(time.Now())); fault.ReasonOf(err) != fault.ReasonInvalidToken {
			t.Errorf("a token of a withdrawn key: %v", err)
		}
		again := sign(t, s, tn)
		if kidOf(t, again) == kidOf(t, raw) {
			t.Error("the withdrawn key still signs")
		}
		if kids := published(t, s); len(kids) != 7 || slices.Contains(kids, kidOf(t, raw)) {
			t.Errorf("published %v", kids)
		}
	})
}

func TestTenantsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, store := testDirectory(t, time.Now, 1)
		s := node(t, &fakeKeys{}, d, Config{})
		sign(t, s, d.ByID(tenantID))
		const id = "01890a5d-ac96-774b-bcce-b302099a9999"
		store.change(d, func(snap *tenant.Snapshot) {
			snap.Tenants = append(snap.Tenants, tenant.Tenant{ID: id, Slug: "new", Issuer: "https://new.example.com"})
		})
		raw := sign(t, s, d.ByID(id))
		if _, err := s.VerifyAccess(d.ByID(id), raw, time.Now()); err != nil {
			t.Error(err)
		}
		if _, err := s.VerifyAccess(d.ByID(tenantID), raw, time.Now()); err == nil {
			t.Error("one tenant's token was taken by another")
		}
		store.change(d, func(snap *tenant.Snapshot) { snap.Tenants = snap.Tenants[:1] })
		time.Sleep(time.Second)
		if s.JWKS(id) != nil {
			t.Error("a removed tenant's keys stay in memory")
		}
	})
}

// TestLongestLife: a client with tokens of six hours keeps the retired key published for as long.
func TestLongestLife(t *testing.T) {
	d, store := testDirectory(t, time.Now, 1)
	s := New(&fakeKeys{}, testRing(), d, Config{Now: time.Now, Log: quiet()})
	if p := s.policy(d.ByID(tenantID)); p.Overlap != time.Hour+margin || p.Rotation != 168*time.Hour || p.Statics != 1 || p.Publish < 300*time.Second {
		t.Errorf("default %+v", p)
	}
	store.change(d, func(snap *tenant.Snapshot) {
		snap.Tenants[0].Policy.Keys = tenant.KeyPolicy{RotationH: 24, StaticN: 2}
		snap.Clients = append(snap.Clients, tenant.Client{TenantID: tenantID, ID: "a", Settings: tenant.ClientSettings{Lives: tenant.Lives{AccessS: 6 * 3600}}},
			tenant.Client{TenantID: "other", ID: "a", Settings: tenant.ClientSettings{Lives: tenant.Lives{AccessS: 60 * 3600}}})
	})
	if p := s.policy(d.ByID(tenantID)); p.Overlap != 6*time.Hour+margin || p.Rotation != 24*time.Hour || p.Statics != 2 {
		t.Errorf("changed %+v", p)
	}
}

// TestKeysAreThereAtOnce: a node that has only just started shows the keys of the store, before its worker has looked.
func TestKeysAreThereAtOnce(t *testing.T) {
	d, _ := testDirectory(t, time.Now, 1)
	store := &fakeKeys{}
	first := node(t, store, d, Config{Holder: inProcess{testRing()}})
	tn := d.ByID(tenantID)
	raw, err := first.SignAccess(t.Context(), tn, "", userClaims(tn.At(time.Now())))
	if err != nil {
		t.Fatal(err)
	}
	next := New(store, testRing(), d, Config{Now: time.Now, Holder: inProcess{testRing()}})
	if got := string(next.JWKS(tenantID)); !strings.Contains(got, `"kid"`) {
		t.Errorf("the key set right after a start is %q", got)
	}
	if _, err := next.VerifyAccess(tn, raw, tn.At(time.Now())); err != nil {
		t.Error(err)
	}
	if next.JWKS("nobody") != nil {
		t.Error("a key set of no tenant")
	}
}
