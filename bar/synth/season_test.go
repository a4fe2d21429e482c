package synth

import (
	"math"
	"testing"
)

// TestSeasonMeanSquare: 1 + ½ + 9/80 = 1.6125 is the integral that scales the
// season to mean square 1.
func TestSeasonMeanSquare(t *testing.T) {
	const n = 1 << 16
	var raw float64
	for k := range n {
		v := 2*(float64(k)+0.5)/n - 1
		raw += math.Pow(1+0.75*v*v, 2)
	}
	if got := raw / n; math.Abs(got-1.6125) > 1e-8 { // midpoint rule: error O(1/n²)
		t.Errorf("∫(1+¾v²)² = %.10f, want 1.6125", got)
	}
	for minutes, bound := range map[int]float64{390: 2e-5, 1440: 2e-6, n: 1e-8} {
		if got := meanSquareSeason(minutes); math.Abs(got-1) > bound {
			t.Errorf("mean square of the season over %d minutes is %.9f, want 1 ± %g", minutes, got, bound)
		}
	}
	if season(0) != season(1) || !(season(0) > season(0.25) && season(0.25) > season(0.5)) {
		t.Errorf("season is not U-shaped: %v %v %v %v", season(0), season(0.25), season(0.5), season(1))
	}
}
