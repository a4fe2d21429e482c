package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Package is the source of one package without its tests.
type Package struct {
	Path  string            // relative to the module, with slashes
	Files map[string]string // file name to source
}

// Problem is one broken rule.
type Problem struct {
	Pkg, Where, Rule, Text string
}

// String returns one line.
func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Where, p.Rule, p.Text) }

// Load reads every package below root, the folder of the module. Files of all systems are read; tests, testdata, hidden folders and folders
// with a go.mod of their own are not.
func Load(root string) ([]Package, error) {
	found := map[string]map[string]string{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || name == "vendor") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != root {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(p) // #nosec G304 -- the module's own source
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if found[rel] == nil {
			found[rel] = map[string]string{}
		}
		found[rel][name] = string(text)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("archtest: %w", err)
	}
	var out []Package
	for p, files := range found {
		out = append(out, Package{p, files})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

// Check returns every broken rule, in the order of packages, files and lines.
func Check(packages []Package) []Problem {
	var out []Problem
	for _, p := range packages {
		c := checker{pkg: p.Path, fset: token.NewFileSet(), house: House()}
		c.run(p)
		out = append(out, c.problems...)
	}
	return out
}

type checker struct {
	pkg      string
	fset     *token.FileSet
	house    []Step
	step     int // −1 for helpers
	problems []Problem
	names    []string // of the files, sorted
	files    []*ast.File
}

func (c *checker) fail(rule string, pos token.Pos, format string, args ...any) {
	where := c.pkg
	if pos.IsValid() {
		where = c.fset.Position(pos).String()
	}
	c.problems = append(c.problems, Problem{c.pkg, where, rule, fmt.Sprintf(format, args...)})
}

func (c *checker) run(p Package) {
	helper := strings.HasPrefix(c.pkg, "internal/")
	c.step = -1
	if _, listed := helpers()[c.pkg]; helper && !listed {
		c.fail("unknown package", token.NoPos, "list it among the helpers of internal/archtest")
	}
	if !helper {
		step, ok := place(c.house, c.pkg)
		if !ok {
			c.fail("unknown package", token.NoPos, "give it a step in the house of internal/archtest")
			return
		}
		c.step = step
	}
	for name := range p.Files {
		c.names = append(c.names, name)
	}
	sort.Strings(c.names)
	documented := false
	for _, name := range c.names {
		f, err := parser.ParseFile(c.fset, path.Join(c.pkg, name), p.Files[name], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			c.fail("syntax", token.NoPos, "%v", err)
			continue
		}
		c.files = append(c.files, f)
		if f.Doc != nil {
			want := "Package " + f.Name.Name
			if f.Name.Name == "main" {
				want = "Command "
			}
			documented = documented || strings.HasPrefix(f.Doc.Text(), want)
		}
	}
	if !documented {
		c.fail("package comment", token.NoPos, `no file has a comment that begins with "Package name" (or "Command name") above its package clause`)
	}
	for _, f := range c.files {
		c.imports(f)
		c.functions(f)
		c.environment(f)
		c.randomness(f)
	}
	if c.step < 0 || c.house[c.step].Line <= 11 {
		c.variables()
	}
}

func (c *checker) imports(f *ast.File) {
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			c.fail("syntax", spec.Pos(), "%v", err)
			continue
		}
		if spec.Name != nil && spec.Name.Name == "_" && !excepted("blank import", c.pkg, imported) {
			c.fail("blank import", spec.Pos(), "%s is imported for its side effects; register explicitly", imported)
		}
		switch {
		case under(Module, imported):
			own := strings.TrimPrefix(strings.TrimPrefix(imported, Module), "/")
			if own == "" {
				own = "."
			}
			c.own(spec, own)
		case strings.Contains(strings.SplitN(imported, "/", 2)[0], "."):
			c.thirdParty(spec, imported)
		}
	}
}

// own checks the import of another package of the module.
func (c *checker) own(spec *ast.ImportSpec, imported string) {
	if c.step < 0 {
		for _, ok := range helpers()[c.pkg] {
			if imported == ok {
				return
			}
		}
		c.fail("import order", spec.Pos(), "a helper may not import %s", imported)
		return
	}
	if strings.HasPrefix(imported, "internal/") {
		return
	}
	step, ok := place(c.house, imported)
	switch {
	case !ok:
		c.fail("import order", spec.Pos(), "%s has no place in the house", imported)
	case step >= c.step:
		c.fail("import order", spec.Pos(), "%s (line %d) may not import %s (line %d): only earlier steps can be imported",
			c.pkg, c.house[c.step].Line, imported, c.house[step].Line)
	}
}

func (c *checker) thirdParty(spec *ast.ImportSpec, imported string) {
	allowed := thirdPartyEarly()
	switch {
	case c.step < 0:
		allowed = []string{"golang.org/x", "github.com/apache/arrow-go/v18"}
	case c.house[c.step].Line > 7:
		return
	}
	for _, m := range allowed {
		if under(m, imported) {
			return
		}
	}
	c.fail("third party", spec.Pos(), "%s may not be imported here; allowed are the standard library, %s", imported, strings.Join(allowed, ", "))
}

func (c *checker) functions(f *ast.File) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			c.fail("init function", fn.Pos(), "nothing may happen before main; register explicitly")
		}
	}
}

// localNames returns the names under which a file knows the given imports.
func localNames(f *ast.File, paths ...string) map[string]bool {
	names := map[string]bool{}
	for _, spec := range f.Imports {
		for _, p := range paths {
			if spec.Path.Value != strconv.Quote(p) {
				continue
			}
			name := path.Base(strings.TrimSuffix(p, "/v2"))
			if spec.Name != nil {
				name = spec.Name.Name
			}
			names[name] = true
		}
	}
	return names
}

// selections calls visit for every x.Name in f where x is one of the names.
func selections(f *ast.File, names map[string]bool, visit func(*ast.SelectorExpr, string)) {
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] {
				visit(sel, x.Name)
			}
		}
		return true
	})
}

// randomness finds sources of random numbers other than rng: the global ones and new ones. The types of math/rand may be named, as a
// stream of rng hands out a *rand.Rand.
func (c *checker) randomness(f *ast.File) {
	selections(f, localNames(f, "math/rand", "math/rand/v2"), func(sel *ast.SelectorExpr, name string) {
		switch sel.Sel.Name {
		case "Rand", "Source", "Source64", "Zipf":
		default:
			if !excepted("random numbers", c.pkg, sel.Sel.Name) {
				c.fail("random numbers", sel.Pos(), "%s.%s; draw from a stream of rng", name, sel.Sel.Name)
			}
		}
	})
}

// environment finds reads of the environment: os.Getenv and its relatives, under whatever name os is imported.
func (c *checker) environment(f *ast.File) {
	selections(f, localNames(f, "os", "syscall"), func(sel *ast.SelectorExpr, name string) {
		switch sel.Sel.Name {
		case "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv":
			if !excepted("environment", c.pkg, sel.Sel.Name) {
				c.fail("environment", sel.Pos(), "%s.%s; only cmd looks at the environment", name, sel.Sel.Name)
			}
		}
	})
}
