package endtoend

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const (
	importShort  = 10_000
	importLong   = 100_000
	importMemory = 96 << 10 // KiB resident at the most, for a file of any length
)

// TestImportIsKilledAndGoesOn imports many users and kills the command again and again; at the end everybody is there once, each bad line
// was reported, and the memory it took does not grow with the file.
func TestImportIsKilledAndGoesOn(t *testing.T) {
	people := importShort
	if os.Getenv("GATEHOUSE_TEST_SOAK") != "" {
		people = importLong
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	writePeople(t, filepath.Join(dir, "people.jsonl"), people)
	server.Start(t, server.Options{Data: filepath.Join(dir, "data")})
	reported := map[string]bool{}
	kills, peak := 0, 0
	var last map[string]any
	for run := 0; last == nil; run++ {
		patience := time.Duration(0)
		if run < 5 {
			patience = time.Duration(100+60*run) * time.Millisecond
		}
		out, hwm, killed := runImport(t, dir, patience)
		peak = max(peak, hwm)
		if killed {
			kills++
		}
		for line := range strings.Lines(out) {
			var v map[string]any
			if json.Unmarshal([]byte(line), &v) != nil {
				continue // cut off by the kill
			}
			if v["done"] == true {
				last = v
			} else {
				reported[fmt.Sprint(v["line"])] = true
			}
		}
		if run > 50 {
			t.Fatal("the import does not come to an end")
		}
	}
	bad := people / 1000
	if got := fmt.Sprint(last["lines"], " ", last["refused"]); got != fmt.Sprint(people, " ", bad) || len(reported) != bad {
		t.Errorf("lines and refused: %s; %d lines reported, want %d", got, len(reported), bad)
	}
	if last["added"].(float64)+last["present"].(float64) != float64(people-bad) {
		t.Errorf("%v", last)
	}
	if kills == 0 {
		t.Error("nothing was killed: the test proves nothing")
	}
	if peak > importMemory {
		t.Errorf("the import took %d KiB, more than %d", peak, importMemory)
	}
	t.Logf("%d users, %d kills, %d KiB at the most", people, kills, peak)
	exported(t, dir, people-bad)
}

// writePeople writes n lines of which every thousandth is bad.
func writePeople(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range n {
		if i%1000 == 999 {
			_, _ = fmt.Fprintln(w, `{"email":"nobody"}`)
			continue
		}
		_, _ = fmt.Fprintf(w, `{"email":"u%d@example.com","verified":true,"name":"User %d","roles":{"demo":[]},`+
			`"password_hash":"$2a$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"}`+"\n", i, i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

// runImport runs the command, kills it after patience (0: never), and gives what it said and its peak of memory in KiB.
func runImport(t *testing.T, dir string, patience time.Duration) (out string, hwm int, killed bool) {
	t.Helper()
	cmd := exec.Command(server.Build(t, ""), "users", "import", "people.jsonl", "--json", "--dev", "--data", "data")
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	var kill <-chan time.Time
	if patience > 0 {
		kill = time.After(patience)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			if !killed && !strings.Contains(stdout.String(), `"done":true`) {
				t.Fatalf("the import ended: %s", stderr.String())
			}
			return stdout.String(), hwm, killed
		case <-kill:
			kill, killed = nil, cmd.Process.Kill() == nil
		case <-tick.C:
			hwm = max(hwm, peakOf(cmd.Process.Pid))
		}
	}
}

// peakOf is VmHWM of a process in KiB, 0 once it is gone.
func peakOf(pid int) (kib int) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	_, _ = fmt.Sscanf(rest, "%d", &kib)
	return kib
}

func exported(t *testing.T, dir string, want int) {
	t.Helper()
	cmd := exec.Command(server.Build(t, ""), "users", "export", "--dev", "--data", "data")
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(out), "\n"); n != want {
		t.Errorf("%d users are there, want %d", n, want)
	}
}
