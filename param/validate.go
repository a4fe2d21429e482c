package param

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Check applies the tags min, max and enum to every value in cfg and refuses floats that are NaN or infinite. All problems are returned
// at once, joined, each an *Error. A nil pointer or interface is not checked. Unlike [Validate] it calls no methods of cfg, so a
// Validate method may use it on its own receiver.
func Check(cfg any) error { return validate(cfg, false) }

// Validate does what [Check] does and also calls the Validate() error method of cfg and of every value inside it that has one. Paths in
// errors returned by such a method are relative to its receiver and get the receiver's path put in front; an error that is not an
// *Error is reported at the receiver's path. A Validate method holds the checks that span several fields; it must not call this
// function on its own receiver.
func Validate(cfg any) error { return validate(cfg, true) }

func validate(cfg any, methods bool) error {
	v, err := root(cfg)
	if err != nil {
		return err
	}
	c := checker{methods: methods}
	if rv := reflect.ValueOf(cfg); rv.Kind() == reflect.Pointer {
		v = rv
	}
	c.value(v, "", limits{}, 0)
	return errors.Join(once(c.problems)...)
}

// once leaves out a problem that was reported before: a Validate method that
// checks its own tags finds what the walk over the whole has found.
func once(problems []error) []error {
	seen := map[Error]bool{}
	return slices.DeleteFunc(problems, func(err error) bool {
		e, ok := err.(*Error)
		if !ok || e == nil {
			return false
		}
		twice := seen[*e]
		seen[*e] = true
		return twice
	})
}

type checker struct {
	problems []error
	methods  bool
}

func (c *checker) fail(path, format string, args ...any) {
	c.problems = append(c.problems, errAt(path, format, args...))
}

func (c *checker) value(v reflect.Value, path string, lim limits, depth int) {
	if depth > maxDepth {
		c.fail(path, "nested more than %d deep", maxDepth)
		return
	}
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	t := v.Type()
	switch {
	case isText(t):
		c.leaf(v, path, lim)
	case t.Kind() == reflect.Struct:
		fields, _, err := structFields(t)
		if err != nil {
			c.fail(path, "%v", err)
			return
		}
		for _, f := range fields {
			_, leaf, ok := kindOf(f.typ)
			if !ok {
				c.fail(join(path, f.key), "%s cannot be a parameter", f.typ)
				continue
			}
			fv := v.FieldByIndex(f.index)
			for x := fv; leaf.Kind() == reflect.Interface && x.Kind() == reflect.Interface && !x.IsNil(); x = x.Elem() {
				leaf = x.Elem().Type() // tags on an interface apply to what it holds
			}
			fl, err := parseLimits(leaf, f.tag)
			if err != nil {
				c.fail(join(path, f.key), "%v", err)
			}
			c.value(fv, join(path, f.key), fl, depth+1)
		}
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		for i := range v.Len() {
			c.value(v.Index(i), join(path, strconv.Itoa(i)), lim, depth+1)
		}
	case t.Kind() == reflect.Map:
		for _, k := range sortedKeys(v) {
			c.value(v.MapIndex(k.value), join(path, k.text), lim, depth+1)
		}
	default:
		c.leaf(v, path, lim)
	}
	if c.methods {
		c.problems = flatten(c.problems, path, callValidate(v))
	}
}

// callValidate calls the Validate method of v, by value or by pointer, if there is one.
func callValidate(v reflect.Value) error {
	type validator interface{ Validate() error }
	if m, ok := v.Interface().(validator); ok {
		return m.Validate()
	}
	if m, ok := addressable(v).Addr().Interface().(validator); ok {
		return m.Validate()
	}
	return nil
}

// leaf checks one value against its limits.
func (c *checker) leaf(v reflect.Value, path string, lim limits) {
	s, x, err := scalar(v)
	if err != nil {
		c.fail(path, "%v", err)
		return
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		c.fail(path, "%s is not a finite number", s)
		return
	}
	if lim.min != nil && x < *lim.min {
		c.fail(path, "%s is below the minimum %s", s, lim.minText)
	}
	if lim.max != nil && x > *lim.max {
		c.fail(path, "%s is above the maximum %s", s, lim.maxText)
	}
	if lim.enum == nil {
		return
	}
	for _, e := range lim.enum {
		if e == s {
			return
		}
	}
	hint := ""
	if near, ok := Nearest(s, lim.enum); ok {
		hint = fmt.Sprintf("; nearest is %q", near)
	}
	c.fail(path, "%q is not one of %s%s", s, strings.Join(quoted(slices.DeleteFunc(slices.Clone(lim.enum), func(w string) bool { return w == "" })), ", "), hint)
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return out
}

// scalar returns the text of a single value and its number for comparison with bounds (0 for what is no number).
func scalar(v reflect.Value) (string, float64, error) {
	t := v.Type()
	if isText(t) {
		s, err := text(v)
		if isDuration(t) {
			return s, Duration(v.Int()).Seconds(), err
		}
		return s, 0, err
	}
	switch t.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), 0, nil
	case reflect.String:
		return v.String(), 0, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), float64(v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), float64(v.Uint()), nil
	case reflect.Float32, reflect.Float64:
		return string(appendFloat(nil, v.Float(), t.Bits())), v.Float(), nil
	}
	return "", 0, fmt.Errorf("%s cannot be a parameter", t)
}
