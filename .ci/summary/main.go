// Command summary runs "go test -json …", shows the output of what failed, and ends with one line "N passed, N failed". It owns the
// reading of test events; it does not own which tests run.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type tally struct {
	passed, failed, skipped int
	output                  map[string]*strings.Builder
	leaves                  map[string]bool // failed tests whose subtests failed too say nothing new
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: summary go test -json …")
		os.Exit(2)
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...) // #nosec G204 -- the caller is our own script
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	t := tally{output: map[string]*strings.Builder{}}
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		t.line(lines.Bytes())
	}
	err = cmd.Wait()
	if err != nil && t.failed == 0 {
		fmt.Println("the test run itself failed:", err)
		t.failed++
	}
	fmt.Printf("%d passed, %d failed", t.passed, t.failed)
	if t.skipped > 0 {
		fmt.Printf(", %d skipped", t.skipped)
	}
	fmt.Println()
	if t.failed > 0 || t.passed == 0 {
		os.Exit(1)
	}
}

func (t *tally) line(raw []byte) {
	var e event
	if json.Unmarshal(raw, &e) != nil {
		fmt.Println(string(raw))
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		if t.output[key] == nil {
			t.output[key] = &strings.Builder{}
		}
		t.output[key].WriteString(e.Output)
	case "build-output":
		fmt.Print(e.Output)
	case "pass", "skip", "fail":
		t.end(e, key)
	}
}

// end counts a finished test. A package that fails without a failed test of its own (a panic, a broken build) counts as one failure.
func (t *tally) end(e event, key string) {
	said := ""
	if b := t.output[key]; b != nil {
		said = b.String()
	}
	delete(t.output, key)
	if e.Test == "" {
		t.endPackage(e, said)
		return
	}
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
	case "fail":
		t.failed++
		if t.leaves == nil {
			t.leaves = map[string]bool{}
		}
		t.leaves[e.Package] = true
		fmt.Print(said)
	}
}

func (t *tally) endPackage(e event, said string) {
	switch {
	case e.Action == "fail" && !t.leaves[e.Package]:
		t.failed++
		for key, b := range t.output { // tests that never ended: a panic or the time limit
			if strings.HasPrefix(key, e.Package+" ") {
				fmt.Print(b.String())
				delete(t.output, key)
			}
		}
		fmt.Print(said)
	case e.Action == "fail":
		fmt.Printf("FAIL\t%s\t%.1fs\n", e.Package, e.Elapsed)
	case e.Action == "pass":
		fmt.Printf("ok\t%s\t%.1fs\n", e.Package, e.Elapsed)
	}
}
