package stat_test

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/stat"
)

// near fails unless got is within abs of want; NaN only equals NaN.
func near(t *testing.T, name string, got, want, abs float64) {
	t.Helper()
	if math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > abs {
		t.Errorf("%s = %.17g, want %.17g within %g", name, got, want, abs)
	}
}

// math.Exp and math.Log are within an ulp of the truth on every platform, so
// ours must be within 2 ulp of them.
func TestExpLogAgainstMath(t *testing.T) {
	ulp := func(x float64) float64 { return math.Nextafter(math.Abs(x), math.Inf(1)) - math.Abs(x) }
	for x := -744.0; x < 709; x += 0.37 {
		if w := math.Exp(x); math.Abs(stat.Exp(x)-w) > 2*ulp(w) {
			t.Errorf("Exp(%g) = %g, math has %g", x, stat.Exp(x), w)
		}
	}
	for x := 1e-300; x < 1e300; x *= 1.7 {
		if w := math.Log(x); math.Abs(stat.Log(x)-w) > 2*ulp(w) {
			t.Errorf("Log(%g) = %g, math has %g", x, stat.Log(x), w)
		}
	}
	for _, c := range [][2]float64{
		{stat.Exp(0), 1}, {stat.Exp(1e-300), 1}, {stat.Exp(800), math.Inf(1)}, {stat.Exp(-800), 0}, {stat.Exp(math.Inf(-1)), 0},
		{stat.Log(1), 0}, {stat.Log(0), math.Inf(-1)}, {stat.Log(math.Inf(1)), math.Inf(1)},
	} {
		if c[0] != c[1] {
			t.Errorf("edge: got %g, want %g", c[0], c[1])
		}
	}
	for _, x := range []float64{stat.Exp(math.NaN()), stat.Log(-1), stat.Log(math.NaN()), stat.NormalCDF(math.NaN()),
		stat.NormalQuantile(-0.1), stat.NormalQuantile(1.1), stat.NormalQuantile(math.NaN())} {
		if !math.IsNaN(x) {
			t.Errorf("edge: got %g, want NaN", x)
		}
	}
}

// Reference: scipy 1.17.1 norm.cdf and norm.ppf.
func TestNormalAgainstReference(t *testing.T) {
	for _, c := range []struct{ x, p float64 }{
		{-37, 5.725571222524577e-300},
		{-8, 6.22096057427174e-16},
		{-3, 0.0013498980316300957},
		{-1, 0.15865525393145707},
		{-0.3, 0.38208857781104744},
		{0, 0.5},
		{0.5, 0.6914624612740131},
		{1.1, 0.864333939053617},
		{1.959963984540054, 0.975},
		{2.5, 0.9937903346742238},
	} {
		// 1e-13 relative: the stated bound of the far tail.
		near(t, "cdf", stat.NormalCDF(c.x), c.p, 1e-13*c.p)
	}
	for _, c := range []struct{ p, z float64 }{
		{1e-300, -37.0470962993612},
		{1e-12, -7.034483825301131},
		{0.01, -2.3263478740408408},
		{0.025, -1.9599639845400545},
		{0.4, -0.2533471031357997},
		{0.5, 0},
		{0.8, 0.8416212335729143},
		{0.95, 1.6448536269514722},
		{0.999999, 4.753424308817087},
	} {
		near(t, "quantile", stat.NormalQuantile(c.p), c.z, 4e-15*(1+math.Abs(c.z)))
	}
	if !math.IsInf(stat.NormalQuantile(0), -1) || !math.IsInf(stat.NormalQuantile(1), 1) {
		t.Error("the quantiles of 0 and 1 must be infinite")
	}
	if stat.NormalCDF(math.Inf(1)) != 1 || stat.NormalCDF(math.Inf(-1)) != 0 {
		t.Error("the CDF must end at 0 and 1")
	}
}

// Φ and Φ⁻¹ undo each other, Φ is monotone and Φ(x)+Φ(−x) = 1.
func TestNormalLaws(t *testing.T) {
	last := 0.0
	for x := -30.0; x <= 8; x += 0.01 {
		p := stat.NormalCDF(x)
		if p < last {
			t.Fatalf("Φ falls at %g", x)
		}
		last = p
		near(t, "Φ(x)+Φ(−x)", p+stat.NormalCDF(-x), 1, 1e-15)
		if p < 0.5 {
			near(t, "Φ(Φ⁻¹(p))/p", stat.NormalCDF(stat.NormalQuantile(p))/p, 1, 1e-12)
		}
	}
}
