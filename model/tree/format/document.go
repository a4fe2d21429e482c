package format

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// A document is what JSON and UBJSON files hold. Arrays of numbers (and of
// booleans, as 0 and 1) are kept as numbers; a model is mostly such arrays.
type value struct {
	kind kind
	num  float64
	str  string
	nums []float64
	list []value
	keys []string // of an object, with list
}

type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	numbers // array of numbers; the empty array too
	list
	object
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a text", "an array of numbers", "an array", "an object"}[k]
}

// maxDepth bounds how deep documents may nest. CatBoost nests the nodes of
// trees that are not symmetric.
const maxDepth = 512

// append adds an element to an array that begins as numbers.
func (v *value) append(e value) {
	if v.kind == numbers && (e.kind == number || e.kind == boolean) {
		v.nums = append(v.nums, e.num)
		return
	}
	if v.kind == numbers {
		v.kind = list
		for _, x := range v.nums {
			v.list = append(v.list, value{kind: number, num: x})
		}
		v.nums = nil
	}
	v.list = append(v.list, e)
}

// jsonReader reads JSON, with NaN and Infinity as XGBoost writes them.
type jsonReader struct {
	d  []byte
	at int
}

func (r *jsonReader) fail(format string, a ...any) error {
	return fmt.Errorf("byte %d: %s", r.at, fmt.Sprintf(format, a...))
}

func parseJSON(d []byte) (value, error) {
	r := &jsonReader{d: d}
	v, err := r.value(0)
	if err != nil {
		return value{}, err
	}
	if r.space(); r.at != len(d) {
		return value{}, r.fail("text after the end of the document")
	}
	return v, nil
}

func (r *jsonReader) space() {
	for r.at < len(r.d) && (r.d[r.at] == ' ' || r.d[r.at] == '\n' || r.d[r.at] == '\t' || r.d[r.at] == '\r') {
		r.at++
	}
}

// next skips space and returns the next byte, 0 at the end.
func (r *jsonReader) next() byte {
	if r.space(); r.at < len(r.d) {
		return r.d[r.at]
	}
	return 0
}

func (r *jsonReader) word(w string) bool {
	if len(r.d)-r.at >= len(w) && string(r.d[r.at:r.at+len(w)]) == w {
		r.at += len(w)
		return true
	}
	return false
}

func (r *jsonReader) value(depth int) (value, error) {
	if depth > maxDepth {
		return value{}, r.fail("nested more than %d deep", maxDepth)
	}
	switch c := r.next(); {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"':
		s, err := r.text()
		return value{kind: text, str: s}, err
	case r.word("true"):
		return value{kind: boolean, num: 1}, nil
	case r.word("false"):
		return value{kind: boolean}, nil
	case r.word("null"):
		return value{}, nil
	case c == 0:
		return value{}, r.fail("cut short")
	}
	x, err := r.number()
	return value{kind: number, num: x}, err
}

func (r *jsonReader) number() (float64, error) {
	switch {
	case r.word("NaN"):
		return math.NaN(), nil
	case r.word("Infinity"):
		return math.Inf(1), nil
	case r.word("-Infinity"):
		return math.Inf(-1), nil
	}
	end := r.at
	for end < len(r.d) && (r.d[end] >= '0' && r.d[end] <= '9' || r.d[end] == '-' || r.d[end] == '+' || r.d[end] == '.' || r.d[end] == 'e' || r.d[end] == 'E') {
		end++
	}
	s := string(r.d[r.at:end])
	if s == "" {
		return 0, r.fail("%q where a value should begin", r.d[r.at])
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(x, 0) {
		return 0, r.fail("%q is no number", s)
	}
	r.at = end
	return x, nil
}

func (r *jsonReader) array(depth int) (value, error) {
	v := value{kind: numbers}
	r.at++
	if r.next() == ']' {
		r.at++
		return v, nil
	}
	for {
		e, err := r.value(depth + 1)
		if err != nil {
			return value{}, err
		}
		v.append(e)
		switch r.next() {
		case ',':
			r.at++
		case ']':
			r.at++
			return v, nil
		default:
			return value{}, r.fail("an array without its end")
		}
	}
}

func (r *jsonReader) object(depth int) (value, error) {
	v := value{kind: object}
	r.at++
	if r.next() == '}' {
		r.at++
		return v, nil
	}
	for {
		if r.next() != '"' {
			return value{}, r.fail("an object without a name for its entry")
		}
		k, err := r.text()
		if err != nil {
			return value{}, err
		}
		if r.next() != ':' {
			return value{}, r.fail("no colon after the name %.40q", k)
		}
		r.at++
		e, err := r.value(depth + 1)
		if err != nil {
			return value{}, err
		}
		v.keys, v.list = append(v.keys, k), append(v.list, e)
		switch r.next() {
		case ',':
			r.at++
		case '}':
			r.at++
			return v, nil
		default:
			return value{}, r.fail("an object without its end")
		}
	}
}

func (r *jsonReader) text() (string, error) {
	r.at++
	begin := r.at
	for r.at < len(r.d) && r.d[r.at] != '"' && r.d[r.at] != '\\' {
		r.at++
	}
	out := r.d[begin:r.at:r.at]
	for r.at < len(r.d) {
		c := r.d[r.at]
		r.at++
		if c == '"' {
			return string(out), nil
		}
		if c != '\\' {
			out = append(out, c)
			continue
		}
		if r.at >= len(r.d) {
			break
		}
		c = r.d[r.at]
		r.at++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			x, err := r.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, x)
		default:
			return "", r.fail("unknown escape \\%c", c)
		}
	}
	return "", r.fail("a text without its end")
}

// escape reads the digits of \u, and of a second one for a surrogate pair.
func (r *jsonReader) escape() (rune, error) {
	unit := func() (rune, error) {
		if len(r.d)-r.at < 4 {
			return 0, r.fail("cut short in \\u")
		}
		x, err := strconv.ParseUint(string(r.d[r.at:r.at+4]), 16, 16)
		if err != nil {
			return 0, r.fail("\\u without four hexadecimal digits")
		}
		r.at += 4
		return rune(x), nil
	}
	x, err := unit()
	if err != nil || x < 0xD800 || x > 0xDBFF || !r.word(`\u`) {
		return x, err
	}
	y, err := unit()
	return (x-0xD800)<<10 + (y - 0xDC00) + 0x10000, err
}
