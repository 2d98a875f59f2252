package dpop_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/dpop"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
)

var (
	noon   = time.Date(2035, 6, 1, 12, 0, 0, 0, time.UTC)
	access = secret.NewText("an access token")
)

func sealing() *secret.Ring {
	return secret.NewRing(secret.RingKey{ID: 1, Purpose: secret.PurposeMAC, Key: secret.Bytes(32), Active: true})
}

// holder makes proofs with a key of its own.
type holder struct{ key *ecdsa.PrivateKey }

func newHolder(t *testing.T) holder {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return holder{key}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// proof signs a right proof with changes; a nil value leaves a claim out.
func (h holder) proof(t *testing.T, changes map[string]any) string {
	t.Helper()
	claims := map[string]any{"jti": secret.Random(16), "htm": "POST", "htu": "https://login.example.com/token", "iat": noon.Unix()}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	point, err := h.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	head, _ := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{
		"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:]),
	}})
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	input := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, h.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

func call() *audit.Call { return &audit.Call{At: noon, Wall: noon} }

func request(proof string) dpop.Request {
	return dpop.Request{TenantID: "t", Method: "POST", URL: "https://login.example.com/token", Proof: proof}
}

func TestProofs(t *testing.T) {
	p, h := dpop.New(ephemeral.NewMemory(), sealing()), newHolder(t)
	hash := sha256.Sum256([]byte(access.Reveal()))
	for name, c := range map[string]struct {
		changes map[string]any
		ask     func(*dpop.Request)
		want    fault.Reason
	}{
		"right":                    {},
		"with query and letters":   {changes: map[string]any{"htu": "HTTPS://Login.Example.com:443/token?a=b#c"}},
		"another method":           {changes: map[string]any{"htm": "GET"}, want: fault.ReasonOAuthProof},
		"method in another case":   {changes: map[string]any{"htm": "post"}, want: fault.ReasonOAuthProof},
		"another path":             {changes: map[string]any{"htu": "https://login.example.com/other"}, want: fault.ReasonOAuthProof},
		"another host":             {changes: map[string]any{"htu": "https://evil.example.com/token"}, want: fault.ReasonOAuthProof},
		"another scheme":           {changes: map[string]any{"htu": "http://login.example.com/token"}, want: fault.ReasonOAuthProof},
		"path alone":               {changes: map[string]any{"htu": "/token"}, want: fault.ReasonOAuthProof},
		"a minute old":             {changes: map[string]any{"iat": noon.Unix() - 60}},
		"older":                    {changes: map[string]any{"iat": noon.Unix() - 61}, want: fault.ReasonOAuthProof},
		"from the future":          {changes: map[string]any{"iat": noon.Unix() + 11}, want: fault.ReasonOAuthProof},
		"no id":                    {changes: map[string]any{"jti": nil}, want: fault.ReasonOAuthProof},
		"no instant":               {changes: map[string]any{"iat": nil}, want: fault.ReasonOAuthProof},
		"no URL":                   {changes: map[string]any{"htu": nil}, want: fault.ReasonOAuthProof},
		"nonce of another type":    {changes: map[string]any{"nonce": 5}, want: fault.ReasonOAuthProof},
		"token hash":               {changes: map[string]any{"ath": b64(hash[:])}, ask: func(q *dpop.Request) { q.Access = access }},
		"hash of another token":    {changes: map[string]any{"ath": b64(hash[1:])}, ask: func(q *dpop.Request) { q.Access = access }, want: fault.ReasonOAuthProof},
		"no hash of the token":     {ask: func(q *dpop.Request) { q.Access = access }, want: fault.ReasonOAuthProof},
		"no nonce where asked for": {ask: func(q *dpop.Request) { q.WithNonce = true }, want: fault.ReasonOAuthNonce},
		"foreign nonce":            {changes: map[string]any{"nonce": secret.Random(40)}, want: fault.ReasonOAuthNonce},
	} {
		q := request(h.proof(t, c.changes))
		if c.ask != nil {
			c.ask(&q)
		}
		key, err := p.Check(t.Context(), call(), q)
		if got := fault.ReasonOf(err); err == nil && (c.want != "" || len(key) != 43) || err != nil && got != c.want {
			t.Errorf("%s: %q %v, want %q", name, key, err, c.want)
		}
	}
}

func TestNonces(t *testing.T) {
	ring := sealing()
	p, h := dpop.New(ephemeral.NewMemory(), ring), newHolder(t)
	nonce := func(at time.Time, tenantID string) string {
		n, err := p.Nonce(&audit.Call{Wall: at}, tenantID)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	once := nonce(noon, "t")
	for _, c := range []struct {
		name, nonce string
		want        fault.Reason
	}{
		{"fresh", once, ""}, {"used before", once, fault.ReasonOAuthNonce}, {"old", nonce(noon.Add(-6*time.Minute), "t"), fault.ReasonOAuthNonce},
		{"still good", nonce(noon.Add(-4*time.Minute), "t"), ""}, {"of another tenant", nonce(noon, "other"), fault.ReasonOAuthNonce},
		{"with a tail", nonce(noon, "t") + "AA", fault.ReasonOAuthNonce},
	} {
		q := request(h.proof(t, map[string]any{"nonce": c.nonce}))
		q.WithNonce = true
		if _, err := p.Check(t.Context(), call(), q); err == nil && c.want != "" || err != nil && fault.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestOnce: of 64 callers with one proof, and of 64 with proofs that repeat one nonce, exactly one passes, on every backend.
func TestOnce(t *testing.T) {
	t.Run("memory", func(t *testing.T) { spentOnce(t, ephemeral.NewMemory()) })
	t.Run("redis", func(t *testing.T) {
		redis, err := ephemeral.OpenRedis(t.Context(), ephemeral.RedisConfig{URL: testbed.Redis(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { redis.Close() })
		spentOnce(t, redis)
	})
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) { spentOnce(t, s.Values()) })
}

func spentOnce(t *testing.T, values ephemeral.Values) {
	p, h := dpop.New(values, sealing()), newHolder(t)
	nonce, err := p.Nonce(call(), "t")
	if err != nil {
		t.Fatal(err)
	}
	same := h.proof(t, nil)
	for name, proof := range map[string]func() string{
		"one proof": func() string { return same },
		"one nonce": func() string { return h.proof(t, map[string]any{"nonce": nonce}) },
	} {
		proofs := make([]string, race.Callers)
		for i := range proofs {
			proofs[i] = proof()
		}
		n := race.Winners(t, func(i int) (bool, error) {
			_, err := p.Check(context.Background(), call(), request(proofs[i]))
			if r := fault.ReasonOf(err); r == fault.ReasonOAuthProof || r == fault.ReasonOAuthNonce {
				return false, nil
			}
			return err == nil, err
		})
		if n != 1 {
			t.Errorf("%s passed %d times", name, n)
		}
	}
}
