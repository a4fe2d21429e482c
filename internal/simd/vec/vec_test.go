package vec

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/internal/simd"
)

// draw returns n numbers over many magnitudes.
func draw(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64() * math.Exp2(float64(r.IntN(21)-10)))
	}
	return v
}

func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// plainDot and plainAxpy restate the documented order of operations on their own.
func plainDot(a, b []float32) float32 {
	var s [64]float32
	for i := range a {
		s[i%64] += float32(a[i] * b[i])
	}
	for w := 32; w > 0; w /= 2 {
		for j := range w {
			s[j] += s[j+w]
		}
	}
	return s[0]
}

func plainAxpy(alpha float32, x, y []float32) {
	for i := range x {
		y[i] += float32(alpha * x[i])
	}
}

// compare runs every kernel on path p against the plain versions; off shifts the vectors against the alignment of a register.
func compare(t *testing.T, p simd.Path, a, b []float32, alpha float32) {
	t.Helper()
	if got, want := Dot(a, b), plainDot(a, b); !sameBits(got, want) {
		t.Errorf("%v: dot of %d: got %v, want %v", p, len(a), got, want)
	}
	got, want := append([]float32(nil), b...), append([]float32(nil), b...)
	Axpy(alpha, a, got)
	plainAxpy(alpha, a, want)
	for i := range got {
		if !sameBits(got[i], want[i]) {
			t.Errorf("%v: axpy of %d, element %d: got %v, want %v", p, len(a), i, got[i], want[i])
			break
		}
	}
}

func TestPathsAgree(t *testing.T) {
	for _, p := range []simd.Path{simd.Generic, simd.AVX2, simd.AVX512} {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			r := rand.New(rand.NewPCG(1, 2))
			for n := 0; n < 300; n++ {
				for off := range 3 {
					compare(t, p, draw(r, n+off)[off:], draw(r, n+off)[off:], float32(r.NormFloat64()))
				}
			}
			special := []float32{float32(math.NaN()), float32(math.Inf(1)), 0, math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Copysign(0, -1))}
			for i, x := range special {
				a, b := draw(r, 200), draw(r, 200)
				a[7*i], b[150+i] = x, x
				compare(t, p, a, b, x)
			}
		})
	}
}

// TestDotAccuracy holds Dot to its documented bound against float64.
func TestDotAccuracy(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 63, 64, 65, 1000, 100_000} {
		a, b := draw(r, n), draw(r, n)
		exact, sum := 0.0, 0.0
		for i := range a {
			exact += float64(a[i]) * float64(b[i])
			sum += math.Abs(float64(a[i]) * float64(b[i]))
		}
		if bound := (float64(n)/64 + 7) * 0x1p-24 * sum * 1.01; math.Abs(float64(Dot(a, b))-exact) > bound { // 1 % for the second order
			t.Errorf("n=%d: off by %g, bound %g", n, float64(Dot(a, b))-exact, bound)
		}
	}
}

func TestLengthsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"dot":  func() { Dot(make([]float32, 3), make([]float32, 4)) },
		"axpy": func() { Axpy(1, make([]float32, 4), make([]float32, 3)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of unequal lengths did not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestAllocations(t *testing.T) {
	a, b := make([]float32, 1000), make([]float32, 1000)
	if n := testing.AllocsPerRun(10, func() { Axpy(Dot(a, b), a, b) }); n != 0 && !race.Enabled {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPathsAgree(f *testing.F) {
	f.Add(float32(0.5), make([]byte, 4*130), uint8(1))
	f.Fuzz(func(t *testing.T, alpha float32, raw []byte, shift uint8) {
		v := make([]float32, len(raw)/4)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		n := len(v) / 2
		off := min(int(shift), n)
		for _, p := range simd.Supported() {
			simd.Force(t, p)
			compare(t, p, v[off:n], v[n+off:2*n], alpha)
		}
	})
}

func BenchmarkDot(b *testing.B) {
	x := make([]float32, 4096)
	for _, p := range simd.Supported() {
		b.Run(p.String(), func(b *testing.B) {
			simd.Force(b, p)
			b.SetBytes(8 * 4096)
			for b.Loop() {
				Dot(x, x)
			}
		})
	}
}
