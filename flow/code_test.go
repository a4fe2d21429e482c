package flow_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/flow"
)

func version(t *testing.T, files map[string]string, kernel string, folders ...string) string {
	t.Helper()
	m := fstest.MapFS{}
	for name, src := range files {
		m[name] = &fstest.MapFile{Data: []byte(src)}
	}
	c, err := flow.NewCode(m, kernel)
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Version(folders...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCode_Version(t *testing.T) {
	base := map[string]string{
		"go.mod":          "module example.com/m\n\ngo 1.26\n",
		"a/a.go":          "package a\nimport \"example.com/m/b\"\n",
		"a/a_test.go":     "package a\n",
		"b/b.go":          "package b\nimport \"fmt\"\n",
		"b/kernel.s":      "TEXT",
		"c/c.go":          "package c\nimport \"gonum.org/v1/gonum/stat\"\n",
		"c/sub/sub.go":    "package sub\n",
		"d/d.go":          "package d\nimport (\n_ \"example.com/m/c\"\n_ \"example.com/m/a\"\n)\n",
		"d/testdata/x.go": "package x\n",
	}
	for _, c := range []struct {
		name, file, content string
		moves               string // the packages whose version it moves, of a b c d
	}{
		{"own source", "a/a.go", "package a\nimport \"example.com/m/b\"\n//\n", "ad"},
		{"imported source", "b/b.go", "package b\n", "abd"},
		{"assembly", "b/kernel.s", "TEXT 2", "abd"},
		{"new file", "b/new.go", "package b\n", "abd"},
		{"test", "a/a_test.go", "package a\n//\n", ""},
		{"package not imported", "c/sub/sub.go", "package sub\n//\n", ""},
		{"dependency", "go.mod", "module example.com/m\n\ngo 1.26\n\nrequire gonum.org/v1/gonum v0.17.0\n", "cd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed := map[string]string{}
			for k, v := range base {
				changed[k] = v
			}
			changed[c.file] = c.content
			for _, p := range []string{"a", "b", "c", "d"} {
				moved := version(t, base, "avx2", p) != version(t, changed, "avx2", p)
				if want := strings.Contains(c.moves, p); moved != want {
					t.Errorf("version of %s moved: %v, want %v", p, moved, want)
				}
			}
		})
	}
	if version(t, base, "avx2", "a") == version(t, base, "generic", "a") {
		t.Error("the kernel path does not matter")
	}
	if version(t, base, "", "a", "c") != version(t, base, "", "c", "a", "b") {
		t.Error("order of packages, or naming one that is imported anyway, matters")
	}
}

func TestCode_Refuses(t *testing.T) {
	c, err := flow.NewCode(mlfactory.Sources, "generic")
	if err != nil {
		t.Fatal(err)
	}
	for _, folders := range [][]string{nil, {"nowhere"}, {"internal"}} {
		if v, err := c.Version(folders...); err == nil {
			t.Errorf("version of %v: %s", folders, v)
		}
	}
}

// TestSources_Complete walks the module as it is on disk and finds every source
// file in the embedded sources with the same bytes: Go, assembly, and what
// the embed directive puts into a package that has a say in results.
func TestSources_Complete(t *testing.T) {
	root := ".."
	// Packages whose embedded files are pages and pictures, not inputs of stages.
	assets := []string{".", "report", "docs"}
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		rel = filepath.ToSlash(rel)
		if e.IsDir() {
			_, err := os.Stat(filepath.Join(file, "go.mod"))
			other := err == nil && rel != "."
			if other || rel != "." && strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") || slices.Contains([]string{"testdata", "shared", "bench", "cmd", "docs"}, e.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Dir(rel) == "." || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		switch path.Ext(rel) {
		case ".s":
			same(t, rel)
		case ".go":
			same(t, rel)
			if slices.Contains(assets, strings.SplitN(rel, "/", 2)[0]) {
				return nil
			}
			for _, pattern := range embedded(t, file) {
				found, err := fs.Glob(os.DirFS(filepath.Dir(file)), pattern)
				if err != nil {
					return err
				}
				for _, f := range found {
					same(t, path.Join(path.Dir(rel), f))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, rel string) {
	t.Helper()
	disk, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(rel)))
	if err != nil {
		t.Error(err)
		return
	}
	got, err := fs.ReadFile(mlfactory.Sources, rel)
	if err != nil {
		t.Errorf("%s is not embedded: add a pattern for it in embed.go", rel)
	} else if string(got) != string(disk) {
		t.Errorf("%s: the embedded bytes are not those on disk", rel)
	}
}

// embedded returns the patterns of a file's go:embed directives.
func embedded(t *testing.T, file string) (patterns []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, g := range f.Comments {
		for _, c := range g.List {
			if rest, ok := strings.CutPrefix(c.Text, "//go:embed "); ok {
				patterns = append(patterns, strings.Fields(rest)...)
			}
		}
	}
	return patterns
}

// TestCode_EveryPackage: the closure of every package of the module can be
// computed.
func TestCode_EveryPackage(t *testing.T) {
	c, err := flow.NewCode(mlfactory.Sources, "generic")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = fs.WalkDir(mlfactory.Sources, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || strings.Contains(p, "testdata") {
			return err
		}
		src, err := fs.Glob(mlfactory.Sources, path.Join(p, "*.go"))
		if err != nil {
			return err
		}
		src = slices.DeleteFunc(src, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
		if len(src) == 0 {
			return nil
		}
		n++
		_, err = c.Version(p)
		return err
	})
	if err != nil || n < 5 {
		t.Fatalf("%d packages: %v", n, err)
	}
}
