package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestForecastersGolden(t *testing.T) {
	checkGolden(t, "dlinear", func(in Shape) network {
		return newDLinear(&DLinear{Horizon: 4, Around: 2, Head: 6}, in, rng.New(1))
	})
	checkGolden(t, "nlinear", func(in Shape) network {
		return newNLinear(&NLinear{Horizon: 4, Head: 6}, in, rng.New(1))
	})
	checkGolden(t, "tsmixer", func(in Shape) network {
		return newTSMixer(&TSMixer{Blocks: 2, Hidden: 7, Horizon: 4}, in, rng.New(1))
	})
	checkGolden(t, "nbeats", func(in Shape) network {
		return newNBEATS(&NBEATS{Stacks: []string{"trend", "seasonality", "generic"}, Blocks: 2, Layers: 2, Hidden: 8, Theta: 4, Degree: 2, Harmonics: 2, Horizon: 4}, in, rng.New(1))
	})
}

func lag(n int, seed uint64) view.View { return modeltest.Lag(n, 12, 2, 3, seed) }

func crossing(n int, seed uint64) view.View { return modeltest.Interaction(n, 16, 3, seed) }

func shuffled(n int, seed uint64) view.View { return modeltest.Shuffled(crossing(n, seed), seed) }

// Each learns the patterns that its form can hold, and nothing from shuffled labels.
func TestForecastersLearnPatterns(t *testing.T) {
	notUnderRace(t)
	d, n, m, b := DefaultDLinear(), DefaultNLinear(), DefaultTSMixer(), DefaultNBEATS()
	for _, c := range []*Common{&d.Common, &n.Common, &m.Common, &b.Common} {
		quickly(c, 9)
	}
	b.Epochs = 14
	d.Dropout, n.Dropout, m.Dropout, b.Hidden = 0, 0, 0, 64
	for _, c := range []struct {
		e     model.Entry
		cfg   any
		floor float64
	}{{dlinearEntry(), &d, 0.4}, {nlinearEntry(), &n, 0.4}, {tsmixerEntry(), &m, 0.4}, {nbeatsEntry(), &b, 0.58}} {
		t.Run(c.e.Name, func(t *testing.T) {
			learnsPatterns(t, c.e, c.cfg, c.floor, map[string]func(int, uint64) view.View{"interaction": crossing, "long range": longRange, "regime flip": regimeFlip, "lag": lag})
			c.cfg.(interface{ common() *Common }).common().Patience = 8
			if loss := logLoss(t, fitted(t, c.e, c.cfg, shuffled(1200, 1), shuffled(400, 3)), shuffled(400, 2)); loss < 0.66 || loss > 0.8 {
				t.Errorf("log-loss %.3f on shuffled labels; chance is 0.693", loss)
			}
		})
	}
}
