package vec

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactFMA is x·y + z in whole numbers of any size, rounded once.
func exactFMA(x, y, z float32) float32 {
	b := func(v float32) *big.Float { return new(big.Float).SetPrec(1000).SetFloat64(float64(v)) }
	s := b(x).Mul(b(x), b(y))
	s.Add(s, b(z))
	if s.Sign() == 0 { // big.Float has its own rule for the sign
		return float32(float64(x)*float64(y) + float64(z))
	}
	f, _ := s.Float32()
	return f
}

// fused is what the generated twins do.
func fused(x, y, z float32) float32 {
	s := float64(x)*float64(y) + float64(z)
	if between(s) {
		return fma(x, y, z)
	}
	return float32(s)
}

func checkFMA(t *testing.T, x, y, z float32) {
	t.Helper()
	for _, v := range []float32{x, y, z} {
		if v != v || math.IsInf(float64(v), 0) {
			return
		}
	}
	want := exactFMA(x, y, z)
	if got := fused(x, y, z); !sameBits(got, want) {
		t.Fatalf("%v·%v + %v is %v, want %v", x, y, z, got, want)
	}
	if got := fma(x, y, z); !sameBits(got, want) {
		t.Fatalf("fma(%v, %v, %v) is %v, want %v", x, y, z, got, want)
	}
}

// A sum that is rounded twice, to float64 and to float32, is wrong where the first rounding ends in the middle of two float32.
func TestFMARoundsOnce(t *testing.T) {
	for _, v := range [][3]float32{
		{1 + 0x1p-12, 1 + 0x1p-12, 0x1p-60}, // 1 + 2⁻¹¹ + 2⁻²⁴ + 2⁻⁶⁰: just above the middle
		{1 + 0x1p-12, 1 + 0x1p-12, -0x1p-60},
		{1 + 0x1p-12, 1 + 0x1p-12, 0},
		{0x1p-75, 0x1p-75, 0x1p-149}, {0x1.8p-75, 1.5 * 0x1p-75, 0x1p-149}, // half of the smallest number
		{0x1p-75, -0x1p-75, 0x1p-149},
		{math.MaxFloat32, 1, math.MaxFloat32}, {math.MaxFloat32, 2, -math.MaxFloat32},
		{1, 1, -1}, {-1, 0, 0}, {1e-45, 1e-45, 1}, {1e-45, 1e-45, -1e-45},
	} {
		checkFMA(t, v[0], v[1], v[2])
	}
	// Products whose sum with z has few bits beyond a middle, and anything at all.
	r := rand.New(rand.NewPCG(5, 9))
	for range 100000 {
		x, y := 1+float32(r.IntN(1<<12))*0x1p-12, 1+float32(r.IntN(1<<13))*0x1p-12
		checkFMA(t, x, y, float32(r.IntN(3)-1)*float32(math.Ldexp(1+r.Float64(), -30-r.IntN(40))))
		checkFMA(t, math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()))
		scale := float32(math.Ldexp(1, -60-r.IntN(16)))
		checkFMA(t, x*scale, y*scale, float32(math.Ldexp(float64(r.IntN(5)-2), -149)))
	}
	if inf := float32(math.Inf(1)); fused(inf, 1, 0) != inf || fused(inf, 0, 1) == fused(inf, 0, 1) || fused(1, inf, -inf) == fused(1, inf, -inf) {
		t.Error("infinities do not propagate")
	}
}

func FuzzFMA(f *testing.F) {
	f.Add(uint32(0x3f800800), uint32(0x3f800800), uint32(0x21800000))
	f.Fuzz(func(t *testing.T, x, y, z uint32) {
		checkFMA(t, math.Float32frombits(x), math.Float32frombits(y), math.Float32frombits(z))
	})
}

// The hyperbolic tangent is odd, never beyond 1, and 1 from where float32 knows no number between it and 1.
func TestTanhSaturates(t *testing.T) {
	var x []float32
	for u, end := math.Float32bits(2), math.Float32bits(9.5); u < end; u += 61 {
		x = append(x, math.Float32frombits(u))
	}
	y, mirror := make([]float32, len(x)), make([]float32, len(x))
	Tanh(x, y)
	Scale(x, mirror, -1)
	Tanh(mirror, mirror)
	for i, v := range x {
		want := math.Tanh(float64(v))
		if d := math.Abs(float64(y[i]) - want); d > 3e-7*want || y[i] > 1 || v > 9.02 && y[i] != 1 || mirror[i] != -y[i] {
			t.Fatalf("tanh(±%v) = %v, %v, want ±%v", v, y[i], mirror[i], want)
		}
	}
}
