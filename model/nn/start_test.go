package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Every architecture has biases that can be set to the logarithms of the shares:
// after a fit whose steps are too small to matter, the rare class is predicted as
// rarely as it occurs, as far as the first weights allow.
func TestNetworksStartAtTheClassShares(t *testing.T) {
	for _, e := range Entries() {
		v := everything(e, 400, 16, 3)
		for i := range v.Class {
			v.Class[i] = int8(2*(i%2) - 1)
			if i%40 == 7 {
				v.Class[i] = 0
			}
		}
		cfg := small(t, e, 2)
		c := cfg.(interface{ common() *Common }).common()
		c.Epochs, c.LearningRate, c.Warmup = 1, 1e-8, 0
		m := fitted(t, e, cfg, v, view.View{})
		var p model.Prediction
		if err := m.Predict(t.Context(), v, &p); err != nil {
			t.Fatal(err)
		}
		mean := 0.0
		for i := range p.N {
			mean += p.Row(i)[1] / float64(p.N)
		}
		if mean > 0.1 {
			t.Errorf("%s: a class with a share of 0.025 is predicted with %.3f at the start", e.Name, mean)
		}
	}
}

// A last parameter that does not simply shift the outputs is left alone.
func TestOutputBias(t *testing.T) {
	in := Shape{Table: 3, Outputs: 3}
	n := newMLP(&MLP{Hidden: 4, Layers: 1}, in, rng.New(1)).(*mlp)
	if outputBias(n, in) != n.out.bias {
		t.Error("the bias of the last layer was not found")
	}
	before := append([]float32(nil), n.out.bias.Value...)
	outputBias(n, in)
	for i, v := range n.out.bias.Value {
		if v != before[i] {
			t.Error("looking for the bias changed it")
		}
	}
	if got := outputBias(doubled{n}, in); got != nil {
		t.Errorf("%s was taken for the outputs' bias", got.Name)
	}
}

// doubled returns twice what an mlp does.
type doubled struct{ *mlp }

func (d doubled) Logits(t *tape.Tape, in *trainer.Batch) *tape.Tensor {
	return t.Scale(d.mlp.Logits(t, in), 2)
}
