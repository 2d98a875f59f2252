package tenant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func planned(slug string) Snapshot {
	return Snapshot{
		Tenants: []Tenant{{ID: "t1", Slug: slug, Name: "One", Issuer: "https://one.example.com", ManagedBy: ManagedByFile}},
		Clients: []Client{
			{TenantID: "t1", ID: "web", Name: "Web", SecretHash: []byte{1}, ManagedBy: ManagedByFile, Settings: ClientSettings{Roles: []string{"a"}}},
			{TenantID: "t1", ID: "app", Name: "App", ManagedBy: ManagedByFile},
		},
	}
}

// put plays a store: it does what the plan says, and what only a store knows moves on.
func put(have Snapshot, p Plan) Snapshot {
	out := Snapshot{Tenants: append([]Tenant(nil), have.Tenants...)}
	for _, t := range p.Tenants {
		found := false
		for i := range out.Tenants {
			if out.Tenants[i].ID == t.ID {
				t.Version, found = out.Tenants[i].Version+1, true
				out.Tenants[i] = t
			}
		}
		if !found {
			out.Tenants = append(out.Tenants, t)
		}
	}
	gone := map[string]bool{}
	for _, c := range p.Removed() {
		gone[c.Client] = true
	}
	for _, c := range append(append([]Client(nil), p.Clients...), have.Clients...) {
		if !gone[c.ID] {
			out.Clients, gone[c.ID] = append(out.Clients, c), true
		}
	}
	return out
}

func TestPlanIsIdempotent(t *testing.T) {
	want := planned("main")
	for name, have := range map[string]Snapshot{"empty store": {}, "same": planned("main"), "other slug": planned("old")} {
		first := NewPlan(have, want, true)
		if second := NewPlan(put(have, first), want, true); !second.Empty() || len(second.Notes) > 0 {
			t.Errorf("%s: a second plan has %v", name, second.Changes)
		}
		if (name == "same") != first.Empty() {
			t.Errorf("%s: %v", name, first.Changes)
		}
	}
}

func TestPlanNamesWhatDiffers(t *testing.T) {
	want := planned("main")
	want.Tenants[0].Policy.Lives.AccessS = 60
	want.Clients[0].SecretHash = []byte{2}
	want.Clients[0].Settings.Roles = []string{"a", "b"}
	p := NewPlan(planned("main"), want, false)
	fields := []Field{{Name: "lives.access_s", To: "60"}}
	if diff := cmp.Diff(fields, p.Changes[0].Fields); diff != "" {
		t.Error(diff)
	}
	fields = []Field{{Name: "secret", From: `"(hidden)"`, To: `"(hidden)"`}, {Name: "roles", From: `["a"]`, To: `["a","b"]`}}
	if diff := cmp.Diff(fields, p.Changes[1].Fields); diff != "" {
		t.Error(diff)
	}
	if len(p.Changes) != 2 || len(p.Tenants) != 1 || len(p.Clients) != 1 {
		t.Errorf("%d changes, %d tenants, %d clients", len(p.Changes), len(p.Tenants), len(p.Clients))
	}
}

// TestPlanLeavesWhatAnAPIManages: neither changed nor pruned, even when the file names it.
func TestPlanLeavesWhatAnAPIManages(t *testing.T) {
	have, want := planned("main"), planned("main")
	have.Clients[0].ManagedBy, have.Clients[0].Name = ManagedByAPI, "Renamed by its owner"
	have.Clients = append(have.Clients, Client{TenantID: "t1", ID: "made", ManagedBy: ManagedByAPI})
	have.Tenants = append(have.Tenants, Tenant{ID: "t2", Slug: "theirs", ManagedBy: ManagedByAPI})
	p := NewPlan(have, want, true)
	if !p.Empty() || len(p.Tenants)+len(p.Clients) > 0 {
		t.Errorf("the plan touches what an API manages: %v", p.Changes)
	}
	if len(p.Notes) != 1 || p.Notes[0].Client != "web" || !strings.Contains(p.Notes[0].String(), "managed by an API") {
		t.Errorf("notes %v", p.Notes)
	}
}

func TestPlanRemovesOnlyWithPrune(t *testing.T) {
	want := planned("main")
	want.Clients = want.Clients[:1]
	have := planned("main")
	have.Tenants = append(have.Tenants, Tenant{ID: "t2", Slug: "second", ManagedBy: ManagedByFile})
	have.Clients = append(have.Clients, Client{TenantID: "t2", ID: "there", ManagedBy: ManagedByFile})
	p := NewPlan(have, want, false)
	if !p.Empty() || len(p.Notes) != 2 || p.Notes[1].Client != "app" {
		t.Errorf("without prune: %v, notes %v", p.Changes, p.Notes)
	}
	p = NewPlan(have, want, true)
	if len(p.Changes) != 1 || p.Changes[0].Act != Remove || p.Changes[0].Client != "app" || len(p.Removed()) != 1 {
		t.Errorf("with prune: %v", p.Changes)
	}
}
