package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestMambaGolden(t *testing.T) {
	checkGolden(t, "mamba", func(in Shape) network {
		return newMamba(&Mamba{Width: 17, Layers: 2, State: 5, Expand: 2, Conv: 4}, in, rng.New(1))
	})
}

func TestMambaLearnsPatterns(t *testing.T) {
	cfg := DefaultMamba()
	quickly(&cfg.Common, 8)
	cfg.Width, cfg.Layers, cfg.State, cfg.Dropout = 16, 1, 8, 0
	learnsPatterns(t, mambaEntry(), &cfg, 0.35, map[string]func(int, uint64) view.View{"long range": longRange, "motif": motif, "regime flip": regimeFlip})
}

func BenchmarkMambaStep(b *testing.B) {
	stepBenchmark(b, func(in Shape) network { c := DefaultMamba(); return newMamba(&c, in, rng.New(1)) })
}
