package tenant

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Managers of what stands in the store.
const (
	ManagedByFile = "file"
	ManagedByAPI  = "api"
)

// Act says what a plan would do with one tenant or client.
type Act string

// The acts. Leave changes nothing: it tells of a difference that stays.
const (
	Create Act = "create"
	Update Act = "update"
	Remove Act = "remove"
	Leave  Act = "leave"
)

// Change is one line of a plan.
type Change struct {
	Act      Act     `json:"act"`
	TenantID string  `json:"tenant_id"`
	Tenant   string  `json:"tenant"`           // slug
	Client   string  `json:"client,omitempty"` // "" for the tenant itself
	Fields   []Field `json:"fields,omitempty"` // of an update
	Why      string  `json:"why,omitempty"`    // of a leave
}

// Field is one setting that differs, by its configuration name. Secrets show that they differ and nothing else.
type Field struct {
	Name string `json:"name"`
	From string `json:"from,omitempty"` // JSON, "" when absent
	To   string `json:"to,omitempty"`
}

// Plan is what makes a store agree with a file.
type Plan struct {
	Changes []Change // what would change, tenants first
	Notes   []Change // differences that stay (Act is Leave)
	Tenants []Tenant // to be put
	Clients []Client // to be put
}

// Empty reports whether the store agrees already. Notes do not count: applying the plan again would not end them.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 }

// Removed gives the clients that the plan removes.
func (p *Plan) Removed() []Change {
	return slices.DeleteFunc(slices.Clone(p.Changes), func(c Change) bool { return c.Act != Remove })
}

// NewPlan compares what the store has with what the file wants, as a pure function. What an API manages is never changed. What the file
// managed and no longer names stays, unless prune says that such clients go; tenants always stay, because their users would go with them.
func NewPlan(have, want Snapshot, prune bool) Plan {
	var p Plan
	slugs := map[string]string{}
	for i := range have.Tenants {
		slugs[have.Tenants[i].ID] = have.Tenants[i].Slug
	}
	for i := range want.Tenants {
		slugs[want.Tenants[i].ID] = want.Tenants[i].Slug
		p.tenant(have, &want.Tenants[i])
	}
	for i := range want.Clients {
		p.client(have, &want.Clients[i], slugs)
	}
	p.unnamed(have, want, prune)
	return p
}

func (p *Plan) tenant(have Snapshot, w *Tenant) {
	line, managedBy := Change{TenantID: w.ID, Tenant: w.Slug}, ""
	i := slices.IndexFunc(have.Tenants, func(t Tenant) bool { return t.ID == w.ID })
	if i >= 0 {
		line.Fields, managedBy = tenantFields(&have.Tenants[i], w), have.Tenants[i].ManagedBy
	}
	if p.writes(line, i >= 0, managedBy) {
		p.Tenants = append(p.Tenants, *w)
	}
}

func (p *Plan) client(have Snapshot, w *Client, slugs map[string]string) {
	line, managedBy := Change{TenantID: w.TenantID, Tenant: slugs[w.TenantID], Client: w.ID}, ""
	i := slices.IndexFunc(have.Clients, func(c Client) bool { return c.TenantID == w.TenantID && c.ID == w.ID })
	if i >= 0 {
		line.Fields, managedBy = clientFields(&have.Clients[i], w), have.Clients[i].ManagedBy
	}
	if p.writes(line, i >= 0, managedBy) {
		p.Clients = append(p.Clients, *w)
	}
}

// writes notes what becomes of a thing of the file, and reports whether it is written: a new one, or one of the file's own that differs.
func (p *Plan) writes(line Change, stands bool, managedBy string) bool {
	switch {
	case !stands:
		line.Act = Create
	case len(line.Fields) == 0:
		return false
	case managedBy == ManagedByAPI:
		line.Act, line.Why = Leave, "managed by an API"
		p.Notes = append(p.Notes, line)
		return false
	default:
		line.Act = Update
	}
	p.Changes = append(p.Changes, line)
	return true
}

// unnamed looks at what stands in the store and not in the file.
func (p *Plan) unnamed(have, want Snapshot, prune bool) {
	slugs := map[string]string{}
	for i := range have.Tenants {
		h := &have.Tenants[i]
		slugs[h.ID] = h.Slug
		named := slices.ContainsFunc(want.Tenants, func(t Tenant) bool { return t.ID == h.ID })
		if !named && h.ManagedBy != ManagedByAPI {
			p.Notes = append(p.Notes, Change{Act: Leave, TenantID: h.ID, Tenant: h.Slug, Why: "no longer in the file; tenants are never removed by it"})
		}
	}
	for i := range have.Clients {
		h := &have.Clients[i]
		ours := slices.ContainsFunc(want.Tenants, func(t Tenant) bool { return t.ID == h.TenantID })
		named := slices.ContainsFunc(want.Clients, func(c Client) bool { return c.TenantID == h.TenantID && c.ID == h.ID })
		if !ours || named || h.ManagedBy == ManagedByAPI {
			continue
		}
		line := Change{Act: Leave, TenantID: h.TenantID, Tenant: slugs[h.TenantID], Client: h.ID, Why: "no longer in the file; --prune removes it"}
		if prune {
			line.Act, line.Why = Remove, ""
			p.Changes = append(p.Changes, line)
			continue
		}
		p.Notes = append(p.Notes, line)
	}
}

func tenantFields(h, w *Tenant) []Field {
	out := fieldsOf(map[string][2]any{
		"slug": {h.Slug, w.Slug}, "name": {h.Name, w.Name}, "issuer": {h.Issuer, w.Issuer}, "test": {h.Test, w.Test},
	})
	return append(out, within("", h.Policy, w.Policy)...)
}

func clientFields(h, w *Client) []Field {
	out := fieldsOf(map[string][2]any{"name": {h.Name, w.Name}})
	if !bytes.Equal(h.SecretHash, w.SecretHash) {
		out = append(out, Field{Name: "secret", From: known(h.SecretHash), To: known(w.SecretHash)})
	}
	return append(out, within("", h.Settings, w.Settings)...)
}

func known(hash []byte) string {
	if len(hash) == 0 {
		return ""
	}
	return `"(hidden)"`
}

func fieldsOf(pairs map[string][2]any) []Field {
	var out []Field
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if from, to := text(pairs[name][0]), text(pairs[name][1]); from != to {
			out = append(out, Field{Name: name, From: from, To: to})
		}
	}
	return out
}

// within compares two structs as they are stored and names what differs by its path.
func within(path string, h, w any) []Field {
	a, b := flat(h), flat(w)
	var out []Field
	for name := range a {
		if a[name] != b[name] {
			out = append(out, Field{Name: path + name, From: a[name], To: b[name]})
		}
	}
	for name := range b {
		if _, both := a[name]; !both {
			out = append(out, Field{Name: path + name, To: b[name]})
		}
	}
	slices.SortFunc(out, func(x, y Field) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// flat is the JSON of a struct with objects taken apart into dotted names. Lists are values: they are replaced whole.
func flat(v any) map[string]string {
	out := map[string]string{}
	var root map[string]any
	if err := json.Unmarshal([]byte(text(v)), &root); err != nil {
		return out
	}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for name, value := range m {
			if inner, ok := value.(map[string]any); ok {
				walk(prefix+name+".", inner)
				continue
			}
			out[prefix+name] = text(value)
		}
	}
	walk("", root)
	return out
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

// String is the line for people: sign, tenant, client.
func (c Change) String() string {
	sign := map[Act]string{Create: "+", Update: "~", Remove: "-", Leave: "!"}[c.Act]
	parts := []string{sign, "tenant " + c.Tenant}
	if c.Client != "" {
		parts = []string{sign, "client " + c.Client + " of tenant " + c.Tenant}
	}
	switch c.Act {
	case Create:
		parts = append(parts, "is absent")
	case Update:
		parts = append(parts, "differs")
	case Remove:
		parts = append(parts, "is removed and its sessions end")
	case Leave:
		parts = append(parts, "is left as it is:", c.Why)
	}
	return strings.Join(parts, " ")
}
