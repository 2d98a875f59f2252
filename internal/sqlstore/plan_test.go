package sqlstore_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// A hot statement that reads a whole table is fast in every test and slow in every company: the plan is what is tested.

func TestHotPlansSQLite(t *testing.T) {
	b := testbed.OpenSQLite(t)
	db, err := sql.Open("sqlite", strings.TrimPrefix(b.URL, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range sqlstore.Texts() {
		if !s.Hot || s.Lite == "" {
			continue
		}
		for _, line := range litePlan(t, db, s.Lite) {
			// A scan of a CTE or of a constant row reads what the statement itself has made.
			if strings.HasPrefix(line, "SCAN ") && line != "SCAN CONSTANT ROW" && line != "SCAN tree" && line != "SCAN o" {
				t.Errorf("full scan: %s\n\t%s", line, s.Lite)
			}
			// Reading all of a tenant is no better than reading all, except where the table is small for each.
			if strings.Contains(line, "(tenant_id=?)") && !strings.Contains(line, "signing_key") && !strings.Contains(line, "mailbox") &&
				!strings.Contains(line, "revocation_counter") {
				t.Errorf("reads all of a tenant: %s\n\t%s", line, s.Lite)
			}
		}
	}
}

func litePlan(t *testing.T, db *sql.DB, text string) []string {
	t.Helper()
	args := make([]any, strings.Count(text, "?"))
	for i := range args {
		args[i] = "1"
	}
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatalf("%v\n\t%s", err, text)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		out = append(out, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestHotPlansPostgres(t *testing.T) {
	ctx := t.Context()
	c, err := pgx.Connect(ctx, testbed.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	// With the plans of the store's own connections, on empty tables without statistics: there the planner has no reason to prefer the
	// right index, so an order of columns that leaves it the choice is noticed.
	for name, value := range sqlstore.Settings() {
		if _, err := c.Exec(ctx, `SELECT set_config($1, $2, false)`, name, value); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range sqlstore.Texts() {
		name := fmt.Sprintf("s%d", i)
		d, err := c.Prepare(ctx, name, s.PG)
		if err != nil {
			t.Errorf("%v\n\t%s", err, s.PG)
			continue
		}
		if !s.Hot {
			continue
		}
		for _, fault := range pgPlan(t, c, name, len(d.ParamOIDs)) {
			t.Errorf("%s\n\t%s", fault, s.PG)
		}
	}
}

type planNode struct {
	NodeType  string     `json:"Node Type"`
	Relation  string     `json:"Relation Name"`
	Index     string     `json:"Index Name"`
	IndexCond string     `json:"Index Cond"`
	ParentRel string     `json:"Parent Relationship"`
	Plans     []planNode `json:"Plans"`
}

func pgPlan(t *testing.T, c *pgx.Conn, name string, params int) []string {
	t.Helper()
	text := `EXPLAIN (FORMAT JSON) EXECUTE ` + name
	if params > 0 {
		text += "(" + strings.TrimSuffix(strings.Repeat("NULL,", params), ",") + ")"
	}
	var out string
	if err := c.QueryRow(t.Context(), text, pgx.QueryExecModeSimpleProtocol).Scan(&out); err != nil {
		t.Fatalf("explain: %v", err)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal([]byte(out), &plans); err != nil {
		t.Fatal(err)
	}
	var faults []string
	var walk func(n planNode)
	walk = func(n planNode) {
		switch {
		case n.NodeType == "Seq Scan":
			faults = append(faults, "full scan of "+n.Relation)
		case strings.Contains(n.NodeType, "Index") && n.IndexCond == "":
			faults = append(faults, "whole index "+n.Index+" read")
		case strings.HasPrefix(n.IndexCond, "(tenant_id = ") && !strings.Contains(n.IndexCond, "AND") && !strings.Contains(n.Index, "signing_key") &&
			!strings.Contains(n.Index, "mailbox") && !strings.Contains(n.Index, "revocation_counter"): // one row a tenant
			faults = append(faults, "reads all of a tenant by "+n.Index+" "+n.IndexCond+" below "+n.ParentRel)
		}
		for _, p := range n.Plans {
			walk(p)
		}
	}
	walk(plans[0].Plan)
	return faults
}
