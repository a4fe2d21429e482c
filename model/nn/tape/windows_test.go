package tape

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/rng"
)

// Windows that share bars have the values of windows laid out one by one, to the
// bit, and their gradients to rounding.
func TestWindowsThatShareBarsChangeNothing(t *testing.T) {
	const steps = 9
	firsts := map[string]struct {
		first  []int32
		shares bool
	}{
		"in a row":       {[]int32{3, 4, 5, 6, 7, 8, 9, 10, 11}, true},
		"every third":    {[]int32{0, 3, 6, 9, 12, 15}, true},
		"two stretches":  {[]int32{30, 31, 32, 33, 34, 35, 2, 3, 4, 5, 6, 7, 8}, true},
		"one that jumps": {[]int32{1, 2, 3, 4, 5, 40, 6, 7, 8, 9, 10, 11, 12, 13, 14}, true},
		"the same":       {[]int32{5, 5, 5, 5, 5, 5}, false},
		"backwards":      {[]int32{9, 8, 7, 6, 5, 4}, false},
		"far apart":      {[]int32{0, 10, 20, 30}, false},
	}
	for _, p := range simd.Supported() {
		for name, c := range firsts {
			t.Run(fmt.Sprint(p, " ", name), func(t *testing.T) {
				simd.Force(t, p)
				in, hidden := 7, 20
				if name == "in a row" { // a row of both is a whole block of the products
					in, hidden = 192, 64
				}
				r := rand.New(rand.NewPCG(21, 1))
				bars, n := draw(r, 60*in, 1), len(c.first)
				for gates, op := range map[int]func(t *Tape, x *Tensor, l *Recurrent) *Tensor{
					4: func(t *Tape, x *Tensor, l *Recurrent) *Tensor { return t.LSTM(x, steps, l) },
					3: func(t *Tape, x *Tensor, l *Recurrent) *Tensor { return t.GRU(x, steps, l) },
				} {
					l := layerOf(r, gates, in, hidden)
					params := []*Param{l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias}
					var values, grads [2][]float32
					kept := New(0)
					kept.Keep()
					for k := range 2 {
						for _, p := range params {
							p.Shards(1)
						}
						for _, tp := range []*Tape{New(0), kept} {
							for _, train := range []bool{false, true} {
								tp.Reset(train, rng.New(1))
								x := tp.Windows(steps, in, bars, c.first)
								if (x.bars != nil) != c.shares {
									t.Fatalf("bars are shared: %v, want %v", x.bars != nil, c.shares)
								}
								if k == 1 {
									x = tp.Input(n*steps, in, x.Value)
								}
								y := op(tp, x, l)
								values[k] = append(values[k], y.Value...)
								if !train {
									continue
								}
								weights := draw(rand.New(rand.NewPCG(22, 1)), len(y.Value), 1)
								tp.Receive(y, weights)
								tp.Backward()
							}
						}
						for _, p := range params {
							grads[k] = append(grads[k], p.ShardGrad(0)...)
						}
					}
					if !slices.Equal(values[0], values[1]) {
						t.Errorf("%d gates: values differ", gates)
					}
					worst := 0.0
					for i, g := range grads[0] {
						worst = max(worst, math.Abs(float64(g-grads[1][i]))/(1+math.Abs(float64(g))))
					}
					if worst > 2e-5 || len(grads[0]) == 0 {
						t.Errorf("%d gates: gradients are %v off", gates, worst)
					}
				}
			})
		}
	}
}
