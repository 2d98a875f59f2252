package main

import (
	"fmt"
	"strings"
)

// configFault is one thing wrong with the configuration and where it stands.
type configFault struct{ Place, Path, Message string }

func (f configFault) String() string {
	var b strings.Builder
	for _, part := range []string{f.Place, f.Path} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	return b.String() + f.Message
}

// ConfigError is every fault of a configuration at once, so that an operator mends them in one go.
type ConfigError []configFault

func (e ConfigError) Error() string {
	lines := make([]string, len(e))
	for i, f := range e {
		lines[i] = "  " + f.String()
	}
	noun := "faults"
	if len(e) == 1 {
		noun = "fault"
	}
	return fmt.Sprintf("the configuration has %d %s:\n%s", len(e), noun, strings.Join(lines, "\n"))
}

// faultList collects faults and knows where each path was set.
type faultList struct {
	places map[string]string // "tenants[0].slug" → "gatehouse.yaml:12"
	broken map[string]bool   // paths that could not be read, whose value says nothing more
	list   ConfigError
}

// add notes a fault of the value at path. Messages never contain the value: it may be a secret in the wrong place.
func (f *faultList) add(path, format string, args ...any) {
	for p := path; p != ""; p = parent(p) {
		if f.broken[p] {
			return
		}
	}
	f.list = append(f.list, configFault{Place: f.place(path), Path: path, Message: fmt.Sprintf(format, args...)})
}

// place is where path, or the nearest thing around it, was set.
func (f *faultList) place(path string) string {
	for path != "" {
		if p, ok := f.places[path]; ok {
			return p
		}
		path = parent(path)
	}
	return ""
}

func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// settle marks what is faulty until now as broken: checks that come later do not report its consequences.
func (f *faultList) settle() {
	f.broken = map[string]bool{}
	for _, fault := range f.list {
		f.broken[fault.Path] = true
	}
}

func (f *faultList) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return f.list
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
