package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestTransformerGolden(t *testing.T) {
	for name, positions := range map[string]string{"transformer": "sinusoidal", "transformer_causal": "learned", "transformer_rotary": "rotary",
		"transformer_linear": "linear", "transformer_relative": "relative"} {
		cfg := Transformer{Heads: 2, HeadWidth: 4, Layers: 2, Hidden: 12, Activation: "gelu", Positions: positions, Pool: "mean"}
		if name == "transformer_causal" || name == "transformer_linear" {
			cfg.Pool, cfg.Causal = "last", true
		}
		checkGolden(t, name, func(in Shape) network { return newTransformer(&cfg, in, rng.New(1)) })
	}
}

// planted is a pattern and the loss that a network must stay below.
type planted struct {
	name  string
	make  func(n, length, channels int, seed uint64) view.View
	below float64
}

func lag3(n, length, channels int, seed uint64) view.View {
	return modeltest.Lag(n, length, channels, 3, seed)
}

// learnsPlanted fits an entry to each pattern and to the last one with its
// classes shuffled, where a loss clearly below chance would be a leak.
func learnsPlanted(t *testing.T, e model.Entry, cfg any, rows int, patterns ...planted) {
	t.Helper()
	const length, channels = 12, 3
	for _, p := range patterns {
		t.Run(p.name, func(t *testing.T) {
			train, test := p.make(rows, length, channels, 1), p.make(400, length, channels, 2)
			m := fitted(t, e, cfg, train, view.View{})
			if loss := logLoss(t, m, test); !(loss < p.below) {
				t.Errorf("log-loss %.3f, want below %.2f; chance is %.3f", loss, p.below, modeltest.Chance)
			}
		})
	}
	p := patterns[len(patterns)-1]
	m := fitted(t, e, cfg, modeltest.Shuffled(p.make(400, length, channels, 1), 3), view.View{})
	if loss := logLoss(t, m, p.make(400, length, channels, 2)); loss < modeltest.Chance-0.05 {
		t.Errorf("shuffled classes: log-loss %.3f on other rows is below chance", loss)
	}
}

func TestTransformerLearns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultTransformer()
	cfg.Heads, cfg.HeadWidth, cfg.Layers, cfg.Hidden, cfg.Dropout = 2, 8, 2, 32, 0
	cfg.Positions, cfg.Pool = "learned", "last"
	cfg.Epochs, cfg.Batch, cfg.LearningRate = 12, 64, 5e-3
	learnsPlanted(t, transformerEntry(), &cfg, 1500, planted{"lag", lag3, 0.4}, planted{"interaction", modeltest.Interaction, 0.2}, planted{"long range", modeltest.LongRange, 0.2})
}
