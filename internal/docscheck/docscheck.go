// Package docscheck reads the project's Markdown files and says what in them is not true: links to files and headings that do not exist,
// tests that nobody wrote, packages that are not described. Its own test runs it over the repository; cmd/mlfactory uses [Fences] to
// hold the commands of the README against the program.
//
// It knows as much Markdown as the project writes: fenced blocks, headings with #, inline links and images. It looks at nothing outside of
// the repository and never at the network: links with a scheme are skipped.
package docscheck

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Root is the folder of the nearest go.mod above dir.
func Root(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("docscheck: no go.mod above %s", dir)
		}
	}
}

// Files lists what lies below root with that ending, as slash paths in order. Folders that begin with a dot or an underscore, folders called
// testdata, out, runs or node_modules, and modules of their own are left out.
func Files(root, ending string) ([]string, error) {
	var out []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p == root {
				return nil
			}
			if name[0] == '.' || name[0] == '_' || slices.Contains([]string{"testdata", "out", "runs", "node_modules"}, name) {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, ending) {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			out = append(out, filepath.ToSlash(rel))
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// Fence is a fenced block: what stands behind the opening mark, the line of the first line inside, and the lines.
type Fence struct {
	Info  string
	Line  int
	Lines []string
}

// Fences lists the fenced blocks of a text. An unclosed one ends with the text.
func Fences(text string) []Fence {
	var out []Fence
	open := false
	for i, line := range strings.Split(text, "\n") {
		info, mark := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case mark && !open:
			open = true
			out = append(out, Fence{Info: strings.TrimSpace(info), Line: i + 2})
		case mark:
			open = false
		case open:
			f := &out[len(out)-1]
			f.Lines = append(f.Lines, line)
		}
	}
	return out
}

// prose is the text with fenced blocks and, if code is set, `code` blanked; lines stay where they are.
func prose(text string, code bool) []string {
	lines := strings.Split(text, "\n")
	open := false
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			open = !open
			lines[i] = ""
			continue
		}
		if open {
			lines[i] = ""
		} else if code {
			lines[i] = inlineCode.ReplaceAllString(line, "")
		}
	}
	return lines
}

var (
	inlineCode = regexp.MustCompile("`[^`]*`")
	link       = regexp.MustCompile(`\]\(([^()\s]+)(?:\s+"[^"]*")?\)`)
	heading    = regexp.MustCompile(`^#{1,6} +(.*?)\s*#*$`)
	testName   = regexp.MustCompile("`((?:Test|Fuzz|Benchmark|Example)[A-Z_][A-Za-z0-9_]*)`")
	testFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)[A-Za-z0-9_]*)\(`)
)

// Code lists the texts in `code` outside of fenced blocks, with their lines, counted from 1.
func Code(text string) (code []string, lines []int) {
	for i, line := range prose(text, false) {
		for _, c := range inlineCode.FindAllString(line, -1) {
			code, lines = append(code, strings.Trim(c, "`")), append(lines, i+1)
		}
	}
	return code, lines
}

// Anchors are the fragments that a text's headings can be linked by, as GitHub makes them: lower case, spaces to hyphens, other signs dropped.
func Anchors(text string) []string {
	var out []string
	seen := map[string]int{}
	for _, line := range prose(text, false) {
		m := heading.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		var b strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r == ' ':
				b.WriteByte('-')
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				b.WriteRune(r)
			}
		}
		a := b.String()
		if n := seen[a]; n > 0 {
			seen[a]++
			a = fmt.Sprintf("%s-%d", a, n)
		} else {
			seen[a] = 1
		}
		out = append(out, a)
	}
	return out
}

// Links says which relative links and images in the Markdown files below root lead nowhere: to a file that is not there, out of the
// repository, or to a heading that the file does not have.
func Links(root string) ([]string, error) {
	files, err := Files(root, ".md")
	if err != nil {
		return nil, err
	}
	var bad []string
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f)))
		if err != nil {
			return nil, err
		}
		for i, line := range prose(string(text), true) {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if problem := check(root, f, m[1]); problem != "" {
					bad = append(bad, fmt.Sprintf("%s:%d: %s: %s", f, i+1, m[1], problem))
				}
			}
		}
	}
	return bad, nil
}

// check says what is wrong with a link in a file, or nothing.
func check(root, file, target string) string {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return ""
	}
	to, fragment, _ := strings.Cut(target, "#")
	at := file
	if to != "" {
		at = path.Join(path.Dir(file), to)
	}
	if strings.HasPrefix(to, "/") || at == ".." || strings.HasPrefix(at, "../") {
		return "leaves the repository; write links relative to the file"
	}
	info, err := os.Stat(filepath.Join(root, filepath.FromSlash(at)))
	if errors.Is(err, fs.ErrNotExist) {
		return "there is no such file"
	} else if err != nil {
		return err.Error()
	}
	if fragment == "" {
		return ""
	}
	if info.IsDir() || !strings.HasSuffix(at, ".md") {
		return "only Markdown files have headings to link to"
	}
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(at)))
	if err != nil {
		return err.Error()
	}
	if !slices.Contains(Anchors(string(text)), fragment) {
		return "the file has no such heading"
	}
	return ""
}

// Tests says which tests named in `code` in the Markdown files below root do not exist in any _test.go file there.
func Tests(root string) ([]string, error) {
	sources, err := Files(root, "_test.go")
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, f := range sources {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f)))
		if err != nil {
			return nil, err
		}
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			known[m[1]] = true
		}
	}
	files, err := Files(root, ".md")
	if err != nil {
		return nil, err
	}
	var bad []string
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f)))
		if err != nil {
			return nil, err
		}
		for i, line := range prose(string(text), false) {
			for _, m := range testName.FindAllStringSubmatch(line, -1) {
				if !known[m[1]] {
					bad = append(bad, fmt.Sprintf("%s:%d: no test is called %s", f, i+1, m[1]))
				}
			}
		}
	}
	return bad, nil
}

// Packages lists the folders below root that hold Go files other than tests, as slash paths; "." is the root itself.
func Packages(root string) ([]string, error) {
	files, err := Files(root, ".go")
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		if dir := path.Dir(f); !strings.HasSuffix(f, "_test.go") && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Undescribed says which of the packages have no entry of their own in a text: a line that begins with the package's path in `code`, bold
// or not, or a heading that is it.
func Undescribed(packages []string, text string) []string {
	var bad []string
	lines := strings.Split(text, "\n")
	for _, p := range packages {
		if !slices.ContainsFunc(lines, func(l string) bool {
			return strings.HasPrefix(strings.TrimLeft(l, "#*-| "), "`"+p+"`")
		}) {
			bad = append(bad, p)
		}
	}
	return bad
}
