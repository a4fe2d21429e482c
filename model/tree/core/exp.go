package core

import "math"

// Exp32 is e^x with a relative error below 3e-7; x is clamped to [−87, 88]. It
// gives the same bits on every processor: products are converted before they
// are added, so that no compiler fuses them.
func Exp32(x float32) float32 {
	const log2e, round = 1.44269504, 12582912        // round: 1.5·2²³
	const ln2hi, ln2lo = 0.693359375, -2.12194440e-4 // n·ln2hi is exact
	x = min(max(x, -87), 88)
	n := float32(x*log2e) + round
	n -= round
	r := x - float32(n*ln2hi)
	r -= float32(n * ln2lo)
	p := float32(r*(1.0/720)) + 1.0/120
	p = float32(p*r) + 1.0/24
	p = float32(p*r) + 1.0/6
	p = float32(p*r) + 0.5
	p = float32(p*r) + 1
	p = float32(p*r) + 1
	return math.Float32frombits(uint32(int32(n)+127)<<23) * p
}
