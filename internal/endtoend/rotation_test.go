package endtoend

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

var rotationConfig = "master_keys: [%s]" + loadTenant

// operator runs the operators' commands beside the nodes.
type operator struct{ data, store string }

func (o operator) run(t *testing.T, config string, args ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ops.yaml")
	do(t, os.WriteFile(file, []byte(config), 0o600))
	commanded(t, o.data, server.Options{Store: o.store}, append(args, "--config", file)...)
}

// TestEveryRotationUnderLoad rotates signing, MAC, sealing, pepper and master keys of two nodes under 200 refreshes a second: nobody honest
// is refused, no token that has not expired fails to verify, and the JWKS always has the key of every token that is handed out.
func TestEveryRotationUnderLoad(t *testing.T) {
	url, data := testbed.Postgres(t), t.TempDir()
	for _, name := range []string{"old", "new"} {
		do(t, os.WriteFile(filepath.Join(data, name+".key"), []byte(base64.StdEncoding.EncodeToString(secret.Bytes(32))), 0o600))
	}
	refs := func(names ...string) string {
		for i, n := range names {
			names[i] = `"file:` + filepath.Join(data, n+".key") + `"`
		}
		return fmt.Sprintf(rotationConfig, strings.Join(names, ", "))
	}
	o, ops := server.Options{Store: url, Data: data, Config: refs("old")}, operator{data, url}
	l := newRefreshLoad(t, newCluster(t, 2, o))
	p := signUp(t.Context(), t, l.node(0), "rotation")
	for _, purpose := range []string{"mac", "seal", "pepper", "sign"} {
		ops.run(t, refs("old"), "keys", "rotate", "--purpose", purpose)
	}
	l.goOn(t, 14*time.Second) // every ring key is in use after 10 s
	l.move(t.Context(), t, 6*time.Minute, func() {})
	l.goOn(t, 2*time.Second)
	ops.run(t, refs("old"), "keys", "withdraw", l.unused(t))
	l.goOn(t, 2*time.Second)

	// The master key: every node gets both, one after the other; then the ring is wrapped anew; then the old one goes.
	restart := func(config string) {
		for i := range l.nodes {
			o.Config = config
			l.replace(t, i, o, orderly(t))
			l.someGoBy(t)
		}
	}
	restart(refs("new", "old"))
	ops.run(t, refs("new", "old"), "keys", "rewrap")
	restart(refs("new"))
	l.end(t)
	if len(l.seen) < 2 {
		t.Error("the signing key never changed")
	}
	r, err := p.LogIn(t.Context(), l.node(0).Visitor())
	must(t, "a login after all rotations", r, err, 200)
}

// unused is an announced key that signs nothing yet.
func (l *refreshLoad) unused(t *testing.T) string {
	t.Helper()
	seen := l.marked(l.seen)
	for _, k := range jwks(t.Context(), t, l.node(0)).Keys { // the newest first
		if k.Algorithm == loadAlg && !seen[k.KeyID] {
			return k.KeyID
		}
	}
	t.Fatal("no announced key")
	return ""
}

// TestWithdrawalUnderLoad: the key that signs is withdrawn under 200 refreshes a second at two nodes, again and again, once after a planned
// rotation whose old key still verifies. No refresh is refused; tokens of every other key verify, with a JWKS from before they were signed
// too; the JWKS never lacks a key that signs; tokens of the withdrawn key are refused, and their people go on with a refresh.
func TestWithdrawalUnderLoad(t *testing.T) {
	many(t, func(t *testing.T, o server.Options) {
		o.Config, o.Data = loadTenant, t.TempDir()
		ops := operator{o.Data, o.Store}
		l := newRefreshLoad(t, newCluster(t, 2, o))
		for round := range soak(2, 12) {
			l.announced(t)
			l.goOn(t, time.Second) // the verifier too
			if round%2 == 1 {
				ops.run(t, loadTenant, "keys", "rotate", "--purpose", "sign", "--alg", loadAlg)
				l.move(t.Context(), t, 6*time.Minute, func() {})
				l.announced(t)
				l.goOn(t, time.Second)
			}
			l.withdraw(t, ops)
		}
		l.someGoBy(t)
		l.end(t)
	})
}

// withdraw ends the key that signs.
func (l *refreshLoad) withdraw(t *testing.T, ops operator) {
	t.Helper()
	ctx := t.Context()
	access, refresh := bearer(ctx, t, l.person)
	kid, next := kidIn(access), l.unused(t)
	l.someGoBy(t)
	l.mark(l.withdrawn, kid)
	ops.run(t, loadTenant, "keys", "withdraw", kid)
	for i := range l.nodes {
		until(t, patience, "a node knows of the withdrawal", func() bool {
			return !slices.Contains(kids(jwks(ctx, t, l.node(i)), "d-"), kid)
		})
	}
	l.mark(l.dead, kid)
	l.someGoBy(t)
	for i := range l.nodes {
		r, err := l.node(i).Me(ctx, access)
		refusedFor(t, "a token of the withdrawn key", r, err, 401, "invalid_token")
		r, err = l.node(i).Refresh(ctx, access, refresh)
		must(t, "a refresh beside a token of the withdrawn key", r, err, 200)
		if got := kidIn(r.Text("access_token")); got != next {
			t.Errorf("key %s signs after the withdrawal of %s, want the announced one, %s", got, kid, next)
		}
	}
}

func kidIn(token string) string {
	head, err := decodePart(strings.Split(token, ".")[0])
	var h struct{ Kid string }
	if err != nil || json.Unmarshal(head, &h) != nil {
		return ""
	}
	return h.Kid
}
