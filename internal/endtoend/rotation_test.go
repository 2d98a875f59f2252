package endtoend

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const rotationConfig = `master_keys: [%s]
tenants:
- id: 0190d0c8-7c3e-7000-8000-000000000001
  slug: main
  test: true
  issuer: https://login.example.com
  lives: {refresh_min_rotation_s: 0}
  clients: [{id: web, auto_register: true}]
`

// TestEveryRotationUnderLoad rotates signing, MAC, sealing, pepper and master keys of two nodes while people refresh: nobody honest is
// refused, no token that has not expired fails to verify, and the JWKS always has the key of every token that is handed out.
func TestEveryRotationUnderLoad(t *testing.T) {
	url, data := testbed.Postgres(t), t.TempDir()
	for _, name := range []string{"old", "new"} {
		text := base64.StdEncoding.EncodeToString(secret.Bytes(32))
		if err := os.WriteFile(filepath.Join(data, name+".key"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refs := func(names ...string) string {
		var out []byte
		for i, n := range names {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = append(out, `"file:`+filepath.Join(data, n+".key")+`"`...)
		}
		return fmt.Sprintf(rotationConfig, out)
	}
	o := server.Options{Store: url, Data: data, Config: refs("old")}
	nodes := []*server.Server{server.Start(t, o), server.Start(t, o)}
	ops := func(config string, args ...string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "ops.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(server.Build(t, ""), append(args, "--dev", "--data", data, "--config", file)...)
		cmd.Env = append(os.Environ(), "GATEHOUSE_STORE__URL="+url)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("gatehouse %v: %v\n%s", args, err, out)
		}
	}
	ctx := t.Context()
	load := newLoad(ctx, t, nodes, 8)
	for _, purpose := range []string{"mac", "seal", "pepper", "sign"} {
		ops(refs("old"), "keys", "rotate", "--purpose", purpose)
	}
	load.goOn(14 * time.Second) // every ring key is in use after 10 s
	load.mu.Lock()              // while a test clock moves, the nodes' clocks differ, as real ones never do
	nodes[0].MustAdvance(ctx, 6*time.Minute)
	load.mu.Unlock()
	load.goOn(2 * time.Second)
	ops(refs("old"), "keys", "withdraw", load.kidOfNext(ctx, nodes[0]))
	load.goOn(2 * time.Second)

	// The master key: every node gets both, one after the other; then the ring is wrapped anew; then the old one goes.
	o.Config = refs("new", "old")
	for i := range nodes {
		nodes[i] = load.replace(i, server.Start(t, o))
	}
	ops(refs("new", "old"), "keys", "rewrap")
	o.Config = refs("new")
	for i := range nodes {
		nodes[i] = load.replace(i, server.Start(t, o))
	}
	load.goOn(2 * time.Second)
	load.end()
	if n := load.refreshes.Load(); n < 500 {
		t.Errorf("only %d refreshes: no load", n)
	}
	t.Logf("%d refreshes, %d checks, %d signing keys seen", load.refreshes.Load(), load.checks.Load(), len(load.kids))
	if len(load.kids) < 2 {
		t.Error("the signing key never changed")
	}
	p := load.people[0]
	if r, err := p.LogIn(ctx, nodes[0].Visitor()); err != nil || r.Status != 200 {
		t.Errorf("a login after all rotations: %v %v", r, err)
	}
}

// rotationLoad is people who refresh without end, each on whichever node, and check what they get.
type rotationLoad struct {
	t      *testing.T
	ctx    context.Context
	people []*drill.Person
	stop   chan struct{}
	all    sync.WaitGroup

	mu    sync.RWMutex // held shared by a request, exclusively to take a node away
	nodes []*server.Server
	kids  map[string]bool
	kept  sync.Mutex

	refreshes, checks atomic.Int64
}

func newLoad(ctx context.Context, t *testing.T, nodes []*server.Server, people int) *rotationLoad {
	t.Helper()
	l := &rotationLoad{t: t, ctx: ctx, nodes: append([]*server.Server(nil), nodes...), stop: make(chan struct{}), kids: map[string]bool{}}
	for i := range people {
		p := signUp(ctx, t, nodes[0], "rotation")
		access, refresh := bearer(ctx, t, p)
		l.people = append(l.people, p)
		l.all.Go(func() { l.person(i, access, refresh) })
	}
	return l
}

func (l *rotationLoad) person(i int, access, refresh string) {
	for n := i; ; n++ {
		select {
		case <-l.stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
		next, err := l.round(n, access, refresh)
		if err != nil {
			l.t.Error(err)
			return
		}
		access, refresh = next.Text("access_token"), next.Text("refresh_token")
	}
}

func (l *rotationLoad) round(n int, access, refresh string) (*drill.Reply, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	node := l.nodes[n%len(l.nodes)]
	next, err := node.Refresh(l.ctx, "", refresh)
	if err != nil || next.Status != 200 {
		return nil, fmt.Errorf("an honest refresh: %v (%v)", next, err)
	}
	l.refreshes.Add(1)
	other := l.nodes[(n+1)%len(l.nodes)]
	me, err := other.Me(l.ctx, next.Text("access_token"))
	if err != nil || me.Status != 200 {
		return nil, fmt.Errorf("a fresh token at the other node: %v (%v), key %s", me, err, kidIn(next.Text("access_token")))
	}
	l.checks.Add(1)
	return next, l.published(other, next.Text("access_token"))
}

// published: whoever fetches the JWKS now finds the key of a token that was just handed out.
func (l *rotationLoad) published(node *server.Server, token string) error {
	r, err := node.Visitor().Get(l.ctx, "/.well-known/jwks.json")
	if err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(r.Body, &set); err != nil {
		return err
	}
	kid := kidIn(token)
	l.kept.Lock()
	l.kids[kid] = true
	l.kept.Unlock()
	if len(set.Key(kid)) != 1 {
		return fmt.Errorf("the JWKS lacks %q, which signs", kid)
	}
	return nil
}

func kidIn(token string) string {
	head, err := decodePart(strings.Split(token, ".")[0])
	var h struct{ Kid string }
	if err != nil || json.Unmarshal(head, &h) != nil {
		return ""
	}
	return h.Kid
}

// kidOfNext is an announced key that signs nothing yet.
func (l *rotationLoad) kidOfNext(ctx context.Context, node *server.Server) string {
	l.t.Helper()
	r, err := node.Visitor().Get(ctx, "/.well-known/jwks.json")
	must(l.t, "jwks", r, err, 200)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(r.Body, &set); err != nil {
		l.t.Fatal(err)
	}
	for _, k := range set.Keys { // the newest first
		l.kept.Lock()
		used := l.kids[k.KeyID]
		l.kept.Unlock()
		if k.Algorithm == "RS256" && !used {
			return k.KeyID
		}
	}
	l.t.Fatal("no announced key")
	return ""
}

// goOn lets the load run.
func (l *rotationLoad) goOn(d time.Duration) {
	l.t.Helper()
	select {
	case <-time.After(d):
	case <-l.ctx.Done():
	}
	if l.t.Failed() {
		l.t.FailNow()
	}
}

// replace takes a node out of use when its requests are answered, as a load balancer does.
func (l *rotationLoad) replace(i int, by *server.Server) *server.Server {
	l.mu.Lock()
	old := l.nodes[i]
	l.nodes[i] = by
	l.mu.Unlock()
	if err := old.Stop(); err != nil {
		l.t.Error(err)
	}
	return by
}

func (l *rotationLoad) end() {
	close(l.stop)
	l.all.Wait()
}
