package endtoend

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// addresses makes one address of every state: known, unknown, unverified, disabled, deleted.
func addresses(ctx context.Context, t *testing.T, s *server.Server, o server.Options) map[string]string {
	t.Helper()
	store := beside(t, s, o)
	out := map[string]string{"known": signUp(ctx, t, s, "class").Email, "unknown": drill.Fresh("class"), "unverified": drill.Fresh("class")}
	r, err := s.Visitor().Post(ctx, "/register", map[string]string{"email": out["unverified"], "password": drill.Password})
	must(t, "register", r, err, 202)
	for name, end := range map[string]func(id string) error{
		"disabled": func(id string) error {
			return store.Users().SetStatus(ctx, s.TenantID, id, user.Disabled, time.Now(), audit.Record{})
		},
		"deleted": func(id string) error {
			return store.Users().Delete(ctx, s.TenantID, id, time.Now(), time.Now().Add(30*day), audit.Record{})
		},
	} {
		p := signUp(ctx, t, s, "class")
		access, _ := bearer(ctx, t, p)
		me, err := s.Me(ctx, access)
		must(t, "me", me, err, 200)
		do(t, end(me.Text("id")))
		out[name] = p.Email
	}
	return out
}

// face is all of an answer that could tell something; what differs every time is taken out.
func face(r *drill.Reply, email string) string {
	text := strings.ReplaceAll(string(r.Body), r.Text("trace_id"), "")
	text = strings.ReplaceAll(text, email, "")
	var headers []string
	for name, values := range r.Header {
		if name == "Set-Cookie" || name == "Date" {
			continue
		}
		for _, v := range values {
			if id := r.Text("trace_id"); id != "" {
				v = strings.ReplaceAll(v, id, "")
			}
			if name == "Trace-Id" || name == "X-Trace-Id" || name == "X-Request-Id" {
				v = ""
			}
			headers = append(headers, name+": "+v)
		}
	}
	slices.Sort(headers)
	for _, c := range r.Cookies {
		c.Value, c.Raw = fmt.Sprint(len(c.Value)), ""
		headers = append(headers, "cookie "+c.String())
	}
	return fmt.Sprintf("%d\n%s\n%s", r.Status, strings.Join(headers, "\n"), text)
}

// mailRoutes take an e-mail address from anybody.
var mailRoutes = map[string]map[string]string{
	"/login/password":      {"password": "not the right password"},
	"/register":            {"password": "another good password", "name": "Somebody"},
	"/email/verify/resend": {},
	"/password/forgot":     {},
}

// pageRoutes are the hosted pages that do; a page's fields are another.
var pageRoutes = map[string]url.Values{
	"/ui/login":    {"password": {"not the right password"}},
	"/ui/register": {"new_password": {"another good password"}},
	"/ui/resend":   {},
	"/ui/forgot":   {},
}

func body(path, email string) map[string]string {
	in := maps.Clone(mailRoutes[path])
	in["email"], in["client_id"] = email, "strict"
	return in
}

// pageFace is face for a page: it says its trace id, its nonce, and the address that was typed.
func pageFace(r *drill.Reply, email string) string {
	r.Body = bytes.ReplaceAll(r.Body, []byte("<wbr>"), nil) // a page lets an address break at its parts
	text := face(r, email)
	for _, changing := range []*regexp.Regexp{regexp.MustCompile(`nonce[-=]"?[A-Za-z0-9_-]+`), regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}`),
		regexp.MustCompile(`Content-Length: \d+`)} {
		text = changing.ReplaceAllString(text, "")
	}
	return text
}

// TestPagesDoNotTellWhoHasAnAccount: the same for the hosted pages; there auto_register changes nothing, because a login on a page never signs
// anybody up.
func TestPagesDoNotTellWhoHasAnAccount(t *testing.T) {
	ctx := t.Context()
	for _, o := range []server.Options{{}, withStrictClient(server.Options{})} {
		s := server.Start(t, o)
		all := addresses(ctx, t, s, o)
		s.MustAdvance(ctx, 2*time.Hour) // limits are forgotten
		for path, fields := range pageRoutes {
			want := ""
			for _, class := range []string{"unknown", "known", "unverified", "disabled", "deleted"} {
				form := maps.Clone(fields)
				form.Set("email", all[class])
				r, err := s.Visitor().With("Accept", "text/html").Post(ctx, path, form)
				do(t, err)
				got := pageFace(r, all[class])
				if want == "" {
					want = got
				}
				if got != want || r.Status >= 500 || r.Status == 429 {
					t.Errorf("%s tells a %s address apart from an unknown one:\n%s\n— against —\n%s", path, class, got, want)
				}
			}
		}
	}
}

// TestNobodyTellsWhoHasAnAccount: with auto_register off, status, headers, cookies and body are the same whatever state an address is in.
func TestNobodyTellsWhoHasAnAccount(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, withStrictClient(o))
		all := addresses(ctx, t, s, o)
		for _, cookies := range []map[string]string{{}, {"__Host-gh_browser": "some-browser-of-before-some-browser-of-before"}} {
			s.MustAdvance(ctx, 2*time.Hour) // limits are forgotten
			for path := range mailRoutes {
				want := ""
				for _, class := range []string{"unknown", "known", "unverified", "disabled", "deleted"} {
					v := s.Visitor()
					v.Cookies = maps.Clone(cookies)
					r, err := v.Post(ctx, path, body(path, all[class]))
					do(t, err)
					got := face(r, all[class])
					if want == "" {
						want = got
					}
					if got != want || r.Status >= 500 || r.Status == 429 {
						t.Errorf("%s tells a %s address apart from an unknown one:\n%s\n— against —\n%s", path, class, got, want)
					}
				}
			}
		}
		s.MustAdvance(ctx, 2*time.Hour)
		access, _ := bearer(ctx, t, signUp(ctx, t, s, "changer"))
		want := ""
		for _, class := range []string{"unknown", "known", "unverified", "disabled", "deleted"} {
			r, err := s.Visitor().With("Authorization", "Bearer "+access).Do(ctx, http.MethodPatch, "/me", map[string]string{"email": all[class]})
			must(t, "a change to a "+class+" address", r, err, 200)
			if got := face(r, all[class]); want == "" {
				want = got
			} else if got != want {
				t.Errorf("a change of address tells a %s address apart:\n%s\n— against —\n%s", class, got, want)
			}
		}
	})
}

const unlimited = `
  limits: {password_network: "off", password_network_account: "off", password_account: "off", mail_network: "off", mail_address: "off"}
  clients:
  - {id: demo, name: Demo, auto_register: true}
  - {id: strict, name: Strict, auto_register: false}
`

// TestTimesDoNotTell: a classifier that has learnt from a thousand timings of each class is hardly better than a coin on the next thousand.
// The short form takes a few timings and judges nothing: a busy machine would make it a coin itself.
func TestTimesDoNotTell(t *testing.T) {
	timings, people := 20, 4
	if os.Getenv("GATEHOUSE_TEST_SOAK") != "" {
		timings, people = 2000, 40
	}
	engines(t, func(t *testing.T, o server.Options) {
		head, _, _ := strings.Cut(twoClients, "  clients:")
		o.Config = head + strings.TrimPrefix(unlimited, "\n")
		s := server.Start(t, o)
		for path := range mailRoutes {
			t.Run(strings.ReplaceAll(path[1:], "/", " "), func(t *testing.T) {
				took := timed(t, s, path, timings, people)
				right := classify(took[0], took[1])
				t.Logf("%.1f %% right, median %v known, %v unknown", 100*right, median(took[0]), median(took[1]))
				if timings >= 2000 && right > 0.54 {
					t.Errorf("the clock tells who has an account: %.1f %% right", 100*right)
				}
			})
		}
	})
}

// timed sends requests for known and for unknown addresses in turns, and gives how long each took.
func timed(t *testing.T, s *server.Server, path string, timings, people int) (took [2][]time.Duration) {
	t.Helper()
	ctx := t.Context()
	var known, unknown []string
	for range people {
		known, unknown = append(known, signUp(ctx, t, s, "timed").Email), append(unknown, drill.Fresh("timed"))
	}
	v := s.Visitor()
	for i := range timings {
		for k := range 2 {
			k = (k + i) % 2 // each class goes first as often
			list := [2][]string{known, unknown}[k]
			began := time.Now()
			r, err := v.Post(ctx, path, body(path, list[i%people]))
			took[k] = append(took[k], time.Since(began))
			if err != nil || r.Status >= 500 || r.Status == 429 {
				t.Fatalf("%v %v", r, err)
			}
		}
	}
	return took
}

func median(d []time.Duration) time.Duration { return slices.Sorted(slices.Values(d))[len(d)/2] }

// classify learns the best threshold from every other pair of timings and gives how often it is right about the rest.
func classify(a, b []time.Duration) float64 {
	split := func(d []time.Duration, odd int) (out []time.Duration) {
		for i := range d {
			if i/2%2 == odd { // pairs, since which class goes first alternates
				out = append(out, d[i])
			}
		}
		slices.Sort(out)
		return out
	}
	below := func(sorted []time.Duration, at time.Duration) float64 {
		n, _ := slices.BinarySearch(sorted, at)
		return float64(n) / float64(len(sorted))
	}
	learnA, learnB := split(a, 0), split(b, 0)
	var best time.Duration
	bestGain := 0.0
	for _, at := range append(slices.Clone(learnA), learnB...) {
		if gain := below(learnA, at) - below(learnB, at); gain*gain > bestGain*bestGain {
			best, bestGain = at, gain
		}
	}
	gain := below(split(a, 1), best) - below(split(b, 1), best)
	if bestGain < 0 {
		gain = -gain
	}
	return 0.5 + gain/2
}
