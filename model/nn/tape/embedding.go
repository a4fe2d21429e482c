package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// Embedding is the rows of w whose numbers ids are, one a row. An id that w does
// not have panics.
func (t *Tape) Embedding(ids []int, w *Param) *Tensor {
	n := w.cols()
	y := t.fresh(len(ids), n)
	for i, id := range ids {
		if id < 0 || id >= w.Shape[0] {
			panic(fmt.Sprintf("tape: row %d of %v", id, w))
		}
		copy(y.Row(i), w.Value[id*n:(id+1)*n])
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dw, add := t.gradOfParam(w)
		if !add {
			clear(dw)
		}
		for i, id := range ids {
			row := dw[id*n : (id+1)*n]
			vec.Add(row, y.grad[i*n:(i+1)*n], row)
		}
	})
	return y
}

// AddSteps adds row s of w, one of steps rows, to step s of every sample: learned
// positions.
func (t *Tape) AddSteps(x *Tensor, steps int, w *Param) *Tensor {
	mustMatch("positions", x.Rows%steps == 0 && w.Shape[0] == steps && w.cols() == x.Cols, x, w)
	y, period := t.addPeriod(x, w.Value)
	if t.trace != nil {
		t.tracePeriod(y, x, steps, t.trace.param(w))
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		dw, add := t.gradOfParam(w)
		sumPeriods(dw, y.grad, period, add)
	})
	return y
}

// AddConstant adds row s of a constant, one of steps rows, to step s of every
// sample: positions by a formula.
func (t *Tape) AddConstant(x *Tensor, steps int, c []float32) *Tensor {
	if x.Rows%steps != 0 || len(c) != steps*x.Cols {
		panic(fmt.Sprintf("tape: %v plus a constant of %d values for %d steps", x, len(c), steps))
	}
	y, _ := t.addPeriod(x, c)
	if t.trace != nil {
		t.tracePeriod(y, x, steps, t.trace.floats(c, steps, x.Cols))
	}
	return y
}

// addPeriod adds row to each run of as many values of x and records the gradient
// of x.
func (t *Tape) addPeriod(x *Tensor, row []float32) (y *Tensor, period int) {
	y, period = t.fresh(x.Rows, x.Cols), len(row)
	for i := 0; i < len(x.Value); i += period {
		vec.Add(x.Value[i:i+period], row, y.Value[i:i+period])
	}
	if t.train {
		y := y // a result that a closure holds would be allocated without training too
		t.back = append(t.back, func() {
			if y.wants() && !x.input {
				t.moveGrad(y.grad, x)
			}
		})
	}
	return y, period
}

// sumPeriods adds up the runs of dy into dw.
func sumPeriods(dw, dy []float32, period int, add bool) {
	for i := 0; i < len(dy); i += period {
		accumulate(dw, dy[i:i+period], add || i > 0)
	}
}

// AddRow adds row b of z to every step of sample b of x: what is the same for all
// steps, such as a static context.
func (t *Tape) AddRow(x *Tensor, steps int, z *Tensor) *Tensor {
	n := x.Cols
	mustMatch("sum over steps", z.Cols == n && z.Rows*steps == x.Rows, x, z)
	y := t.fresh(x.Rows, n)
	for i := range x.Rows {
		vec.Add(x.Row(i), z.Row(i/steps), y.Row(i))
	}
	if t.trace != nil {
		t.traceAddRow(y, x, steps, z)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		if !x.input {
			g, add := t.gradOf(x)
			accumulate(g, y.grad, add)
		}
		if !z.input {
			g, add := t.gradOf(z)
			for i := range x.Rows {
				at := i / steps * n
				accumulate(g[at:at+n], y.grad[i*n:(i+1)*n], add || i%steps > 0)
			}
		}
	})
	return y
}

// MeanSteps is the mean of the steps of every sample: samples × channels.
func (t *Tape) MeanSteps(x *Tensor, steps int) *Tensor {
	n, samples := x.Cols, x.Rows/steps
	mustMatch("mean over steps", samples*steps == x.Rows, x, x)
	y := t.fresh(samples, n)
	share := 1 / float32(steps)
	for b := range samples {
		o := y.Row(b)
		copy(o, x.Row(b*steps))
		for s := 1; s < steps; s++ {
			vec.Add(o, x.Row(b*steps+s), o)
		}
		vec.Scale(o, o, share)
	}
	if t.trace != nil {
		t.traceMeanSteps(y, x, steps)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		g, add := t.gradOf(x)
		d := t.alloc(n)
		for b := range samples {
			vec.Scale(y.grad[b*n:(b+1)*n], d, share)
			for s := range steps {
				at := (b*steps + s) * n
				accumulate(g[at:at+n], d, add)
			}
		}
	})
	return y
}

// Sinusoid is the position table of Vaswani et al. (2017, section 3.5): channel
// 2i of position s is sin(s/10000^(2i/cols)), channel 2i+1 the cosine.
func Sinusoid(steps, cols int) []float32 {
	table := make([]float32, steps*cols)
	for s := range steps {
		for j := range cols {
			angle := float64(s) / math.Pow(10000, float64(j&^1)/float64(cols))
			if j%2 == 0 {
				table[s*cols+j] = float32(math.Sin(angle))
			} else {
				table[s*cols+j] = float32(math.Cos(angle))
			}
		}
	}
	return table
}

// Rotation is the table of rotary positions (Su et al. 2021, eq. 34) for heads
// of dim channels, an even number: row s holds the cosines and then the sines of
// s·10000^(−2i/dim), dim/2 of each.
func Rotation(steps, dim int) []float32 {
	half := dim / 2
	table := make([]float32, steps*dim)
	for s := range steps {
		for i := range half {
			angle := float64(s) * math.Pow(10000, -2*float64(i)/float64(dim))
			table[s*dim+i] = float32(math.Cos(angle))
			table[s*dim+half+i] = float32(math.Sin(angle))
		}
	}
	return table
}

// Rotate turns the pairs of channels (i, i + dim/2) of the first dim channels of
// each of the first heads groups of width channels by the angles of their step in
// table ([Rotation]); other columns stay. Of queries and keys that were turned, products depend on
// distances alone. (The paper pairs neighbours, 2i and 2i+1; pairing halves, as
// GPT-NeoX does, is the same up to the order of channels.)
func (t *Tape) Rotate(x *Tensor, steps, heads, width, dim int, table []float32) *Tensor {
	if x.Rows%steps != 0 || len(table) != steps*dim || dim%2 != 0 || dim > width || heads*width > x.Cols {
		panic(fmt.Sprintf("tape: %v rotated as %d heads of %d over %d steps with a table of %d", x, heads, width, steps, len(table)))
	}
	y := t.fresh(x.Rows, x.Cols)
	copy(y.Value, x.Value)
	rotate(y.Value, x.Cols, steps, heads, width, dim, table, 1)
	if t.trace != nil {
		t.traceRotate(y, x, steps, heads, width, dim, table)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() || x.input {
			return
		}
		dx, add := t.gradOf(x)
		d := dx
		if add {
			d = t.alloc(len(dx))
		}
		copy(d, y.grad)
		rotate(d, x.Cols, steps, heads, width, dim, table, -1)
		if add {
			vec.Add(dx, d, dx)
		}
	})
	return y
}

// rotate turns pairs in place, back if way is −1.
func rotate(v []float32, cols, steps, heads, width, dim int, table []float32, way float32) {
	half := dim / 2
	for r := 0; r*cols < len(v); r++ {
		angle := table[r%steps*dim : (r%steps+1)*dim]
		cos, sin := angle[:half], angle[half:]
		for h := range heads {
			pair := v[r*cols+h*width : r*cols+h*width+dim]
			lo, hi := pair[:half:half], pair[half:][:half]
			for i, c := range cos {
				s := way * sin[i]
				a, b := lo[i], hi[i]
				lo[i] = float32(a*c) - float32(b*s)
				hi[i] = float32(b*c) + float32(a*s)
			}
		}
	}
}

// Bucket is the bucket of the distance key − query in T5 (Raffel et al. 2020):
// half of the buckets are for keys after the query; of each half, the first half
// has one distance each and the others widen in logarithmic steps up to far.
func Bucket(distance, buckets, far int) int {
	half, first := buckets/2, 0
	if distance > 0 {
		first = half
	} else {
		distance = -distance
	}
	exact := half / 2
	if distance < exact {
		return first + distance
	}
	log := math.Log(float64(distance)/float64(exact)) / math.Log(float64(far)/float64(exact))
	return first + min(half-1, exact+int(log*float64(half-exact)))
}

// RelativeBias is the bias of [Attention] that T5 learns: w has one row a bucket
// and one column a head; distances of far and more share a bucket.
func (t *Tape) RelativeBias(w *Param, queries, keys, far int) *Tensor {
	buckets, heads := w.Shape[0], w.cols()
	y := t.fresh(heads*keys, queries)
	each := func(do func(at, from int)) {
		for j := range keys {
			for i := range queries {
				// Both sequences end together.
				b := Bucket(j-i-(keys-queries), buckets, far)
				for h := range heads {
					do((h*keys+j)*queries+i, b*heads+h)
				}
			}
		}
	}
	each(func(at, from int) { y.Value[at] = w.Value[from] })
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		g, add := t.gradOfParam(w)
		if !add {
			clear(g)
		}
		each(func(at, from int) { g[from] += y.grad[at] })
	})
	return y
}

// LinearBias is the bias of [Attention] of Press et al. (2022, ALiBi): −slope
// times the distance of key and query, with the slopes 2^(−8h/heads), h from 1.
// It is a table of heads·keys rows and queries columns.
func LinearBias(heads, queries, keys int) []float32 {
	table := make([]float32, heads*keys*queries)
	for h := range heads {
		slope := math.Exp2(-8 * float64(h+1) / float64(heads))
		for j := range keys {
			for i := range queries {
				table[(h*keys+j)*queries+i] = float32(-slope * math.Abs(float64(j-i-(keys-queries))))
			}
		}
	}
	return table
}
