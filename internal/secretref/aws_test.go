package secretref_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/secretref"
)

const (
	testKeyID  = "AKIDEXAMPLE"
	testKey    = "wJalrXUtnFEMI+K7MDENG+bPxRfiCYEXAMPLEKEY"
	testRegion = "eu-central-1"
)

// manager looks like AWS Secrets Manager: it checks the signature of every request (Signature Version 4) and knows one action.
type manager struct {
	mu      sync.Mutex
	secrets map[string]string
	calls   int
	down    bool
	faults  []string
}

func (m *manager) set(name, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.secrets[name] = value
}

func (m *manager) fail(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	body, _ := io.ReadAll(r.Body)
	refuse := func(status int, code string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": "refused by the look-alike"})
	}
	if m.down {
		refuse(http.StatusBadRequest, "InternalFailure")
		return
	}
	if fault := verify(r, body); fault != "" {
		m.faults = append(m.faults, fault)
		refuse(http.StatusBadRequest, "InvalidSignatureException")
		return
	}
	var q struct{ SecretId string }
	if json.Unmarshal(body, &q) != nil || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		refuse(http.StatusBadRequest, "InvalidRequestException")
		return
	}
	value, ok := m.secrets[q.SecretId]
	if !ok {
		refuse(http.StatusBadRequest, "ResourceNotFoundException")
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]string{"Name": q.SecretId, "SecretString": value})
}

// verify recomputes the signature of a request as the AWS General Reference describes Signature Version 4, and says what is wrong with it.
func verify(r *http.Request, body []byte) string {
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return "no signature of version 4"
	}
	part := map[string]string{}
	for _, p := range strings.Split(auth, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		part[name] = value
	}
	stamp := r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", stamp)
	if err != nil || time.Since(at).Abs() > 15*time.Minute {
		return "a date that is not now"
	}
	scope := stamp[:8] + "/" + testRegion + "/secretsmanager/aws4_request"
	if part["Credential"] != testKeyID+"/"+scope {
		return "credential " + part["Credential"]
	}
	names := strings.Split(part["SignedHeaders"], ";")
	if !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-date") || !slices.IsSorted(names) {
		return "signed headers " + part["SignedHeaders"]
	}
	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n" + r.URL.EscapedPath() + "\n" + r.URL.RawQuery + "\n")
	for _, name := range names {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = r.Header.Get("Content-Length")
			if value == "" {
				value = itoa(len(body))
			}
		}
		canonical.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	canonical.WriteString("\n" + part["SignedHeaders"] + "\n" + hexSum(body))
	text := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hexSum([]byte(canonical.String()))
	key := []byte("AWS4" + testKey)
	for _, p := range strings.Split(scope, "/") {
		key = mac(key, p)
	}
	if want := hex.EncodeToString(mac(key, text)); want != part["Signature"] {
		return "a wrong signature"
	}
	return ""
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func hexSum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, text)
	return h.Sum(nil)
}

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }

func (c *clock) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }

func awsWorld(t *testing.T, key string) (*secretref.Resolver, *manager, *clock) {
	t.Helper()
	m := &manager{secrets: map[string]string{}}
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_REGION": testRegion, "AWS_ACCESS_KEY_ID": testKeyID, "AWS_SECRET_ACCESS_KEY": key, "AWS_MAX_ATTEMPTS": "1",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PROFILE": "", "AWS_CA_BUNDLE": "", "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	c := &clock{at: time.Now()}
	r := secretref.New()
	a := secretref.NewAWS(secretref.AWSConfig{HTTP: s.Client(), Now: c.now, Log: slog.New(slog.DiscardHandler)})
	r.Register(secretref.AWSName, a.Read)
	return r, m, c
}

func TestAWS(t *testing.T) {
	r, m, _ := awsWorld(t, testKey)
	const arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:login-AbCdEf"
	m.set("plain", "the admin key\n")
	m.set(arn, `{"smtp":"smtps://u:p@mail.example.com","n":1,"empty":""}`)
	for ref, want := range map[string]string{
		"plain": "the admin key", arn + "#smtp": "smtps://u:p@mail.example.com", "plain#x": "!is no JSON object", arn + "#n": "!has no text under the key n",
		arn + "#none": "!has no text", arn + "#empty": "!is empty", arn + "#": "!JSON key behind # is missing", "#x": "!name or ARN is missing",
		"absent": "!ResourceNotFoundException",
	} {
		got, err := r.Resolve(t.Context(), secretref.AWSName+":"+ref)
		fault, refused := strings.CutPrefix(want, "!")
		switch {
		case refused && (err == nil || !strings.Contains(err.Error(), fault)):
			t.Errorf("%s: error %v, want one with %q", ref, err, fault)
		case refused && strings.Contains(err.Error(), "u:p@"):
			t.Errorf("%s: the error shows the secret", ref)
		case !refused && (err != nil || got.Reveal() != want):
			t.Errorf("%s: %v", ref, err)
		}
	}
	if m.calls != 3 {
		t.Errorf("three secrets were asked for %d times", m.calls)
	}
	if len(m.faults) > 0 {
		t.Errorf("signatures: %v", m.faults)
	}
}

// TestAWSSignature: the look-alike does check signatures.
func TestAWSSignature(t *testing.T) {
	r, m, _ := awsWorld(t, testKey+"x")
	m.set("plain", "value")
	_, err := r.Resolve(t.Context(), secretref.AWSName+":plain")
	if err == nil || !strings.Contains(err.Error(), "InvalidSignatureException") || !slices.Contains(m.faults, "a wrong signature") {
		t.Fatalf("a request signed with another key: %v, %v", err, m.faults)
	}
}

func TestAWSCache(t *testing.T) {
	r, m, c := awsWorld(t, testKey)
	want := func(value string) {
		t.Helper()
		if got, err := r.Resolve(t.Context(), secretref.AWSName+":k"); err != nil || got.Reveal() != value {
			t.Fatalf("got %v, %v, want %q", got.Reveal(), err, value)
		}
	}
	m.set("k", "one")
	want("one")
	m.set("k", "two")
	c.advance(time.Minute)
	want("one") // kept
	c.advance(time.Minute)
	want("two")
	m.fail(true)
	c.advance(time.Hour)
	want("two") // the manager is down: the last value stays
	m.fail(false)
	m.set("k", "three")
	want("three")
}

// TestFollow: what was rotated is taken into use; what cannot be read or is refused changes nothing.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var mu sync.Mutex
		value, broken := "s1", false
		r := &secretref.Resolver{}
		r.Register("x", func(context.Context, string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				return "", errors.New("down")
			}
			return value, nil
		})
		var used []string
		var log bytes.Buffer
		done := make(chan struct{})
		go func() {
			r.Follow(ctx, time.Minute, slog.New(slog.NewTextHandler(&log, nil)), secretref.Followed{
				Setting: "admin_key", Ref: "x:k", Value: secret.NewText("s1"), Use: func(s secret.Text) error {
					if s.Reveal() == "s4" {
						return errors.New("too short")
					}
					used = append(used, s.Reveal())
					return nil
				},
			})
			close(done)
		}()
		time.Sleep(30 * time.Second) // from here on between two ticks
		for _, step := range []struct {
			value  string
			broken bool
			used   int
		}{{"s1", false, 0}, {"s2", false, 1}, {"s2", false, 1}, {"s3", true, 1}, {"s4", false, 1}, {"s3", false, 2}} {
			mu.Lock()
			value, broken = step.value, step.broken
			mu.Unlock()
			time.Sleep(time.Minute)
			synctest.Wait()
			if len(used) != step.used {
				t.Errorf("after %q: used %v", step.value, used)
			}
		}
		stop()
		<-done
		for _, s := range []string{"s1", "s2", "s3", "s4"} {
			if strings.Contains(log.String(), s) {
				t.Errorf("the log has the secret %q", s)
			}
		}
	})
}
