package tape

import "fmt"

// Patches says how a sequence is cut.
type Patches struct {
	Length, Stride int
	// End repeats the last step so many times before cutting, as PatchTST does
	// with one stride (Nie et al. 2023).
	End int
	// ByStep orders the patches by place before channel.
	ByStep bool
}

// Count is the number of patches of a sequence of so many steps.
func (p Patches) Count(steps int) int { return (steps+p.End-p.Length)/p.Stride + 1 }

// row is the row of patch k of channel c of sample b.
func (p Patches) row(b, channels, c, count, k int) int {
	if p.ByStep {
		return (b*count+k)*channels + c
	}
	return (b*channels+c)*count + k
}

// Patch cuts every channel of every sample into overlapping patches: row
// (b·C + c)·P + k, or (b·P + k)·C + c by step, holds the steps k·stride to
// k·stride + length − 1 of channel c of sample b. One patch of all steps turns channels into rows. O(values of the
// result).
func (t *Tape) Patch(x *Tensor, steps int, p Patches) *Tensor {
	mustSteps("patches", x, steps)
	if p.Length < 1 || p.Stride < 1 || p.End < 0 || p.Length > steps+p.End {
		panic(fmt.Sprintf("tape: patches of %d every %d of %d steps and %d at the end", p.Length, p.Stride, steps, p.End))
	}
	samples, n, count := x.Rows/steps, x.Cols, p.Count(steps)
	y := t.fresh(samples*n*count, p.Length)
	y.input = x.input
	for b := range samples {
		for c := range n {
			at := x.Value[b*steps*n+c:]
			for k := range count {
				row := p.row(b, n, c, count, k)
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
					row := p.row(b, n, c, count, k)
					for i := range p.Length {
						at[min(k*p.Stride+i, steps-1)*n] += y.grad[row*p.Length+i]
					}
				}
			}
		}
	})
	return y
}

// SwapColumns orders the columns of x, n groups of m, as m groups of n: column
// j·n + i of the result is column i·m + j.
func (t *Tape) SwapColumns(x *Tensor, n, m int) *Tensor {
	if n*m != x.Cols {
		panic(fmt.Sprintf("tape: %v has no %d groups of %d columns", x, n, m))
	}
	y := t.fresh(x.Rows, x.Cols)
	for r := range x.Rows {
		from, to := x.Row(r), y.Row(r)
		for i := range n {
			for j, v := range from[i*m : (i+1)*m] {
				to[j*n+i] = v
			}
		}
	}
	if t.trace != nil {
		tr := t.trace
		grid := tr.transpose(tr.blocks(tr.of(x), n, m), 0, 2, 1)
		tr.names[y] = tr.matrix(grid, x.Cols)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		g, add := t.gradOf(x)
		for r := range x.Rows {
			to, from := g[r*x.Cols:(r+1)*x.Cols], y.grad[r*x.Cols:(r+1)*x.Cols]
			for i := range n {
				for j := range m {
					if add {
						to[i*m+j] += from[j*n+i]
					} else {
						to[i*m+j] = from[j*n+i]
					}
				}
			}
		}
	})
	return y
}
