package docscheck_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/docscheck"
)

// The table of gates in docs/evaluation.md says word for word what the comment of package judge says; TestTruthTable of that package holds
// the comment against the code.
func TestGatesOfEvaluation(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	row := regexp.MustCompile(`^(\w+) +(.*?) {2,}(.*)$`)
	var comment, page []string
	for _, line := range strings.Split(read("judge/doc.go"), "\n") {
		inner, ok := strings.CutPrefix(line, "//\t")
		if cells := row.FindStringSubmatch(inner); ok && cells != nil {
			comment = append(comment, strings.Join(cells[1:], " | "))
		}
	}
	inside := false
	for _, line := range strings.Split(read("docs/evaluation.md"), "\n") {
		switch cells := strings.Split(strings.Trim(line, "| "), " | "); {
		case strings.HasPrefix(line, "| gate | holds when"):
			inside = true
			page = append(page, strings.Join(cells, " | "))
		case !strings.HasPrefix(line, "|"):
			inside = false
		case inside && len(cells) == 3:
			cells[0] = strings.Trim(cells[0], "`")
			page = append(page, strings.Join(cells, " | "))
		}
	}
	comment = slices.DeleteFunc(comment, func(l string) bool { return strings.HasPrefix(l, "---") })
	if len(comment) < 5 {
		t.Fatalf("found only %q in judge/doc.go", comment)
	}
	equal(t, page, comment)
}

// Decisions are numbered, each number once, in their file names and in their first lines.
func TestDecisionsAreNumberedOnce(t *testing.T) {
	dir := filepath.Join(root(t), "docs", "decisions")
	files, err := docscheck.Files(dir, ".md")
	if err != nil {
		t.Fatal(err)
	}
	title := regexp.MustCompile(`^# 0*(\d+)\.? `)
	seen := map[string]string{}
	for _, f := range files {
		number, _, _ := strings.Cut(f, "-")
		if other := seen[number]; other != "" {
			t.Errorf("%s and %s have the same number", other, f)
		}
		seen[number] = f
		b, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		if m := title.FindStringSubmatch(string(b)); m == nil || strings.TrimLeft(number, "0") != m[1] {
			t.Errorf("%s: the first line does not begin with its number", f)
		}
	}
	if len(seen) == 0 {
		t.Error("no decision found")
	}
}

// Every page in docs/ can be reached from the README in one step.
func TestReadmeLinksEveryPage(t *testing.T) {
	r := root(t)
	pages, err := docscheck.Files(filepath.Join(r, "docs"), ".md")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(r, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if !strings.Contains(p, "/") && !strings.Contains(string(readme), "](docs/"+p+")") {
			t.Errorf("README.md has no link to docs/%s", p)
		}
	}
}
