package floats_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/floats"
)

func TestClose(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	next := math.Nextafter(1, 2)
	for _, c := range []struct {
		name      string
		got, want float64
		bound     floats.Bound
		close     bool
	}{
		{"equal", 1.5, 1.5, floats.Exact(), true},
		{"zeros of both signs", math.Copysign(0, -1), 0, floats.Exact(), true},
		{"one step is not exact", next, 1, floats.Exact(), false},
		{"one step is one ulp", next, 1, floats.ULP(1), true},
		{"two steps are not one ulp", math.Nextafter(next, 2), 1, floats.ULP(1), false},
		{"smallest numbers around zero", 5e-324, -5e-324, floats.ULP(2), true},
		{"smallest numbers around zero, tight", 5e-324, -5e-324, floats.ULP(1), false},
		{"absolute, on the bound", 1.25, 1, floats.Abs(0.25), true},
		{"absolute, beyond", 1.375, 1, floats.Abs(0.25), false},
		{"relative, on the bound", 125, 100, floats.Rel(0.25), true},
		{"relative is relative to want", 100, 75, floats.Rel(0.25), false},
		{"relative to zero", 1e-300, 0, floats.Rel(1), false},
		{"or, second", 1e-300, 0, floats.Rel(1).Or(floats.Abs(1e-12)), true},
		{"nan and nan", nan, nan, floats.Exact(), true},
		{"nan and a number", nan, 1, floats.Abs(inf), false},
		{"number and nan", 1, nan, floats.Abs(inf), false},
		{"infinities", inf, inf, floats.Exact(), true},
		{"infinity and a number", inf, 1, floats.Abs(inf), false},
		{"opposite infinities", inf, -inf, floats.Rel(10), false},
	} {
		if got := floats.Close(c.got, c.want, c.bound); got != c.close {
			t.Errorf("%s: Close = %v", c.name, got)
		}
	}
	if d := floats.Distance(float32(1), math.Nextafter32(1, 2)); d != 1 {
		t.Errorf("float32 steps are counted in float32: got %d", d)
	}
	if d := floats.Distance(float32(-1), float32(1)); d != 2*0x3f800000 {
		t.Errorf("distance across zero: got %d", d)
	}
}

// recorder is a testing.TB that keeps messages instead of failing.
type recorder struct {
	testing.TB
	lines []string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Errorf(f string, a ...any) { r.lines = append(r.lines, fmt.Sprintf(f, a...)) }

func TestCheckReports(t *testing.T) {
	r := &recorder{TB: t}
	floats.Check(r, 1.5, 1, floats.Abs(0.1).Or(floats.ULP(2)), "row %d", 7)
	if len(r.lines) != 1 || r.lines[0] != "row 7: got 1.5, want 1 within 0.1 absolute or 2 ulp (apart by 0.5)" {
		t.Errorf("messages: %q", r.lines)
	}
	r.lines = nil
	floats.CheckSlice(r, make([]float64, 9), []float64{1, 1, 1, 1, 1, 1, 1, 0, 0}, floats.Exact(), "x")
	if len(r.lines) != 6 || !strings.HasPrefix(r.lines[4], "x[4]: ") || r.lines[5] != "x: 7 of 9 values differ" {
		t.Errorf("messages: %q", r.lines)
	}
	r.lines = nil
	floats.CheckSlice(r, []float64{1}, []float64{1, 2}, floats.Exact(), "x")
	if len(r.lines) != 1 || r.lines[0] != "x: got 1 values, want 2" {
		t.Errorf("messages: %q", r.lines)
	}
}
