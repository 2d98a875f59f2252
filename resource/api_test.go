package resource

import (
	"bytes"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-auth/gatehouse"

func golang(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %v: %v\n%s%s", args, err, out, &faults)
	}
	return string(out)
}

// TestDependencies: whoever imports this package compiles this much of others' code, and not a line of the server.
func TestDependencies(t *testing.T) {
	allowed := []string{
		module + "/resource", module + "/internal/fault", module + "/internal/jose", module + "/internal/strictjson", module + "/internal/token/kind",
		module + "/internal/weak", "github.com/golang-jwt/jwt/v5",
		"github.com/go-jose/go-jose/v4", "github.com/go-jose/go-jose/v4/cipher", "github.com/go-jose/go-jose/v4/json",
	}
	std := regexp.MustCompile(`^(database|html/template|text/template|plugin|testing)(/|$)`)
	for p := range strings.FieldsSeq(golang(t, "..", nil, "list", "-deps", "./resource")) {
		first, _, _ := strings.Cut(p, "/")
		if std.MatchString(p) || strings.Contains(first, ".") && !slices.Contains(allowed, p) {
			t.Errorf("the package pulls in %s", p)
		}
	}
}

var hidden = regexp.MustCompile(`(^|/)internal(/|$)|golang-jwt|go-jose`)

// TestNoInternalTypeShows: a type under internal/ or of a JOSE library in an exported signature could not be named by callers, and would
// chain the API to it.
func TestNoInternalTypeShows(t *testing.T) {
	exports := map[string]string{}
	for line := range strings.Lines(golang(t, "..", nil, "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "./resource")) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[path] = file
	}
	imp := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	pkg, err := imp.Import(module + "/resource")
	if err != nil {
		t.Fatal(err)
	}
	s := &shown{pkg: pkg, seen: map[types.Type]bool{}}
	for _, name := range pkg.Scope().Names() {
		if o := pkg.Scope().Lookup(name); o.Exported() {
			s.walk(name, o.Type())
			s.objects++
		}
	}
	if s.objects < 20 {
		t.Errorf("only %d exported objects were seen", s.objects)
	}
	for _, f := range s.faults {
		t.Error(f)
	}
	probe := &shown{pkg: pkg, seen: map[types.Type]bool{}} // the walk can find something
	probe.walk("the field of Token that holds internal types", pkg.Scope().Lookup("Token").Type().Underlying().(*types.Struct).Field(lastField(pkg)).Type())
	if len(probe.faults) == 0 {
		t.Error("an internal type was not found where there is one")
	}
}

func lastField(pkg *types.Package) int {
	return pkg.Scope().Lookup("Token").Type().Underlying().(*types.Struct).NumFields() - 1
}

// shown walks everything a caller can reach by name.
type shown struct {
	pkg     *types.Package
	seen    map[types.Type]bool
	objects int
	faults  []string
}

func (s *shown) walk(where string, t types.Type) {
	if s.seen[t] {
		return
	}
	s.seen[t] = true
	switch t := t.(type) {
	case *types.Alias:
		s.named(where, t.Obj())
		s.walk(where, types.Unalias(t))
	case *types.Named:
		s.named(where, t.Obj())
		if t.Obj().Pkg() != s.pkg {
			return
		}
		for m := range t.Methods() {
			if m.Exported() {
				s.walk(where+"."+m.Name(), m.Type())
			}
		}
		s.walk(where, t.Underlying())
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() || f.Embedded() {
				s.walk(where+"."+f.Name(), f.Type())
			}
		}
	case *types.Signature:
		for v := range t.Params().Variables() {
			s.walk(where, v.Type())
		}
		for v := range t.Results().Variables() {
			s.walk(where, v.Type())
		}
	case *types.Interface:
		for m := range t.Methods() {
			s.walk(where+"."+m.Name(), m.Type())
		}
	case *types.Map:
		s.walk(where, t.Key())
		s.walk(where, t.Elem())
	case interface{ Elem() types.Type }:
		s.walk(where, t.Elem())
	}
}

func (s *shown) named(where string, o *types.TypeName) {
	if o.Pkg() != nil && hidden.MatchString(o.Pkg().Path()) {
		s.faults = append(s.faults, fmt.Sprintf("%s shows %s.%s", where, o.Pkg().Path(), o.Name()))
	}
}

const outsider = `package main

import (
	"fmt"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/resource"
)

func main() {
	v, err := resource.New(resource.Config{Issuer: "https://login.example.com", Audience: "forum", Keys: []byte("x"), Feed: nil})
	fmt.Println(v == nil, err != nil)
	if v != nil {
		http.Handle("/", v.UserOrService()(resource.Require(resource.Role("admin"))(http.NotFoundHandler())))
	}
}
`

// TestOutsideModule compiles a program of another module against this one, without a network: whatever it needs is in our own go.sum.
func TestOutsideModule(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	goMod := "module example.com/forum\n\ngo 1.26.0\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n"
	for name, text := range map[string]string{"go.mod": goMod, "go.sum": string(sums), "main.go": outsider} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"GOFLAGS=-mod=mod -buildvcs=false", "GOPROXY=off", "GOWORK=off", "GONOSUMDB=*", "CGO_ENABLED=0"}
	if out := golang(t, dir, env, "run", "."); out != "true true\n" {
		t.Errorf("got %q", out)
	}
}
