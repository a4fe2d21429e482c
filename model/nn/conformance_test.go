package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
)

// small is a configuration of an entry that fits in a moment.
func small(t *testing.T, e model.Entry, epochs int) any {
	cfg := e.Default()
	c, ok := cfg.(interface{ common() *Common })
	if !ok {
		t.Fatalf("the configuration of %q does not contain Common", e.Name)
	}
	common := c.common()
	common.Epochs, common.Patience, common.Batch, common.LearningRate = epochs, min(4, epochs-1), 64, 5e-3
	switch c := cfg.(type) {
	case *MLP:
		c.Hidden = 32
	case *RealMLP:
		c.Hidden, c.Waves, c.LearningRate, c.LabelSmoothing = 16, 4, 2e-2, 0
	case *TabM:
		c.Hidden, c.Members = 16, 4
	case *GRU:
		c.Hidden = 16
	case *Mamba:
		c.Width, c.State, c.Layers = 8, 4, 1
	case *Mamba2:
		c.Width, c.State, c.Head, c.Layers = 8, 16, 16, 1
	case *XLSTM:
		c.Width, c.Heads, c.Blocks, c.Round = 8, 1, 1, 4
	case *S4D:
		c.Width, c.State, c.Layers = 16, 16, 1
	case *S5:
		c.Width, c.State, c.Layers = 8, 16, 1
	case *TCN:
		c.Channels = 8
	case *InceptionTime:
		c.Filters, c.Depth, c.Bottleneck, c.Kernel = 4, 3, 4, 8
	case *ResNet1D:
		c.Channels, c.Widest, c.Stages = 8, 8, 2
	case *MiniRocket:
		c.Features = 84
	case *ModernTCN:
		c.Features, c.Patch, c.Stride, c.Large, c.Small = 4, 3, 2, 3, 0
	case *LSTM:
		c.Hidden = 16
	case *DLinear:
		c.Head = 16
	case *NLinear:
		c.Head, c.LearningRate = 32, 1e-2
	case *NBEATS:
		c.Hidden = 16
	case *TSMixer:
		c.Hidden = 8
	case *Transformer:
		c.Heads, c.HeadWidth, c.Layers, c.Hidden = 2, 8, 1, 32
	case *ITransformer:
		c.Heads, c.HeadWidth, c.Layers, c.Hidden = 2, 8, 1, 32
	case *PatchTST:
		c.Heads, c.HeadWidth, c.Layers, c.Hidden, c.Patch, c.Stride = 2, 4, 1, 16, 6, 6
	case *TFT:
		c.Heads, c.HeadWidth = 2, 4
	case *VSNLSTM:
		c.Width = 8
	}
	return cfg
}

// notUnderRace skips a test that only learns: under the race detector that takes
// ten times as long, and shares no memory that the laws of all learners and
// TestWorkersDoNotMatter do not.
func notUnderRace(t *testing.T) {
	t.Helper()
	if race.Enabled {
		t.Skip("learning shares no memory that other tests do not")
	}
}

// epochs are those of the fits of a law: two, unless the law asks what was learnt.
func epochs(e model.Entry, law string) int {
	switch {
	case law == "signal", law == "static" && e.Abilities.Static, law == "known-future" && e.Abilities.Known:
		return 5
	case law == "stop-rows":
		return 4
	}
	return 2
}

func TestConformance(t *testing.T) {
	for _, e := range Entries() {
		t.Run(e.Name, func(t *testing.T) {
			if race.Enabled && e.Name != "mlp" && e.Name != "lstm" && e.Name != "itransformer" {
				t.Skip("under the race detector three stand for all: workers share the same code")
			}
			// An operation may allocate its closure, whatever the sizes.
			o, laws := modeltest.Options{RowAllocs: 32}, map[int][]modeltest.Law{}
			if e.Input == model.InputTable {
				o.RowAllocs = 0
			}
			for _, n := range []int{2, 4, 5} {
				o.Config = func() any { return small(t, e, n) }
				laws[n] = modeltest.Laws(e, o)
			}
			for k, law := range laws[2] {
				law = laws[epochs(e, law.Name)][k]
				if law.Name == "weight-two" {
					continue // a row of weight 2 is in one mini-batch, two rows may be in two
				}
				t.Run(law.Name, func(t *testing.T) {
					if err := law.Check(); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}
