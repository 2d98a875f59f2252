package main

import (
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdEnvFile is "envfile NAME FILE": the file's text, trimmed, into the environment of the script.
func cmdEnvFile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// cmdIDOf is "idof [-of COMMAND] NAME TEXT…": the id of the internal key in use, or of the good service-token, whose line has every text.
func cmdIDOf(ts *testscript.TestScript, _ bool, args []string) {
	program, err := exec.LookPath("gatehouse")
	if err != nil {
		program = filepath.Join(strings.Split(ts.Getenv("PATH"), ":")[0], "gatehouse")
	}
	command, state := "internal-key", "in use"
	if args[0] == "-of" {
		command, state, args = args[1], "good", args[2:]
	}
	list := exec.Command(program, command, "list", "--dev", "--data", "data")
	list.Dir = ts.MkAbs(".")
	out, err := list.Output()
	ts.Check(err)
	for _, line := range strings.Split(string(out), "\n") {
		fits := strings.Contains(line, state)
		for _, text := range args[1:] {
			fits = fits && strings.Contains(line, text)
		}
		if fits {
			ts.Setenv(args[0], strings.Fields(line)[1])
			return
		}
	}
	ts.Fatalf("no line with %v in\n%s", args[1:], out)
}
