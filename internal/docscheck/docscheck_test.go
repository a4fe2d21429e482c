package docscheck_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/docscheck"
)

func root(t *testing.T) string {
	t.Helper()
	r, err := docscheck.Root(".")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestLinksOfTheRepository(t *testing.T) {
	bad, err := docscheck.Links(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		t.Error(b)
	}
}

// A document that says which test would fail if something were wrong must name a test that exists.
func TestTestsNamedInTheDocuments(t *testing.T) {
	bad, err := docscheck.Tests(root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		t.Error(b)
	}
}

// Every package that a caller may name is described in docs/architecture.md.
func TestEveryPackageIsDescribed(t *testing.T) {
	r := root(t)
	packages, err := docscheck.Packages(r)
	if err != nil {
		t.Fatal(err)
	}
	packages = slices.DeleteFunc(packages, func(p string) bool {
		first, _, _ := strings.Cut(p, "/")
		return p == "." || first == "internal" || first == "cmd" || first == "bench" || strings.Contains(p, "/internal/")
	})
	if len(packages) < 20 {
		t.Fatalf("only %d packages found: %v", len(packages), packages)
	}
	text, err := os.ReadFile(filepath.Join(r, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range docscheck.Undescribed(packages, string(text)) {
		t.Errorf("docs/architecture.md has no paragraph that begins with `%s`", p)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"README.md": "# A Title: twice!\n[a](docs/b.md) ![p](docs/p.png \"tip\") [c](docs/b.md#the-end) [d](#a-title-twice) [e](https://example.org/x)\n" +
			"[1](docs/none.md) [2](docs/b.md#nowhere) [3](/docs/b.md) [4](../up.md) [5](docs/p.png#x) `[6](code.md)`\n```\n[7](fence.md)\n```\n",
		"docs/b.md":      "## The *end*\n[back](../README.md) [up](../../x.md)\n",
		"docs/p.png":     "",
		"testdata/z.md":  "[x](gone.md)\n",
		".hidden/z.md":   "[x](gone.md)\n",
		"own/go.mod":     "module own\n",
		"own/z.md":       "[x](gone.md)\n",
		"docs/empty.md":  "",
		"docs/twice.md":  "# A\n# A\n[x](#a-1) [y](#a-2)\n",
		"docs/a_test.go": "",
	})
	got, err := docscheck.Links(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, []string{
		"README.md:3: docs/none.md: there is no such file",
		"README.md:3: docs/b.md#nowhere: the file has no such heading",
		"README.md:3: /docs/b.md: leaves the repository; write links relative to the file",
		"README.md:3: ../up.md: leaves the repository; write links relative to the file",
		"README.md:3: docs/p.png#x: only Markdown files have headings to link to",
		"docs/b.md:2: ../../x.md: leaves the repository; write links relative to the file",
		"docs/twice.md:3: #a-2: the file has no such heading",
	})
}

func TestTests(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.md":        "see `TestReal`, `ExampleX_y`, `FuzzIt`, `TestGone` and Test\n```\n`TestInFence`\n```\n",
		"x/x_test.go": "package x\nfunc TestReal(t *testing.T) {}\nfunc ExampleX_y() {}\nfunc FuzzIt(f *testing.F) {}\n// func TestGone(t *testing.T)\n",
	})
	got, err := docscheck.Tests(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, []string{"a.md:1: no test is called TestGone"})
}

func TestPackages(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.go": "", "x/x.go": "", "x/y/y.go": "", "z/z_test.go": "", "testdata/q.go": ""})
	got, err := docscheck.Packages(dir)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got, []string{".", "x", "x/y"})
	equal(t, docscheck.Undescribed([]string{"x", "x/y", "v", "w"}, "**`x`** is\n### `v`\nand `w` and `x/y`\n"), []string{"x/y", "w"})
}

func TestFences(t *testing.T) {
	got := docscheck.Fences("a\n```sh ci\nrun\n\nmore\n```\nb\n```\nopen\n")
	if len(got) != 2 || got[0].Info != "sh ci" || got[0].Line != 3 || strings.Join(got[0].Lines, "|") != "run||more" || got[1].Info != "" || got[1].Line != 9 {
		t.Errorf("%+v", got)
	}
}

func TestCode(t *testing.T) {
	code, lines := docscheck.Code("a `b c` and `d`\n```\n`no`\n```\n`e`\n")
	equal(t, code, []string{"b c", "d", "e"})
	if !slices.Equal(lines, []int{1, 1, 5}) {
		t.Errorf("lines %v", lines)
	}
}
