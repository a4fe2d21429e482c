package docscheck_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
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
