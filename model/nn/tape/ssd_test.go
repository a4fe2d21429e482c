package tape

import (
	"math"
	"testing"
)

// dual is the recurrence of Mamba-2: x, dt, b, c, aLog, d, bias.
func dual(x []mat, steps, heads, groups int) mat {
	width, states := x[0].c/heads, x[2].c/groups
	y := newMat(x[0].r, x[0].c)
	for h := range heads {
		g := h / (heads / groups)
		state := newMat(states, width)
		for r := range x[0].r {
			if r%steps == 0 {
				clear(state.v)
			}
			dt := math.Log1p(math.Exp(x[1].at(r, h) + x[6].v[h]))
			keep := math.Exp(-dt * math.Exp(x[4].v[h]))
			for p := range width {
				in := x[0].at(r, h*width+p)
				v := x[5].v[h] * in
				for n := range states {
					state.set(n, p, keep*state.at(n, p)+dt*x[2].at(r, g*states+n)*in)
					v += x[3].at(r, g*states+n) * state.at(n, p)
				}
				y.set(r, h*width+p, v)
			}
		}
	}
	return y
}

func TestDualityAgainstItsRecurrence(t *testing.T) {
	op := func(name string, steps, heads, groups, width, states, chunk int) operation {
		rows := 2 * steps
		return operation{name: name, inputs: [][2]int{{rows, heads * width}, {rows, heads}, {rows, groups * states}, {rows, groups * states}}, params: [][]int{{heads}, {heads}, {heads}},
			tape: func(t *Tape, x []*Tensor, p []*Param) *Tensor {
				return t.SSD(x[0], x[1], x[2], x[3], steps, &Duality{Heads: heads, Groups: groups, Chunk: chunk, ALog: p[0], D: p[1], DtBias: p[2]})
			},
			plain: func(x []mat) mat { return dual(x, steps, heads, groups) }}
	}
	verifyAll(t, []operation{
		op("one chunk", 5, 2, 1, 3, 4, 64),
		op("chunks that fit", 6, 2, 1, 3, 4, 2),
		op("chunks that do not fit, groups", 7, 4, 2, 2, 3, 3),
		op("chunks of one step", 3, 1, 1, 2, 2, 1),
	})
}
