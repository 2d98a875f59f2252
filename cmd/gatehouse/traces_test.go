package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// receiver is a collector that keeps what it is sent.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	raw  bytes.Buffer
	sent []*tracepb.Span
	bad  []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	c := &receiver{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		var in collectorpb.ExportTraceServiceRequest
		if err = errors.Join(err, proto.Unmarshal(body, &in)); err != nil || r.URL.Path != "/v1/traces" {
			c.bad = append(c.bad, r.URL.Path)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.raw.Write(body)
		for _, resource := range in.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.sent = append(c.sent, scope.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// spans gives what has come, by name.
func (c *receiver) spans(t *testing.T) map[string][]*tracepb.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.bad) > 0 {
		t.Errorf("requests that are no traces: %q", c.bad)
	}
	out := map[string][]*tracepb.Span{}
	for _, s := range c.sent {
		out[s.Name] = append(out[s.Name], s)
	}
	return out
}

func attributes(s *tracepb.Span) map[string]string {
	out := map[string]string{}
	for _, a := range s.Attributes {
		out[a.Key] = a.Value.GetStringValue()
	}
	return out
}

// TestTraces plays a first login and more with a collector listening, and looks at what it was sent: patterns, ids and reasons, and none of
// what people and apps submitted or were given.
func TestTraces(t *testing.T) {
	c := newReceiver(t)
	s, err := startServer(program(t), t.TempDir(), []string{"GATEHOUSE_TRACES__OTLP_URL=" + c.URL, "GATEHOUSE_TRACES__SAMPLE=1"},
		"--dev", "--listen", "127.0.0.1:0", "--data", ".")
	if err != nil {
		t.Fatal(err)
	}
	secrets := storyOfSecrets(t, s)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	spans := c.spans(t)
	for _, name := range []string{
		"/register", "/email/verify/{token}", "/login/password", "/jwt/refresh", "/me", "/logout", "(none)", "store read", "store write",
	} {
		if len(spans[name]) == 0 {
			t.Errorf("no span is called %s", name)
		}
	}
	checkParents(t, spans)
	sent := c.raw.Bytes()
	for what, value := range secrets {
		if value == "" {
			t.Errorf("the story has no %s", what)
		} else if bytes.Contains(sent, []byte(value)) {
			t.Errorf("the collector was sent the %s", what)
		}
	}
	if t.Failed() {
		t.Log(s.stderr.String())
	}
}

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
)

// storyOfSecrets lives through a person's life at a server and gives what must stay there.
func storyOfSecrets(t *testing.T, s *server) map[string]string {
	t.Helper()
	ctx := t.Context()
	target := &drill.Target{URL: s.ready.URL, AdminURL: s.ready.AdminURL, TenantID: s.ready.TenantID, ClientID: s.ready.ClientID,
		Now: time.Now, HTTP: &http.Client{Timeout: 20 * time.Second}}
	person, err := target.SignUp(ctx, "traced")
	if err != nil {
		t.Fatal(err)
	}
	link, err := target.Link(ctx, person.Email, 1)
	if err != nil {
		t.Fatal(err)
	}
	access, refresh, err := person.Bearer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{
		"password": person.Password, "address": person.Email, "one-time token of the link": link[strings.LastIndex(link, "/")+1:],
		"access token": access, "refresh token": refresh,
		"User-Agent": "an-agent-of-mine", "network address": "127.0.0.1", "unknown path": "a-path-of-mine", "made-up method": "BREW",
		"made-up client": "a-client-of-mine", "query": "a-query-of-mine", "tracestate": "a-state-of-mine",
	}
	if len(person.Cookies) == 0 {
		t.Error("the story has no cookies")
	}
	for name, value := range person.Cookies {
		out["cookie "+name] = value
	}
	step := func(_ *drill.Reply, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	stranger := target.Visitor().With("Tracestate", "x=a-state-of-mine").With("User-Agent", "an-agent-of-mine")
	step(target.Refresh(ctx, access, refresh))
	step(target.Visitor().With("Traceparent", "00-"+callersTrace+"-"+callersSpan+"-00").With("Tracestate", "x=a-state-of-mine").Get(ctx, "/me"))
	step(stranger.Do(ctx, "BREW", "/a-path-of-mine?q=a-query-of-mine", nil))
	step(stranger.With("X-Client-Id", "a-client-of-mine").Get(ctx, "/email/verify/a-path-of-mine"))
	step(stranger.Post(ctx, "/login/password", map[string]string{"email": person.Email, "password": "a-wrong-one-of-mine"}))
	out["wrong password"] = "a-wrong-one-of-mine"
	step(target.Me(ctx, access))
	step(target.Logout(ctx, access))
	return out
}

// checkParents: the caller's span is the parent of ours though it says that it was not sampled, and visits to the store hang below requests.
func checkParents(t *testing.T, spans map[string][]*tracepb.Span) {
	t.Helper()
	requests, found := map[string]bool{}, false
	for name, all := range spans {
		for _, s := range all {
			if s.Kind != tracepb.Span_SPAN_KIND_SERVER {
				continue
			}
			requests[string(s.SpanId)] = true
			a := attributes(s)
			if name != a["http.route"] || a["gatehouse.trace_id"] == "" || a["http.request.method"] == "" {
				t.Errorf("the span %s has the attributes %v", name, a)
			}
			if id, _ := trace.TraceIDFromHex(callersTrace); bytes.Equal(s.TraceId, id[:]) {
				span, _ := trace.SpanIDFromHex(callersSpan)
				found = bytes.Equal(s.ParentSpanId, span[:]) && name == "/me" && a["gatehouse.reason"] == "missing_token" &&
					a["gatehouse.trace_id"] == callersTrace && a["gatehouse.tenant_id"] != ""
			}
		}
	}
	if !found {
		t.Error("no span hangs below the caller's, with tenant and reason")
	}
	for _, name := range []string{"store read", "store write"} {
		for _, s := range spans[name] {
			if !requests[string(s.ParentSpanId)] {
				t.Errorf("a span %s hangs below no request", name)
			}
		}
	}
}

func spansInProcess(t *testing.T, cfg TracesConfig, n int) *traces {
	t.Helper()
	tr, err := newTraces(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, s := tr.Begin(t.Context(), time.Now(), ""); s != nil {
			s.End(web.Seen{At: time.Now(), Method: "GET", Route: "/me", Status: 200})
		}
	}
	return tr
}

func TestSample(t *testing.T) {
	for _, c := range []struct {
		sample      float64
		least, most int
	}{{0, 0, 0}, {0.25, 150, 350}, {1, 1000, 1000}} { // 0.25: more than seven standard deviations
		r := newReceiver(t)
		spansInProcess(t, TracesConfig{OTLPURL: r.URL + "/", Sample: c.sample}, 1000).stop(t.Context())
		if n := len(r.spans(t)["/me"]); n < c.least || n > c.most {
			t.Errorf("sample %v took %d of 1000", c.sample, n)
		}
	}
}

// TestCollectorsThatFail: whatever a collector does, spans are taken without waiting and a stop takes no longer than it may.
func TestCollectorsThatFail(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	away := httptest.NewServer(nil)
	away.Close()
	elsewhere := newReceiver(t)
	redirecting := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/v1/traces", http.StatusTemporaryRedirect))
	defer redirecting.Close()
	for name, url := range map[string]string{"hanging": hanging.URL, "away": away.URL, "redirecting": redirecting.URL} {
		began := time.Now()
		tr := spansInProcess(t, TracesConfig{OTLPURL: url, Sample: 1}, 3*heldSpans)
		if took := time.Since(began); took > sendFor {
			t.Errorf("%s: %d spans took %v", name, 3*heldSpans, took)
		}
		began = time.Now()
		tr.stop(t.Context())
		if took := time.Since(began); took > flushFor+2*time.Second {
			t.Errorf("%s: the stop took %v", name, took)
		}
	}
	if len(elsewhere.spans(t)) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestServesWithoutCollector: a server whose collector is away starts, answers, and leaves with 0.
func TestServesWithoutCollector(t *testing.T) {
	away := httptest.NewServer(nil)
	away.Close()
	s, err := startServer(program(t), t.TempDir(), []string{"GATEHOUSE_TRACES__OTLP_URL=" + away.URL, "GATEHOUSE_TRACES__SAMPLE=1"},
		"--dev", "--listen", "127.0.0.1:0", "--data", ".")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(s.ready.URL + "/health/ready")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%d", answer.StatusCode)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(s.stderr.String(), "spans were") {
		t.Errorf("the log does not say that spans were lost:\n%s", s.stderr)
	}
}

func TestTracesAreOffByDefault(t *testing.T) {
	tr, err := newTraces(t.Context(), TracesConfig{Sample: 1}, slog.New(slog.DiscardHandler))
	if tr != nil || err != nil {
		t.Errorf("%v, %v", tr, err)
	}
	tr.stop(context.Background())
}

// TestComplaintsAreFew: one line a minute, and not all of what a collector answers.
func TestComplaintsAreFew(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := &complaints{log: slog.New(slog.NewTextHandler(&log, nil)), now: func() time.Time { return now }}
	for range 3 {
		c.Handle(errors.New(strings.Repeat("x", 5000)))
		c.Handle(errors.New("again"))
		now = now.Add(tracesAgain)
	}
	if n := strings.Count(log.String(), "\n"); n != 3 || log.Len() > 2000 {
		t.Errorf("%d lines of %d bytes", n, log.Len())
	}
}

// BenchmarkBegin is what traces cost a request, in the sample and outside it.
func BenchmarkBegin(b *testing.B) {
	for name, sample := range map[string]float64{"outside": 0, "inside": 1} {
		b.Run(name, func(b *testing.B) {
			tr, err := newTraces(b.Context(), TracesConfig{OTLPURL: "http://127.0.0.1:1", Sample: sample}, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			defer tr.stop(b.Context())
			b.ReportAllocs()
			for b.Loop() {
				if _, s := tr.Begin(b.Context(), time.Time{}, ""); s != nil {
					s.End(web.Seen{Method: "GET", Route: "/me", Status: 200, TenantID: "t", Trace: callersTrace})
				}
			}
		})
	}
}
