package trainer

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/rng"
)

// measure is the part of the given rows, with weights w over total, in the loss
// that is trained, or in the one that stops the training. On a tape that trains it
// writes the gradient of the outputs z.
func (f *fitter) measure(t *tape.Tape, z *tape.Tensor, d *Data, rows []int, w []float32, total float64, train bool) float64 {
	c := &f.cfg
	loss := c.Trained()
	if !train && loss == "focal" {
		loss = "cross_entropy"
	}
	classes := func() []int { return pick(d.Class, rows) }
	switch loss {
	case "focal":
		return t.Focal(z, classes(), w, c.FocalGamma, total)
	case "mse":
		return t.MSE(z, pick(d.Target, rows), w, total)
	case "huber":
		return t.Huber(z, pick(d.Target, rows), w, c.HuberDelta, total)
	case "quantile":
		return t.Quantile(z, pick(d.Target, rows), c.Quantiles, w, total)
	case "cross_entropy":
		smoothing := 0.0
		if train {
			smoothing = c.LabelSmoothing
		}
		if c.Task == "classes" {
			return t.CrossEntropy(z, classes(), w, smoothing, total)
		}
		target := make([]float32, len(rows))
		for i, y := range classes() {
			target[i] = float32(float64(float64(y)*(1-smoothing)) + smoothing/2)
		}
		return t.BCE(z, target, w, total)
	}
	panic(fmt.Sprintf("trainer: no loss %q", loss)) // the configuration was checked
}

// pick is the given elements of v.
func pick[E any](v []E, rows []int) []E {
	out := make([]E, len(rows))
	for i, r := range rows {
		out[i] = v[r]
	}
	return out
}

// gradients adds the gradients of a mini-batch to those of the step, whose rows
// weigh total, and returns its part of the loss.
func (f *fitter) gradients(rows []int, total float64, drop rng.Stream) (loss float64) {
	count := min(f.shards, f.shardsOf(len(rows)))
	losses := make([]float64, count)
	sharpe := f.cfg.Trained() == "sharpe"
	held, tapes := make([]*tape.Tensor, count), make([]*tape.Tape, count)
	from := func(s int) int { return len(rows) * s / count }
	f.crew.run(count, func(s int) {
		part := rows[from(s):from(s+1)]
		t := f.tapes.take(s)
		if sharpe {
			t.Reset(true, drop.Stream("shard", s))
			z := f.net.Logits(t, f.train.Source.Put(t, part))
			held[s], tapes[s] = t.Position(z, len(part)), t
			return
		}
		defer f.tapes.give(t)
		n := f.portions(len(part))
		for k := range n {
			stream := drop.Stream("shard", s)
			if k > 0 {
				stream = stream.Stream("portion", k)
			}
			some := part[len(part)*k/n : len(part)*(k+1)/n]
			t.Reset(true, stream)
			z := f.net.Logits(t, f.train.Source.Put(t, some))
			losses[s] += f.measure(t, z, &f.train, some, pick(f.weight, some), total, true)
			t.Backward()
		}
	})
	if sharpe {
		positions, grad := make([]float32, len(rows)), make([]float32, len(rows))
		for s, p := range held {
			copy(positions[from(s):], p.Value)
		}
		loss := f.sharpe(positions, &f.train, rows, grad)
		f.crew.run(count, func(s int) {
			tapes[s].Receive(held[s], grad[from(s):from(s+1)])
			tapes[s].Backward()
			f.tapes.give(tapes[s])
		})
		return loss
	}
	for _, l := range losses {
		loss += l
	}
	return loss
}

// sharpe is the loss of positions in rows (nil: all, of the stop rows), with returns
// in units of the training rows' root mean square.
func (f *fitter) sharpe(positions []float32, d *Data, rows []int, grad []float32) float64 {
	n := len(positions)
	returns, weight, follows := make([]float32, n), make([]float32, n), make([]bool, n)
	for i := range n {
		r := i
		if rows != nil {
			r = rows[i]
			weight[i] = f.weight[r]
			follows[i] = i > 0 && r == rows[i-1]+1
		} else {
			weight[i] = float32(f.stopWeight(d, r))
			follows[i] = i > 0
		}
		returns[i] = d.Target[r] * f.unit
	}
	return tape.Sharpe(positions, returns, weight, follows, f.cfg.SharpeCost*float64(f.unit), grad)
}
