package sessionmachine

import (
	"context"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Machine drives the engine on a store with honest holders (tabs that share a cookie jar where a late Set-Cookie wins; replies dropped,
// late and duplicated; requests late and parallel), thieves with old or newest tokens, operators and a moving clock, and compares every
// answer with the model.
func Machine(t *testing.T, w World) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(rt, w)
		rt.Repeat(map[string]func(*rapid.T){
			"open": m.open, "send": m.send, "arrive": m.arrive, "deliver": m.deliver, "parallel": m.parallel, "steal": m.steal,
			"thief": m.thief, "wait": m.wait, "browse": m.browse, "browse on": m.browse, "wait long": m.waitLong, "rare": m.rare, "made up": m.madeUp,
			"dump": m.dump, "": m.successors,
		})
	})
}

// holder is an honest holder: a browser with tabs.
type holder struct {
	*family
	access   string
	jar      string      // the refresh cookie, as the last reply to arrive left it
	requests []request   // sent, not yet arrived
	replies  [][2]string // answered, not yet arrived: access and refresh token
	copied   []string    // refresh tokens that a thief took
}

type request struct{ access, refresh string }

type machine struct {
	w       World
	client  *tenant.Client
	ring    *secret.Ring
	s       *session.Service
	lives   lives
	now     time.Time
	holders []*holder
}

func newMachine(rt *rapid.T, w World) *machine {
	m := &machine{w: w, ring: NewRing(), now: Start}
	m.s = NewService(w.Store, m.ring)
	seconds := rapid.SampledFrom([][2]int64{{60, 60}, {60, 60}, {30, 0}, {0, 0}, {60, 10}}).Draw(rt, "grace and min_rotation")
	m.lives = lives{
		grace: time.Duration(seconds[0]) * time.Second, minRotation: time.Duration(seconds[1]) * time.Second,
		idle: time.Hour, absolute: 4 * time.Hour,
	}
	c := *w.Client
	c.Settings.Lives = tenant.Lives{
		AccessS: 300, RefreshIdleS: 3600, RefreshMaxS: 4 * 3600, RefreshGraceS: &seconds[0], RefreshMinRotationS: &seconds[1],
	}
	m.client = &c
	m.open(rt)
	return m
}

func (m *machine) call() *audit.Call { return Call(&m.w, m.now) }

func (m *machine) pick(rt *rapid.T) *holder {
	return m.holders[rapid.IntRange(0, len(m.holders)-1).Draw(rt, "holder")]
}

func (m *machine) open(rt *rapid.T) {
	if len(m.holders) == 4 {
		rt.Skip("enough")
	}
	u, err := m.w.NewUser(context.Background(), m.now)
	must(rt, err)
	binding := rapid.SampledFrom([]string{"", "", "", "key"}).Draw(rt, "binding")
	got, err := m.s.Open(context.Background(), m.call(), session.OpenRequest{Tenant: m.w.Tenant, Client: m.client, User: u, Binding: binding})
	must(rt, err)
	f := &family{
		id: got.Family.ID, userID: u.ID, binding: binding, idle: m.now.Add(m.lives.idle), absolute: m.now.Add(m.lives.absolute),
	}
	f.learn(got.Refresh.Reveal(), m.now)
	m.holders = append(m.holders, &holder{family: f, access: got.Access.Reveal(), jar: got.Refresh.Reveal()})
}

func (m *machine) refresh(r request, proof string) (session.Tokens, error) {
	return m.s.Refresh(context.Background(), m.call(), session.RefreshRequest{
		Tenant: m.w.Tenant, Client: m.client, Refresh: secret.NewText(r.refresh), Access: secret.NewText(r.access), Proof: proof,
	})
}

// goodAccess reports whether a request's access token lets the same pair be handed back.
func (m *machine) goodAccess(h *holder, access string) bool {
	if access == "" {
		return false
	}
	c, err := Signer{}.VerifyAccess(m.w.Tenant, access, m.now)
	return err == nil && c.SessionID == h.id && c.ExpiresAt.Sub(m.now) >= time.Minute
}

// use presents a token and compares the answer with the model's.
func (m *machine) use(rt *rapid.T, h *holder, r request, proof string) (session.Tokens, bool) {
	g := h.generation(r.refresh)
	ancestorOf := h.head
	want := h.present(g, proof, m.goodAccess(h, r.access), m.now, &m.lives)
	got, err := m.refresh(r, proof)
	if fault.ReasonOf(err) != want.reason {
		rt.Fatalf("generation %d of %d (head %d) at %s: got %v, want %q", g, len(h.tokens), ancestorOf, m.now, err, want.reason)
	}
	if err != nil {
		return got, false
	}
	text := got.Refresh.Reveal()
	switch {
	case got.Same != want.same:
		rt.Fatalf("same pair: got %v, want %v", got.Same, want.same)
	case want.fresh && h.generation(text) >= 0:
		rt.Fatalf("generation %d was handed out where a new token was due", h.generation(text))
	case want.fresh:
		h.learn(text, m.now)
	case text != want.text:
		rt.Fatalf("got generation %d, want %d: a second live successor", h.generation(text), h.generation(want.text))
	}
	if got.Same != (got.Access.Reveal() == r.access) {
		rt.Fatal("a new answer carries the old access token, or the same pair another")
	}
	return got, true
}

// send: a tab sends what the jar holds.
func (m *machine) send(rt *rapid.T) {
	h := m.pick(rt)
	r := request{refresh: h.jar}
	if rapid.Bool().Draw(rt, "with access token") {
		r.access = h.access
	}
	h.requests = append(h.requests, r)
}

// arrive: a request in flight, not always the oldest, reaches the server, and its reply sets out, is lost or comes twice.
func (m *machine) arrive(rt *rapid.T) {
	h := m.pick(rt)
	if len(h.requests) == 0 {
		rt.Skip("nothing in flight")
	}
	i := rapid.IntRange(0, len(h.requests)-1).Draw(rt, "request")
	r := h.requests[i]
	h.requests = append(h.requests[:i:i], h.requests[i+1:]...)
	g, head, live := h.generation(r.refresh), h.head, h.ended == "" && m.now.Before(h.idle) && m.now.Before(h.absolute)
	inBound := g >= head || h.late(g, m.now, &m.lives)
	got, ok := m.use(rt, h, r, h.binding)
	// The promise itself, said apart from the model: nobody stole anything, the request is not later than the grace, so the family lives
	// on, and only a tab that is two tokens behind is told to look into its jar again.
	if !ok && live && !h.stolen && inBound && (g >= head-1 || h.ended != "") {
		rt.Fatalf("an honest holder was refused: generation %d, head %d", g, head)
	}
	if !ok {
		return
	}
	reply := [2]string{got.Access.Reveal(), got.Refresh.Reveal()}
	for range rapid.SampledFrom([]int{1, 1, 1, 0, 2}).Draw(rt, "copies of the reply") {
		h.replies = append(h.replies, reply)
	}
}

// deliver: a reply arrives, not always the oldest, and overwrites the jar.
func (m *machine) deliver(rt *rapid.T) {
	h := m.pick(rt)
	if len(h.replies) == 0 {
		rt.Skip("nothing in flight")
	}
	i := rapid.IntRange(0, len(h.replies)-1).Draw(rt, "reply")
	h.access, h.jar = h.replies[i][0], h.replies[i][1]
	h.replies = append(h.replies[:i:i], h.replies[i+1:]...)
}

// parallel: several tabs send at once. One of the answers is what the model expects, and all are equal to it.
func (m *machine) parallel(rt *rapid.T) {
	h := m.pick(rt)
	others := make([]session.Tokens, rapid.IntRange(1, 4).Draw(rt, "others"))
	errs := make([]error, len(others))
	before := *h.family
	before.confirmed = append([]time.Time(nil), h.confirmed...)
	var wg sync.WaitGroup
	r := request{refresh: h.jar}
	if before.present(before.generation(h.jar), h.binding, false, m.now, &m.lives).reason != "" {
		rt.Skip("refusals are not for here")
	}
	for i := range others {
		wg.Go(func() { others[i], errs[i] = m.refresh(r, h.binding) })
	}
	first, err := m.refresh(r, h.binding)
	wg.Wait()
	must(rt, err)
	want := h.present(h.generation(h.jar), h.binding, false, m.now, &m.lives)
	text := first.Refresh.Reveal()
	if want.fresh && h.generation(text) < 0 {
		h.learn(text, m.now)
	} else if text != want.text {
		rt.Fatalf("got generation %d, want %d", h.generation(text), h.generation(want.text))
	}
	for i := range others {
		must(rt, errs[i])
		if others[i].Refresh.Reveal() != text {
			rt.Fatal("two live successors")
		}
	}
	h.replies = append(h.replies, [2]string{first.Access.Reveal(), text})
}

// steal: a thief copies the jar, or finds an old token.
func (m *machine) steal(rt *rapid.T) {
	h := m.pick(rt)
	h.copied = append(h.copied, rapid.SampledFrom([]string{h.jar, rapid.SampledFrom(h.tokens).Draw(rt, "old")}).Draw(rt, "token"))
}

func (m *machine) thief(rt *rapid.T) {
	h := m.pick(rt)
	if len(h.copied) == 0 {
		rt.Skip("nothing stolen")
	}
	was := h.ended
	got, ok := m.use(rt, h, request{refresh: rapid.SampledFrom(h.copied).Draw(rt, "token")}, "")
	h.stolen = h.stolen || ok || h.ended != was
	if ok {
		if h.binding != "" {
			rt.Fatal("a copy of a bound token was worth something")
		}
		h.copied = append(h.copied, got.Refresh.Reveal())
	}
}

func (m *machine) wait(rt *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(rt, "ms")) * time.Millisecond)
}

func (m *machine) waitLong(rt *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 55).Draw(rt, "minutes")) * time.Minute)
}

// browse: a tab works for a while, sending only its refresh token; every reply arrives.
func (m *machine) browse(rt *rapid.T) {
	h := m.pick(rt)
	for range rapid.IntRange(1, 12).Draw(rt, "refreshes") {
		m.wait(rt)
		got, ok := m.use(rt, h, request{refresh: h.jar}, h.binding)
		if !ok {
			return
		}
		h.access, h.jar = got.Access.Reveal(), got.Refresh.Reveal()
	}
}

// rare: what ends families, kept rare so that most of them live to have a story.
func (m *machine) rare(rt *rapid.T) {
	acts := []func(*rapid.T){m.revoke, m.disable, m.raiseEpoch, m.logout}
	if i := rapid.IntRange(0, 20).Draw(rt, "act"); i < len(acts) {
		acts[i](rt)
	}
}

func must(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil {
		rt.Fatalf("unexpected: %v", err)
	}
}

// endedBy ends the family by act, with a swap and a guard read prepared before and tried after.
func (m *machine) endedBy(rt *rapid.T, h *holder, reason fault.Reason, act func() error) {
	ctx := context.Background()
	l, err := m.w.Store.Load(ctx, session.Ref{TenantID: m.w.Tenant.ID, ID: h.id})
	must(rt, err)
	must(rt, act())
	next := l.Family
	next.Generation++
	won, err := m.w.Store.Swap(ctx, l.Family, next, audit.Record{})
	must(rt, err)
	live, err := m.w.Store.Touch(ctx, l.Family, m.now)
	must(rt, err)
	if won || live {
		rt.Fatalf("after the end: swap %v, guard %v", won, live)
	}
	if h.ended == "" || reason != fault.ReasonSessionRevoked {
		h.ended = reason
	}
}

func (m *machine) revoke(rt *rapid.T) {
	h := m.pick(rt)
	m.endedBy(rt, h, fault.ReasonSessionRevoked, func() error {
		_, err := m.s.Revoke(context.Background(), m.call(), session.Match{ID: h.id}, "test")
		return err
	})
}

func (m *machine) disable(rt *rapid.T) {
	h := m.pick(rt)
	m.endedBy(rt, h, fault.ReasonUserDisabled, func() error {
		return m.w.Users.SetStatus(context.Background(), m.w.Tenant.ID, h.userID, user.Disabled, m.now, audit.Record{})
	})
}

func (m *machine) raiseEpoch(rt *rapid.T) {
	h := m.pick(rt)
	m.endedBy(rt, h, fault.ReasonSessionRevoked, func() error {
		_, err := m.w.Users.RaiseEpoch(context.Background(), m.w.Tenant.ID, h.userID, "test", m.now, audit.Record{})
		return err
	})
}

func (m *machine) logout(rt *rapid.T) {
	h := m.pick(rt)
	q := session.LogoutRequest{Tenant: m.w.Tenant, Client: m.client, Revoke: true}
	if rapid.Bool().Draw(rt, "by access token") {
		q.Access = secret.NewText(h.access)
	} else {
		q.Refresh = secret.NewText(h.jar)
		if h.binding != "" && h.generation(h.jar) < h.head {
			rt.Skip("an old token of a bound family ends nothing")
		}
	}
	m.endedBy(rt, h, fault.ReasonSessionRevoked, func() error { return m.s.Logout(context.Background(), m.call(), q) })
}

// madeUp: tokens nobody minted end nothing.
func (m *machine) madeUp(rt *rapid.T) {
	h := m.pick(rt)
	text := []byte(rapid.SampledFrom(h.tokens).Draw(rt, "token"))
	i := rapid.IntRange(35, len(text)-2).Draw(rt, "at") // behind the family id: generation, random part or MAC
	text[i] = rapid.SampledFrom([]byte("ABCDwxyz0189-_")).Filter(func(b byte) bool { return b != text[i] }).Draw(rt, "byte")
	if _, err := m.refresh(request{refresh: string(text)}, h.binding); fault.ReasonOf(err) != fault.ReasonRefreshUnknown {
		rt.Fatalf("a made-up token: %v", err)
	}
}

// dump: what the store holds opens nothing without the right old token, and nothing without the ring.
func (m *machine) dump(rt *rapid.T) {
	h := m.pick(rt)
	l, err := m.w.Store.Load(context.Background(), session.Ref{TenantID: m.w.Tenant.ID, ID: h.id})
	must(rt, err)
	others := NewRing()
	for _, seal := range []struct {
		sealed []byte
		with   int
	}{{l.Family.SealedPending, h.head}, {l.Family.SealedHead, h.head - 1}} {
		if len(seal.sealed) == 0 {
			continue
		}
		label := "refresh successor " + h.id
		for g, text := range append([]string{""}, h.tokens...) {
			plain, err := m.ring.Open(label, []byte(text), seal.sealed)
			if right := g-1 == seal.with; right != (err == nil) || right && string(plain) != h.tokens[g] {
				rt.Fatalf("generation %d on the seal of %d: %v", g-1, seal.with+1, err)
			}
			if _, err := others.Open(label, []byte(text), seal.sealed); err == nil {
				rt.Fatal("a seal opens without the ring's key")
			}
		}
	}
}

// successors, after every step: what is stored is the model's head, and at most its one successor.
func (m *machine) successors(rt *rapid.T) {
	for _, h := range m.holders {
		l, err := m.w.Store.Load(context.Background(), session.Ref{TenantID: m.w.Tenant.ID, ID: h.id})
		must(rt, err)
		if l.Family.Head != secret.RefreshHash(h.tokens[h.head]) {
			rt.Fatalf("head is not generation %d", h.head)
		}
		if pending := l.Family.Pending != nil; pending != (h.head+1 < len(h.tokens)) {
			rt.Fatalf("pending %v, head %d of %d", pending, h.head, len(h.tokens))
		} else if pending && *l.Family.Pending != secret.RefreshHash(h.tokens[h.head+1]) {
			rt.Fatal("pending is not the newest token")
		}
		if len(l.Family.Confirmations) > session.MaxConfirmations {
			rt.Fatalf("%d confirmations are kept", len(l.Family.Confirmations))
		}
	}
}
