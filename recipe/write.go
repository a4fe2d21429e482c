package recipe

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/param"
)

// Marshal writes the whole recipe as YAML, every key with its value, in the
// order of the fields. [Load] reads it back to the same digest, so equal
// recipes have equal bytes. Nothing is written for a pointer that is nil.
func Marshal(r Recipe) ([]byte, error) { return write(reflect.ValueOf(r), false) }

// Explained is [Marshal] with the documentation of every key as a comment above
// it: what a person starts from.
func Explained(r Recipe) ([]byte, error) { return write(reflect.ValueOf(r), true) }

// MarshalConfig writes any tagged config struct in the same way.
func MarshalConfig(cfg any, explained bool) ([]byte, error) {
	v := reflect.ValueOf(cfg)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("recipe: cannot write %T: want a struct", cfg)
	}
	return write(v, explained)
}

func write(v reflect.Value, explained bool) ([]byte, error) {
	w := &writer{explained: explained}
	w.structure(v, 0, false)
	return []byte(w.b.String()), w.err
}

type writer struct {
	b         strings.Builder
	explained bool
	err       error
}

// structure writes the fields of v at an indentation; the first line continues
// a list item when item is set.
func (w *writer) structure(v reflect.Value, indent int, item bool) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag := strings.Split(f.Tag.Get("yaml"), ",")
		if !f.IsExported() || tag[0] == "-" {
			continue
		}
		if slices.Contains(tag[1:], "inline") {
			w.structure(v.Field(i), indent, item)
			item = false
			continue
		}
		x := v.Field(i)
		for (x.Kind() == reflect.Pointer || x.Kind() == reflect.Interface) && !x.IsNil() {
			x = x.Elem()
		}
		if (x.Kind() == reflect.Pointer || x.Kind() == reflect.Interface) && x.IsNil() {
			continue
		}
		key := tag[0]
		if key == "" {
			key = strings.ToLower(f.Name)
		}
		pad := strings.Repeat("  ", indent)
		if item {
			// The dash takes the place of the last two spaces, and comments
			// of the first key stand above it.
			pad = strings.Repeat("  ", indent-1) + "- "
		}
		if doc := f.Tag.Get("doc"); w.explained && doc != "" {
			for _, line := range wrap(doc+limits(f), 96-2*indent) {
				w.b.WriteString(strings.Repeat("  ", indent) + "# " + line + "\n")
			}
		}
		item = false
		w.b.WriteString(pad + key + ":")
		w.value(x, indent, key)
	}
	if item {
		w.b.WriteString(strings.Repeat("  ", indent-1) + "- {}\n")
	}
}

// limits says in a comment what values a field takes.
func limits(f reflect.StructField) string {
	var out []string
	if e := f.Tag.Get("enum"); e != "" {
		words := strings.Split(e, ",")
		for i, x := range words {
			if x == "" {
				words[i] = `""`
			}
		}
		out = append(out, "one of "+strings.Join(words, ", "))
	}
	lo, hi := f.Tag.Get("min"), f.Tag.Get("max")
	switch {
	case lo != "" && hi != "":
		out = append(out, lo+" to "+hi)
	case lo != "":
		out = append(out, "at least "+lo)
	case hi != "":
		out = append(out, "at most "+hi)
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, "; ") + ")"
}

// wrap breaks text into lines of about width characters.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > max(40, width) {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func (w *writer) value(v reflect.Value, indent int, path string) {
	if s, ok := w.scalar(v, path); ok {
		w.b.WriteString(" " + s + "\n")
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		w.b.WriteString("\n")
		w.structure(v, indent+1, false)
	case reflect.Slice, reflect.Array:
		w.list(v, indent, path)
	case reflect.Map:
		if v.Len() == 0 {
			w.b.WriteString(" {}\n")
			return
		}
		w.b.WriteString("\n")
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			w.b.WriteString(strings.Repeat("  ", indent+1) + text(k.String()) + ":")
			w.value(v.MapIndex(k), indent+1, path+"."+k.String())
		}
	default:
		w.fail(path, "a %s cannot be written", v.Type())
	}
}

func (w *writer) list(v reflect.Value, indent int, path string) {
	if v.Len() == 0 {
		w.b.WriteString(" []\n")
		return
	}
	var flat []string
	for i := range v.Len() {
		s, ok := w.scalar(v.Index(i), path)
		if !ok {
			break
		}
		flat = append(flat, s)
	}
	if len(flat) == v.Len() {
		w.b.WriteString(" [" + strings.Join(flat, ", ") + "]\n")
		return
	}
	w.b.WriteString("\n")
	for i := range v.Len() {
		e := v.Index(i)
		for (e.Kind() == reflect.Pointer || e.Kind() == reflect.Interface) && !e.IsNil() {
			e = e.Elem()
		}
		if e.Kind() != reflect.Struct {
			w.fail(path, "a list of %s cannot be written", e.Type())
			return
		}
		w.structure(e, indent+2, true)
	}
}

func (w *writer) fail(path, format string, args ...any) {
	if w.err == nil {
		w.err = &param.Error{Path: path, Problem: fmt.Sprintf(format, args...)}
	}
}

// scalar writes a single value; ok is false for anything else.
func (w *writer) scalar(v reflect.Value, path string) (s string, ok bool) {
	if m, is := v.Interface().(encoding.TextMarshaler); is {
		b, err := m.MarshalText()
		if err != nil {
			w.fail(path, "%v", err)
		}
		return text(string(b)), true
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), true
	case reflect.String:
		return text(v.String()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), true
	case reflect.Float32, reflect.Float64:
		f := v.Float()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			w.fail(path, "%v cannot be written; want a finite number", f)
			return "", true
		}
		return number(f, v.Type().Bits()), true
	}
	return "", false
}

// number is the shortest text that reads back to f; YAML wants a point in the
// mantissa of a number with an exponent.
func number(f float64, bits int) string {
	if f == 0 {
		return "0" // −0 too: canonically they are equal
	}
	if a := math.Abs(f); a >= 1e-7 && a < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, bits)
	}
	s := strconv.FormatFloat(f, 'e', -1, bits)
	mant, exp, _ := strings.Cut(s, "e")
	if !strings.Contains(mant, ".") {
		mant += ".0"
	}
	return mant + "e" + exp
}

// text quotes what YAML would read as something else.
func text(s string) string {
	plain := s != ""
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '/'
		if !(letter || i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.' || c == '/')) {
			plain = false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		plain = false
	}
	if plain {
		return s
	}
	return strconv.Quote(s)
}
