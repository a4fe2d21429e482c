package tape

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/gemm"
	"github.com/mlfactory/mlfactory/internal/simd/vec"
	"github.com/mlfactory/mlfactory/model"
)

// Duality configures [Tape.SSD]: heads share the matrices B and C in groups.
type Duality struct {
	Heads, Groups   int
	Chunk           int    // steps that are computed as one product
	ALog, D, DtBias *Param // a value a head
}

// SSD is the state-space dual layer of Mamba-2 (Dao and Gu 2024, section 6): for
// each head of P channels, with N states, Δ = softplus(dt + bias) and the number
// A = −e^aLog,
//
//	h[s] = e^(Δ[s]·A)·h[s−1] + Δ[s]·B[s]·x[s]ᵀ,  y[s] = C[s]·h[s] + D·x[s]
//
// computed in chunks of steps as products of matrices: within a chunk Y = (L∘C·Bᵀ)·X
// with L[s,j] = e^(A·(Δ[j+1] + … + Δ[s]))·Δ[j], and states pass from chunk to chunk.
// x is rows×(heads·P), dt rows×heads, b and c rows×(groups·N).
// O(rows·heads·(chunk + N)·P).
func (t *Tape) SSD(x, dt, b, c *Tensor, steps int, l *Duality) *Tensor {
	s := t.ssd(x, dt, b, c, steps, l)
	y := t.fresh(x.Rows, x.Cols)
	for r := range x.Rows {
		for h := range l.Heads {
			at := r*x.Cols + h*s.width
			vec.Scale(x.Value[at:at+s.width], y.Value[at:at+s.width], l.D.Value[h])
		}
	}
	for i := range s.samples {
		for k := range s.chunks {
			for h := range l.Heads {
				s.forward(y, i, k, h)
			}
		}
	}
	if t.trace != nil {
		t.traceSSD(y, x, dt, b, c, steps, l)
	}
	if !t.train {
		return y
	}
	t.back = append(t.back, func() {
		if y.wants() {
			s.backward(y)
		}
	})
	return y
}

// duality is one call of SSD.
type duality struct {
	t                      *Tape
	l                      *Duality
	x, dt, b, c            *Tensor
	samples, steps, chunks int
	width, states, shared  int       // channels of a head, states, heads of a group
	delta                  []float32 // rows×heads
	carried                []float32 // samples×heads×chunks×states×width: the state before each chunk but the first
	scores, decay          []float32 // chunk×chunk
	scaled                 []float32 // chunk×states
	ofGroup                int       // whose scores are in scores: group and chunk of a sample, −1: none
}

func (t *Tape) ssd(x, dt, b, c *Tensor, steps int, l *Duality) duality {
	s := duality{t: t, l: l, x: x, dt: dt, b: b, c: c, samples: samplesOf("duality", x, steps), steps: steps, ofGroup: -1}
	s.chunks = (steps + l.Chunk - 1) / l.Chunk
	s.width, s.states, s.shared = x.Cols/l.Heads, b.Cols/l.Groups, l.Heads/l.Groups
	mustMatch("duality", s.width*l.Heads == x.Cols && s.shared*l.Groups == l.Heads && dt.Cols == l.Heads && dt.Rows == x.Rows, x, dt)
	mustMatch("duality", s.states*l.Groups == b.Cols && b.Rows == x.Rows && c.Rows == x.Rows && c.Cols == b.Cols, b, c)
	q := min(steps, l.Chunk)
	s.delta = t.alloc(len(dt.Value))
	for r := range dt.Rows {
		vec.Add(dt.Row(r), l.DtBias.Value, s.delta[r*l.Heads:(r+1)*l.Heads])
	}
	vec.Softplus(s.delta, s.delta)
	s.scores, s.decay, s.scaled = t.alloc(q*q), t.alloc(q*q), t.alloc(q*s.states)
	s.carried = t.alloc(s.samples * l.Heads * s.chunks * s.states * s.width)
	return s
}

// before is the state of a head before a chunk.
func (s *duality) before(i, h, k int) []float32 {
	n := s.states * s.width
	at := ((i*s.l.Heads+h)*s.chunks + k) * n
	return s.carried[at : at+n]
}

// rows are the first row and the number of rows of a chunk.
func (s *duality) rows(i, k int) (first, q int) {
	return i*s.steps + k*s.l.Chunk, min(s.l.Chunk, s.steps-k*s.l.Chunk)
}

// of is the part of x, b or c, or of a gradient of theirs, that belongs to rows
// from first on and a head or group.
func of(v []float32, cols, first, part, width int) []float32 { return v[first*cols+part*width:] }

// maxChunk bounds the steps of a chunk.
const maxChunk = 1024

// prepare computes C·Bᵀ of the chunk into scores, where it is not there yet, the
// running sums of Δ·A and the decay e^(sum[s]−sum[j]) for j ≤ s, 0 above.
func (s *duality) prepare(i, k, h int, sum *[maxChunk]float64) (first, q int, a float64) {
	first, q = s.rows(i, k)
	g := h / s.shared
	if id := (i*s.chunks+k)*s.l.Groups + g; id != s.ofGroup {
		cols := s.b.Cols
		gemm.Mul(q, q, s.states, gemm.Rows(of(s.c.Value, cols, first, g, s.states), cols), gemm.Cols(of(s.b.Value, cols, first, g, s.states), cols), s.scores, q, false, &s.t.gemm)
		s.ofGroup = id
	}
	a = -model.Exp(float64(s.l.ALog.Value[h]))
	total := 0.0
	for r := range q {
		total += float64(float64(s.delta[(first+r)*s.l.Heads+h]) * a)
		sum[r] = total
	}
	for r := range q {
		row := s.decay[r*q : (r+1)*q]
		for j := range r + 1 {
			row[j] = float32(sum[r] - sum[j])
		}
		vec.Exp(row[:r+1], row[:r+1])
		clear(row[r+1:])
	}
	return first, q, a
}

// scale fills scaled with the rows of a group of v times weights.
func (s *duality) scale(v []float32, first, q, g int, weight func(r int) float32) {
	for r := range q {
		from := of(v, s.b.Cols, first+r, g, s.states)
		vec.Scale(from[:s.states], s.scaled[r*s.states:(r+1)*s.states], weight(r))
	}
}

// forward adds chunk k of head h of sample i to y and carries its state on.
func (s *duality) forward(y *Tensor, i, k, h int) {
	var sum [maxChunk]float64
	first, q, _ := s.prepare(i, k, h, &sum)
	n, cols, g := s.states, s.x.Cols, h/s.shared
	x := of(s.x.Value, cols, first, h, s.width)
	at := of(y.Value, cols, first, h, s.width)
	delta := func(r int) float32 { return s.delta[(first+r)*s.l.Heads+h] }
	s.weigh(q, delta)
	gemm.Mul(q, s.width, q, gemm.Rows(s.decay, q), gemm.Rows(x, cols), at, cols, true, &s.t.gemm)
	if k > 0 {
		s.scale(s.c.Value, first, q, g, func(r int) float32 { return float32(model.Exp(sum[r])) })
		gemm.Mul(q, s.width, n, gemm.Rows(s.scaled, n), gemm.Rows(s.before(i, h, k), s.width), at, cols, true, &s.t.gemm)
	}
	if k+1 == s.chunks {
		return
	}
	next := s.before(i, h, k+1)
	if k > 0 {
		vec.Scale(s.before(i, h, k), next, float32(model.Exp(sum[q-1])))
	}
	s.scale(s.b.Value, first, q, g, func(r int) float32 { return float32(model.Exp(sum[q-1]-sum[r])) * delta(r) })
	gemm.Mul(n, s.width, q, gemm.Cols(s.scaled, n), gemm.Rows(x, cols), next, s.width, k > 0, &s.t.gemm)
}

// weigh turns decay into decay ∘ scores, times Δ[j].
func (s *duality) weigh(q int, delta func(r int) float32) {
	for r := range q {
		row, score := s.decay[r*q:r*q+r+1], s.scores[r*q:]
		for j := range row {
			row[j] *= float32(score[j] * delta(j))
		}
	}
}

func (s *duality) backward(y *Tensor) {
	t, l := s.t, s.l
	cols, n, q := s.x.Cols, s.states, min(s.steps, l.Chunk)
	start := func(g []float32, add bool) []float32 {
		if !add {
			clear(g)
		}
		return g
	}
	dx := t.scratchGrad(s.x)
	db, dc := start(t.gradOf(s.b)), start(t.gradOf(s.c))
	da, dd := start(t.gradOfParam(l.ALog)), start(t.gradOfParam(l.D))
	for r := range s.x.Rows {
		for h := range l.Heads {
			at := r*cols + h*s.width
			up := y.grad[at : at+s.width]
			dd[h] += vec.Dot(up, s.x.Value[at:at+s.width])
			vec.Axpy(l.D.Value[h], up, dx[at:at+s.width])
		}
	}
	ddelta := t.alloc(len(s.delta))
	dw, dg, part := t.alloc(q*q), t.alloc(q*q), t.alloc(q*n)
	after, before := t.alloc(n*s.width), t.alloc(n*s.width)
	s.ofGroup = -1
	var sum, ds [maxChunk]float64
	for i := range s.samples {
		for h := range l.Heads {
			g := h / s.shared
			for k := s.chunks - 1; k >= 0; k-- {
				first, q, a := s.prepare(i, k, h, &sum)
				clear(ds[:q])
				x, up := of(s.x.Value, cols, first, h, s.width), of(y.grad, cols, first, h, s.width)
				down := of(dx, cols, first, h, s.width)
				delta := func(r int) float32 { return s.delta[(first+r)*l.Heads+h] }
				ofDelta := func(r int) *float32 { return &ddelta[(first+r)*l.Heads+h] }
				for r := range q {
					*ofDelta(r) = 0
				}
				gemm.Mul(q, q, s.width, gemm.Rows(up, cols), gemm.Cols(x, cols), dw, q, false, &t.gemm)
				for r := range q {
					row := dw[r*q : (r+1)*q]
					for j := range r + 1 {
						v := float32(row[j] * s.decay[r*q+j])
						dg[r*q+j] = float32(v * delta(j))
						v *= s.scores[r*q+j]
						*ofDelta(j) += v
						e := float64(v * delta(j))
						ds[r] += e
						ds[j] -= e
					}
					clear(dg[r*q+r+1 : (r+1)*q])
				}
				s.weigh(q, delta)
				gemm.Mul(q, s.width, q, gemm.Cols(s.decay, q), gemm.Rows(up, cols), down, cols, true, &t.gemm)
				group := func(v []float32) []float32 { return of(v, s.b.Cols, first, g, n) }
				gemm.Mul(q, n, q, gemm.Rows(dg, q), gemm.Rows(group(s.b.Value), s.b.Cols), group(dc), s.b.Cols, true, &t.gemm)
				gemm.Mul(q, n, q, gemm.Cols(dg, q), gemm.Rows(group(s.c.Value), s.b.Cols), group(db), s.b.Cols, true, &t.gemm)
				clear(before)
				if k+1 < s.chunks { // the state that leaves the chunk has the gradient after
					weight := func(r int) float32 { return float32(model.Exp(sum[q-1]-sum[r])) * delta(r) }
					s.scale(s.b.Value, first, q, g, weight)
					gemm.Mul(q, s.width, n, gemm.Rows(s.scaled, n), gemm.Rows(after, s.width), down, cols, true, &t.gemm)
					gemm.Mul(q, n, s.width, gemm.Rows(x, cols), gemm.Cols(after, s.width), part, n, false, &t.gemm)
					for r := range q {
						p := part[r*n : (r+1)*n]
						at := of(s.b.Value, s.b.Cols, first+r, g, n)[:n]
						v := vec.Dot(p, at)
						w := weight(r)
						*ofDelta(r) += v * float32(model.Exp(sum[q-1]-sum[r]))
						ds[q-1] += float64(v * w)
						ds[r] -= float64(v * w)
						vec.Axpy(w, p, of(db, s.b.Cols, first+r, g, n)[:n])
					}
					if k > 0 {
						keep := float32(model.Exp(sum[q-1]))
						ds[q-1] += float64(keep * vec.Dot(s.before(i, h, k), after))
						vec.Scale(after, before, keep)
					}
				}
				if k > 0 {
					gemm.Mul(q, n, s.width, gemm.Rows(up, cols), gemm.Cols(s.before(i, h, k), s.width), part, n, false, &t.gemm)
					weight := func(r int) float32 { return float32(model.Exp(sum[r])) }
					for r := range q {
						p := part[r*n : (r+1)*n]
						at := of(s.c.Value, s.b.Cols, first+r, g, n)[:n]
						ds[r] += float64(weight(r) * vec.Dot(p, at))
						vec.Axpy(weight(r), p, of(dc, s.b.Cols, first+r, g, n)[:n])
					}
					s.scale(s.c.Value, first, q, g, weight)
					gemm.Mul(n, s.width, q, gemm.Cols(s.scaled, n), gemm.Rows(up, cols), before, s.width, true, &t.gemm)
				}
				after, before = before, after
				later, slope := 0.0, 0.0
				for r := q - 1; r >= 0; r-- {
					later += ds[r]
					slope += float64(later * float64(delta(r)))
					*ofDelta(r) += float32(later * a)
				}
				da[h] += float32(slope * a)
			}
		}
	}
	raw := t.alloc(l.Heads)
	bias := start(t.gradOfParam(l.DtBias))
	dt := t.scratchGrad(s.dt)
	for r := range s.dt.Rows {
		at := ddelta[r*l.Heads : (r+1)*l.Heads]
		vec.Add(s.dt.Row(r), l.DtBias.Value, raw)
		vec.SoftplusGrad(raw, at, at)
		vec.Add(bias, at, bias)
		vec.Add(dt[r*l.Heads:(r+1)*l.Heads], at, dt[r*l.Heads:(r+1)*l.Heads])
	}
}

// scratchGrad is the gradient of x to add to, or of nothing where x wants none.
func (t *Tape) scratchGrad(x *Tensor) []float32 {
	if x.input {
		g := t.alloc(len(x.Value))
		clear(g)
		return g
	}
	g, add := t.gradOf(x)
	if !add {
		clear(g)
	}
	return g
}

// traceSSD writes the layer as one chunk.
func (t *Tape) traceSSD(y, x, dt, b, c *Tensor, steps int, l *Duality) {
	tr := t.trace
	width, states, shared := x.Cols/l.Heads, b.Cols/l.Groups, l.Heads/l.Groups
	// samples × groups × heads of a group × steps × …
	split := func(name string, heads, cols int64) string {
		n := tr.node("Reshape", []string{name, tr.ints(-1, int64(steps), int64(l.Groups), heads, cols)})
		return tr.transpose(n, 0, 2, 3, 1, 4)
	}
	delta := split(tr.node("Softplus", []string{tr.node("Add", []string{tr.of(dt), tr.param(l.DtBias)})}), int64(shared), 1)
	a := make([]float32, l.Heads)
	for h, v := range l.ALog.Value {
		a[h] = float32(-model.Exp(float64(v)))
	}
	decays := tr.node("Mul", []string{delta, tr.floats(a, 1, l.Groups, shared, 1, 1)})
	// Sums by a product with a triangle: row s has the steps up to s.
	triangle, mask := make([]float32, steps*steps), make([]float32, steps*steps)
	for r := range steps {
		for j := range steps {
			if j <= r {
				triangle[r*steps+j] = 1
			} else {
				mask[r*steps+j] = float32(math.Inf(-1))
			}
		}
	}
	sum := tr.node("MatMul", []string{tr.floats(triangle, steps, steps), decays})
	gap := tr.node("Sub", []string{sum, tr.transpose(sum, 0, 1, 2, 4, 3)})
	// Above the diagonal the gap may be large: cut it before the mask takes it away.
	gap = tr.node("Min", []string{gap, tr.number(0)})
	weight := tr.node("Exp", []string{tr.node("Add", []string{gap, tr.floats(mask, steps, steps)})})
	scores := tr.node("MatMul", []string{split(tr.of(c), 1, int64(states)), tr.transpose(split(tr.of(b), 1, int64(states)), 0, 1, 2, 4, 3)})
	weight = tr.node("Mul", []string{tr.node("Mul", []string{weight, scores}), tr.transpose(delta, 0, 1, 2, 4, 3)})
	values := split(tr.of(x), int64(shared), int64(width))
	d := tr.floats(l.D.Value, 1, l.Groups, shared, 1, 1)
	out := tr.node("Add", []string{tr.node("MatMul", []string{weight, values}), tr.node("Mul", []string{values, d})})
	tr.names[y] = tr.matrix(tr.transpose(out, 0, 3, 1, 2, 4), x.Cols)
}
