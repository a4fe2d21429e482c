package vec

import "math"

// fma is x·y + z, rounded once: the bits of the fused instruction. The sum in float64, of a product that is exact there, is rounded to odd
// first (Boldo and Melquiond 2008, "Emulation of a FMA and correctly rounded sums"), which keeps what the second rounding needs to know.
func fma(x, y, z float32) float32 {
	p, q := float64(x)*float64(y), float64(z)
	s := p + q
	t := s - p
	if e := (p - (s - t)) + (q - t); e != 0 && math.Float64bits(s)&1 == 0 { // e is what s lacks, exactly (Knuth's two-sum)
		s = math.Nextafter(s, math.Copysign(math.MaxFloat64, e))
	}
	return float32(s)
}

// between reports whether s may lie in the middle of two float32, so that [fma] must round it: its lower bits say so, or it is so small
// that they cannot.
func between(s float64) bool {
	u := math.Float64bits(s)
	return u<<35 == 1<<63 || u<<1-1 < (1023-126)<<53-1
}
