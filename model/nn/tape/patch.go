package tape

import "fmt"

// Patches says how a sequence is cut.
type Patches struct {
	Length, Stride int
	// End repeats the last step so many times before cutting, as PatchTST does
	// with one stride (Nie et al. 2023).
	End int
}

// Count is the number of patches of a sequence of so many steps.
func (p Patches) Count(steps int) int { return (steps+p.End-p.Length)/p.Stride + 1 }

// Patch cuts every channel of every sample into overlapping patches: row
// (b·C + c)·P + k holds the steps k·stride to k·stride + length − 1 of channel c
// of sample b. One patch of all steps turns channels into rows. O(values of the
// result).
func (t *Tape) Patch(x *Tensor, steps int, p Patches) *Tensor {
	mustSteps("patches", x, steps)
	if p.Length < 1 || p.Stride < 1 || p.End < 0 || p.Length > steps+p.End {
		panic(fmt.Sprintf("tape: patches of %d every %d of %d steps and %d at the end", p.Length, p.Stride, steps, p.End))
	}
	samples, n, count := x.Rows/steps, x.Cols, p.Count(steps)
	y := t.fresh(samples*n*count, p.Length)
	for b := range samples {
		for c := range n {
			at := x.Value[b*steps*n+c:]
			for k := range count {
				row := (b*n+c)*count + k
				for i := range p.Length {
					y.Value[row*p.Length+i] = at[min(k*p.Stride+i, steps-1)*n]
				}
			}
		}
	}
	if t.trace != nil {
		t.tracePatch(y, x, steps, p)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		g, add := t.gradOf(x)
		if !add {
			clear(g)
		}
		for b := range samples {
			for c := range n {
				at := g[b*steps*n+c:]
				for k := range count {
					row := (b*n+c)*count + k
					for i := range p.Length {
						at[min(k*p.Stride+i, steps-1)*n] += y.grad[row*p.Length+i]
					}
				}
			}
		}
	})
	return y
}
