package archtest

import (
	"go/ast"
	"go/token"
	"strings"
)

// variables refuses package-level variables that can change.
//
// Allowed are: var _ Interface = …; errors made by errors.New; compiled regular expressions; embedded files; and any variable whose
// comment contains a line "const", by which its author promises that nobody assigns to it or to its elements. The promise is checked, as
// far as names tell, for all allowed variables.
func (c *checker) variables() {
	constant := map[string]bool{}
	for _, f := range c.files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				v, ok := s.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for i, name := range v.Names {
					switch {
					case name.Name == "_" || excepted("package variable", c.pkg, name.Name):
					case promised(g.Doc) || promised(v.Doc) || promised(v.Comment) || embedded(g.Doc) || embedded(v.Doc) || i < len(v.Values) && fixed(v.Values[i]):
						constant[name.Name] = true
					default:
						c.fail("package variable", name.Pos(), "%s can change; pass it as a value, or write \"// const\" above it if nothing ever changes it", name.Name)
					}
				}
			}
		}
	}
	for _, f := range c.files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				c.assignments(fn, constant)
			}
		}
	}
}

// promised reports whether a comment has a line "const".
func promised(g *ast.CommentGroup) bool {
	if g == nil {
		return false
	}
	for _, line := range strings.Split(g.Text(), "\n") {
		if line = strings.TrimSpace(line); line == "const" || strings.HasPrefix(line, "const:") || strings.HasPrefix(line, "const ") {
			return true
		}
	}
	return false
}

func embedded(g *ast.CommentGroup) bool {
	if g == nil {
		return false
	}
	for _, line := range g.List {
		if strings.HasPrefix(line.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// fixed reports whether a value is one that no code changes: errors.New(…), regexp.MustCompile(…).
func fixed(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := sel.X.(*ast.Ident)
	return ok && (pkg.Name == "errors" && sel.Sel.Name == "New" || pkg.Name == "regexp" && sel.Sel.Name == "MustCompile")
}

// assignments finds writes to constant variables, their elements or fields inside one function. A name that the function declares itself,
// anywhere, is taken to be its own.
func (c *checker) assignments(fn *ast.FuncDecl, constant map[string]bool) {
	local := map[string]bool{}
	fields := func(l *ast.FieldList) {
		if l == nil {
			return
		}
		for _, f := range l.List {
			for _, n := range f.Names {
				local[n.Name] = true
			}
		}
	}
	fields(fn.Recv)
	ast.Inspect(fn, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.FuncType:
			fields(s.Params)
			fields(s.Results)
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				for _, x := range s.Lhs {
					if id, ok := x.(*ast.Ident); ok {
						local[id.Name] = true
					}
				}
			}
		case *ast.RangeStmt:
			for _, x := range []ast.Expr{s.Key, s.Value} {
				if id, ok := x.(*ast.Ident); ok && s.Tok == token.DEFINE {
					local[id.Name] = true
				}
			}
		case *ast.ValueSpec:
			for _, id := range s.Names {
				local[id.Name] = true
			}
		}
		return true
	})
	write := func(x ast.Expr) {
		if id := base(x); id != nil && constant[id.Name] && !local[id.Name] {
			c.fail("package variable", x.Pos(), "%s is written to although it is declared constant", id.Name)
		}
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.AssignStmt:
			for _, x := range s.Lhs {
				if s.Tok != token.DEFINE {
					write(x)
				}
			}
		case *ast.IncDecStmt:
			write(s.X)
		case *ast.RangeStmt:
			if s.Tok == token.ASSIGN {
				write(s.Key)
				write(s.Value)
			}
		case *ast.CallExpr:
			if id, ok := s.Fun.(*ast.Ident); ok && (id.Name == "delete" || id.Name == "clear") && len(s.Args) > 0 {
				write(s.Args[0])
			}
		}
		return true
	})
}

// base returns the variable at the root of an expression such as a[i].b, or nil.
func base(x ast.Expr) *ast.Ident {
	for {
		switch e := x.(type) {
		case *ast.Ident:
			return e
		case *ast.IndexExpr:
			x = e.X
		case *ast.SelectorExpr:
			x = e.X
		case *ast.StarExpr:
			x = e.X
		case *ast.ParenExpr:
			x = e.X
		case *ast.SliceExpr:
			x = e.X
		default:
			return nil
		}
	}
}
