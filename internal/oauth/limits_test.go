package oauth_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// limitedTo gives the tenant limits for good.
func (w *world) limitedTo(l tenant.Limits) { w.tenant.Policy.Limits = l }

func limitedFor(t testing.TB, err error) {
	t.Helper()
	f := fault.From(err)
	if f == nil || f.Kind != fault.Limited || f.Reason != fault.ReasonLimited || f.RetryAfter <= 0 {
		t.Fatalf("%v, want a refusal that says when to come back", err)
	}
	if _, back := isRedirect(err); back {
		t.Fatal("told to the client by redirect: whoever asks too often is not sent on")
	}
}

// TestRequestsAreLimited: requests are rows, so one network cannot begin or push any number of them; another network, the next minute and a
// developer's own machine can.
func TestRequestsAreLimited(t *testing.T) {
	w := onSQLite(t)
	w.limitedTo(tenant.Limits{AuthorizeNetwork: "3/1m", PARNetwork: "4/1m", PARClient: "2/1m"})
	begin := func(change func(*audit.Call)) error {
		call := w.call("b")
		change(call)
		_, err := w.s.Begin(t.Context(), call, w.tenant, good())
		return err
	}
	here := func(*audit.Call) {}
	elsewhere := func(c *audit.Call) { c.Address = netip.MustParseAddr("198.51.100.9") }
	for range 3 {
		w.ok(begin(here))
	}
	limitedFor(t, begin(here))
	w.ok(begin(elsewhere))
	w.ok(begin(func(c *audit.Call) { c.Loopback = true }))
	w.at = w.at.Add(time.Minute)
	w.ok(begin(here))

	push := func(client string, change func(*audit.Call)) error {
		call := w.call("")
		change(call)
		p := good()
		p.ClientID = client
		_, _, err := w.s.Push(t.Context(), call, w.tenant, w.clients.Client("", client), p)
		return err
	}
	w.ok(push("app", here))
	w.ok(push("app", here))
	limitedFor(t, push("app", elsewhere)) // its own, whatever network it comes from
	w.ok(push("public", here))
	w.ok(push("public", here))
	limitedFor(t, push("other", here)) // the network's
	for range 4 {
		w.ok(push("public", elsewhere)) // a public client has no limit that a stranger could use up
	}
	limitedFor(t, push("public", elsewhere))
	w.limitedTo(tenant.Limits{AuthorizeNetwork: "rubbish"})
	if err := begin(here); fault.From(err) == nil || fault.From(err).Kind != fault.Internal {
		t.Fatalf("a limit that cannot be read: %v", err)
	}
}
