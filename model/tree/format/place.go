package format

import (
	"fmt"
	"math"
	"strconv"
)

// place is a value of a document and where it stands, for the errors. After
// the first error of a document all reads give zeros.
type place struct {
	v       *value
	parent  *place
	name    string // of an entry
	index   int    // of an element, where name is empty
	trouble *trouble
}

// trouble holds the first error.
type trouble struct{ err error }

func newPlace(v *value) *place { return &place{v: v, trouble: &trouble{}} }

func (p *place) err() error { return p.trouble.err }

func (p *place) path() string {
	switch {
	case p.parent == nil:
		return ""
	case p.name == "":
		return p.parent.path() + "[" + strconv.Itoa(p.index) + "]"
	case p.parent.parent == nil:
		return p.name
	}
	return p.parent.path() + "." + p.name
}

func (p *place) fail(format string, a ...any) {
	if p.trouble.err == nil {
		at := p.path()
		if at == "" {
			at = "document"
		}
		p.trouble.err = fmt.Errorf("%s: %s", at, fmt.Sprintf(format, a...))
	}
}

// find is the entry of an object, nil if there is none.
func (p *place) find(key string) *place {
	if p == nil || p.v == nil || p.v.kind != object {
		return nil
	}
	for i, k := range p.v.keys {
		if k == key {
			return &place{v: &p.v.list[i], parent: p, name: key, trouble: p.trouble}
		}
	}
	return nil
}

// key is an entry that must be there.
func (p *place) key(key string) *place {
	if e := p.find(key); e != nil {
		return e
	}
	p.fail("there is no %q", key)
	return &place{v: &value{}, parent: p, name: key, trouble: p.trouble}
}

// down follows several keys.
func (p *place) down(keys ...string) *place {
	for _, k := range keys {
		p = p.key(k)
	}
	return p
}

func (p *place) is(k kind) bool {
	if p.v.kind != k {
		p.fail("%v, want %v", p.v.kind, k)
	}
	return p.v.kind == k
}

// len is the length of an array.
func (p *place) len() int {
	if p.v.kind == numbers {
		return len(p.v.nums)
	}
	if !p.is(list) {
		return 0
	}
	return len(p.v.list)
}

// at is an element of an array of anything.
func (p *place) at(i int) *place {
	e := &place{parent: p, index: i, trouble: p.trouble}
	switch {
	case p.v.kind == list && i < len(p.v.list):
		e.v = &p.v.list[i]
	case p.v.kind == numbers && i < len(p.v.nums):
		e.v = &value{kind: number, num: p.v.nums[i]}
	default:
		e.v = &value{}
		e.fail("there is no such element")
	}
	return e
}

func (p *place) text() string {
	if !p.is(text) {
		return ""
	}
	return p.v.str
}

func (p *place) texts() []string {
	out := make([]string, p.len())
	for i := range out {
		out[i] = p.at(i).text()
	}
	return out
}

// number reads a number, or a text that is one: XGBoost's parameters are texts.
func (p *place) number() float64 {
	x := p.v.num
	switch p.v.kind {
	case number, boolean:
	case text:
		var err error
		if x, err = strconv.ParseFloat(p.v.str, 64); err != nil {
			p.fail("%.40q is no number", p.v.str)
			return 0
		}
	default:
		p.fail("%v, want a number", p.v.kind)
		return 0
	}
	if math.IsNaN(x) || math.IsInf(x, 0) {
		p.fail("%v is not finite", x)
		return 0
	}
	return x
}

// whole reads a whole number in a range.
func (p *place) whole(lo, hi int) int {
	x := p.number()
	if x != math.Trunc(x) || x < float64(lo) || x > float64(hi) {
		p.fail("%v, want a whole number from %d to %d", x, lo, hi)
		return lo
	}
	return int(x)
}

// numbers reads n numbers; n < 0 for as many as there are.
func (p *place) numbers(n int) []float64 {
	if p.is(numbers) && (n < 0 || len(p.v.nums) == n) {
		return p.v.nums
	}
	p.fail("%d numbers, want %d", len(p.v.nums), n)
	return make([]float64, max(n, 0))
}

// wholes reads n whole numbers in a range.
func (p *place) wholes(n, lo, hi int) []int {
	xs := p.numbers(n)
	out := make([]int, len(xs))
	for i, x := range xs {
		if x != math.Trunc(x) || x < float64(lo) || x > float64(hi) || x != x {
			p.fail("element %d is %v, want a whole number from %d to %d", i, x, lo, hi)
			return make([]int, len(xs))
		}
		out[i] = int(x)
	}
	return out
}

// float32s reads n finite float32 values.
func (p *place) float32s(n int) []float32 {
	xs := p.numbers(n)
	out := make([]float32, len(xs))
	for i, x := range xs {
		if out[i] = float32(x); math.IsNaN(x) || math.IsInf(float64(out[i]), 0) {
			p.fail("element %d is %v, want a finite float32", i, x)
			return make([]float32, len(xs))
		}
	}
	return out
}
