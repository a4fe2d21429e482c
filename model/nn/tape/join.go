package tape

import "fmt"

// Join puts the steps of z after those of x, sample by sample: what is known of
// the future after what was seen of the past.
func (t *Tape) Join(x *Tensor, steps int, z *Tensor, more int) *Tensor {
	n := x.Cols
	samples := x.Rows / steps
	if samples*steps != x.Rows || samples*more != z.Rows || z.Cols != n {
		panic(fmt.Sprintf("tape: %d steps of %v joined with %d of %v", steps, x, more, z))
	}
	all := (steps + more) * n
	y := t.fresh(x.Rows+z.Rows, n)
	for b := range samples {
		row := y.Value[b*all : (b+1)*all]
		copy(row, x.Value[b*steps*n:(b+1)*steps*n])
		copy(row[steps*n:], z.Value[b*more*n:(b+1)*more*n])
	}
	if t.trace != nil {
		t.traceJoin(y, x, steps, z, more)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		part := func(v *Tensor, from, count int) {
			if v.input {
				return
			}
			g, add := t.gradOf(v)
			for b := range samples {
				at := b*all + from*n
				accumulate(g[b*count*n:(b+1)*count*n], y.grad[at:at+count*n], add)
			}
		}
		part(x, 0, steps)
		part(z, steps, more)
	})
	return y
}
