package tree

import "math"

// The exponentials of this file give the same bits on every processor, which
// math.Exp does not promise. Products are converted before they are added, so
// that no compiler fuses them.

// exp32 is e^x with a relative error below 3e-7; x is clamped to [−87, 88].
func exp32(x float32) float32 {
	const log2e, ln2, round = 1.44269504, 0.693147181, 12582912 // round: 1.5·2²³
	x = min(max(x, -87), 88)
	n := float32(x*log2e) + round
	n -= round
	r := float32(x*log2e) - n
	r *= ln2
	p := float32(r*(1.0/720)) + 1.0/120
	p = float32(p*r) + 1.0/24
	p = float32(p*r) + 1.0/6
	p = float32(p*r) + 0.5
	p = float32(p*r) + 1
	p = float32(p*r) + 1
	return math.Float32frombits(uint32(int32(n)+127)<<23) * p
}

// exp64 is e^x for x ≤ 0 with an error below 2 ulp; 0 below −708.
func exp64(x float64) float64 {
	if x < -708 {
		return 0
	}
	const ln2hi, ln2lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	n := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(n*ln2hi)
	r -= float64(n * ln2lo)
	p := 1.0
	for i := 13; i > 0; i-- { // Taylor to r¹³/13!, |r| ≤ 0.35
		p = float64(float64(p*r)/float64(i)) + 1
	}
	return math.Ldexp(p, int(n))
}
