package param

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// The kinds of a [Field]. A list has the kind of its elements with "[]" in front, a map with "map of " in front.
const (
	KindBool     = "bool"
	KindInt      = "int"      // signed, any width
	KindUint     = "uint"     // unsigned, any width
	KindFloat    = "float"    // any width
	KindString   = "string"   // also types with a text form of their own
	KindDuration = "duration" // [Duration] and time.Duration
	KindTime     = "time"     // time.Time, RFC 3339
	KindGroup    = "group"    // a struct: it has a doc but no value of its own
	KindAny      = "any"      // an interface that holds nothing yet
)

// Field describes one parameter.
type Field struct {
	Path    string   // dotted keys from the root
	Name    string   // the last key
	Kind    string   // one of the kinds above
	Doc     string   // what it means, from the doc tag
	Default any      // its value in the config given to Fields; nil for groups and below a star
	Min     *float64 // smallest allowed value, nil without one; durations in seconds
	Max     *float64 // largest allowed value
	Enum    []string // allowed texts, nil when free
	Search  string   // how a search draws it, "" when it is not searched
}

// limits are the parsed tags of a field that restrict its values.
type limits struct {
	min, max *float64
	minText  string
	maxText  string
	enum     []string
}

// Fields lists every parameter of cfg, a struct or a pointer to one, in the order of declaration, groups before their members.
//
// The value of cfg supplies Default. Members of list and map elements are listed once, under a star, with no default; a list of
// interfaces is listed by index with the structs it holds. All undocumented fields and wrong tags are reported at once, each as an *Error.
func Fields(cfg any) ([]Field, error) {
	v, err := root(cfg)
	if err != nil {
		return nil, err
	}
	l := lister{active: map[reflect.Type]bool{}}
	l.group(v.Type(), v, "")
	return l.fields, errors.Join(l.problems...)
}

// root resolves pointers and interfaces down to the struct that holds the parameters.
func root(cfg any) (reflect.Value, error) {
	v := reflect.ValueOf(cfg)
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if !v.IsValid() {
		return v, errAt("", "a configuration is a struct or a pointer to one, not nil")
	}
	if v.Kind() != reflect.Struct {
		return v, errAt("", "a configuration is a struct or a pointer to one, not %s", v.Type())
	}
	return v, nil
}

type lister struct {
	fields   []Field
	problems []error
	active   map[reflect.Type]bool // groups being walked: a type inside itself has no finite list
}

func (l *lister) fail(path, format string, args ...any) {
	l.problems = append(l.problems, errAt(path, format, args...))
}

// group lists the members of the struct type t; v is invalid where there is no value to take defaults from.
func (l *lister) group(t reflect.Type, v reflect.Value, path string) {
	if l.active[t] {
		l.fail(path, "type %s contains itself", t)
		return
	}
	l.active[t] = true
	defer delete(l.active, t)
	fields, _, err := structFields(t)
	if err != nil {
		l.fail(path, "%v", err)
		return
	}
	for _, f := range fields {
		at := join(path, f.key)
		doc := strings.TrimSpace(f.tag.Get("doc"))
		if doc == "" {
			l.fail(at, "field %s.%s has no doc tag", t, f.name)
		}
		var fv reflect.Value
		if v.IsValid() {
			fv = v.FieldByIndex(f.index)
		}
		l.field(Field{Path: at, Name: f.key, Doc: doc, Search: f.tag.Get("search")}, f.typ, fv, f.tag)
	}
}

// field adds one field and walks into it.
func (l *lister) field(f Field, t reflect.Type, v reflect.Value, tag reflect.StructTag) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		switch {
		case v.IsValid() && !v.IsNil():
			v = v.Elem()
			t = v.Type()
			continue
		case t.Kind() == reflect.Pointer:
			v = reflect.Value{}
			t = t.Elem()
			continue
		}
		f.Kind = KindAny
		l.fields = append(l.fields, f)
		return
	}
	kind, leaf, ok := kindOf(t)
	if !ok {
		l.fail(f.Path, "%s cannot be a parameter", t)
		return
	}
	f.Kind = kind
	lim, err := parseLimits(leaf, tag)
	if err != nil {
		l.fail(f.Path, "%v", err)
	}
	f.Min, f.Max, f.Enum = lim.min, lim.max, lim.enum
	if kind != KindGroup && v.IsValid() {
		f.Default = v.Interface()
	}
	l.fields = append(l.fields, f)
	switch {
	case kind == KindGroup:
		l.group(t, v, f.Path)
	case isText(t):
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map:
		l.elements(t, v, f.Path)
	}
}

// elements lists what the elements of a list or map contain.
func (l *lister) elements(t reflect.Type, v reflect.Value, path string) {
	e := t.Elem()
	for e.Kind() == reflect.Pointer {
		e = e.Elem()
	}
	switch {
	case isText(e):
	case e.Kind() == reflect.Struct:
		l.group(e, reflect.Value{}, path+".*")
	case e.Kind() == reflect.Interface && v.IsValid() && t.Kind() != reflect.Map:
		for i := range v.Len() {
			l.value(v.Index(i), join(path, strconv.Itoa(i)))
		}
	case e.Kind() == reflect.Interface && v.IsValid():
		for _, k := range sortedKeys(v) {
			l.value(v.MapIndex(k.value), join(path, k.text))
		}
	case e.Kind() == reflect.Slice || e.Kind() == reflect.Array || e.Kind() == reflect.Map:
		l.elements(e, reflect.Value{}, path+".*")
	}
}

// value lists the group held by an interface, if it holds one.
func (l *lister) value(v reflect.Value, path string) {
	for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if v.Kind() == reflect.Struct && !isText(v.Type()) {
		l.group(v.Type(), v, path)
	}
}

// kindOf names the kind of t; leaf is the type that min, max and enum apply to.
func kindOf(t reflect.Type) (kind string, leaf reflect.Type, ok bool) {
	switch {
	case isDuration(t):
		return KindDuration, t, true
	case t == reflect.TypeFor[time.Time]():
		return KindTime, t, true
	case isText(t):
		return KindString, t, true
	}
	switch t.Kind() {
	case reflect.Bool:
		return KindBool, t, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return KindInt, t, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return KindUint, t, true
	case reflect.Float32, reflect.Float64:
		return KindFloat, t, true
	case reflect.String:
		return KindString, t, true
	case reflect.Struct:
		return KindGroup, t, true
	case reflect.Interface:
		return KindAny, t, true
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && !isText(t.Elem()) {
			return "", nil, false
		}
		kind, leaf, ok = kindOf(t.Elem())
		return "[]" + kind, leaf, ok
	case reflect.Map:
		kind, leaf, ok = kindOf(t.Elem())
		return "map of " + kind, leaf, ok && isMapKey(t.Key())
	}
	return "", nil, false
}

func isMapKey(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return isText(t)
}

// parseLimits reads min, max and enum for values of type t.
func parseLimits(t reflect.Type, tag reflect.StructTag) (limits, error) {
	var lim limits
	var problems []error
	bound := func(name string) (*float64, string) {
		s, ok := tag.Lookup(name)
		if !ok {
			return nil, ""
		}
		x, err := parseBound(t, s)
		if err != nil {
			problems = append(problems, fmt.Errorf("tag %s %q: %w", name, s, err))
			return nil, s
		}
		return &x, s
	}
	lim.min, lim.minText = bound("min")
	lim.max, lim.maxText = bound("max")
	if lim.min != nil && lim.max != nil && *lim.min > *lim.max {
		problems = append(problems, fmt.Errorf("tag min %s is above max %s", lim.minText, lim.maxText))
	}
	if s, ok := tag.Lookup("enum"); ok {
		lim.enum = strings.Split(s, ",")
		for i := range lim.enum {
			lim.enum[i] = strings.TrimSpace(lim.enum[i])
		}
		if k := t.Kind(); !isText(t) && (k == reflect.Struct || k == reflect.Interface) {
			problems = append(problems, fmt.Errorf("tag enum does not apply to %s", t))
		}
	}
	return lim, errors.Join(problems...)
}

func parseBound(t reflect.Type, s string) (float64, error) {
	if isDuration(t) {
		d, err := ParseDuration(s)
		return d.Seconds(), err
	}
	if !isNumber(t) {
		return 0, fmt.Errorf("does not apply to %s", t)
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, errors.New("not a finite number")
	}
	return x, nil
}

func isNumber(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		return !isText(t)
	}
	return false
}
