package recipe

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/mlfactory/mlfactory/param"
)

// Problem is one thing wrong with a recipe file, shown as the user's own line
// with a caret under the place.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0 when the problem has no place in the file
	Path         string // dotted path of the key
	Text         string // what is wrong, beginning with the path, and what to do
	Source       string // the line as written
}

func (p *Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Text)
	}
	gutter := fmt.Sprintf("%5d | ", p.Line)
	return fmt.Sprintf("%s:%d:%d: %s\n%s%s\n%s^", p.File, p.Line, p.Column, p.Text, gutter, p.Source,
		strings.Repeat(" ", len(gutter)+max(0, p.Column-1)))
}

// decoder reads a YAML tree into tagged structs and remembers where each path
// stood, so that later checks can point at the user's line.
type decoder struct {
	file     string
	lines    []string
	at       map[string]*token.Token
	problems []error
	// resolve returns a pointer to the default value for a field of
	// interface type, given the struct that holds it (decoded so far).
	// The text names the key that an error is about.
	resolve func(parent reflect.Value) (any, string, error)
	// preset gives a struct that does not exist yet its defaults.
	preset func(v reflect.Value)
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func newDecoder(src []byte, file string) (*decoder, ast.Node, error) {
	d := &decoder{file: file, lines: strings.Split(string(src), "\n"), at: map[string]*token.Token{}}
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	var body ast.Node
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			return nil, nil, fmt.Errorf("%s: holds more than one document; a recipe is one", file)
		}
		body = doc.Body
	}
	return d, body, nil
}

func (d *decoder) fail(tk *token.Token, path, format string, args ...any) {
	p := &Problem{File: d.file, Path: path, Text: fmt.Sprintf(format, args...)}
	if path != "" {
		p.Text = path + ": " + p.Text
	}
	if tk != nil && tk.Position != nil {
		p.Line, p.Column = tk.Position.Line, tk.Position.Column
		if p.Line >= 1 && p.Line <= len(d.lines) {
			p.Source = strings.TrimRight(d.lines[p.Line-1], "\r")
		}
	}
	// A config that checks its own tags reports what the walk over the whole
	// recipe reports too.
	for _, old := range d.problems {
		if o, ok := old.(*Problem); ok && *o == *p {
			return
		}
	}
	d.problems = append(d.problems, p)
}

// place turns the errors of param.Validate into problems at the user's lines;
// a path that the file does not contain is shown at its nearest parent.
func (d *decoder) place(err error) {
	if err == nil {
		return
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range j.Unwrap() {
			d.place(e)
		}
		return
	}
	var pe *param.Error
	if !errors.As(err, &pe) {
		d.fail(nil, "", "%v", err)
		return
	}
	for path := pe.Path; ; {
		if tk, ok := d.at[path]; ok {
			d.fail(tk, pe.Path, "%s", pe.Problem)
			return
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			d.fail(nil, pe.Path, "%s", pe.Problem)
			return
		}
		path = path[:i]
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func unwrap(n ast.Node) ast.Node {
	for {
		switch v := n.(type) {
		case *ast.TagNode:
			n = v.Value
		case *ast.AnchorNode:
			n = v.Value
		default:
			return n
		}
	}
}

func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	n = unwrap(n)
	tk := n.GetToken()
	if _, ok := d.at[path]; !ok {
		d.at[path] = tk
	}
	if _, ok := n.(*ast.AliasNode); ok {
		d.fail(tk, path, "aliases are not used in recipes; write the value out")
		return
	}
	if v.CanAddr() && v.Addr().Type().Implements(textUnmarshaler) {
		if s, ok := d.scalar(n, path, "a text value"); ok {
			if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
				d.fail(tk, path, "%v", err)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Pointer:
		if _, null := n.(*ast.NullNode); null {
			v.SetZero()
			return
		}
		e := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			e.Elem().Set(v.Elem())
		} else if d.preset != nil {
			d.preset(e.Elem())
		}
		d.value(n, e.Elem(), path)
		v.Set(e)
	case reflect.Interface:
		d.fail(tk, path, "this value has no known type here")
	default:
		d.plain(n, v, path)
	}
}

func (d *decoder) scalar(n ast.Node, path, want string) (string, bool) {
	switch n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.LiteralNode, *ast.InfinityNode, *ast.NanNode:
		if s, ok := n.(*ast.StringNode); ok {
			return s.Value, true
		}
		if s, ok := n.(*ast.LiteralNode); ok {
			return s.Value.Value, true
		}
		return n.GetToken().Value, true
	}
	d.fail(n.GetToken(), path, "want %s, got %s", want, strings.ToLower(n.Type().String()))
	return "", false
}

func (d *decoder) plain(n ast.Node, v reflect.Value, path string) {
	tk := n.GetToken()
	if v.Kind() == reflect.String {
		if s, ok := d.scalar(n, path, "text"); ok {
			v.SetString(s)
		}
		return
	}
	s, ok := d.scalar(n, path, "a "+v.Kind().String())
	if !ok {
		return
	}
	if _, quoted := n.(*ast.StringNode); quoted && v.Kind() != reflect.String {
		d.fail(tk, path, "want a %s, got the text %q", kindName(v.Kind()), s)
		return
	}
	clean := strings.ReplaceAll(s, "_", "")
	switch v.Kind() {
	case reflect.Bool:
		b, err := strconv.ParseBool(clean)
		if err != nil {
			d.fail(tk, path, "want true or false, got %q", s)
			return
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(clean, 0, v.Type().Bits())
		if err != nil {
			d.fail(tk, path, "want a whole number, got %q", s)
			return
		}
		v.SetInt(i)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		i, err := strconv.ParseUint(clean, 0, v.Type().Bits())
		if err != nil {
			d.fail(tk, path, "want a whole number of at least 0, got %q", s)
			return
		}
		v.SetUint(i)
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(clean, v.Type().Bits())
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			d.fail(tk, path, "want a finite number, got %q", s)
			return
		}
		v.SetFloat(f)
	default:
		d.fail(tk, path, "cannot be set from a file")
	}
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return "whole number"
}

func entries(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

// fieldsOf lists the settable fields of a struct by key, inline ones included.
func fieldsOf(v reflect.Value, keys *[]string, out map[string]reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || tag[0] == "-" {
			continue
		}
		if slices.Contains(tag[1:], "inline") {
			fieldsOf(v.Field(i), keys, out)
			continue
		}
		key := tag[0]
		if key == "" {
			key = strings.ToLower(f.Name)
		}
		*keys = append(*keys, key)
		out[key] = v.Field(i)
	}
}

// within finds a key that stands one level deeper: the group's key and its own,
// or "".
func within(fields map[string]reflect.Value, keys []string, key string) string {
	for _, group := range keys {
		if f := fields[group]; f.Kind() == reflect.Struct {
			var inner []string
			fieldsOf(f, &inner, map[string]reflect.Value{})
			if slices.Contains(inner, key) {
				return group + "." + key
			}
		}
	}
	return ""
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	if _, null := n.(*ast.NullNode); null {
		return
	}
	values, ok := entries(n)
	if !ok {
		d.fail(n.GetToken(), path, "want keys and values, got %s", strings.ToLower(n.Type().String()))
		return
	}
	fields, keys := map[string]reflect.Value{}, []string(nil)
	fieldsOf(v, &keys, fields)
	seen := map[string]int{}
	var late []*ast.MappingValueNode
	for _, e := range values {
		key := e.Key.GetToken().Value
		kt := e.Key.GetToken()
		full := join(path, key)
		if line, dup := seen[key]; dup {
			d.fail(kt, full, "is given twice, first in line %d", line)
			continue
		}
		seen[key] = kt.Position.Line
		f, known := fields[key]
		if !known {
			hint := "; known here: " + strings.Join(keys, ", ")
			if near, ok := param.Nearest(key, keys); ok {
				hint = fmt.Sprintf("; did you mean %q?", near)
			} else if below := within(fields, keys, key); below != "" {
				hint = fmt.Sprintf("; did you mean %q?", join(path, below))
			}
			d.fail(kt, "", "unknown key %q%s", full, hint)
			continue
		}
		if f.Kind() == reflect.Interface {
			late = append(late, e)
			continue
		}
		d.value(e.Value, f, full)
	}
	// Fields of interface type need their siblings decoded first: the
	// model's name decides the type of its config.
	for _, key := range keys {
		f := fields[key]
		if f.Kind() != reflect.Interface || d.resolve == nil {
			continue
		}
		def, about, err := d.resolve(v)
		if err != nil {
			tk := n.GetToken()
			if t, ok := d.at[join(path, about)]; ok {
				tk = t
			}
			d.fail(tk, join(path, about), "%v", err)
			continue
		}
		for _, e := range late {
			if e.Key.GetToken().Value == key {
				d.value(e.Value, reflect.ValueOf(def).Elem(), join(path, key))
			}
		}
		f.Set(reflect.ValueOf(def))
	}
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		if _, null := n.(*ast.NullNode); null {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
			return
		}
		d.fail(n.GetToken(), path, "want a list, got %s", strings.ToLower(n.Type().String()))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
	for i, e := range s.Values {
		if d.preset != nil {
			d.preset(out.Index(i))
		}
		d.value(e, out.Index(i), join(path, strconv.Itoa(i)))
	}
	v.Set(out)
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) {
	values, ok := entries(n)
	if !ok {
		d.fail(n.GetToken(), path, "want keys and values, got %s", strings.ToLower(n.Type().String()))
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, e := range values {
		key := e.Key.GetToken().Value
		x := reflect.New(v.Type().Elem()).Elem()
		if old := v.MapIndex(reflect.ValueOf(key)); old.IsValid() {
			x.Set(old)
		}
		d.value(e.Value, x, join(path, key))
		out.SetMapIndex(reflect.ValueOf(key), x)
	}
	v.Set(out)
}
