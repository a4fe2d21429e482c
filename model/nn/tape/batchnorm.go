package tape

import (
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// BatchNorm holds the parameters of a batch normalisation in the names and
// shapes of PyTorch: gain and bias, and three buffers.
type BatchNorm struct {
	Gain, Bias     *Param // one value a channel
	Mean, Variance *Param // running statistics, used without training
	Batches        *Param // number of steps that they saw
	Epsilon        float64
}

// NewBatchNorm makes a batch normalisation of n channels, named like PyTorch's:
// name.weight, name.bias, name.running_mean, name.running_var and
// name.num_batches_tracked. A running statistic moves by a tenth of the way to
// that of a step, and in the first steps is their plain mean: a start that the
// first epochs would otherwise have to forget.
func NewBatchNorm(name string, n int) *BatchNorm {
	b := &BatchNorm{
		Gain: NewParam(name+".weight", n), Bias: NewParam(name+".bias", n),
		Mean: NewParam(name+".running_mean", n), Variance: NewParam(name+".running_var", n),
		Batches: NewParam(name+".num_batches_tracked", 1), Epsilon: 1e-5,
	}
	b.Gain.NoDecay, b.Bias.NoDecay = true, true
	for i := range n {
		b.Gain.Value[i], b.Variance.Value[i] = 1, 1
	}
	follow := func(p *Param) {
		p.Absorb = func(measured []float32) {
			rate := max(0.1, 1/(1+b.Batches.Value[0]))
			for i, v := range measured {
				p.Value[i] += float32(rate * (v - p.Value[i]))
			}
		}
	}
	follow(b.Mean)
	follow(b.Variance)
	b.Batches.Absorb = func([]float32) { b.Batches.Value[0]++ }
	return b
}

// Params are the parameters and buffers in the order in which they settle.
func (b *BatchNorm) Params() []*Param { return []*Param{b.Gain, b.Bias, b.Mean, b.Variance, b.Batches} }

// BatchNorm normalises each column to mean 0 and variance 1 over all rows, then
// multiplies by gain, adds bias and applies the activation (Ioffe and Szegedy
// 2015). When training, the statistics are those of the rows on this tape, a
// shard of the mini-batch ("ghost batch norm", Hoffer et al. 2017): a step's
// result depends on the size of the shards, which the trainer takes from the
// size of the mini-batch alone, and never on the number of workers. The running
// statistics absorb the mean over shards, with the variance divided by n−1.
// Without training the running statistics stand in. O(rows·cols).
func (t *Tape) BatchNorm(x *Tensor, b *BatchNorm, a Activation) *Tensor {
	n := x.Cols
	mustMatch("batch norm", len(b.Gain.Value) == n, x, b.Gain)
	if t.train {
		mean, variance := t.alloc(n), t.alloc(n)
		y := t.standardise(x, x.Rows, b.Gain, b.Bias, b.Epsilon, mean, variance, a)
		m, v := t.measured(b.Mean), t.measured(b.Variance)
		vec.Add(m, mean, m)
		vec.Axpy(float32(x.Rows)/float32(max(1, x.Rows-1)), variance, v)
		t.measured(b.Batches)[0]++
		return y
	}
	scale, shift := t.alloc(n), t.alloc(n)
	for j := range n {
		s := float64(b.Gain.Value[j]) / math.Sqrt(float64(b.Variance.Value[j])+b.Epsilon)
		scale[j], shift[j] = float32(s), float32(float64(b.Bias.Value[j])-float64(float64(b.Mean.Value[j])*s))
	}
	y := t.fresh(x.Rows, n)
	scaleRows(x.Value, t.spread(scale), t.spread(shift), y.Value)
	if t.trace != nil {
		tr := t.trace
		tr.names[y] = tr.node("Add", []string{tr.node("Mul", []string{tr.of(x), tr.floats(scale, n)}), tr.floats(shift, n)})
	}
	return t.inPlace(y, a)
}

// scaleRows is x·scale + shift by columns; both are spread.
func scaleRows(x, scale, shift, y []float32) {
	for i := 0; i < len(x); i += len(scale) {
		n := min(len(scale), len(x)-i)
		vec.MulAdd(x[i:i+n], scale[:n], shift[:n], y[i:i+n])
	}
}

// inPlace applies an activation to a tensor that nothing else will read.
func (t *Tape) inPlace(y *Tensor, a Activation) *Tensor {
	if a == ReLU {
		vec.ReLU(y.Value, y.Value)
		if t.trace != nil {
			t.traceApply(y, y, ReLU)
		}
		return y
	}
	return t.Apply(y, a)
}

// standardise normalises each column over each group of rows. gain and bias may
// be nil. mean and variance, one value a column of the last group, are outputs.
func (t *Tape) standardise(x *Tensor, group int, gain, bias *Param, eps float64, mean, variance []float32, a Activation) *Tensor {
	n := x.Cols
	groups := x.Rows / group
	y := t.fresh(x.Rows, n)
	centred := t.alloc(len(x.Value))
	inv := t.alloc(groups * n)
	scale, shift := t.alloc(n), t.alloc(n)
	wide := t.alloc(blockRows(n) * n)
	wideShift := t.alloc(len(wide))
	clear(shift)
	if bias != nil {
		copy(shift, bias.Value)
	}
	repeatRow(wideShift, shift)
	lanes := t.alloc(len(wide))
	for g := range groups {
		at := g * group * n
		v, d, o := x.Value[at:at+group*n], centred[at:at+group*n], y.Value[at:at+group*n]
		clear(lanes)
		for i := 0; i < len(v); i += len(lanes) {
			k := min(len(lanes), len(v)-i)
			vec.Add(lanes[:k], v[i:i+k], lanes[:k])
		}
		fold(mean, lanes, false)
		vec.Scale(mean, mean, 1/float32(group))
		vec.Scale(mean, scale, -1)
		repeatRow(wide, scale)
		clear(lanes)
		for i := 0; i < len(v); i += len(wide) {
			k := min(len(wide), len(v)-i)
			c := d[i : i+k]
			vec.Add(v[i:i+k], wide[:k], c)
			vec.MulAdd(c, c, lanes[:k], lanes[:k])
		}
		fold(variance, lanes, false)
		vec.Scale(variance, variance, 1/float32(group))
		s := inv[g*n : (g+1)*n]
		for j, u := range variance {
			s[j] = float32(1 / math.Sqrt(float64(u)+eps))
		}
		copy(scale, s)
		if gain != nil {
			vec.Mul(scale, gain.Value, scale)
		}
		repeatRow(wide, scale)
		for i := 0; i < len(v); i += len(wide) {
			k := min(len(wide), len(v)-i)
			vec.MulAdd(d[i:i+k], wide[:k], wideShift[:k], o[i:i+k])
			if a == ReLU {
				vec.ReLU(o[i:i+k], o[i:i+k])
			}
		}
	}
	if t.train {
		t.back = append(t.back, func() { t.standardiseGrad(x, y, group, gain, bias, centred, inv, a == ReLU) })
	}
	if a == ReLU {
		return y
	}
	return t.Apply(y, a)
}

// standardiseGrad is the gradient of standardise: with d the centred values, i
// the inverse deviation and u the gradient of d·i·gain + bias,
// dx = gain·i·(u − mean u − d·i²·mean(u·d)).
func (t *Tape) standardiseGrad(x, y *Tensor, group int, gain, bias *Param, centred, inv []float32, relu bool) {
	if !y.wants() {
		return
	}
	n := x.Cols
	var dx, dgain, dbias []float32
	add, addGain, addBias := false, false, false
	if !x.input {
		dx, add = t.gradOf(x)
	}
	if gain != nil {
		dgain, addGain = t.gradOfParam(gain)
	}
	if bias != nil {
		dbias, addBias = t.gradOfParam(bias)
	}
	wide := blockRows(n) * n
	sumLanes, slopeLanes := t.alloc(wide), t.alloc(wide)
	up, byGrad, byValue, offset := t.alloc(wide), t.alloc(wide), t.alloc(wide), t.alloc(wide)
	sum, slope, row := t.alloc(n), t.alloc(n), t.alloc(n)
	masked := up[:0]
	for g := range x.Rows / group {
		at := g * group * n
		u, d, s := y.grad[at:at+group*n], centred[at:at+group*n], inv[g*n:(g+1)*n]
		if relu {
			if len(masked) == 0 {
				masked = t.alloc(group * n)
			}
			vec.ReLUGrad(y.Value[at:at+group*n], u, masked)
			u = masked
		}
		clear(sumLanes)
		clear(slopeLanes)
		for i := 0; i < len(u); i += wide {
			k := min(wide, len(u)-i)
			vec.Add(sumLanes[:k], u[i:i+k], sumLanes[:k])
			vec.MulAdd(u[i:i+k], d[i:i+k], slopeLanes[:k], slopeLanes[:k])
		}
		fold(sum, sumLanes, false)
		fold(slope, slopeLanes, false)
		if bias != nil {
			accumulate(dbias, sum, addBias || g > 0)
		}
		vec.Mul(slope, s, slope) // Σ u·d·i
		if gain != nil {
			accumulate(dgain, slope, addGain || g > 0)
		}
		if dx == nil {
			continue
		}
		copy(row, s)
		if gain != nil {
			vec.Mul(row, gain.Value, row)
		}
		repeatRow(byGrad, row)
		vec.Scale(row, row, -1/float32(group))
		vec.Mul(sum, row, sum)
		repeatRow(offset, sum)
		vec.Mul(slope, row, slope)
		vec.Mul(slope, s, slope)
		repeatRow(byValue, slope)
		o := dx[at : at+group*n]
		for i := 0; i < len(u); i += wide {
			k := min(wide, len(u)-i)
			b := up[:k]
			vec.MulAdd(d[i:i+k], byValue[:k], offset[:k], b)
			if add {
				vec.Add(b, o[i:i+k], b)
			}
			vec.MulAdd(u[i:i+k], byGrad[:k], b, o[i:i+k])
		}
	}
}
