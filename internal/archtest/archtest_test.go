package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestHouse is the check of the project itself.
func TestHouse(t *testing.T) {
	packages, err := Load(root(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 8 {
		t.Fatalf("only %d packages found", len(packages))
	}
	for _, p := range Check(packages) {
		t.Error(p)
	}
}

// TestDependencies wants one line per direct dependency.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root(t), "DEPENDENCIES.md"))
	if err != nil {
		t.Fatal(err)
	}
	if len(Direct(string(mod))) == 0 {
		t.Fatal("no direct dependency found in go.mod")
	}
	for _, m := range Undocumented(string(mod), string(doc)) {
		t.Errorf("DEPENDENCIES.md has no row for %s, or of another version", m)
	}
}

func TestUndocumented(t *testing.T) {
	mod := "module m\n\nrequire a.b/one v1\n\nrequire (\n\ta.b/two v1.0.0\n\ta.b/three v1 // indirect\n)\n"
	if got := strings.Join(Direct(mod), ", "); got != "a.b/one v1, a.b/two v1.0.0" {
		t.Errorf("direct: %q", got)
	}
	for doc, want := range map[string]string{
		"text a.b/two\n| `a.b/one` | v1 |\n":                   "a.b/two v1.0.0",
		"\n| `a.b/one` | v2 |\n| `a.b/two` | v1.0.0 | MIT |\n": "a.b/one v1",
		"\n| `a.b/one` | v1 |\n| `a.b/two` | v1.0.0 | MIT |\n": "",
	} {
		if got := strings.Join(Undocumented(mod, doc), " "); got != want {
			t.Errorf("undocumented: %q, want %q", got, want)
		}
	}
}

const module = `"github.com/mlfactory/mlfactory/`

// TestCheckerCatches feeds the checker one broken rule at a time, and the nearest thing that is allowed.
func TestCheckerCatches(t *testing.T) {
	for _, c := range []struct {
		name, pkg, source string
		rule              string // "" when nothing is wrong
	}{
		{"clean", "split", "// Package split is.\npackage split\nimport " + module + "label\"", ""},
		{"later line", "bar", "// Package bar is.\npackage bar\nimport " + module + "cost\"", "import order"},
		{"same step", "stat", "// Package stat is.\npackage stat\nimport " + module + "frame\"", "import order"},
		{"later step of the line", "label", "// Package label is.\npackage label\nimport " + module + "split\"", "import order"},
		{"child before parent", "bar", "// Package bar is.\npackage bar\nimport " + module + "bar/calendar\"", ""},
		{"child after parent", "feature", "// Package feature is.\npackage feature\nimport " + module + "feature/trend\"", "import order"},
		{"child uses parent", "feature/trend", "// Package trend is.\npackage trend\nimport " + module + "feature\"", ""},
		{"sibling", "model/tree", "// Package tree is.\npackage tree\nimport " + module + "model/linear\"", "import order"},
		{"internal of a parent", "feature", "// Package feature is.\npackage feature\nimport " + module + "feature/internal/roll\"", ""},
		{"helper from anywhere", "rng", "// Package rng is.\npackage rng\nimport " + module + "internal/simd/vec\"", ""},
		{"helper of a helper", "internal/simd/vec", "// Package vec is.\npackage vec\nimport " + module + "internal/simd\"", ""},
		{"helper uses the house", "internal/simd", "// Package simd is.\npackage simd\nimport " + module + "rng\"", "import order"},
		{"helper uses cobra", "internal/simd", "// Package simd is.\npackage simd\nimport \"github.com/spf13/cobra\"", "third party"},
		{"helper uses x/sys", "internal/simd", "// Package simd is.\npackage simd\nimport \"golang.org/x/sys/cpu\"", ""},
		{"import without a place", "factory", "// Package factory is.\npackage factory\nimport " + module + "util\"", "import order"},
		{"library imports program", "report", "// Package report is.\npackage report\nimport " + module + "cmd/mlfactory\"", "import order"},
		{"third party in line 7", "label", "// Package label is.\npackage label\nimport \"github.com/spf13/cobra\"", "third party"},
		{"name like an allowed one", "label", "// Package label is.\npackage label\nimport \"gonum.org/v1/gonumx\"", "third party"},
		{"gonum in line 2", "stat", "// Package stat is.\npackage stat\nimport \"gonum.org/v1/gonum/mat\"", ""},
		{"third party in line 8", "model", "// Package model is.\npackage model\nimport \"github.com/spf13/cobra\"", ""},
		{"unknown package", "util", "// Package util is.\npackage util", "unknown package"},
		{"unknown helper", "internal/util", "// Package util is.\npackage util", "unknown package"},
		{"no comment", "rng", "package rng", "package comment"},
		{"comment of something else", "rng", "// Licence text.\npackage rng", "package comment"},
		{"command", "cmd/mlfactory", "// Command mlfactory is.\npackage main", ""},
		{"init", "rng", "// Package rng is.\npackage rng\nfunc init() {}", "init function"},
		{"method called init", "rng", "// Package rng is.\npackage rng\ntype t int\nfunc (t) init() {}", ""},
		{"init in cmd", "cmd/mlfactory", "// Command mlfactory is.\npackage main\nfunc init() {}", "init function"},
		{"blank import", "store", "// Package store is.\npackage store\nimport _ \"net/http/pprof\"", "blank import"},
		{"sqlite in store", "store", "// Package store is.\npackage store\nimport _ \"modernc.org/sqlite\"", ""},
		{"sqlite elsewhere", "flow", "// Package flow is.\npackage flow\nimport _ \"modernc.org/sqlite\"", "blank import"},
		{"embed", "model/tree", "// Package tree is.\npackage tree\nimport _ \"embed\"", ""},
		{"getenv", "report", "// Package report is.\npackage report\nimport \"os\"\nvar x = os.Getenv(\"A\")", "environment"},
		{"renamed getenv", "store", "// Package store is.\npackage store\nimport sys \"os\"\nfunc f() { sys.LookupEnv(\"A\") }", "environment"},
		{"getenv in cmd", "cmd/mlfactory", "// Command mlfactory is.\npackage main\nimport \"os\"\nfunc f() { os.Getenv(\"A\") }", ""},
		{"method called Getenv", "store", "// Package store is.\npackage store\nfunc f(os interface{ Getenv() }) { os.Getenv() }", ""},
		{"global source", "model/tree", "// Package tree is.\npackage tree\nimport \"math/rand/v2\"\nfunc f() { rand.IntN(3) }", "random numbers"},
		{"new source", "model/tree", "// Package tree is.\npackage tree\nimport r \"math/rand\"\nfunc f() { r.NewSource(3) }", "random numbers"},
		{"type of a stream", "model/tree", "// Package tree is.\npackage tree\nimport \"math/rand/v2\"\nfunc f(r *rand.Rand) { r.IntN(3) }", ""},
		{"source in rng", "rng", "// Package rng is.\npackage rng\nimport \"math/rand/v2\"\nfunc f() { rand.NewPCG(1, 2) }", ""},
		{"sources of the module", ".", "// Package mlfactory carries.\npackage mlfactory\nimport \"embed\"\n//go:embed go.mod\nvar Sources embed.FS", ""},
		{"use of the sources", "flow", "// Package flow is.\npackage flow\nimport \"github.com/mlfactory/mlfactory\"", ""},
		{"variable", "view", "// Package view is.\npackage view\nvar n int", "package variable"},
		{"variable in a block", "view", "// Package view is.\npackage view\nvar (\n\ta = 1\n)", "package variable"},
		{"slice", "view", "// Package view is.\npackage view\nvar names = []string{\"a\"}", "package variable"},
		{"promised slice", "view", "// Package view is.\npackage view\n// names are names.\n//\n// const\nvar names = []string{\"a\"}", ""},
		{"promise at the end of the line", "view", "// Package view is.\npackage view\nvar names = []string{\"a\"} // const", ""},
		{"broken promise", "view", "// Package view is.\npackage view\nvar a = []int{1} // const\nfunc f() { a[0] = 2 }", "package variable"},
		{"broken promise by ++", "view", "// Package view is.\npackage view\nvar a = [1]int{1} // const\nfunc f() { a[0]++ }", "package variable"},
		{"broken promise by delete", "view", "// Package view is.\npackage view\nvar a = map[int]int{} // const\nfunc f() { delete(a, 1) }", "package variable"},
		{"own name", "view", "// Package view is.\npackage view\nvar a = []int{1} // const\nfunc f(a []int) { a[0] = 2 }", ""},
		{"sentinel", "view", "// Package view is.\npackage view\nimport \"errors\"\nvar ErrX = errors.New(\"x\")", ""},
		{"changed sentinel", "view", "// Package view is.\npackage view\nimport \"errors\"\nvar ErrX = errors.New(\"x\")\nfunc f() { ErrX = nil }", "package variable"},
		{"regexp", "view", "// Package view is.\npackage view\nimport \"regexp\"\nvar re = regexp.MustCompile(\"x\")", ""},
		{"assertion", "view", "// Package view is.\npackage view\nvar _ error = (*e)(nil)\ntype e struct{ error }", ""},
		{"embedded", "view", "// Package view is.\npackage view\nimport _ \"embed\"\n//go:embed a.txt\nvar text string", ""},
		{"variable in line 12", "store", "// Package store is.\npackage store\nvar n int", ""},
		{"variable in a helper", "internal/simd/vec", "// Package vec is.\npackage vec\nvar n int", "package variable"},
		{"syntax", "view", "// Package view is.\npackage view\nfunc {", "syntax"},
	} {
		var rules []string
		for _, p := range Check([]Package{{c.pkg, map[string]string{"a.go": c.source}}}) {
			rules = append(rules, p.Rule)
		}
		if got := strings.Join(rules, ", "); got != c.rule {
			if c.rule == "syntax" && strings.Contains(got, "syntax") {
				continue // a file that cannot be read has no comment either
			}
			t.Errorf("%s: got %q, want %q", c.name, got, c.rule)
		}
	}
}

// TestLoad: files of other systems count, tests and nested modules do not.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module x", "a/a.go": "package a", "a/a_windows.go": "package a", "a/a_test.go": "package a", "a/testdata/b.go": "package b",
		".hidden/c.go": "package c", "nested/go.mod": "module y", "nested/d.go": "package d",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(dir)
	if err != nil || len(got) != 1 || got[0].Path != "a" || len(got[0].Files) != 2 {
		t.Errorf("loaded %v: %v", got, err)
	}
}
