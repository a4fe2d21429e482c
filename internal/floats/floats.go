// Package floats compares floating-point numbers in tests, with a bound that the test has to name.
//
// A bound is absolute ([Abs]), relative to the wanted value ([Rel]), in units in the last place of the type compared ([ULP]), or none at
// all ([Exact]: equal values, where −0 equals 0). Several bounds are joined with [Bound.Or]: the number is close enough if one of them
// holds. In every comparison NaN equals NaN and nothing else, and an infinity equals only itself. The package is imported by tests only.
package floats

import (
	"fmt"
	"math"
	"testing"
)

// Float is a type that can be compared.
type Float interface{ ~float32 | ~float64 }

// Bound says how far apart two numbers may be. The zero Bound is [Exact].
type Bound struct {
	abs, rel float64
	ulp      uint64
}

// Exact allows no difference.
func Exact() Bound { return Bound{} }

// Abs allows |got − want| ≤ x.
func Abs(x float64) Bound { return Bound{abs: x} }

// Rel allows |got − want| ≤ x·|want|.
func Rel(x float64) Bound { return Bound{rel: x} }

// ULP allows at most n representable numbers of the type between got and want.
func ULP(n uint64) Bound { return Bound{ulp: n} }

// Or allows what either bound allows.
func (b Bound) Or(o Bound) Bound {
	return Bound{max(b.abs, o.abs), max(b.rel, o.rel), max(b.ulp, o.ulp)}
}

// String names the bound for messages.
func (b Bound) String() string {
	if b == (Bound{}) {
		return "exactly"
	}
	s := ""
	for _, part := range []struct {
		on   bool
		text string
	}{{b.abs > 0, fmt.Sprintf("%g absolute", b.abs)}, {b.rel > 0, fmt.Sprintf("%g relative", b.rel)}, {b.ulp > 0, fmt.Sprintf("%d ulp", b.ulp)}} {
		if part.on && s != "" {
			s += " or "
		}
		if part.on {
			s += part.text
		}
	}
	return "within " + s
}

// Close reports whether got lies within the bound of want.
func Close[F Float](got, want F, b Bound) bool {
	g, w := float64(got), float64(want)
	switch {
	case math.IsNaN(g) || math.IsNaN(w):
		return math.IsNaN(g) && math.IsNaN(w)
	case g == w:
		return true
	case math.IsInf(g, 0) || math.IsInf(w, 0):
		return false
	}
	d := math.Abs(g - w)
	return d <= b.abs || d <= b.rel*math.Abs(w) || b.ulp > 0 && Distance(got, want) <= b.ulp
}

// Distance counts the steps from a to b over the representable numbers of their type; both must be finite. −0 and 0 are one number.
func Distance[F Float](a, b F) uint64 {
	x, y := rank(a), rank(b)
	if x < y {
		x, y = y, x
	}
	return uint64(x) - uint64(y)
}

// rank numbers the finite floats of a type in ascending order, with 0 for zero.
func rank[F Float](x F) int64 {
	if f, ok := any(x).(float32); ok {
		if n := int64(math.Float32bits(f)); n < 1<<31 {
			return n
		}
		return -int64(math.Float32bits(f) &^ (1 << 31))
	}
	if n := int64(math.Float64bits(float64(x))); n >= 0 {
		return n
	}
	return -int64(math.Float64bits(float64(x)) &^ (1 << 63))
}

// Check reports an error on t when got is not within the bound of want; format and args name what was compared.
func Check[F Float](t testing.TB, got, want F, b Bound, format string, args ...any) {
	t.Helper()
	if !Close(got, want, b) {
		t.Errorf("%s: got %v, want %v %v (apart by %g)", fmt.Sprintf(format, args...), got, want, b, math.Abs(float64(got)-float64(want)))
	}
}

// CheckSlice is [Check] on every element of two slices of the same length. At most five differing elements are reported one by one.
func CheckSlice[F Float](t testing.TB, got, want []F, b Bound, format string, args ...any) {
	t.Helper()
	name := fmt.Sprintf(format, args...)
	if len(got) != len(want) {
		t.Errorf("%s: got %d values, want %d", name, len(got), len(want))
		return
	}
	bad := 0
	for i := range got {
		if Close(got[i], want[i], b) {
			continue
		}
		if bad++; bad <= 5 {
			Check(t, got[i], want[i], b, "%s[%d]", name, i)
		}
	}
	if bad > 5 {
		t.Errorf("%s: %d of %d values differ", name, bad, len(got))
	}
}
