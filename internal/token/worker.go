package token

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Pace of the worker.
const (
	pollEvery   = tenant.PollEvery
	retryAfter  = time.Second          // after a failure of the store or of making a key
	ringEvery   = time.Minute          // ring keys of other nodes are seen within it
	perTenant   = 5 * time.Millisecond // with many tenants, reads are spread: at most 200 a second
	margin      = 5 * time.Minute      // retired keys outlive their last token by it
	leastAccess = time.Hour            // lives may be lowered while longer tokens are out
	keepDead    = 7 * 24 * time.Hour   // rows of dead keys stay for this, for those who ask why
	storeWait   = 10 * time.Second     // one worker's call to the store
)

// workerState is the worker's own, guarded by Service.mu.
type workerState struct {
	version int64     // of the directory, when last planned
	tenant  int64     // of the tenant, when its keys were last read
	loaded  time.Time // machine's clock; zero: never
	retry   time.Time // not before, after a failure
	busy    map[lot]bool
	skip    map[lot]int64 // slots found taken by keys that are dead
}

// lot is what at most one job of a node works at.
type lot struct {
	kind Kind
	alg  string
}

type job struct {
	t    *tenant.Tenant
	k    *tenantKeys
	want Want
}

// Run makes, announces and retires keys and reads those of other nodes, until ctx ends and its last job is done.
func (s *Service) Run(ctx context.Context) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	slots := make(chan struct{}, s.cfg.Parallel)
	for ctx.Err() == nil {
		if s.ringTurn(s.cfg.Now()) {
			s.refreshRing(ctx)
		}
		for _, j := range s.sweep(ctx) {
			s.launch(ctx, j, slots, &jobs)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// sweep brings every tenant up to date and gives the keys to make, the most urgent first.
func (s *Service) sweep(ctx context.Context) []job {
	var out []job
	all := s.dir.All()
	now, version := s.cfg.Now(), s.dir.Version()
	period := max(s.cfg.ReloadEvery, time.Duration(len(all))*perTenant)
	for _, t := range all {
		k := s.keys(t.ID)
		s.refresh(ctx, t, k, period)
		v := k.view.Load()
		if v == nil || now.Before(s.state(k).retry) {
			continue
		}
		for _, w := range v.plan.Missing {
			out = append(out, job{t, k, w})
		}
		if len(v.plan.Dead) > 0 {
			s.bury(ctx, t, k, v.plan.Dead)
		}
		s.setState(k, func(w *workerState) { w.version = version })
	}
	slices.SortStableFunc(out, func(a, b job) int { return cmp.Compare(a.urgency(), b.urgency()) })
	if version != s.swept {
		s.swept = version
		s.forget()
	}
	return out
}

func (j job) urgency() int {
	u := 2 * j.want.urgency()
	if j.want.First && j.k.waiting.Load() > 0 {
		u -= 20
	}
	return u
}

func (s *Service) state(k *tenantKeys) workerState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return k.worker
}

func (s *Service) setState(k *tenantKeys, change func(*workerState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&k.worker)
}

// refresh reads the store when its turn has come, and plans anew when only clock or policy moved.
func (s *Service) refresh(ctx context.Context, t *tenant.Tenant, k *tenantKeys, period time.Duration) {
	now, st, v := s.cfg.Now(), s.state(k), k.view.Load()
	if now.Before(st.retry) {
		return
	}
	due := v != nil && !v.plan.Next.IsZero() && !t.At(now).Before(v.plan.Next)
	if v == nil || now.Sub(st.loaded) >= period || st.tenant != t.Version {
		wait, cancel := context.WithTimeout(ctx, storeWait)
		defer cancel()
		if err := s.reload(wait, t, k); err != nil && ctx.Err() == nil {
			s.failed(k, t, "signing keys cannot be read; using the last known", err)
		}
	} else if due || st.version != s.dir.Version() {
		k.load.Lock()
		defer k.load.Unlock()
		s.adopt(t, k, k.view.Load().rows)
	}
}

func (s *Service) failed(k *tenantKeys, t *tenant.Tenant, what string, err error) {
	s.setState(k, func(w *workerState) { w.retry = s.cfg.Now().Add(retryAfter) })
	s.cfg.Log.Error(what, "tenant", t.ID, "error", err.Error())
}

// reload reads a tenant's keys.
func (s *Service) reload(ctx context.Context, t *tenant.Tenant, k *tenantKeys) error {
	k.load.Lock()
	defer k.load.Unlock()
	rows, err := s.store.SigningKeys(ctx, t.ID, t.At(s.cfg.Now()))
	if err != nil {
		return err
	}
	s.setState(k, func(w *workerState) { w.loaded, w.tenant = s.cfg.Now(), t.Version })
	s.adopt(t, k, rows)
	return nil
}

// adopt plans with rows and shows the result to everybody. k.load is held, so that no older reading overtakes a newer one.
func (s *Service) adopt(t *tenant.Tenant, k *tenantKeys, rows []SigningKey) {
	plan := Schedule(rows, t.At(s.cfg.Now()), s.policy(t))
	k.replace(newView(rows, plan, k.view.Load(), s.cfg.Holder, func(kid string, err error) {
		s.cfg.Log.Error("a signing key cannot be read and is left out", "tenant", t.ID, "kid", kid, "error", err.Error())
	}))
}

// policy is the schedule's policy of a tenant. Publication allows for the time other nodes need to read the key.
func (s *Service) policy(t *tenant.Tenant) Policy {
	longest := max(leastAccess, t.For(nil).AccessLife)
	for _, c := range s.dir.Clients(t.ID) {
		longest = max(longest, t.For(c).AccessLife)
	}
	rotation := cmp.Or(t.Policy.Keys.RotationH, tenant.DefaultRotationH)
	spread := 2 * max(s.cfg.ReloadEvery, time.Duration(len(s.dir.All()))*perTenant)
	return Policy{
		Statics: cmp.Or(t.Policy.Keys.StaticN, 1), Rotation: time.Duration(rotation) * time.Hour,
		Publish: s.cfg.JWKSLife + spread, Overlap: longest + margin,
	}
}

// forget drops tenants that are gone.
func (s *Service) forget() {
	s.tenants.Range(func(id, _ any) bool {
		if s.dir.ByID(id.(string)) == nil {
			s.tenants.Delete(id)
		}
		return true
	})
}

// launch starts a job when there is room and nobody here is at the same.
func (s *Service) launch(ctx context.Context, j job, slots chan struct{}, jobs *sync.WaitGroup) {
	at := lot{j.want.Kind, j.want.Alg}
	s.mu.Lock()
	busy := j.k.worker.busy[at]
	s.mu.Unlock()
	if busy {
		return
	}
	select {
	case slots <- struct{}{}:
	default:
		return
	}
	s.setBusy(j.k, at, true)
	jobs.Go(func() {
		defer s.nudge()
		defer func() { <-slots }()
		defer s.setBusy(j.k, at, false)
		if err := s.mint(ctx, j); err != nil && ctx.Err() == nil {
			s.failed(j.k, j.t, "a signing key cannot be made", err)
		}
	})
}

func (s *Service) setBusy(k *tenantKeys, at lot, busy bool) {
	s.setState(k, func(w *workerState) {
		if w.busy == nil {
			w.busy, w.skip = map[lot]bool{}, map[lot]int64{}
		}
		w.busy[at] = busy
	})
}

// mint makes one key. The instant it signs from is decided after it was made, since that may take a while.
func (s *Service) mint(ctx context.Context, j job) error {
	kid := newKID(j.want.Kind, j.t.At(s.cfg.Now()))
	public, sealed, err := s.cfg.Holder.Make(ctx, j.t.ID, kid, j.want.Alg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	t := s.dir.ByID(j.t.ID)
	if t == nil {
		return nil
	}
	at := t.At(s.cfg.Now())
	want, ok := still(Schedule(j.k.view.Load().rows, at, s.policy(t)).Missing, j.want)
	if !ok {
		return nil
	}
	here := lot{want.Kind, want.Alg}
	key := SigningKey{
		TenantID: t.ID, KID: kid, Kind: want.Kind, Alg: want.Alg, Slot: want.Slot + s.skipped(j.k, here), PublicJWK: public, Sealed: sealed,
		CreatedAt: at, SignsFrom: want.SignsFrom,
	}
	added, err := s.store.AddSigningKey(ctx, key, keyRecord("key.announced", key, at))
	if err != nil {
		return err
	}
	if added {
		s.cfg.Log.Info("signing key announced", "tenant", t.ID, "kid", kid, "alg", want.Alg, "signs_from", want.SignsFrom)
	}
	if err := s.reload(ctx, t, j.k); err != nil {
		return err
	}
	_, missing := still(j.k.view.Load().plan.Missing, want)
	s.setState(j.k, func(w *workerState) {
		w.skip[here] = 0
		if missing && !added { // the slot is held by a key that nobody shows us any more: a withdrawn one
			w.skip[here] = key.Slot - want.Slot + 1
		}
	})
	return nil
}

func (s *Service) skipped(k *tenantKeys, at lot) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return k.worker.skip[at]
}

// still finds want among the missing keys.
func still(missing []Want, want Want) (Want, bool) {
	for _, w := range missing {
		if w.Kind == want.Kind && w.Alg == want.Alg && w.Slot == want.Slot {
			return w, true
		}
	}
	return Want{}, false
}

// newKID names a key: s-<uuid> or d-<unix ms>-<random>.
func newKID(kind Kind, at time.Time) string {
	if kind == Static {
		return "s-" + secret.NewID(at)
	}
	return "d-" + strconv.FormatInt(at.UnixMilli(), 10) + "-" + secret.Random(6)
}

// bury marks retired keys dead and lets go of rows that nobody asks for any more.
func (s *Service) bury(ctx context.Context, t *tenant.Tenant, k *tenantKeys, dead []SigningKey) {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	// The plan was made of what was last read; since then another process may have signed a long token with one of them.
	if err := s.reload(ctx, t, k); err != nil {
		s.failed(k, t, "signing keys cannot be read; using the last known", err)
		return
	}
	at, now := t.At(s.cfg.Now()), k.view.Load().plan.Dead
	for _, key := range dead {
		if !slices.ContainsFunc(now, func(d SigningKey) bool { return d.KID == key.KID }) {
			continue
		}
		err := s.store.Withdraw(ctx, t.ID, key.KID, at, keyRecord("key.retired", key, at))
		if kind := fault.From(err); kind != nil && kind.Kind != fault.NotFound && kind.Kind != fault.Conflict { // those: another node was first
			s.failed(k, t, "a retired signing key cannot be marked", err)
			return
		}
	}
	if _, err := s.store.PurgeSigningKeys(ctx, t.ID, at.Add(-keepDead)); err != nil {
		s.failed(k, t, "dead signing keys cannot be purged", err)
		return
	}
	if err := s.reload(ctx, t, k); err != nil {
		s.failed(k, t, "signing keys cannot be read; using the last known", err)
	}
}

func keyRecord(event string, k SigningKey, at time.Time) audit.Record {
	return audit.Record{Events: []audit.Event{{
		ID: secret.NewID(at), TenantID: k.TenantID, At: at, Type: event, Actor: audit.Actor{Kind: "system"},
		Detail: map[string]string{"kid": k.KID, "alg": k.Alg, "kind": string(k.Kind)},
	}}}
}
