package param

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Set puts the value written as text at path inside cfg, a pointer to a struct: Set(&cfg, "model.depth", "6").
//
// Booleans (true, false), integers, floats, strings, durations, types with UnmarshalText, pointers to them and lists of them
// ("5m,15m,1h", brackets optional, empty for none) can be set. List elements are addressed by an existing index, map entries by key, where
// a new key of a map of single values is created. The type is checked, the range is not: call [Validate] afterwards. Every failure is an
// *Error; an unknown key is reported with the nearest known one.
func Set(cfg any, path, value string) error {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return errAt(path, "only a pointer to a struct can be set, not %T", cfg)
	}
	if path == "" {
		return errAt("", "no key given to set")
	}
	return setAt(v.Elem(), strings.Split(path, "."), 0, value)
}

// Lookup returns the value at path inside cfg; "" is cfg itself. An unknown key is an *Error that names the nearest known one.
func Lookup(cfg any, path string) (any, error) {
	v, err := root(cfg)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return v.Interface(), nil
	}
	keys := strings.Split(path, ".")
	for depth := range keys {
		at := strings.Join(keys[:depth+1], ".")
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
			if v.IsNil() {
				return nil, errAt(at, "nothing is set above this key")
			}
			v = v.Elem()
		}
		next, err := child(v, keys[depth], at)
		if err != nil {
			return nil, err
		}
		if !next.IsValid() {
			return nil, unknownKey(at, keys[depth], mapTexts(v))
		}
		v = next
	}
	return v.Interface(), nil
}

// child returns the member of v called key; an absent map entry is an invalid value.
func child(v reflect.Value, key, at string) (reflect.Value, error) {
	t := v.Type()
	if !isText(t) {
		switch t.Kind() {
		case reflect.Struct:
			fields, _, err := structFields(t)
			if err != nil {
				return v, errAt(at, "%v", err)
			}
			for _, f := range fields {
				if f.key == key {
					return v.FieldByIndex(f.index), nil
				}
			}
			return v, unknownKey(at, key, keysOf(fields))
		case reflect.Slice, reflect.Array:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= v.Len() {
				return v, errAt(at, "%q is not an index of a list of %d", key, v.Len())
			}
			return v.Index(i), nil
		case reflect.Map:
			for _, k := range sortedKeys(v) {
				if k.text == key {
					return v.MapIndex(k.value), nil
				}
			}
			return reflect.Value{}, nil
		}
	}
	return v, errAt(at, "%s has no keys below it", t)
}

func mapTexts(v reflect.Value) []string {
	var out []string
	if v.Kind() == reflect.Map {
		for _, k := range sortedKeys(v) {
			out = append(out, k.text)
		}
	}
	return out
}

func unknownKey(at, key string, known []string) error {
	if near, ok := Nearest(key, known); ok {
		return errAt(at, "unknown key %q; nearest is %q", key, near)
	}
	return errAt(at, "unknown key %q; known: %s", key, strings.Join(known, ", "))
}

// setAt sets value below v, which can be assigned to, at keys[depth:].
func setAt(v reflect.Value, keys []string, depth int, value string) error {
	at := strings.Join(keys[:depth], ".")
	if v.Kind() == reflect.Pointer {
		p := reflect.New(v.Type().Elem()) // a copy, so that a default shared by pointer keeps its value and a failure changes nothing
		if !v.IsNil() {
			p.Elem().Set(v.Elem())
		}
		if err := setAt(p.Elem(), keys, depth, value); err != nil {
			return err
		}
		v.Set(p)
		return nil
	}
	if v.Kind() == reflect.Interface {
		if v.IsNil() {
			return errAt(at, "holds nothing yet and its type is unknown, so it cannot be set from text")
		}
		c := reflect.New(v.Elem().Type()).Elem()
		c.Set(v.Elem())
		if err := setAt(c, keys, depth, value); err != nil {
			return err
		}
		v.Set(c)
		return nil
	}
	if depth == len(keys) {
		return parseInto(v, value, at)
	}
	key := keys[depth]
	if v.Kind() == reflect.Map && !isText(v.Type()) {
		return setEntry(v, keys, depth, value)
	}
	if v.Kind() == reflect.Slice && !isText(v.Type()) {
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len()) // lists of a default may be shared too
		reflect.Copy(own, v)
		next, err := child(own, key, join(at, key))
		if err != nil {
			return err
		}
		if err := setAt(next, keys, depth+1, value); err != nil {
			return err
		}
		v.Set(own)
		return nil
	}
	next, err := child(v, key, join(at, key))
	if err != nil {
		return err
	}
	return setAt(next, keys, depth+1, value)
}

// setEntry sets below a map: the map and the entry are copied, changed and put back.
func setEntry(v reflect.Value, keys []string, depth int, value string) error {
	t := v.Type()
	at := strings.Join(keys[:depth+1], ".")
	own := reflect.MakeMapWithSize(t, v.Len()+1)
	for _, k := range v.MapKeys() {
		own.SetMapIndex(k, v.MapIndex(k))
	}
	entry := reflect.New(t.Elem()).Elem()
	old, err := child(v, keys[depth], at)
	if err != nil {
		return err
	}
	if old.IsValid() {
		entry.Set(old)
	} else if depth+1 < len(keys) {
		return unknownKey(at, keys[depth], mapTexts(v))
	}
	k := reflect.New(t.Key()).Elem()
	if err := parseInto(k, keys[depth], at); err != nil {
		return err
	}
	if err := setAt(entry, keys, depth+1, value); err != nil {
		return err
	}
	own.SetMapIndex(k, entry)
	v.Set(own)
	return nil
}

// parseInto reads s as a value of v's type.
func parseInto(v reflect.Value, s, at string) error {
	t := v.Type()
	if isDuration(t) {
		d, err := ParseDuration(s)
		if err != nil {
			return errAt(at, "%v", err)
		}
		v.SetInt(int64(d))
		return nil
	}
	c := reflect.New(t) // a copy, because a failing UnmarshalText may leave half a value
	if u, ok := c.Interface().(encoding.TextUnmarshaler); ok {
		if err := u.UnmarshalText([]byte(s)); err != nil {
			return errAt(at, "%v", err)
		}
		v.Set(c.Elem())
		return nil
	}
	switch t.Kind() {
	case reflect.Bool:
		switch s {
		case "true":
			v.SetBool(true)
		case "false":
			v.SetBool(false)
		default:
			return errAt(at, "%q is not true or false", s)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, t.Bits())
		if err != nil {
			return errAt(at, "%q is not an integer of %d bits", s, t.Bits())
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(s, 10, t.Bits())
		if err != nil {
			return errAt(at, "%q is not an integer of %d bits without a sign", s, t.Bits())
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		x, err := strconv.ParseFloat(s, t.Bits())
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return errAt(at, "%q is not a finite number", s)
		}
		v.SetFloat(x)
	case reflect.String:
		v.SetString(s)
	case reflect.Slice:
		return parseList(v, s, at)
	case reflect.Struct:
		fields, _, err := structFields(t)
		if err != nil {
			return errAt(at, "%v", err)
		}
		return errAt(at, "is a group; set one of its keys: %s", strings.Join(keysOf(fields), ", "))
	default:
		return errAt(at, "%s cannot be set from text", t)
	}
	return nil
}

func parseList(v reflect.Value, s, at string) error {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	var parts []string
	if s != "" {
		parts = strings.Split(s, ",")
	}
	list := reflect.MakeSlice(v.Type(), len(parts), len(parts))
	for i, p := range parts {
		e := list.Index(i)
		if k := e.Kind(); k == reflect.Slice || k == reflect.Map || k == reflect.Pointer || k == reflect.Interface {
			return errAt(at, "a list of %s cannot be set from text; set one element by its index", e.Type())
		}
		if err := parseInto(e, strings.TrimSpace(p), fmt.Sprintf("%s.%d", at, i)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}
