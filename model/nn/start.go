package nn

import (
	"math"

	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// startAtShares sets the biases of the output layer to the logarithms of the
// classes' shares, so that an untrained network predicts about what the class
// prior does, as boosting starts from a base score. Otherwise the first epochs
// teach nothing but how rare a class is, and a short fit ends worse than the
// prior. A weighted count is raised by one so that an absent class has a finite
// logarithm. With balanced classes the shares are equal and nothing is done.
func (t *task) startAtShares(net network, in Shape, train *trainer.Data) {
	loss := t.cfg.Trained()
	if !t.cfg.Classifies() || loss == "sharpe" || t.cfg.ClassWeight == "balanced" {
		return
	}
	bias := outputBias(net, in)
	if bias == nil {
		return
	}
	classes := in.Outputs
	if t.cfg.Task == "binary" {
		classes = 2
	}
	counts := make([]float64, classes)
	for c := range counts {
		counts[c] = 1
	}
	for i, c := range train.Class {
		w := 1.0
		if train.Weight != nil {
			w = float64(train.Weight[i])
		}
		counts[c] += w
	}
	starts := make([]float64, in.Outputs)
	if classes == 2 && in.Outputs == 1 {
		starts[0] = math.Log(counts[1] / counts[0])
	} else {
		mean := 0.0
		for c := range counts {
			starts[c] = math.Log(counts[c])
			mean += starts[c] / float64(classes)
		}
		for c := range starts {
			starts[c] -= mean
		}
	}
	for i := range bias.Value {
		bias.Value[i] += float32(starts[i%in.Outputs])
	}
}

// outputBias is the parameter whose values are added to the outputs of a network,
// one for each output (or for each output of each member), nil if it has none. It
// is the last one; whether it is such a bias is found by changing it and looking.
func outputBias(net network, in Shape) *tape.Param {
	params := net.Params()
	last := params[len(params)-1]
	n := len(last.Value)
	if !last.NoDecay || n%in.Outputs != 0 {
		return nil
	}
	t := tape.New(0)
	outputs := func() []float32 {
		t.Reset(false, rng.Stream{})
		return append([]float32(nil), net.Logits(t, zeros(t, in)).Value...)
	}
	step := func(i int) float32 { return float32(i+1) / 8 }
	before := outputs()
	saved := append([]float32(nil), last.Value...)
	for i := range last.Value {
		last.Value[i] += step(i)
	}
	after := outputs()
	copy(last.Value, saved)
	if len(before) != n {
		return nil
	}
	for i, v := range before {
		if d := after[i] - v - step(i); !(math.Abs(float64(d)) <= 1e-3*math.Max(1, float64(step(i)))) {
			return nil
		}
	}
	return last
}

// zeros is a batch of one row of zeros.
func zeros(t *tape.Tape, in Shape) *trainer.Batch {
	b := &trainer.Batch{Rows: 1}
	if in.Table > 0 {
		b.Table = t.Zeros(1, in.Table)
	}
	for _, s := range in.Streams {
		b.Streams = append(b.Streams, t.Zeros(s.Steps, s.Channels))
	}
	if in.Known.Steps > 0 {
		b.Known = t.Zeros(in.Known.Steps, in.Known.Channels)
	}
	return b
}
