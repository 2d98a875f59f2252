package sqlstore_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// TestTenantTables: removing an app must leave nothing of it behind, in tables made later neither.
func TestTenantTables(t *testing.T) {
	b := testbed.OpenSQLite(t)
	db, err := sql.Open("sqlite", strings.TrimPrefix(b.URL, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(t.Context(), `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'tenant_id'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var found []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		found = append(found, name)
		if !slices.Contains(sqlstore.TenantTables(), name) {
			t.Errorf("table %s has a tenant_id and is not emptied when a tenant is removed", name)
		}
	}
	if err := rows.Err(); err != nil || len(found) < 20 {
		t.Fatalf("%d tables, %v", len(found), err)
	}
}
