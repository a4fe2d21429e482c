package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// The reference computes in chunks of 4; so do we, and as one.
func TestMamba2Golden(t *testing.T) {
	for _, chunk := range []int{4, 5, 64} {
		checkGolden(t, "mamba2", func(in Shape) network {
			return newMamba2(&Mamba2{Width: 9, Layers: 2, State: 5, Head: 6, Expand: 2, Conv: 4, Chunk: chunk}, in, rng.New(1))
		})
	}
}

func TestMamba2LearnsPatterns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultMamba2()
	quickly(&cfg.Common, 10)
	cfg.Width, cfg.Layers, cfg.State, cfg.Head, cfg.Dropout = 24, 1, 16, 16, 0
	learnsPatterns(t, mamba2Entry(), &cfg, 0.35, map[string]func(int, uint64) view.View{"long range": longRange, "regime flip": regimeFlip})
}

func TestMamba2RefusesHeadsThatDoNotDivide(t *testing.T) {
	cfg := DefaultMamba2()
	cfg.Head = 48
	if _, err := mamba2Entry().New(&cfg); err == nil {
		t.Error("heads of 48 of 128 channels pass")
	}
}

func BenchmarkMamba2Step(b *testing.B) {
	stepBenchmark(b, func(in Shape) network { c := DefaultMamba2(); return newMamba2(&c, in, rng.New(1)) })
}
