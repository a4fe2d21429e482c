package tape

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
)

// InstanceNorm normalises each channel of each sample over its steps to mean 0
// and variance 1, then multiplies by gain and adds bias, which may both be nil
// (Ulyanov, Vedaldi and Lempitsky 2016). x is a sequence of the given number of
// steps. O(rows·cols).
func (t *Tape) InstanceNorm(x *Tensor, steps int, gain, bias *Param, eps float64) *Tensor {
	mustSteps("instance norm", x, steps)
	y := t.standardise(x, steps, gain, bias, eps, t.alloc(x.Cols), t.alloc(x.Cols), None)
	if t.trace != nil {
		t.traceInstanceNorm(y, x, steps, gain, bias, eps)
	}
	return y
}

// mustSteps panics unless x is whole samples of so many steps.
func mustSteps(what string, x *Tensor, steps int) {
	if steps < 1 || x.Rows%steps != 0 {
		panic(fmt.Sprintf("tape: %s of sequences of %d steps in %v", what, steps, x))
	}
}

// RevIN holds the gain and bias of a reversible instance normalisation, one
// value a channel, nil without.
type RevIN struct {
	Gain, Bias *Param
	Epsilon    float64
}

// Instances are the mean and deviation that a reversible normalisation removed,
// for each sample and channel.
type Instances struct {
	mean, deviation         []float32
	meanName, deviationName string // where traced
}

// Normalise removes mean and deviation of each channel of each sample over its
// steps, y = (x − mean)/√(variance + ε)·gain + bias, and returns what it removed
// (Kim et al. 2022, equations 1 and 2). As there, no gradient flows through mean
// and deviation.
func (t *Tape) Normalise(x *Tensor, steps int, r *RevIN) (*Tensor, *Instances) {
	mustSteps("reversible norm", x, steps)
	n := x.Cols
	samples := x.Rows / steps
	in := &Instances{mean: t.alloc(samples * n), deviation: t.alloc(samples * n)}
	sum := t.alloc(2 * n)
	y := t.fresh(x.Rows, n)
	for b := range samples {
		mean, deviation := in.mean[b*n:(b+1)*n], in.deviation[b*n:(b+1)*n]
		rows := x.Value[b*steps*n : (b+1)*steps*n]
		sumRows(mean, rows, false)
		vec.Scale(mean, mean, 1/float32(steps))
		vec.Scale(mean, sum[:n], -1)
		clear(deviation)
		for i := 0; i < len(rows); i += n {
			vec.Add(rows[i:i+n], sum[:n], sum[n:])
			vec.MulAdd(sum[n:], sum[n:], deviation, deviation)
		}
		for j, v := range deviation {
			deviation[j] = float32(math.Sqrt(float64(v)/float64(steps) + r.Epsilon))
		}
		for i := range steps {
			o := y.Row(b*steps + i)
			vec.Add(rows[i*n:(i+1)*n], sum[:n], o)
			for j, v := range deviation {
				o[j] /= v
			}
			if r.Gain != nil {
				vec.MulAdd(o, r.Gain.Value, r.Bias.Value, o)
			}
		}
	}
	if t.trace != nil {
		in.meanName, in.deviationName = t.traceInstanceNorm(y, x, steps, r.Gain, r.Bias, r.Epsilon)
	}
	if !t.train {
		return y, in
	}
	t.back = append(t.back, func() {
		if !y.wants() {
			return
		}
		if r.Gain != nil {
			db, add := t.gradOfParam(r.Bias)
			sumRows(db, y.grad, add)
			dg, add := t.gradOfParam(r.Gain)
			if !add {
				clear(dg)
			}
			for i := range x.Rows {
				mean, deviation := in.of(i/steps, n)
				for j, u := range y.grad[i*n : (i+1)*n] {
					dg[j] += float32(u * ((x.Value[i*n+j] - mean[j]) / deviation[j]))
				}
			}
		}
		if x.input {
			return
		}
		dx, add := t.gradOf(x)
		for i := range x.Rows {
			_, deviation := in.of(i/steps, n)
			for j, u := range y.grad[i*n : (i+1)*n] {
				d := u / deviation[j]
				if r.Gain != nil {
					d *= r.Gain.Value[j]
				}
				if add {
					d += dx[i*n+j]
				}
				dx[i*n+j] = d
			}
		}
	})
	return y, in
}

func (in *Instances) of(sample, n int) (mean, deviation []float32) {
	return in.mean[sample*n : (sample+1)*n], in.deviation[sample*n : (sample+1)*n]
}

// Denormalise is the reverse of [Tape.Normalise], for any number of rows a
// sample: x = (y − bias)/(gain + ε²)·deviation + mean (Kim et al. 2022, equation
// 3; ε² as in their code keeps a gain of zero from dividing).
func (t *Tape) Denormalise(y *Tensor, in *Instances, r *RevIN) *Tensor {
	n := y.Cols
	samples := len(in.mean) / n
	if samples*n != len(in.mean) || samples == 0 || y.Rows%samples != 0 {
		panic(fmt.Sprintf("tape: %d means for %v", len(in.mean), y))
	}
	steps := y.Rows / samples
	inverse, shift := t.alloc(n), t.alloc(n) // x = (y + shift)·inverse·deviation + mean
	for j := range n {
		inverse[j], shift[j] = 1, 0
		if r.Gain != nil {
			inverse[j], shift[j] = float32(1/(float64(r.Gain.Value[j])+float64(r.Epsilon*r.Epsilon))), -r.Bias.Value[j]
		}
	}
	x := t.fresh(y.Rows, n)
	for i := range y.Rows {
		mean, deviation := in.of(i/steps, n)
		o := x.Row(i)
		vec.Add(y.Row(i), shift, o)
		vec.Mul(o, inverse, o)
		vec.MulAdd(o, deviation, mean, o)
	}
	if t.trace != nil {
		t.traceDenormalise(x, y, in, steps, inverse, shift)
	}
	if !t.train {
		return x
	}
	t.back = append(t.back, func() {
		if !x.wants() {
			return
		}
		d := t.alloc(len(x.Value)) // of y
		for i := range y.Rows {
			_, deviation := in.of(i/steps, n)
			vec.Mul(x.grad[i*n:(i+1)*n], deviation, d[i*n:(i+1)*n])
			vec.Mul(d[i*n:(i+1)*n], inverse, d[i*n:(i+1)*n])
		}
		if r.Gain != nil {
			db, addBias := t.gradOfParam(r.Bias)
			dg, addGain := t.gradOfParam(r.Gain)
			if !addBias {
				clear(db)
			}
			if !addGain {
				clear(dg)
			}
			for i := range y.Rows {
				for j, u := range d[i*n : (i+1)*n] {
					db[j] -= u
					dg[j] -= float32(u * float32((y.Value[i*n+j]+shift[j])*inverse[j]))
				}
			}
		}
		if !y.input {
			g, add := t.gradOf(y)
			accumulate(g, d, add)
		}
	})
	return x
}
