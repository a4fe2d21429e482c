package format

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// What is written is a tree of these Go values: fields (an object in order),
// []fields, text, []string, whole numbers, float32, float64 and slices of numbers. The same values
// are the same bytes.
type field struct {
	key string
	val any
}

type fields []field

// number32 writes a float as XGBoost's strict reader wants it: always with an
// exponent, so that it is not taken for an integer.
func number32(d []byte, v float32) []byte {
	switch x := float64(v); {
	case math.IsInf(x, 1):
		return append(d, "Infinity"...)
	case math.IsInf(x, -1):
		return append(d, "-Infinity"...)
	case math.IsNaN(x):
		return append(d, "NaN"...)
	}
	return strconv.AppendFloat(d, float64(v), 'E', -1, 32)
}

// number64 writes a float64 with all its digits.
func number64(d []byte, v float64) []byte { return strconv.AppendFloat(d, v, 'g', -1, 64) }

func appendText(d []byte, s string) []byte {
	const hex = "0123456789abcdef"
	d = append(d, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			d = append(d, '\\', byte(r))
		case r < ' ':
			d = append(d, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			d = utf8.AppendRune(d, r)
		}
	}
	return append(d, '"')
}

func join[T any](d []byte, vs []T, one func([]byte, T) []byte) []byte {
	d = append(d, '[')
	for i, v := range vs {
		if i > 0 {
			d = append(d, ',')
		}
		d = one(d, v)
	}
	return append(d, ']')
}

func appendInt[T int | int64 | int32 | uint8](d []byte, v T) []byte {
	return strconv.AppendInt(d, int64(v), 10)
}

// appendJSON writes a value as JSON.
func appendJSON(d []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(d, "null"...)
	case fields:
		d = append(d, '{')
		for i, f := range v {
			if i > 0 {
				d = append(d, ',')
			}
			d = append(appendText(d, f.key), ':')
			d = appendJSON(d, f.val)
		}
		return append(d, '}')
	case []fields:
		return join(d, v, func(d []byte, f fields) []byte { return appendJSON(d, f) })
	case []any:
		return join(d, v, appendJSON)
	case string:
		return appendText(d, v)
	case []string:
		return join(d, v, appendText)
	case bool:
		return strconv.AppendBool(d, v)
	case int:
		return appendInt(d, v)
	case int64:
		return appendInt(d, v)
	case float32:
		return number32(d, v)
	case float64:
		return number64(d, v)
	case []float32:
		return join(d, v, number32)
	case []float64:
		return join(d, v, number64)
	case []int:
		return join(d, v, appendInt)
	case []int32:
		return join(d, v, appendInt)
	case []int64:
		return join(d, v, appendInt)
	case []uint8:
		return join(d, v, appendInt)
	}
	panic(fmt.Sprintf("format: a document of %T", v)) // a programmer's mistake
}

func ubjText(d []byte, s string) []byte {
	d = binary.BigEndian.AppendUint64(append(d, 'L'), uint64(len(s)))
	return append(d, s...)
}

func ubjHead(d []byte, typ byte, n int) []byte {
	d = append(d, '[')
	if typ != 0 {
		d = append(d, '$', typ)
	}
	return binary.BigEndian.AppendUint64(append(d, '#', 'L'), uint64(n))
}

func ubjList[T any](d []byte, typ byte, vs []T, one func([]byte, T) []byte) []byte {
	d = ubjHead(d, typ, len(vs))
	for _, v := range vs {
		d = one(d, v)
	}
	return d
}

// appendUBJ writes a value as UBJSON in XGBoost's dialect: lengths are of type
// 'L', arrays of numbers are typed.
func appendUBJ(d []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(d, 'Z')
	case fields:
		d = append(d, '{')
		for _, f := range v {
			d = appendUBJ(ubjText(d, f.key), f.val)
		}
		return append(d, '}')
	case []fields:
		return ubjList(d, 0, v, func(d []byte, f fields) []byte { return appendUBJ(d, f) })
	case string:
		return ubjText(append(d, 'S'), v)
	case []string:
		return ubjList(d, 0, v, func(d []byte, s string) []byte { return ubjText(append(d, 'S'), s) })
	case int:
		return binary.BigEndian.AppendUint64(append(d, 'L'), uint64(v))
	case []float32:
		return ubjList(d, 'd', v, func(d []byte, x float32) []byte { return binary.BigEndian.AppendUint32(d, math.Float32bits(x)) })
	case []int: // a plain list, as XGBoost writes what is not part of a tree
		return ubjList(d, 0, v, func(d []byte, x int) []byte { return binary.BigEndian.AppendUint64(append(d, 'L'), uint64(x)) })
	case []int32:
		return ubjList(d, 'l', v, func(d []byte, x int32) []byte { return binary.BigEndian.AppendUint32(d, uint32(x)) })
	case []int64:
		return ubjList(d, 'L', v, func(d []byte, x int64) []byte { return binary.BigEndian.AppendUint64(d, uint64(x)) })
	case []uint8:
		return ubjList(d, 'U', v, func(d []byte, x uint8) []byte { return append(d, x) })
	}
	panic(fmt.Sprintf("format: a document of %T", v)) // a programmer's mistake
}
