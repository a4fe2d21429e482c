package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// The sizes of bench/nn.

func BenchmarkTransformerStep(b *testing.B) {
	cfg := DefaultTransformer()
	cfg.Dropout, cfg.Positions = 0, "learned"
	stepBenchmark(b, func(in Shape) network { return newTransformer(&cfg, in, rng.New(1)) })
}

func BenchmarkPatchTSTStep(b *testing.B) {
	cfg := DefaultPatchTST()
	cfg.RevIN, cfg.Head, cfg.Dropout, cfg.HeadDropout = true, "flatten", 0, 0
	stepBenchmark(b, func(in Shape) network { return newPatchTST(&cfg, in, rng.New(1)) })
}

func BenchmarkTFTStep(b *testing.B) {
	cfg := DefaultTFT()
	cfg.Dropout = 0
	stepBenchmark(b, func(in Shape) network { return newTFT(&cfg, in, rng.New(1)) })
}
