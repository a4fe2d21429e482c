package catboost

import (
	"math"

	"github.com/mlfactory/mlfactory/stat"
)

// powers are 2^(i/64).
//
// const
var powers = func() (t [64]float64) {
	for i := range t {
		t[i] = stat.Exp(float64(i) * (math.Ln2 / 64))
	}
	return t
}()

// expDown is e^x for x ≤ 0, 0 below −700, with a relative error below 1e-15. It
// is model.Exp without its division: x = k·ln 2/64 + r, and e^r by its series,
// whose sixth term is below 4e-17. Products are rounded before they are added, so
// the bits are the same on every machine.
func expDown(x float64) float64 {
	const (
		scale = 64 / math.Ln2
		hi    = 6.93147180369123816490e-01 / 64 // of 33 bits, so that k·hi is exact
		lo    = 1.90821492927058770002e-10 / 64
	)
	if x < -700 {
		return 0
	}
	k := int(float64(x*scale) - 0.5)
	f := float64(k)
	r := x - float64(f*hi)
	r -= float64(f * lo)
	p := float64(r*(1.0/120)) + 1.0/24
	p = float64(p*r) + 1.0/6
	p = float64(p*r) + 0.5
	p = float64(p*r) + 1
	p = float64(p*r) + 1
	return float64(powers[k&63]*p) * math.Float64frombits(uint64(k>>6+1023)<<52)
}

// normal turns 64 random bits into a standard normal variate by the inverse
// distribution function, to 7 digits (Wichura 1988, algorithm AS 241, PPND7).
func normal(u uint64) float64 {
	q := (float64(u>>12)+0.5)/(1<<52) - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		num := float64((float64((float64(59.109374720*r)+159.29113202)*r)+50.434271938)*r) + 3.3871327179
		den := float64((float64((float64(67.187563600*r)+78.757757664)*r)+17.895169469)*r) + 1
		return q * num / den
	}
	r := 0.5 - math.Abs(q)
	r = math.Sqrt(-stat.Log(r))
	var v float64
	if r <= 5 {
		r -= 1.6
		v = (float64((float64((float64(0.17023821103*r)+1.3067284816)*r)+2.7568153900)*r) + 1.4234372777) / (float64((float64(0.12021132975*r)+0.73700164250)*r) + 1)
	} else {
		r -= 5
		v = (float64((float64((float64(0.017337203997*r)+0.42868294337)*r)+3.0812263860)*r) + 6.6579051150) / (float64((float64(0.012258202635*r)+0.24197894225)*r) + 1)
	}
	return math.Copysign(v, q)
}
