package tape

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/rng"
)

func layerOf(r *rand.Rand, gates, in, hidden int) *Recurrent {
	l := &Recurrent{NewParam("a", gates*hidden, in), NewParam("b", gates*hidden, hidden), NewParam("c", gates*hidden), NewParam("d", gates*hidden)}
	for _, p := range []*Param{l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias} {
		copy(p.Value, draw(r, len(p.Value), 0.3))
	}
	return l
}

// Samples that come alone or in small groups have the bits of those that come with
// many others, whether or not weights are kept.
func TestFewSamplesHaveTheBitsOfMany(t *testing.T) {
	for _, p := range simd.Supported() {
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			r := rand.New(rand.NewPCG(11, 1))
			for _, size := range [][2]int{{40, 64}, {7, 5}, {150, 100}, {192, 64}, {300, 20}} { // the last but one is a whole block, the last more
				in, hidden := size[0], size[1]
				const steps, samples = 6, 9
				lstm, gru := layerOf(r, 4, in, hidden), layerOf(r, 3, in, hidden)
				x, h0, c0 := draw(r, samples*steps*in, 1), draw(r, samples*hidden, 1), draw(r, samples*hidden, 1)
				run := func(tp *Tape, lo, n int) []float32 {
					tp.Reset(false, rng.Stream{})
					v := tp.Input(n*steps, in, x[lo*steps*in:(lo+n)*steps*in])
					y := tp.LSTM(v, steps, lstm)
					z, last := tp.LSTMFrom(v, steps, lstm, tp.Input(n, hidden, h0[lo*hidden:(lo+n)*hidden]), tp.Input(n, hidden, c0[lo*hidden:(lo+n)*hidden]))
					var out []float32
					for b := range n { // sample by sample
						for _, v := range []*Tensor{y, z, tp.GRU(v, steps, gru)} {
							out = append(out, v.Value[b*steps*hidden:(b+1)*steps*hidden]...)
						}
						out = append(out, last.Row(b)...)
					}
					return out
				}
				want := run(New(0), 0, samples)
				kept := New(0)
				kept.Keep()
				for _, tp := range []*Tape{New(0), kept, kept} {
					for lo := 0; lo < samples; {
						n := min(1+r.IntN(5), samples-lo)
						per := len(want) / samples
						if got := run(tp, lo, n); !slices.Equal(got, want[lo*per:(lo+n)*per]) {
							t.Fatalf("%d×%d: samples %d to %d differ", in, hidden, lo, lo+n-1)
						}
						lo += n
					}
				}
				if got := run(kept, 0, samples); !slices.Equal(got, want) {
					t.Fatalf("%d×%d: kept weights change the bits", in, hidden)
				}
			}
		})
	}
}

// What a tape keeps for one kernel path is not used on another.
func TestKeptWeightsFollowThePath(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	for _, hidden := range []int{16, 64} { // 64 need more room with AVX-512
		l, x := layerOf(r, 4, 8, hidden), draw(r, 10*8, 1)
		kept := New(0)
		kept.Keep()
		for k, p := range slices.Concat(simd.Supported(), simd.Supported()) {
			t.Run(fmt.Sprint(hidden, k, p), func(t *testing.T) {
				simd.Force(t, p)
				kept.Reset(false, rng.Stream{})
				got := kept.LSTM(kept.Input(10, 8, x), 10, l).Value
				fresh := New(0)
				if want := fresh.LSTM(fresh.Input(10, 8, x), 10, l).Value; !slices.Equal(got, want) {
					t.Errorf("kept weights give %v, want %v", got[:4], want[:4])
				}
			})
		}
	}
}

// The last step alone has the bits of taking it from all, values and gradients, with
// and without gradients.
func TestLastStateAloneHasTheBitsOfAll(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	for _, samples := range []int{1, 3, 40} {
		const steps, in = 7, 11
		for _, hidden := range []int{20, 64} { // 4·64 sums lie apart
			for gates, ops := range map[int][2]func(t *Tape, x *Tensor, l *Recurrent) *Tensor{
				4: {func(t *Tape, x *Tensor, l *Recurrent) *Tensor { return t.Step(t.LSTM(x, steps, l), steps, -1) },
					func(t *Tape, x *Tensor, l *Recurrent) *Tensor { return t.LSTMLast(x, steps, l) }},
				3: {func(t *Tape, x *Tensor, l *Recurrent) *Tensor { return t.Step(t.GRU(x, steps, l), steps, -1) },
					func(t *Tape, x *Tensor, l *Recurrent) *Tensor { return t.GRULast(x, steps, l) }},
			} {
				l, data := layerOf(r, gates, in, hidden), draw(r, samples*steps*in, 1)
				var got [2][]float32
				for k, op := range ops {
					tp := New(0)
					for _, p := range []*Param{l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias} {
						p.Shards(1)
					}
					tp.Reset(true, rng.New(1))
					x := tp.Scale(tp.Input(samples*steps, in, data), 1)
					x.input = false
					y := op(tp, x, l)
					got[k] = append(got[k], y.Value...)
					tp.CrossEntropy(y, make([]int, samples), nil, 0, 1)
					tp.Backward()
					got[k] = append(got[k], x.Grad()...)
					for _, p := range []*Param{l.InputWeight, l.HiddenWeight, l.InputBias, l.HiddenBias} {
						got[k] = append(got[k], p.ShardGrad(0)...)
					}
					tp.Reset(false, rng.Stream{})
					got[k] = append(got[k], op(tp, tp.Input(samples*steps, in, data), l).Value...)
				}
				if !slices.Equal(got[0], got[1]) {
					t.Errorf("%d samples, %d gates of %d: the bits differ", samples, gates, hidden)
				}
			}
		}
	}
}

// Weights that change are laid out where they were before.
func TestKeptRoomIsUsedAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 1))
	l, x := layerOf(r, 4, 8, 16), draw(r, 10*8, 1)
	kept := New(0)
	kept.Keep()
	rooms := func() (n int) {
		l.HiddenWeight.Changed()
		kept.Reset(false, rng.Stream{})
		kept.LSTM(kept.Input(10, 8, x), 10, l)
		for _, k := range kept.keeps {
			n += len(k.rooms)
		}
		return n
	}
	first := rooms()
	rooms()
	if n := rooms(); n != first || n == 0 {
		t.Errorf("%d rooms after the first change, %d after the third", first, n)
	}
}
