package param

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"unicode/utf8"
)

// Canonical returns the canonical JSON of v: equal parameters give equal bytes, on every machine and in every later run.
//
// Objects are sorted by the bytes of their keys and contain every field, defaults included, under its yaml key; there is no white space.
// Integers are written in full, floats with the fewest digits that read back to the same value of the same width (exponents as in
// encoding/json, −0 as 0), durations and other values with a text form as their text, times in UTC. A nil list or map is written like an
// empty one, a nil pointer or interface as null. An interface is written as the value it holds, without a type name: where the type
// matters, a field must name it.
//
// NaN, infinities, []byte, functions, channels, complex numbers, invalid UTF-8, structs with unexported fields (unless tagged yaml:"-")
// and nesting beyond 64 levels are refused with an *Error that names the path.
func Canonical(v any) ([]byte, error) {
	return appendValue(nil, reflect.ValueOf(v), "", 0)
}

// Digest returns the SHA-256 of [Canonical] in lower-case hexadecimal.
func Digest(v any) (string, error) {
	b, err := Canonical(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func appendValue(dst []byte, v reflect.Value, path string, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errAt(path, "nested more than %d deep", maxDepth)
	}
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	if !v.IsValid() {
		return append(dst, "null"...), nil
	}
	t := v.Type()
	if isText(t) {
		s, err := text(v)
		if err != nil {
			return nil, errAt(path, "%v", err)
		}
		return appendString(dst, s, path)
	}
	switch t.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, errAt(path, "%v is not a finite number and has no canonical text", x)
		}
		return appendFloat(dst, v.Float(), t.Bits()), nil
	case reflect.String:
		return appendString(dst, v.String(), path)
	case reflect.Slice, reflect.Array:
		return appendList(dst, v, path, depth)
	case reflect.Map:
		return appendMap(dst, v, path, depth)
	case reflect.Struct:
		return appendStruct(dst, v, path, depth)
	}
	return nil, errAt(path, "%s has no canonical text", t)
}

func appendList(dst []byte, v reflect.Value, path string, depth int) ([]byte, error) {
	if e := v.Type().Elem(); e.Kind() == reflect.Uint8 && !isText(e) {
		return nil, errAt(path, "%s has no canonical text; write bytes as a hexadecimal string", v.Type())
	}
	dst = append(dst, '[')
	var err error
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = appendValue(dst, v.Index(i), join(path, strconv.Itoa(i)), depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendMap(dst []byte, v reflect.Value, path string, depth int) ([]byte, error) {
	if !isMapKey(v.Type().Key()) {
		return nil, errAt(path, "map keys of type %s have no canonical text", v.Type().Key())
	}
	dst = append(dst, '{')
	var err error
	for i, k := range sortedKeys(v) {
		if i > 0 {
			dst = append(dst, ',')
		}
		at := join(path, k.text)
		if dst, err = appendString(dst, k.text, at); err != nil {
			return nil, err
		}
		dst = append(dst, ':')
		if dst, err = appendValue(dst, v.MapIndex(k.value), at, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendStruct(dst []byte, v reflect.Value, path string, depth int) ([]byte, error) {
	fields, hidden, err := structFields(v.Type())
	if err != nil {
		return nil, errAt(path, "%v", err)
	}
	if len(hidden) > 0 {
		return nil, errAt(path, "type %s has the unexported field %s, which no canonical text can show; export it or tag it yaml:\"-\"", v.Type(), hidden[0])
	}
	sort.Slice(fields, func(i, j int) bool { return fields[i].key < fields[j].key })
	dst = append(dst, '{')
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		at := join(path, f.key)
		if dst, err = appendString(dst, f.key, at); err != nil {
			return nil, err
		}
		dst = append(dst, ':')
		if dst, err = appendValue(dst, v.FieldByIndex(f.index), at, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

type mapKey struct {
	value reflect.Value
	text  string
}

// sortedKeys returns the keys of a map by the bytes of their texts.
func sortedKeys(v reflect.Value) []mapKey {
	keys := make([]mapKey, 0, v.Len())
	for _, k := range v.MapKeys() {
		s, _, err := scalar(k)
		if err != nil {
			s = fmt.Sprint(k)
		}
		keys = append(keys, mapKey{k, s})
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].text < keys[j].text })
	return keys
}

// appendFloat writes x with the fewest digits that read back to the same float of that width.
func appendFloat(dst []byte, x float64, width int) []byte {
	if x == 0 {
		return append(dst, '0')
	}
	format := byte('f')
	if a := math.Abs(x); a < 1e-6 || a >= 1e21 {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, x, format, -1, width)
	if format == 'e' {
		// e-09 becomes e-9, as encoding/json and ECMAScript write it.
		if i := bytes.IndexByte(dst[start:], 'e') + start; i+2 < len(dst) && dst[i+2] == '0' {
			dst = append(dst[:i+2], dst[i+3:]...)
		}
	}
	return dst
}

// appendString writes s as a JSON string that escapes only what JSON must escape.
func appendString(dst []byte, s, path string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, errAt(path, "%q is not valid UTF-8", s)
	}
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x20:
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"'), nil
}
