package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestS4DGolden(t *testing.T) {
	checkGolden(t, "s4d", func(in Shape) network {
		return newS4D(&S4D{Width: 7, Layers: 2, State: 10, Start: "lin", Pool: "mean", DtMin: 1e-3, DtMax: 0.1}, in, rng.New(1))
	})
}

func TestS4DLearnsPatterns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultS4D()
	quickly(&cfg.Common, 8)
	cfg.Width, cfg.State, cfg.Dropout = 16, 16, 0
	learnsPatterns(t, s4dEntry(), &cfg, 0.35, map[string]func(int, uint64) view.View{"long range": longRange, "motif": motif, "regime flip": regimeFlip})
	for _, c := range []struct{ start, discretise, pool string }{{"inv", "bilinear", "mean"}, {"real", "zoh", "last"}} {
		cfg.Start, cfg.Discretise, cfg.Pool, cfg.PreNorm = c.start, c.discretise, c.pool, true
		learnsPatterns(t, s4dEntry(), &cfg, 0.35, map[string]func(int, uint64) view.View{"regime flip": regimeFlip})
	}
}

func TestS4DRefusesStepsInTheWrongOrder(t *testing.T) {
	cfg := DefaultS4D()
	cfg.DtMin = 2
	if _, err := s4dEntry().New(&cfg); err == nil {
		t.Error("dt_min above dt_max passes")
	}
}

func BenchmarkS4DStep(b *testing.B) {
	stepBenchmark(b, func(in Shape) network { c := DefaultS4D(); return newS4D(&c, in, rng.New(1)) })
}
