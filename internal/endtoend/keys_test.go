package endtoend

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const threeAlgs = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  issuer: example
  test: true
  default_client: demo
  clients:
  - {id: demo, name: Demo, auto_register: true}
  - {id: es, name: Elliptic, auto_register: true, alg: ES256}
  - {id: ed, name: Edwards, auto_register: true, alg: EdDSA}
`

func part(t *testing.T, token string, n int) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	do(t, err)
	m := map[string]any{}
	do(t, json.Unmarshal(raw, &m))
	return m
}

func claimsOf(t *testing.T, token string) map[string]any { t.Helper(); return part(t, token, 1) }

func kidOf(t *testing.T, token string) string {
	t.Helper()
	return part(t, token, 0)["kid"].(string)
}

func jwks(ctx context.Context, t *testing.T, s *server.Server) jose.JSONWebKeySet {
	t.Helper()
	set, err := keySet(s.Visitor().Get(ctx, "/.well-known/jwks.json"))
	do(t, err)
	return set
}

func keySet(r *drill.Reply, err error) (set jose.JSONWebKeySet, _ error) {
	if err == nil && r.Status != 200 {
		err = fmt.Errorf("the JWKS was answered %s", r)
	}
	if err != nil {
		return set, err
	}
	return set, json.Unmarshal(r.Body, &set)
}

func kids(set jose.JSONWebKeySet, prefix string) (out []string) {
	for _, k := range set.Keys {
		if strings.HasPrefix(k.KeyID, prefix) {
			out = append(out, k.KeyID)
		}
	}
	slices.Sort(out)
	return out
}

// lane counts the rotating keys of an algorithm.
func lane(set jose.JSONWebKeySet, alg string) (n int) {
	for _, k := range set.Keys {
		if k.Algorithm == alg && strings.HasPrefix(k.KeyID, "d-") {
			n++
		}
	}
	return n
}

// verifies checks with a stock library, against a JWKS fetched whenever, that token is signed by one of its keys.
func verifies(set jose.JSONWebKeySet, token, alg string) error {
	_, err := jwt.Parse(token, func(tok *jwt.Token) (any, error) {
		if found := set.Key(tok.Header["kid"].(string)); len(found) == 1 {
			return found[0].Key, nil
		}
		return nil, jwt.ErrTokenUnverifiable
	}, jwt.WithValidMethods([]string{alg}), jwt.WithoutClaimsValidation())
	return err
}

func loginAt(ctx context.Context, t *testing.T, s *server.Server, p *drill.Person, client string) string {
	t.Helper()
	r, err := s.Visitor().With("X-Token-Mode", "bearer").Post(ctx, "/login/password",
		map[string]string{"email": p.Email, "password": p.Password, "client_id": client})
	must(t, "login at "+client, r, err, 200)
	return r.Text("access_token")
}

// TestKeysOverTime: whoever fetched the JWKS one cache life ago verifies every token, over rotations and restarts.
func TestKeysOverTime(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Config, o.Data = strings.Replace(threeAlgs, "  clients:", "  lives: {access_s: 3600}\n  clients:", 1), t.TempDir()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "keys")
		first := loginAt(ctx, t, s, p, "demo")
		announced := func() bool { return lane(jwks(ctx, t, s), "RS256") >= 2 && len(kids(jwks(ctx, t, s), "s-")) > 0 }
		until(t, 30*time.Second, "the next key and the static one are announced", announced)
		before := jwks(ctx, t, s)
		static := kids(before, "s-")
		s.MustAdvance(ctx, 168*time.Hour-10*time.Minute)
		last := loginAt(ctx, t, s, p, "demo")
		s.MustAdvance(ctx, 20*time.Minute)
		next := loginAt(ctx, t, s, p, "demo")
		if kidOf(t, next) == kidOf(t, first) {
			t.Fatal("after 168 hours the same key signs")
		}
		for _, token := range []string{first, last, next} {
			if err := verifies(before, token, "RS256"); err != nil {
				t.Errorf("a token of key %s against the JWKS from before the rotation: %v", kidOf(t, token), err)
			}
			if strings.HasPrefix(kidOf(t, token), "s-") {
				t.Error("a static key signed a user's token")
			}
		}
		if err := verifies(jwks(ctx, t, s), last, "RS256"); err != nil {
			t.Errorf("an unexpired token after the rotation: %v", err)
		}
		r, err := s.Me(ctx, last)
		must(t, "an unexpired token at the server after the rotation", r, err, 200)

		do(t, s.Stop())
		s = server.Start(t, o)
		if got := kids(jwks(ctx, t, s), "s-"); !slices.Equal(got, static) {
			t.Errorf("static keys over rotation and restart: %v, were %v", got, static)
		}
		r, err = s.Me(ctx, next)
		must(t, "a token from before the restart", r, err, 200)
		if err := verifies(jwks(ctx, t, s), next, "RS256"); err != nil {
			t.Errorf("a token from before the restart: %v", err)
		}
		s.MustAdvance(ctx, 2*time.Hour) // the last token of the retired key is dead
		until(t, 30*time.Second, "the retired key leaves", func() bool {
			return !slices.Contains(kids(jwks(ctx, t, s), "d-"), kidOf(t, last))
		})
		until(t, 30*time.Second, "the one after next is announced", announced)
	})
}

func TestEveryAlgorithm(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Config = threeAlgs
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "algs")
		for client, alg := range map[string]string{"es": "ES256", "ed": "EdDSA", "demo": "RS256"} {
			token := loginAt(ctx, t, s, p, client)
			if err := verifies(jwks(ctx, t, s), token, alg); err != nil {
				t.Errorf("%s: %v", alg, err)
			}
			r, err := s.Me(ctx, token)
			must(t, alg+" at the server", r, err, 200)
		}
	})
}
