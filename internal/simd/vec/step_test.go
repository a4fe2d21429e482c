package vec

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

// A row of cells is the same as by the kernel of vectors, bit by bit, on every
// path, for every width, and nothing beside it changes.
func TestLSTMRow(t *testing.T) {
	for _, p := range simd.Supported() {
		simd.Force(t, p)
		r := rand.New(rand.NewPCG(1, 8))
		for n := range 70 {
			gates, rest := make([]float32, 4*n+1), make([]float32, 3*n+3)
			for _, v := range [][]float32{gates, rest} {
				for i := range v {
					v[i] = float32(4 * r.NormFloat64())
				}
			}
			c, h, tanh := rest[:n], rest[n+1:2*n+1], rest[2*n+2:3*n+2]
			wantGates, want := slices.Clone(gates), slices.Clone(rest)
			i, f, u, o := wantGates[:n], wantGates[n:2*n], wantGates[2*n:3*n], wantGates[3*n:4*n]
			LSTM(i, f, u, o, want[:n], i, f, u, o, want[:n], want[2*n+2:3*n+2], want[n+1:2*n+1])
			LSTMRow(gates[:4*n], c, tanh, h)
			if !slices.Equal(gates, wantGates) || !slices.Equal(rest, want) {
				t.Errorf("%v, %d cells:\n%v %v\nwant\n%v %v", p, n, gates, rest, wantGates, want)
			}
		}
	}
	for k, n := range [][4]int{{7, 2, 2, 2}, {8, 2, 1, 2}, {8, 2, 2, 3}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("case %d: lengths %v were taken", k, n)
				}
			}()
			LSTMRow(make([]float32, n[0]), make([]float32, n[1]), make([]float32, n[2]), make([]float32, n[3]))
		}()
	}
}
