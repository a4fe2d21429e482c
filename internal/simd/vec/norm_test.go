package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// Values are those of the definition in float64, and all paths give the same bits.
func TestNormRows(t *testing.T) {
	const rows, eps = 5, 1e-3
	for _, n := range []int{1, 7, 16, 48, 64, 70} {
		for _, centre := range []bool{true, false} {
			for _, add := range []bool{false, true} {
				t.Run(fmt.Sprint(n, centre, add), func(t *testing.T) {
					r := rand.New(rand.NewPCG(3, uint64(n)))
					draw := func(n int) []float32 {
						v := make([]float32, n)
						for i := range v {
							v[i] = float32(r.NormFloat64() + 0.5)
						}
						return v
					}
					x, gain, bias, dy, before := draw(rows*n), draw(n), draw(n), draw(rows*n), draw(rows*n)
					var first [][]float32
					for _, p := range simd.Supported() {
						simd.Force(t, p)
						hat, y, inv := make([]float32, rows*n), make([]float32, rows*n), make([]float32, rows)
						dx, dgain, dbias := append([]float32(nil), before...), make([]float32, n), make([]float32, n)
						NormRows(x, gain, bias, hat, y, inv, centre, eps)
						NormRowsGrad(dy, hat, gain, inv, dx, dgain, dbias, centre, add)
						all := [][]float32{hat, y, inv, dx, dgain, dbias}
						if first == nil {
							first = all
						}
						for k := range all {
							for i := range all[k] {
								if !sameBits(all[k][i], first[k][i]) {
									t.Fatalf("%v: array %d value %d is %v, plain Go has %v", p, k, i, all[k][i], first[k][i])
								}
							}
						}
					}
					hat, y, dx, dgain := first[0], first[1], first[3], first[4]
					for k := range rows {
						mean, square := 0.0, 0.0
						for j := range n {
							if centre {
								mean += float64(x[k*n+j]) / float64(n)
							}
						}
						for j := range n {
							square += math.Pow(float64(x[k*n+j])-mean, 2) / float64(n)
						}
						s := 1 / math.Sqrt(square+eps)
						a, b := 0.0, 0.0
						for j := range n {
							u, h := float64(dy[k*n+j])*float64(gain[j]), (float64(x[k*n+j])-mean)*s
							if centre {
								a += u / float64(n)
							}
							b += u * h / float64(n)
						}
						for j := range n {
							u, h := float64(dy[k*n+j])*float64(gain[j]), (float64(x[k*n+j])-mean)*s
							want := s * (u - a - b*h)
							if add {
								want += float64(before[k*n+j])
							}
							// some sixteenths of the largest of tens of values
							if d := math.Abs(float64(dx[k*n+j]) - want); d > 2e-5*(1+s) {
								t.Fatalf("gradient %d of row %d is %v, want %v", j, k, dx[k*n+j], want)
							}
							if d := math.Abs(float64(y[k*n+j]) - h*float64(gain[j]) - float64(bias[j])); d > 1e-5 {
								t.Fatalf("value %d of row %d is off by %v", j, k, d)
							}
						}
					}
					for j := range n {
						want := 0.0
						for k := range rows {
							want += float64(dy[k*n+j]) * float64(hat[k*n+j])
						}
						if math.Abs(float64(dgain[j])-want) > 1e-5 {
							t.Fatalf("gradient of gain %d is %v, want %v", j, dgain[j], want)
						}
					}
				})
			}
		}
	}
}
