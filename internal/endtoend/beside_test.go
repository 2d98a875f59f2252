package endtoend

import (
	"path/filepath"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// beside opens the store of a running server as an operator's command does.
func beside(t *testing.T, s *server.Server, o server.Options) *sqlstore.Store {
	t.Helper()
	url := o.Store
	if url == "" {
		url = "sqlite:" + filepath.Join(s.Data, "gatehouse.db")
	}
	store, err := sqlstore.Open(t.Context(), url, sqlstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}
