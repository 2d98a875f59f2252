package endtoend

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

var superLives = strings.Replace(oneIssuer, "  clients:", "  lives: {access_s: 3600, refresh_idle_s: 8640000, refresh_max_s: 8640000}\n  clients:", 1)

// TestSuperTokensKeys: of two nodes on one store, through rotations by time and by an operator and through restarts, static keys stay as they
// are, rotating ones rotate, and every token that has not expired verifies, whichever node publishes the keys.
func TestSuperTokensKeys(t *testing.T) {
	ctx, o := t.Context(), server.Options{Store: testbed.Postgres(t), Config: superLives, Data: t.TempDir()}
	w := newSuperWorld(t, o, 2)
	m2, remembering := w.m2Of(t), startNode(t, "m2.mjs", object{"jwks": w.app.URL + "/auth/jwt/jwks.json"})
	static := jwtOf(t, w.app.call("JWT.createJWT", mark))
	long := jwtOf(t, w.app.call("JWT.createJWT", mark, 60*24*3600, false))
	never := kids(jwks(ctx, t, w.nodes[0]), "s-")
	seen := []string{kidOf(t, long)}

	// good checks every token that has not expired, twice, so that both nodes are asked for their keys. A session may have to wait: the SDK
	// does not fetch keys twice within half a second, and the clock's leaps bring a key from announced to signing within less.
	good := func(when string, sessions ...*tab) {
		t.Helper()
		for range 2 {
			for what, token := range map[string]string{"static": static, "rotating": long} {
				for _, p := range []*peer{m2, remembering} {
					if r := p.work(token); r.status != 200 {
						t.Fatalf("%s: the %s token is answered %d: %s", when, what, r.status, r.body)
					}
				}
			}
			for i, b := range sessions {
				until(t, patience, fmt.Sprintf("%s: session %d is good", when, i), func() bool {
					return b.send(http.MethodGet, "/who", nil).status == 200
				})
			}
		}
		for _, s := range w.nodes {
			if now := kids(jwks(ctx, t, s), "s-"); !slices.Equal(now, never) {
				t.Fatalf("%s: the static keys were %v and are %v", when, never, now)
			}
		}
	}
	// another waits for sessions that another key signs than those before; the clock's steps are shorter than a token's life.
	another := func(when string) *tab {
		t.Helper()
		for began := time.Now(); time.Since(began) < 30*time.Second; w.nodes[0].MustAdvance(ctx, 2*time.Minute) {
			b, r := w.bare.opened("header", object{"userId": "keys"})
			if kid := kidOf(t, r.header.Get("st-access-token")); !slices.Contains(seen, kid) {
				seen = append(seen, kid)
				return b
			}
		}
		t.Fatalf("%s: the same key still signs", when)
		return nil
	}

	good("at first")
	for range 2 {
		w.nodes[0].MustAdvance(ctx, 168*time.Hour-10*time.Minute)
		last, _ := w.bare.opened("header", object{"userId": "keys"})
		next := another("after a week")
		good("after a week", last, next)
	}
	last, _ := w.bare.opened("header", object{"userId": "keys"})
	file := filepath.Join(t.TempDir(), "gatehouse.yaml")
	do(t, os.WriteFile(file, []byte(o.Config), 0o600))
	commanded(t, w.nodes[0].Data, o, "keys", "rotate", "--purpose", "sign", "--config", file)
	next := another("an operator rotated")
	good("an operator rotated", last, next)

	for _, s := range w.nodes { // one after the other; the application knows only the new ones
		do(t, s.Stop())
	}
	w = newSuperWorld(t, o, 2)
	m2, remembering = w.m2Of(t), startNode(t, "m2.mjs", object{"jwks": w.app.URL + "/auth/jwt/jwks.json"})
	last.base, next.base = w.bare.URL, w.bare.URL
	good("after a restart", last, next)
	if kid := kidOf(t, jwtOf(t, w.app.call("JWT.createJWT", mark))); kid != kidOf(t, static) {
		t.Errorf("another static key signs: %s, it was %s", kid, kidOf(t, static))
	}
	if len(seen) < 4 {
		t.Errorf("only %d keys signed", len(seen))
	}
	t.Logf("%d keys signed: %v", len(seen), seen)
}
