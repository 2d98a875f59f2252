package storetest

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Keys runs the suite of token.KeyStore.
func Keys(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"signing keys", signingKeys}, {"one key a slot", oneKeyASlot}, {"dead keys", deadKeys}, {"withdrawn", withdrawn},
		{"purge", purgeKeys}, {"advanced", advanced}, {"ring keys", ringKeys}, {"one ring key an id", oneRingKey},
	})
}

func (s *scene) key(slot int64) token.SigningKey {
	return token.SigningKey{
		TenantID: s.tenant.ID, KID: "d-" + secret.NewID(noon), Kind: token.Rotating, Alg: "RS256", Slot: slot, PublicJWK: []byte(`{"kty":"RSA"}`),
		Sealed: []byte{0, 1, 0xff}, CreatedAt: noon, SignsFrom: noon.Add(5 * time.Minute),
	}
}

func (s *scene) added(k token.SigningKey) token.SigningKey {
	s.Helper()
	won, err := s.Keys.AddSigningKey(s.ctx, k, audit.Record{})
	if s.ok(err); !won {
		s.Fatalf("slot %d of %s %s is taken", k.Slot, k.Kind, k.Alg)
	}
	return k
}

// wantKeys checks which of the tenant's keys are read at an instant.
func (s *scene) wantKeys(at time.Time, want ...token.SigningKey) {
	s.Helper()
	got, err := s.Keys.SigningKeys(s.ctx, s.tenant.ID, at)
	s.ok(err)
	s.same("keys", got, want, cmpopts.SortSlices(func(a, b token.SigningKey) bool { return a.KID < b.KID }))
}

func signingKeys(s *scene) {
	s.wantKeys(noon)
	far := s.elsewhere()
	far.added(far.key(0))
	a := s.key(0)
	m := s.mark()
	won, err := s.Keys.AddSigningKey(s.ctx, a, m.Record)
	if s.ok(err); !won {
		s.Fatal("the first key lost")
	}
	s.wrote(m, true)
	b := s.key(0)
	b.Kind, b.SignsFrom = token.Static, time.Time{}
	c := s.key(0)
	c.Alg, c.VerifyUntil = "ES256", noon.Add(time.Hour)
	s.wantKeys(noon, a, s.added(b), s.added(c), s.added(s.key(1)))
}

func oneKeyASlot(s *scene) {
	won := s.together(func(int) (bool, error) { return s.Keys.AddSigningKey(s.ctx, s.key(3), audit.Record{}) })
	if won != 1 {
		s.Fatalf("%d of %d nodes filled one slot", won, callers)
	}
	m := s.mark()
	again, err := s.Keys.AddSigningKey(s.ctx, s.key(3), m.Record)
	if s.ok(err); again {
		s.Fatal("a taken slot was filled again")
	}
	s.wrote(m, false)
	if got, _ := s.Keys.SigningKeys(s.ctx, s.tenant.ID, noon); len(got) != 1 {
		s.Fatalf("%d keys in one slot", len(got))
	}
}

func deadKeys(s *scene) {
	k := s.key(0)
	k.VerifyUntil = noon.Add(time.Hour)
	s.added(k)
	s.wantKeys(noon.Add(time.Hour-time.Microsecond), k)
	s.wantKeys(noon.Add(time.Hour + time.Microsecond))
}

// withdrawn: the key is still read by nobody as alive, but its slot stays taken, else nodes would fill it again.
func withdrawn(s *scene) {
	k, stays := s.added(s.key(0)), s.added(s.key(1))
	m := s.mark()
	s.ok(s.Keys.Withdraw(s.ctx, s.tenant.ID, k.KID, noon.Add(time.Hour), m.Record))
	s.wrote(m, true)
	got, err := s.Keys.SigningKeys(s.ctx, s.tenant.ID, noon.Add(2*time.Hour))
	s.ok(err)
	for _, other := range got {
		if other.KID == k.KID && other.Withdrawn.IsZero() {
			s.Fatal("a withdrawn key is read as usable")
		}
	}
	if !slices.ContainsFunc(got, func(o token.SigningKey) bool { return o.KID == stays.KID && o.Withdrawn.IsZero() }) {
		s.Fatalf("the other key went too: %+v", got)
	}
	if again, err := s.Keys.AddSigningKey(s.ctx, s.key(0), audit.Record{}); err != nil || again {
		s.Fatalf("a withdrawn key's slot was filled again: %v, %v", again, err)
	}
	far := s.elsewhere()
	theirs := far.added(far.key(0))
	m = s.mark()
	for _, kid := range []string{theirs.KID, "d-nothing", ""} {
		s.refused(s.Keys.Withdraw(s.ctx, s.tenant.ID, kid, noon, m.Record), fault.NotFound, "")
	}
	s.wrote(m, false)
	far.wantKeys(noon, theirs)
}

func purgeKeys(s *scene) {
	far := s.elsewhere()
	for i, house := range []*scene{s, s, far} {
		k := house.key(int64(i))
		k.VerifyUntil = noon.Add(time.Duration(i+1) * time.Hour)
		house.added(k)
	}
	gone := s.added(s.key(7))
	s.ok(s.Keys.Withdraw(s.ctx, s.tenant.ID, gone.KID, noon.Add(time.Hour), audit.Record{}))
	stays := s.added(s.key(8))
	for _, c := range []struct {
		before time.Duration
		want   int
	}{{time.Hour, 0}, {time.Hour + time.Microsecond, 2}, {time.Hour + time.Microsecond, 0}, {1000 * time.Hour, 1}} {
		if n, err := s.Keys.PurgeSigningKeys(s.ctx, s.tenant.ID, noon.Add(c.before)); err != nil || n != c.want {
			s.Fatalf("purged %d before noon+%v, %v, want %d", n, c.before, err, c.want)
		}
	}
	s.wantKeys(noon, stays)
	if got, _ := far.Keys.SigningKeys(s.ctx, far.tenant.ID, noon); len(got) != 1 {
		s.Fatalf("another tenant's keys: %+v", got)
	}
}

func ringID() uint32 { return binary.BigEndian.Uint32(secret.Bytes(4))>>1 | 1 }

func (s *scene) ringKey(id uint32) (token.WrappedKey, bool) {
	s.Helper()
	all, err := s.Keys.RingKeys(s.ctx)
	s.ok(err)
	i := slices.IndexFunc(all, func(k token.WrappedKey) bool { return k.ID == id })
	if i < 0 {
		return token.WrappedKey{}, false
	}
	return all[i], true
}

func ringKeys(s *scene) {
	k := token.WrappedKey{ID: ringID(), Purpose: "seal", Wrapped: []byte{0, 1, 0xff}, CreatedAt: noon}
	top := token.WrappedKey{ID: 1<<32 - 1, Purpose: "mac", Wrapped: []byte{2}, CreatedAt: noon}
	for _, add := range []token.WrappedKey{k, top} {
		m := s.mark()
		won, err := s.Keys.AddRingKey(s.ctx, add, m.Record)
		if s.ok(err); !won {
			s.Fatal("the id is taken")
		}
		s.wrote(m, true)
		got, _ := s.ringKey(add.ID)
		s.same("ring key", got, add)
	}
	clash := k
	clash.Wrapped = []byte("other")
	m := s.mark()
	if won, err := s.Keys.AddRingKey(s.ctx, clash, m.Record); err != nil || won {
		s.Fatalf("a taken id: %v, %v", won, err)
	}
	s.wrote(m, false)
	k.Wrapped, k.RetiredAt = []byte("rewrapped"), noon.Add(time.Hour)
	s.ok(s.Keys.UpdateRingKey(s.ctx, k, audit.Record{}))
	got, _ := s.ringKey(k.ID)
	s.same("ring key after rewrapping", got, k)
	absent := k
	absent.ID = ringID()
	s.refused(s.Keys.UpdateRingKey(s.ctx, absent, m.Record), fault.NotFound, "")
	s.wrote(m, false)
	if _, found := s.ringKey(absent.ID); found {
		s.Fatal("an update made a key")
	}
}

func oneRingKey(s *scene) {
	id := ringID()
	won := s.together(func(i int) (bool, error) {
		return s.Keys.AddRingKey(s.ctx, token.WrappedKey{ID: id, Purpose: "mac", Wrapped: []byte{byte(i)}, CreatedAt: noon}, audit.Record{})
	})
	if won != 1 {
		s.Fatalf("%d of %d nodes made one ring key", won, callers)
	}
}

// advanced: an announced key signs earlier, never later, and nodes hear of every such act by the directory's version.
func advanced(s *scene) {
	k := s.added(s.key(0))
	moved := func(what string, act func()) {
		s.Helper()
		before, err := s.Tenants.Version(s.ctx)
		s.ok(err)
		act()
		after, err := s.Tenants.Version(s.ctx)
		if s.ok(err); after <= before {
			s.Fatalf("%s: the directory's version stayed %d", what, after)
		}
	}
	for _, c := range []struct {
		from time.Duration
		want bool
	}{{6 * time.Minute, false}, {5 * time.Minute, false}, {time.Minute, true}, {time.Minute, false}} {
		m := s.mark()
		moved("advance", func() {
			ok, err := s.Keys.Advance(s.ctx, s.tenant.ID, k.KID, noon.Add(c.from), m.Record)
			if s.ok(err); ok != c.want {
				s.Fatalf("advance to noon+%v: %v, want %v", c.from, ok, c.want)
			}
		})
		s.wrote(m, c.want)
	}
	k.SignsFrom = noon.Add(time.Minute)
	s.wantKeys(noon, k)
	far := s.elsewhere()
	if ok, err := s.Keys.Advance(s.ctx, far.tenant.ID, k.KID, noon, audit.Record{}); err != nil || ok {
		s.Fatalf("another tenant's key: %v, %v", ok, err)
	}
	version := s.tenantRow().Version
	moved("withdraw", func() { s.ok(s.Keys.Withdraw(s.ctx, s.tenant.ID, k.KID, noon, audit.Record{})) })
	if now := s.tenantRow().Version; now <= version {
		s.Fatalf("the tenant's version stayed %d", now)
	}
	if ok, err := s.Keys.Advance(s.ctx, s.tenant.ID, k.KID, noon.Add(-time.Hour), audit.Record{}); err != nil || ok {
		s.Fatalf("a withdrawn key: %v, %v", ok, err)
	}
	ring := token.WrappedKey{ID: ringID(), Purpose: "mac", Wrapped: []byte{1}, CreatedAt: noon}
	moved("ring key", func() {
		_, err := s.Keys.AddRingKey(s.ctx, ring, audit.Record{})
		s.ok(err)
	})
	moved("ring key's update", func() { s.ok(s.Keys.UpdateRingKey(s.ctx, ring, audit.Record{})) })
}

func (s *scene) tenantRow() tenant.Tenant {
	s.Helper()
	snap, err := s.Tenants.Snapshot(s.ctx)
	s.ok(err)
	return snap.Tenants[slices.IndexFunc(snap.Tenants, func(t tenant.Tenant) bool { return t.ID == s.tenant.ID })]
}
