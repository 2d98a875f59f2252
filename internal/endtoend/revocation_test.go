package endtoend

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
	"github.com/gatehouse-auth/gatehouse/resource"
)

// guest is a resource server: a verifier that follows the feed, and what it asked the issuer.
type guest struct {
	*resource.Verifier
	feed *resource.Feed

	mu    sync.Mutex
	asked []*url.URL
	logs  syncText
}

type syncText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncText) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), text)
}

// RoundTrip notes what is asked.
func (g *guest) RoundTrip(r *http.Request) (*http.Response, error) {
	g.mu.Lock()
	g.asked = append(g.asked, r.URL)
	g.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// paths counts what was asked of a path since the given place in the list.
func (g *guest) paths(path string) (urls []*url.URL) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, u := range g.asked {
		if u.Path == path {
			urls = append(urls, u)
		}
	}
	return urls
}

const (
	feedPath   = "/oauth2/revocations"
	verifyPath = "/internal/token/verify"
)

// newGuest starts one that reaches the issuer at base, and waits until it is whole.
func newGuest(t *testing.T, s *server.Server, base string, mode resource.Mode, change ...func(*resource.FeedConfig)) *guest {
	t.Helper()
	// A verifier that has just looked does not look again for a kid at once: let the first keys be there.
	until(t, 30*time.Second, "the signing keys are there", func() bool { return len(kids(jwks(t.Context(), t, s), "d-")) >= 3 })
	g := &guest{}
	cfg := resource.FeedConfig{
		Issuer: "example", URL: base + feedPath, JWKSURL: base + "/.well-known/jwks.json", HTTP: &http.Client{Transport: g, Timeout: 10 * time.Second},
		APIKey: func() string { return s.APIKey }, Lost: mode, Log: slog.New(slog.NewTextHandler(&g.logs, nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	g.feed, err = resource.NewFeed(cfg)
	do(t, err)
	g.Verifier, err = resource.New(resource.Config{
		Issuer: cfg.Issuer, AnyAudience: true, JWKSURL: cfg.JWKSURL, HTTP: cfg.HTTP, Feed: g.feed, Now: cfg.Now,
	})
	do(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = g.feed.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	ready, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	do(t, g.feed.Ready(ready))
	return g
}

func reasonFor(g *guest, token string) string {
	_, err := g.Verify(context.Background(), token)
	var e *resource.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func accepted(t *testing.T, token string, guests ...*guest) {
	t.Helper()
	for i, g := range guests {
		if r := reasonFor(g, token); r != "" {
			t.Fatalf("follower %d refuses a good token: %s", i, r)
		}
	}
}

// dies waits until all refuse because the feed said so, and not for another reason such as age; a second is promised.
func dies(t *testing.T, what, token string, guests ...*guest) {
	t.Helper()
	began := time.Now()
	for i, g := range guests {
		for reasonFor(g, token) != resource.ReasonRevoked {
			if took := time.Since(began); took > patience {
				t.Fatalf("%s: follower %d still says %q after %s", what, i, reasonFor(g, token), took)
			}
			time.Sleep(time.Millisecond)
		}
	}
	t.Logf("%s: refused by all after %s, promised in a second", what, time.Since(began))
}

// TestFollowersRefuse: whatever ends a token, every follower refuses it soon after the answer, and none has asked about any.
func TestFollowersRefuse(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Config = threeAlgs
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "feed")
		var guests []*guest
		for range 10 {
			guests = append(guests, newGuest(t, s, s.URL, resource.ModeIntrospect))
		}
		login := func() string { access, _ := bearer(ctx, t, p); return access }

		a, b := login(), login()
		accepted(t, a, guests...)
		accepted(t, b, guests...)
		r, err := s.Logout(ctx, a)
		must(t, "logout", r, err, 200)
		dies(t, "a logout", a, guests...)
		accepted(t, b, guests...)

		r, err = service(s, s.APIKey).Post(ctx, "/internal/sessions/revoke", map[string]string{"session_id": claimsOf(t, b)["sid"].(string)})
		must(t, "revoke", r, err, 200)
		dies(t, "a session ended by a service", b, guests...)

		store, err := sqlstore.Open(ctx, dataStore(o, s), sqlstore.Config{})
		do(t, err)
		defer func() { _ = store.Close() }()
		c := login()
		accepted(t, c, guests...)
		sub := claimsOf(t, c)["sub"].(string)
		_, err = store.Users().RaiseEpoch(ctx, s.TenantID, sub, "stolen_phone", time.Now(), audit.Record{})
		do(t, err)
		dies(t, "a raised epoch, by another process", c, guests...)
		d := login()
		accepted(t, d, guests...)

		until := time.Now().Add(time.Hour)
		do(t, store.Sessions().Record(ctx, audit.Record{Revocations: []audit.Revocation{{
			TenantID: s.TenantID, Kind: "token", Target: claimsOf(t, d)["jti"].(string), At: time.Now(), Until: until,
		}}}))
		dies(t, "a token", d, guests...)

		e := loginAt(ctx, t, s, p, "es")
		accepted(t, e, guests...)
		do(t, store.Tenants().RemoveClient(ctx, s.TenantID, "es", time.Now(), audit.Record{Revocations: []audit.Revocation{{
			TenantID: s.TenantID, Kind: "client", Target: "es", At: time.Now(), Until: until,
		}}}))
		dies(t, "a client", e, guests...)

		f := login()
		accepted(t, f, guests...)
		do(t, store.Sessions().Record(ctx, audit.Record{Revocations: []audit.Revocation{{
			TenantID: s.TenantID, Kind: "key", Target: kidOf(t, f), At: time.Now(), Until: until,
		}}}))
		dies(t, "a key", f, guests...)
		steady := 0
		for i, g := range guests {
			if g.logs.count("the revocation feed is lost") > 0 { // the machine had five seconds for nobody
				t.Logf("follower %d lost the feed meanwhile", i)
				continue
			}
			steady++
			if n := len(g.paths(verifyPath)); n > 0 || len(g.paths(feedPath)) != 1 {
				t.Errorf("follower %d asked %d times about tokens and came %d times", i, n, len(g.paths(feedPath)))
			}
		}
		if steady == 0 {
			t.Error("no follower kept the feed")
		}
		metrics, err := s.Visitor().Get(ctx, s.AdminURL+"/metrics")
		if must(t, "metrics", metrics, err, 200); !strings.Contains(string(metrics.Body), "gatehouse_revocation_followers 10\n") {
			t.Error("the followers are not counted")
		}
	})
}

func dataStore(o server.Options, s *server.Server) string {
	if o.Store != "" {
		return o.Store
	}
	return "sqlite:" + s.Data + "/gatehouse.db"
}

// TestFollowersAcrossNodes: a logout at one node is heard by the followers of another.
func TestFollowersAcrossNodes(t *testing.T) {
	many(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Config, o.Data = threeAlgs, t.TempDir()
		a, b := server.Start(t, o), server.Start(t, o)
		p := signUp(ctx, t, a, "nodes")
		far := newGuest(t, b, b.URL, resource.ModeRefuse)
		for range 5 {
			access, _ := bearer(ctx, t, p)
			accepted(t, access, far)
			r, err := a.Logout(ctx, access)
			must(t, "logout", r, err, 200)
			dies(t, "a logout at the other node", access, far)
		}
	})
}

// TestFeedCut: a wire that is cut silently brings the declared mode, in five seconds where the machine has them, and back when it is mended,
// without a gap.
func TestFeedCut(t *testing.T) {
	ctx := t.Context()
	s := server.Start(t, server.Options{Config: threeAlgs})
	p := signUp(ctx, t, s, "cut")
	w := newWire(t, s.URL)
	ask := func(c *resource.FeedConfig) { c.VerifyURL = s.URL + verifyPath } // this wire holds
	refuse, introspect := newGuest(t, s, w.URL(), resource.ModeRefuse), newGuest(t, s, w.URL(), resource.ModeIntrospect, ask)
	accept, alone := newGuest(t, s, w.URL(), resource.ModeAcceptAndLog), newGuest(t, s, w.URL(), resource.ModeIntrospect)
	live, _ := bearer(ctx, t, p)
	dead, _ := bearer(ctx, t, p)
	accepted(t, live, refuse, introspect, accept, alone)
	accepted(t, dead, refuse, introspect, accept, alone)

	w.sever()
	began := time.Now()
	r, err := s.Logout(ctx, dead)
	must(t, "logout", r, err, 200)
	until(t, patience, "the mode", func() bool { return reasonFor(refuse, live) == resource.ReasonFeedLost })
	t.Logf("the mode came after %s, promised in 5 s", time.Since(began))
	until(t, patience, "the other modes", func() bool {
		return !introspect.feed.Stats().Live && !accept.feed.Stats().Live && !alone.feed.Stats().Live
	})
	if got := reasonFor(introspect, dead); got != resource.ReasonRevoked {
		t.Errorf("a revoked token that is asked about: %q", got)
	}
	accepted(t, live, introspect, accept)
	accepted(t, dead, accept)
	if got := reasonFor(alone, live); got != resource.ReasonFeedLost {
		t.Errorf("nobody can be asked: %q", got)
	}
	if n := accept.feed.Stats().Unchecked; n != 2 {
		t.Errorf("%d accepted unchecked, want 2", n)
	}
	until(t, patience, "a line in the log", func() bool { return refuse.logs.count("the revocation feed is lost") == 1 })

	w.mend()
	for _, g := range []*guest{refuse, introspect, accept, alone} {
		until(t, patience, "the feed is whole again", func() bool { return g.feed.Stats().Live })
		if got := reasonFor(g, dead); got != resource.ReasonRevoked {
			t.Errorf("what was revoked meanwhile is %q", got)
		}
		accepted(t, live, g)
	}
	if refuse.logs.count("the revocation feed is lost") != 1 {
		t.Error("the loss was logged more than once")
	}
}

// TestFeedResumes: a server that is restarted is followed on from the last number, and a stream that was named anew from the beginning.
func TestFeedResumes(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Config, o.Data = threeAlgs, t.TempDir()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "resume")
		w := newWire(t, s.URL)
		g := newGuest(t, s, w.URL(), resource.ModeRefuse)
		logout := func(s *server.Server) string {
			t.Helper()
			p.Target = &s.Target
			access, _ := bearer(ctx, t, p)
			accepted(t, access, g)
			r, err := s.Logout(ctx, access)
			must(t, "logout", r, err, 200)
			return access
		}
		dies(t, "a logout", logout(s), g)
		live, _ := bearer(ctx, t, p)
		dead, _ := bearer(ctx, t, p)
		began := time.Now()
		do(t, s.Stop())
		if took := time.Since(began); took > 9*time.Second { // a stop that is held up takes the 10 s that requests in hand are given
			t.Errorf("the stop took %s: followers hold it up", took)
		}
		store, err := sqlstore.Open(ctx, dataStore(o, s), sqlstore.Config{})
		do(t, err)
		defer func() { _ = store.Close() }()
		do(t, store.Sessions().Record(ctx, audit.Record{Revocations: []audit.Revocation{{
			TenantID: s.TenantID, Kind: "session", Target: claimsOf(t, dead)["sid"].(string), At: time.Now(), Until: time.Now().Add(time.Hour),
		}}}))
		s = server.Start(t, o)
		w.lead(t, s.URL)
		until(t, patience, "the feed is whole again", func() bool { return reasonFor(g, dead) == resource.ReasonRevoked && g.feed.Stats().Live })
		accepted(t, live, g)
		came := g.paths(feedPath)
		last := came[len(came)-1].Query()
		if last.Get("after") != "1" || last.Get("stream") == "" {
			t.Errorf("it came back with %v", last)
		}

		do(t, store.RenewStream(ctx))
		until(t, patience, "it came for another stream", func() bool { return len(g.paths(feedPath)) > len(came) })
		until(t, patience, "the new stream is whole", func() bool { return g.feed.Stats().Live && g.feed.Stats().Sequence == 2 })
		if got := reasonFor(g, dead); got != resource.ReasonRevoked {
			t.Errorf("after the snapshot: %q", got)
		}
		dies(t, "a logout in the new stream", logout(s), g)
	})
}

// TestFeedIsGuarded: only a key with the scope opens the feed, and only in its form.
func TestFeedIsGuarded(t *testing.T) {
	ctx := t.Context()
	s := server.Start(t, server.Options{Config: threeAlgs})
	p := signUp(ctx, t, s, "guard")
	access, _ := bearer(ctx, t, p)
	for what, v := range map[string]*drill.Visitor{
		"nobody": s.Visitor(), "a user": s.Visitor().With("Authorization", "Bearer "+access), "a wrong key": service(s, "gk_wrong"),
	} {
		r, err := v.Get(ctx, feedPath)
		refusedFor(t, what, r, err, 401, "invalid_internal_key")
	}
	for _, query := range []string{"?after=-1", "?after=x", "?wait_s=-1", "?stream=" + strings.Repeat("x", 100)} {
		r, err := service(s, s.APIKey).Get(ctx, feedPath+query)
		refusedFor(t, query, r, err, 400, "invalid_field")
	}
	r, err := service(s, s.APIKey).Get(ctx, feedPath)
	must(t, "a long poll of a newcomer", r, err, 200)
	if !strings.HasPrefix(string(r.Body), `{"batches":["ey`) {
		t.Fatal("no batch")
	}
}
