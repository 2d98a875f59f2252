package gatehouse_test

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/gatehouse-auth/gatehouse"

// source is one Go file of the module.
type source struct {
	path      string // from the root, slashes
	room      string // its directory
	test      bool
	generated bool
	lines     int
	file      *ast.File
}

// house reads every Go file of this module; nested modules and data are left out.
func house(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	fset := token.NewFileSet()
	var out []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "node_modules", "vendor", "bin"}, d.Name()) || exists(p+"/go.mod")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		p = filepath.ToSlash(p)
		out = append(out, source{
			path: p, room: path.Dir(p), test: strings.HasSuffix(p, "_test.go"), generated: ast.IsGenerated(f),
			lines: fset.File(f.Pos()).LineCount(), file: f,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fset, out
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }

// plan reads house.txt: "room: import import …" with the prefix "internal/" left out; # begins a comment.
func plan(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open("house.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := map[string][]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), "#")
		room, imports, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		if _, twice := out[room]; twice {
			t.Errorf("house.txt: %s stands there twice", room)
		}
		out[room] = strings.Fields(imports)
	}
	return out
}

func name(dir string) string { return strings.TrimPrefix(dir, "internal/") }

// TestPlan compares what rooms import with what house.txt lets them. Test files are free: they see the house from above.
func TestPlan(t *testing.T) {
	_, files := house(t)
	have := map[string]map[string]string{}
	for _, s := range files {
		if s.test || s.room == "." {
			continue
		}
		if have[name(s.room)] == nil {
			have[name(s.room)] = map[string]string{}
		}
		for _, p := range imports(s.file) {
			if ours, ok := strings.CutPrefix(p, module+"/"); ok {
				have[name(s.room)][name(ours)] = s.path
			}
		}
	}
	want := plan(t)
	for _, room := range slices.Sorted(maps.Keys(have)) {
		allowed, known := want[room]
		if !known {
			t.Errorf("%s is a room that house.txt does not know", room)
			continue
		}
		for _, p := range slices.Sorted(maps.Keys(have[room])) {
			if !slices.Contains(allowed, p) {
				t.Errorf("%s imports %s, which house.txt does not allow", have[room][p], p)
			}
		}
		for _, p := range allowed {
			if have[room][p] == "" {
				t.Errorf("house.txt lets %s import %s, which it does not", room, p)
			}
		}
	}
	for room := range want {
		if have[room] == nil {
			t.Errorf("house.txt lists %s, which is not there", room)
		}
	}
	checkDownwards(t, want)
}

// checkDownwards holds the order of house.txt: a room imports only rooms that stand above it in the file, lower in the house.
func checkDownwards(t *testing.T, want map[string][]string) {
	t.Helper()
	raw, err := os.ReadFile("house.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		room, _, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(room, "#") {
			continue
		}
		for _, p := range want[room] {
			if !seen[p] {
				t.Errorf("house.txt: %s imports %s, which does not stand before it", room, p)
			}
		}
		seen[room] = true
	}
}

func imports(f *ast.File) []string {
	var out []string
	for _, i := range f.Imports {
		out = append(out, strings.Trim(i.Path.Value, `"`))
	}
	return out
}

// laws say which rooms may import what is dangerous. Tests are exempt: they play strangers, clients and databases.
var laws = []struct {
	imports *regexp.Regexp
	rooms   *regexp.Regexp
	why     string
}{
	{re(`^net/http(/.*)?$`), re(`^(internal/web(/.*)?|internal/fetch|internal/drill|internal/testbed(/.*)?|resource|bench|cmd/.*)$`),
		"servers stand in web and cmd, and the only way out is fetch; public SDKs get their client from the caller"},
	{re(`^(database/sql|github\.com/jackc/pgx/.*|modernc\.org/sqlite|github\.com/pressly/goose/.*)$`), re(`^(internal/(sqlstore|testbed)|bench)$`),
		"a database handle outside sqlstore escapes its transactions and its suite"},
	{re(`^github\.com/redis/.*`), re(`^internal/ephemeral$`), "Redis holds what expires, and every verb on it is one script"},
	{re(`^github\.com/aws/.*`), re(`^(internal/secretref|cmd/gatehouse)$`), "secrets come by reference, and nobody but the wiring knows from where"},
	{re(`^crypto/rand$`), re(`^(internal/(secret|jose)|bench)$`), "randomness drawn in one place is randomness that can be reviewed"},
	{re(`^math/rand(/v2)?$`), re(`^internal/(delivery|sqlstore|storetest/sessionmachine)$`),
		"it is predictable: good for spreading retries, and for nothing else"},
	{re(`^github\.com/golang-jwt/.*|^github\.com/go-jose/.*`), re(`^internal/jose$`),
		"one strict wrapper signs and verifies"},
	{re(`^(unsafe|plugin|os/exec)$`), re(`^(internal/testbed(/.*)?|bench)$`), "nothing that serves strangers starts programs"},
	{re(`^go\.opentelemetry\.io/.*`), re(`^cmd/gatehouse$`), "rooms declare the hook they need; who collects is a matter of wiring"},
	{re(`^net/smtp$`), re(`^$`), "frozen; delivery uses a kept library"},
}

func re(s string) *regexp.Regexp { return regexp.MustCompile(s) }

func TestLawsOfImports(t *testing.T) {
	_, files := house(t)
	for _, s := range files {
		if s.test {
			continue
		}
		for _, p := range imports(s.file) {
			for _, l := range laws {
				if l.imports.MatchString(p) && !l.rooms.MatchString(s.room) {
					t.Errorf("%s imports %s: %s", s.path, p, l.why)
				}
			}
		}
	}
}

// TestLawOfTime: below the hallway the instant is data, so that rules can be tested at any instant and tenants can have clocks of their own.
func TestLawOfTime(t *testing.T) {
	fset, files := house(t)
	rooms := re(`^(internal/web|internal/testbed(/.*)?|resource|bench|cmd/.*)$`)
	for _, s := range files {
		if s.test || rooms.MatchString(s.room) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if ok && x.Name == "time" && x.Obj == nil && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
				t.Errorf("%s: time.%s: the instant is an argument here", fset.Position(sel.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

func TestPackageDocsAndNames(t *testing.T) {
	_, files := house(t)
	docs := map[string]string{}
	for _, s := range files {
		if s.test || s.room == "." {
			continue
		}
		docs[s.room] += s.file.Doc.Text()
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "core", "base", "shared", "types", "model", "models", "service"}, s.file.Name.Name) {
			t.Errorf("%s: package %s: name a room after what it owns", s.path, s.file.Name.Name)
		}
	}
	for room, doc := range docs {
		doc = strings.Join(strings.Fields(doc), " ")
		if !strings.Contains(doc, " own") || !re(`\b(not|no|nothing)\b`).MatchString(doc) {
			t.Errorf("%s: the package comment must say what the room owns and what it does not own", room)
		}
	}
}

// Sizes that nothing exceeds. Generated files and tests are exempt.
const (
	maxFileLines = 600
	maxFuncLines = 100
	maxMethods   = 8
)

func TestSizes(t *testing.T) {
	fset, files := house(t)
	for _, s := range files {
		if s.test || s.generated {
			continue
		}
		if s.lines > maxFileLines {
			t.Errorf("%s has %d lines, more than %d", s.path, s.lines, maxFileLines)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if l := fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1; l > maxFuncLines {
					t.Errorf("%s: %s has %d lines, more than %d", fset.Position(n.Pos()), n.Name.Name, l, maxFuncLines)
				}
			case *ast.InterfaceType:
				if k := methods(n); k > maxMethods {
					t.Errorf("%s: an interface of %d methods, more than %d", fset.Position(n.Pos()), k, maxMethods)
				}
			}
			return true
		})
	}
}

func methods(i *ast.InterfaceType) int {
	k := 0
	for _, m := range i.Methods.List {
		if _, ok := m.Type.(*ast.FuncType); ok {
			k += max(1, len(m.Names))
		}
	}
	return k
}

// TestNoSkips: a backend or a machine that cannot run a test fails it; a skipped test is a promise nobody checks.
func TestNoSkips(t *testing.T) {
	_, files := house(t)
	for _, s := range files {
		if !s.test && s.room != "internal/testbed" && s.room != "internal/storetest" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				if x, ok := sel.X.(*ast.Ident); ok && re(`^(t|b|f|tb)$`).MatchString(x.Name) {
					t.Errorf("%s skips a test", s.path)
				}
			}
			return true
		})
	}
}
