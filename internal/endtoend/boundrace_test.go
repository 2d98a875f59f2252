package endtoend

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// proofCallers send what works once, at once.
const proofCallers = 64

// TestProofsAndNoncesWorkOnce: of 64 calls with one proof, and of 64 proofs that repeat one nonce, one passes; on every engine, and over two nodes
// wherever two can share one.
func TestProofsAndNoncesWorkOnce(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		b := newBond(t, server.Options{})
		b.race(b.s)
	})
	many(t, func(t *testing.T, o server.Options) {
		o.Data, o.Config = t.TempDir(), strings.Replace(boundClients, "  test: true\n", "  issuer: https://login.example.com\n  test: true\n", 1)
		b := newBond(t, o)
		o.Env = append(o.Env, "WEB_SECRET="+webSecret)
		b.race(b.s, server.Start(t, o))
	})
}

func (b *bond) race(nodes ...*server.Server) {
	b.t.Helper()
	tokens := b.proved(b.login("spa"))
	me := own(http.MethodGet, "/me", tokens.Text("access_token"), nil)
	proof := (&attempt{bond: b, d: me}).with("x", 1)
	b.onePasses("one proof", me, "invalid_dpop_proof", nodes, func() string { return proof })

	info := *me
	info.path = "/oauth2/userinfo"
	info.access = b.tokens("spa").Text("access_token")
	info.header = map[string]string{"Authorization": "DPoP " + info.access}
	second := (&attempt{bond: b, d: &info}).with("x", 1)
	b.onePasses("one proof at userinfo", &info, "invalid_dpop_proof", nodes, func() string { return second })

	refresh := apiCall("refresh", "/jwt/refresh", map[string]string{"refresh_token": tokens.Text("refresh_token"), "client_id": "spa"})
	a := &attempt{bond: b, d: refresh}
	a.nonce = b.send(refresh, a.with("x", 1)).Header.Get("DPoP-Nonce")
	b.onePasses("one nonce", refresh, "use_dpop_nonce", nodes, func() string { return a.with("x", 1) })
	a.nonce = b.send(refresh, a.with("nonce", nil)).Header.Get("DPoP-Nonce")
	third := a.with("x", 1)
	b.onePasses("one proof with a nonce", refresh, "use_dpop_nonce", nodes, func() string { return third })
}

// onePasses sends 64 calls spread over the nodes, all as if to the first: a proof names one address.
func (b *bond) onePasses(what string, d *door, refusal string, nodes []*server.Server, proof func() string) {
	b.t.Helper()
	calls := make([]*drill.Visitor, proofCallers)
	for i := range calls {
		v := nodes[i%len(nodes)].Visitor().With("DPoP", proof()).With("X-Token-Mode", "bearer")
		if v.Host = strings.TrimPrefix(nodes[0].URL, "http://"); d.header != nil {
			v.Header.Set("Authorization", d.header["Authorization"])
		}
		calls[i] = v
	}
	var mu sync.Mutex
	heard := map[string]int{}
	race.Together(len(calls), func(i int) {
		r, err := calls[i].Do(b.t.Context(), d.method, d.path, d.body)
		said := "failed"
		if err == nil && r.Status == d.status {
			said = "passed"
		} else if err == nil {
			said = cmp.Or(r.Text("reason"), r.Text("error"))
		}
		mu.Lock()
		defer mu.Unlock()
		heard[said]++
	})
	if heard["passed"] != 1 || heard[refusal] != proofCallers-1 {
		b.t.Errorf("%s: %v, want one passed and the others %s", what, heard, refusal)
	}
}
