package sqlstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// TestMain turns the test binary into a writer that is killed: it prints every row it was told is committed.
func TestMain(m *testing.M) {
	if url := os.Getenv("GATEHOUSE_WRITER_URL"); url != "" {
		writeUntilKilled(url)
	}
	os.Exit(m.Run())
}

func writeUntilKilled(url string) {
	s, err := sqlstore.Open(context.Background(), url, sqlstore.Config{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("w%d-%d", w, i)
				if err := s.Write(context.Background(), func(tx sqlstore.Tx) error { return put(tx, id) }); err != nil {
					return // the server was killed: nothing was promised
				}
				out.Lock()
				fmt.Println(id)
				out.Unlock()
			}
		})
	}
	wg.Wait()
	os.Exit(0)
}

// writer starts the child and gives what it says until enough rows were promised; then end is called, and the rest is read.
func promised(t *testing.T, url string, end func(child *exec.Cmd)) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe)
	child.Env = append(os.Environ(), "GATEHOUSE_WRITER_URL="+url)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		ids = append(ids, lines.Text())
		if len(ids) == 500 {
			end(child)
		}
	}
	_ = child.Wait()
	if len(ids) < 500 {
		t.Fatalf("the writer ended early: %q", ids)
	}
	return ids
}

func survive(t *testing.T, s *sqlstore.Store, ids []string) {
	t.Helper()
	for _, id := range ids {
		if nodes(t, s, id) != 1 {
			t.Errorf("%s was answered and is lost", id)
		}
	}
}

func TestCommitsSurviveKill(t *testing.T) {
	kill := func(child *exec.Cmd) { _ = child.Process.Kill() }
	for _, url := range []string{testbed.SQLite(t), testbed.Postgres(t)} {
		s := testbed.Open(t, url, sqlstore.Config{})
		survive(t, s, promised(t, url, kill))
	}
}

func TestCommitsSurviveTheServersDeath(t *testing.T) {
	server := testbed.PrivatePostgres(t)
	s := testbed.Open(t, server.URL(), sqlstore.Config{})
	ids := promised(t, server.URL(), func(*exec.Cmd) { server.Kill() })
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return s.Ping(t.Context()) == nil })
	survive(t, s, ids)
}
