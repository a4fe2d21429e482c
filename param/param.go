// Package param makes one tagged Config struct the only source of truth about a set of parameters.
//
// Whatever changes a result is a plain exported struct. Its field tags say what each field is called in a file, what it means and
// which values are allowed, and its value (usually the package's Default()) holds the defaults:
//
//	type Config struct {
//		Depth int            `yaml:"depth" doc:"levels of each tree" min:"1" max:"16" search:"int 3 10"`
//		Rate  float64        `yaml:"rate" doc:"shrinkage of each tree" min:"0" max:"1" search:"log 1e-3 0.5"`
//		Side  string         `yaml:"side" doc:"which side may be traded" enum:"both,long,short"`
//		Hold  param.Duration `yaml:"hold" doc:"longest holding time" min:"1m" max:"30d"`
//	}
//
// From that this package derives everything that other programs write by hand a second and a third time: the list of fields for help,
// reference pages, schemas and search spaces ([Fields]); range and enum checks with all problems at once ([Validate]); overrides from the
// command line ([Set]); a canonical text and its SHA-256, the identity of a run ([Canonical], [Digest]).
//
// # Conventions
//
// A key is the first part of the yaml tag, or the lower-cased field name without one; `yaml:"-"` hides a field, which then must not
// change any result; `yaml:",inline"` lifts the fields of a nested struct into the surrounding one. Paths join keys with dots; elements
// of lists and maps are addressed by index or key ("models.0.depth"), and in the list of fields by a star ("models.*.depth").
// Types with MarshalText/UnmarshalText are single values. The tags min, max and enum of a list apply to each element. Bounds of a
// duration are written as durations ("5m") and kept in seconds.
//
// # Refusals
//
// Fields refuses a field without documentation and a tag that cannot hold. Canonical refuses whatever has no stable text: NaN and
// infinities, []byte, functions, channels, invalid UTF-8, unexported fields. Nothing here reads files or the environment.
package param

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Error is one problem with one parameter. Path is the dotted path of keys that leads to it, "" for the whole.
type Error struct {
	Path    string
	Problem string
}

// Error returns "path: problem".
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Problem
	}
	return e.Path + ": " + e.Problem
}

func errAt(path, format string, args ...any) *Error {
	return &Error{Path: path, Problem: fmt.Sprintf(format, args...)}
}

// maxDepth bounds the nesting of values, so that a cyclic value ends in an error and not in a full stack.
const maxDepth = 64

// structField is one field as a file sees it. index is the path for reflect.Value.FieldByIndex (longer than one for inlined structs).
type structField struct {
	key   string
	index []int
	typ   reflect.Type
	tag   reflect.StructTag
	name  string
}

// structFields lists the visible fields of t in the order of declaration. hidden names unexported fields, which have no key.
func structFields(t reflect.Type) (fields []structField, hidden []string, err error) {
	seen := map[string]string{}
	var walk func(t reflect.Type, index []int, depth int) error
	walk = func(t reflect.Type, index []int, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("%s inlines itself", t)
		}
		for i := range t.NumField() {
			f := t.Field(i)
			key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if key == "-" {
				continue
			}
			at := append(append([]int(nil), index...), i)
			inline := false
			for _, o := range strings.Split(options, ",") {
				inline = inline || o == "inline"
			}
			if !f.IsExported() {
				hidden = append(hidden, f.Name)
				continue
			}
			if inline {
				if f.Type.Kind() != reflect.Struct {
					return fmt.Errorf("field %s: only a struct can be inlined, not %s", f.Name, f.Type)
				}
				if err := walk(f.Type, at, depth+1); err != nil {
					return err
				}
				continue
			}
			if key == "" {
				key = strings.ToLower(f.Name)
			}
			if strings.Contains(key, ".") {
				return fmt.Errorf("field %s: key %q contains a dot", f.Name, key)
			}
			if other, taken := seen[key]; taken {
				return fmt.Errorf("fields %s and %s have the same key %q", other, f.Name, key)
			}
			seen[key] = f.Name
			fields = append(fields, structField{key: key, index: at, typ: f.Type, tag: f.Tag, name: f.Name})
		}
		return nil
	}
	if err := walk(t, nil, 0); err != nil {
		return nil, nil, fmt.Errorf("type %s: %w", t, err)
	}
	return fields, hidden, nil
}

func keysOf(fields []structField) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// isDuration reports whether t is one of the two duration types, which are read and written alike.
func isDuration(t reflect.Type) bool {
	return t == reflect.TypeFor[Duration]() || t == reflect.TypeFor[time.Duration]()
}

// isText reports whether values of t are written as one text.
func isText(t reflect.Type) bool {
	m := reflect.TypeFor[encoding.TextMarshaler]()
	return isDuration(t) || t.Implements(m) || reflect.PointerTo(t).Implements(m)
}

// addressable returns v itself or a copy of it whose address can be taken.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	return c
}

// text returns the canonical text of a value for which isText holds.
func text(v reflect.Value) (string, error) {
	if isDuration(v.Type()) {
		return Duration(v.Int()).String(), nil
	}
	if t, ok := v.Interface().(time.Time); ok {
		return t.UTC().Format(time.RFC3339Nano), nil
	}
	m, ok := v.Interface().(encoding.TextMarshaler)
	if !ok {
		m, ok = addressable(v).Addr().Interface().(encoding.TextMarshaler)
	}
	if !ok {
		return "", fmt.Errorf("%s has no text form", v.Type())
	}
	b, err := m.MarshalText()
	return string(b), err
}

// flatten appends the *Error values in err, with prefix put before their paths; anything else becomes an *Error at the prefix.
func flatten(dst []error, prefix string, err error) []error {
	if err == nil {
		return dst
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			dst = flatten(dst, prefix, e)
		}
		return dst
	}
	if e, ok := err.(*Error); ok {
		path := e.Path
		switch {
		case path == "":
			path = prefix
		case prefix != "":
			path = prefix + "." + path
		}
		return append(dst, &Error{Path: path, Problem: e.Problem})
	}
	return append(dst, &Error{Path: prefix, Problem: err.Error()})
}

// Problems returns the single problems inside an error of this package, in order; an error from elsewhere is one problem without a path.
func Problems(err error) []*Error {
	var out []*Error
	for _, e := range flatten(nil, "", err) {
		var p *Error
		if errors.As(e, &p) {
			out = append(out, p)
		}
	}
	return out
}
