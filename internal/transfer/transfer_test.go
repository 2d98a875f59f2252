package transfer_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/transfer"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func house(t *testing.T, s *sqlstore.Store) *tenant.Tenant {
	t.Helper()
	id := secret.NewID(time.Now())
	tn := tenant.Tenant{ID: id, Slug: "t" + id, Issuer: "https://" + id + ".example.com", ManagedBy: "file"}
	if err := s.Tenants().Put(t.Context(), []tenant.Tenant{tn}, []tenant.Client{{TenantID: id, ID: "web"}}, audit.Record{}); err != nil {
		t.Fatal(err)
	}
	return &tn
}

func importer(s *sqlstore.Store, t *tenant.Tenant, problems *[]string) *transfer.Importer {
	return &transfer.Importer{
		Store: s.Transfer(), Now: time.Now, Actor: audit.Actor{Kind: "operator", ID: "ann"},
		Rules: transfer.Rules{
			Tenant: t, Pepper: func(uint32) string { return "" },
			Client: func(id string) *tenant.Client {
				if id != "web" {
					return nil
				}
				return &tenant.Client{ID: id}
			},
		},
		Report: func(p transfer.Problem) { *problems = append(*problems, p.String()) },
		Saved:  func(transfer.Progress) error { return nil },
	}
}

const hashText = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

// TestThereAndBack: what is imported is exported the same, and to import the export again changes nothing.
func TestThereAndBack(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		tn := house(t, s)
		var file strings.Builder
		for i := range 1203 { // more than two pages and batches
			_, _ = fmt.Fprintf(&file, `{"id":"u%04d","email":"U%04d@example.com","verified":%t,"username":"n%04d","name":"N%d","locale":"de","data":{"n":%d},`+
				`"roles":{"web":["a","b"]},"created_at":"2020-01-02T03:04:05.000006Z","password_hash":%q,"client_data":{"web":{"seats":%d}},`+
				`"links":[{"issuer":"https://a.example.com","subject":"s%d","data":{"k":"v"},"created_at":"2021-01-02T03:04:05Z"},`+
				`{"issuer":"https://b.example.com","subject":"s%d","created_at":"2020-01-02T03:04:05.000006Z"}]}`+"\n",
				i, i, i%2 == 0, i, i, i, hashText, i, i, i)
		}
		for round, want := range []transfer.Progress{{Added: 1203}, {Present: 1203}} {
			var problems []string
			p, err := importer(s, tn, &problems).Run(t.Context(), strings.NewReader(file.String()), transfer.Progress{})
			want.Line, want.Offset = 1203, int64(file.Len())
			if diff := cmp.Diff(want, p); diff != "" || err != nil || problems != nil {
				t.Fatalf("round %d: %v %v %s", round, err, problems, diff)
			}
		}
		var out strings.Builder
		n, err := transfer.Export(t.Context(), s.Transfer(), tn.ID, &out, func(uint32) string { return "" }, func(int64) {})
		if err != nil || n != 1203 {
			t.Fatal(n, err)
		}
		got, want := strings.Split(out.String(), "\n"), strings.Split(strings.ReplaceAll(file.String(), `"verified":false,`, ""), "\n")
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("line %d:\n%s\n%s", i+1, got[i], want[i])
			}
		}
		events, err := s.Events().Find(t.Context(), sqlstore.TrailQuery{TenantID: tn.ID, Subject: "u0001"})
		if err != nil || len(events) != 0 {
			t.Errorf("%d events of one user: %v", len(events), err)
		}
	})
}

// TestImportChangesNobody: who is there stays as they are; a line that names two people names nobody.
func TestImportChangesNobody(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		tn := house(t, s)
		var problems []string
		run := func(lines ...string) transfer.Progress {
			t.Helper()
			problems = nil
			p, err := importer(s, tn, &problems).Run(t.Context(), strings.NewReader(strings.Join(lines, "\n")), transfer.Progress{})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		run(`{"id":"a","email":"a@example.com","username":"first","name":"A"}`, `{"id":"b","email":"b@example.com"}`)
		p := run(
			`{"id":"a","email":"a@example.com","name":"Changed","status":"disabled"}`, `{"email":"A@EXAMPLE.COM","name":"Changed"}`,
			`{"id":"a","email":"new@example.com"}`, `{"id":"new","email":"a@example.com"}`, `{"id":"c","email":"c@example.com","username":"FIRST"}`,
			strings.Repeat("x", 200<<10), `{"email":"d@example.com","mail":"x"}`, `{"email":"d@example.com","verified":"yes"}`, ``,
		)
		if p.Present != 2 || p.Refused != 6 || p.Added != 0 || p.Line != 8 {
			t.Errorf("%+v\n%s", p, strings.Join(problems, "\n"))
		}
		linked := `,"links":[{"issuer":"https://idp.example.com","subject":"1"}]}`
		p = run(`{"id":"e","email":"e@example.com"`+linked, `{"id":"f","email":"f@example.com"`+linked) // one identity is one person
		if _, err := s.Users().Get(t.Context(), tn.ID, "f", ""); err == nil || p.Added != 1 || p.Refused != 1 {
			t.Errorf("%+v, %v", p, err)
		}
		p = run(
			`{"email":"g@example.com","links":[{"issuer":"","subject":"1"}]}`, `{"email":"g@example.com","links":[{"issuer":"i","subject":"1","data":[]}]}`,
			`{"email":"g@example.com","links":[{"issuer":"i","subject":"1"},{"issuer":"i","subject":"1"}]}`,
			`{"email":"g@example.com","links":[{"issuer":"i","subject":"1","created_at":"1900-01-01T00:00:00Z"}]}`,
			`{"email":"g@example.com","client_data":{"web":{}}}`, `{"email":"g@example.com","roles":{"web":[]},"client_data":{"web":7}}`,
		)
		if p.Refused != 6 || p.Added != 0 {
			t.Errorf("%+v\n%s", p, strings.Join(problems, "\n"))
		}
		if u, err := s.Users().Get(t.Context(), tn.ID, "a", ""); err != nil || u.Name != "A" || u.Status != user.Active || len(u.Identifiers) != 2 {
			t.Errorf("%+v %v", u, err)
		}
		if _, err := s.Users().Get(t.Context(), tn.ID, "c", ""); err == nil {
			t.Error("half a user stayed")
		}
	})
}

// TestOneImportWins: of many imports of one address at once, one adds and the others find it.
func TestOneImportWins(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		tn := house(t, s)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var sum transfer.Progress
		for i := range 64 {
			wg.Go(func() {
				var problems []string
				p, err := importer(s, tn, &problems).Run(context.WithoutCancel(t.Context()),
					strings.NewReader(fmt.Sprintf(`{"id":"u%d","email":"same@example.com"}`, i)), transfer.Progress{})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				sum.Added, sum.Refused = sum.Added+p.Added, sum.Refused+p.Refused
			})
		}
		wg.Wait()
		page, err := s.Transfer().Page(t.Context(), transfer.PageQuery{TenantID: tn.ID, Limit: 100, Deleted: true})
		if sum.Added != 1 || sum.Refused != 63 || len(page) != 1 || err != nil {
			t.Errorf("%+v, %d users, %v", sum, len(page), err)
		}
	})
}

// FuzzLine: no line of a file stops an import or is half taken.
func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"id":"a","email":"a@example.com","roles":{"web":["x"]},"data":{},"created_at":"2020-01-02T03:04:05Z"}`))
	f.Add([]byte("\xef\xbb\xbf{}\n\n{\"email\":null}\n[]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		im := importer(&sqlstore.Store{}, &tenant.Tenant{ID: "t"}, new([]string))
		seen := 0
		im.Store = fake(func(batch []transfer.Entry) {
			for _, e := range batch {
				seen++
				if len(e.User.Identifiers) == 0 || e.User.ID == "" || e.User.CreatedAt.IsZero() {
					t.Fatalf("taken: %+v", e)
				}
			}
		})
		p, err := im.Run(t.Context(), strings.NewReader(string(raw)), transfer.Progress{})
		if err != nil || p.Offset != int64(len(raw)) || int64(seen) != p.Added {
			t.Fatalf("%+v %v, %d seen", p, err, seen)
		}
	})
}

type fake func([]transfer.Entry)

func (f fake) Import(_ context.Context, _ string, b []transfer.Entry, _ audit.Record) ([]transfer.Outcome, error) {
	f(b)
	return make([]transfer.Outcome, len(b)), nil
}
func (fake) Page(context.Context, transfer.PageQuery) ([]transfer.Entry, error) { return nil, nil }
func (fake) Find(context.Context, string, user.IdentifierKind, string) (string, error) {
	return "", nil
}
