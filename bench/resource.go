package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/resource"
)

// local is work inside one process, measured by its processor time against a floor; no server is asked.
type local struct {
	name  string
	floor func() error // nil: goal is an absolute time
	ours  func() error
	goal  float64 // most ratio of processor time, ours to floor; without floor, most microseconds
}

// measureResource compares what a resource server pays for a token with the bare check of its signature. A token is of ordinary size:
// some 20 claims, 800 bytes.
func measureResource(ctx context.Context, o options) error {
	works, err := resourceWorks(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%-10s %-26s %10s %10s %6s %8s %8s\n", "resource", "work (CPU of one core)", "floor µs", "ours µs", "ratio", "goal", "reached")
	for _, w := range works {
		if err := w.measure(o); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	fmt.Println()
	return nil
}

// measure lets floor and ours take turns, twelve for each of o.turns, and takes the median of the turns' ratios: a neighbour on the machine
// disturbs single turns.
func (w local) measure(o options) error {
	var floors, ours, ratios []float64
	for range 12 * o.turns {
		floor := 0.0
		if w.floor != nil {
			var err error
			if floor, err = cpuMicros(o.slice/12, w.floor); err != nil {
				return err
			}
		}
		our, err := cpuMicros(o.slice/12, w.ours)
		if err != nil {
			return err
		}
		floors, ours, ratios = append(floors, floor), append(ours, our), append(ratios, our/floor)
	}
	floor, our, ratio := "-", median(ours), "-"
	reached := our <= w.goal
	goal := fmt.Sprintf("%.1f µs", w.goal)
	if w.floor != nil {
		floor, ratio, goal = fmt.Sprintf("%.1f", median(floors)), fmt.Sprintf("%.2f", median(ratios)), fmt.Sprintf("%.2f", w.goal)
		reached = median(ratios) <= w.goal
	}
	word := map[bool]string{true: "yes", false: "no"}[reached]
	fmt.Printf("%-10s %-26s %10s %10.2f %6s %8s %8s\n", "resource", w.name, floor, our, ratio, goal, word)
	return nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// cpuMicros is the processor time of one op, the collector's included.
func cpuMicros(d time.Duration, op func() error) (float64, error) {
	n, began, before := 0, time.Now(), cpuOwn()
	for time.Since(began) < d {
		for range 32 {
			if err := op(); err != nil {
				return 0, err
			}
		}
		n += 32
	}
	return micros(cpuOwn()-before) / float64(n), nil
}

func cpuOwn() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func resourceWorks(ctx context.Context) ([]local, error) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := ecKey.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	b64 := base64.RawURLEncoding.EncodeToString
	keys := fmt.Sprintf(`{"keys":[{"kty":"RSA","kid":"d-rsa","alg":"RS256","use":"sig","n":%q,"e":"AQAB"},{"kty":"EC","kid":"d-ec","alg":"ES256","use":"sig","crv":"P-256","x":%q,"y":%q}]}`,
		b64(rsaKey.N.Bytes()), b64(point[1:33]), b64(point[33:]))
	cfg := resource.Config{Issuer: "https://login.example.com", Audience: "forum", Keys: []byte(keys), CacheSize: -1}
	fresh, err := resource.New(cfg)
	if err != nil {
		return nil, err
	}
	cfg.CacheSize = 0
	kept, err := resource.New(cfg)
	if err != nil {
		return nil, err
	}
	verify := func(v *resource.Verifier, raw string) func() error {
		return func() error { _, err := v.Verify(ctx, raw); return err }
	}
	rs, rsFloor := rsaToken(rsaKey)
	es, esFloor := ecToken(ecKey)
	return []local{
		{"verify RS256", rsFloor, verify(fresh, rs), 1.35},
		{"verify ES256", esFloor, verify(fresh, es), 1.20},
		{"repeated token", nil, verify(kept, rs), 2},
	}, nil
}

func rsaToken(k *rsa.PrivateKey) (raw string, floor func() error) {
	input := []byte(signingInput("RS256", "d-rsa"))
	digest := sha256.Sum256(input)
	sig, _ := rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])
	return string(input) + "." + base64.RawURLEncoding.EncodeToString(sig), func() error {
		digest := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(&k.PublicKey, crypto.SHA256, digest[:], sig)
	}
}

func ecToken(k *ecdsa.PrivateKey) (raw string, floor func() error) {
	input := []byte(signingInput("ES256", "d-ec"))
	digest := sha256.Sum256(input)
	r, s, _ := ecdsa.Sign(rand.Reader, k, digest[:])
	sig := slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32)))
	return string(input) + "." + base64.RawURLEncoding.EncodeToString(sig), func() error {
		digest := sha256.Sum256(input)
		if !ecdsa.Verify(&k.PublicKey, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
			return fmt.Errorf("the signature is wrong")
		}
		return nil
	}
}

// signingInput is a user's access token without its signature.
func signingInput(alg, kid string) string {
	now := time.Now().Unix()
	payload, _ := json.Marshal(map[string]any{
		"iss": "https://login.example.com", "tid": "0198c000-0000-7000-8000-0000000000be", "sub": "0198c000-0000-7000-8000-000000000001", "aud": "forum",
		"client_id": "web", "exp": now + 3600, "iat": now, "nbf": now, "jti": strings.Repeat("j", 22), "sid": "0198c000-0000-7000-8000-000000000002",
		"ep": 1, "roles": []string{"member", "editor"}, "scope": "read write", "email": "ada@example.com", "email_verified": true,
		"preferred_username": "ada", "applicationId": "web", "auth_time": now, "amr": []string{"pwd"}, "plan": "gold",
	})
	header, _ := json.Marshal(map[string]string{"alg": alg, "kid": kid, "typ": "at+jwt"})
	return base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
}
