package nn

import (
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestXLSTMGolden(t *testing.T) {
	checkGolden(t, "xlstm", func(in Shape) network {
		return newXLSTM(&XLSTM{Width: 8, Blocks: 2, MLSTM: 1, SLSTM: 1, Heads: 2, Conv: 4, Round: 64}, in, rng.New(1))
	})
}

func TestXLSTMLearnsPatterns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultXLSTM()
	cfg.Width, cfg.Heads, cfg.Dropout, cfg.Blocks, cfg.Round = 8, 2, 0, 1, 4
	for _, c := range []struct{ mlstm, slstm, epochs int }{{1, 0, 4}, {0, 1, 8}} {
		quickly(&cfg.Common, c.epochs)
		cfg.MLSTM, cfg.SLSTM = c.mlstm, c.slstm
		learnsPatterns(t, xlstmEntry(), &cfg, 0.35, map[string]func(int, uint64) view.View{"long range": longRange})
	}
}

func TestXLSTMRefusesSizesThatDoNotFit(t *testing.T) {
	for _, change := range []func(c *XLSTM){
		func(c *XLSTM) { c.Heads = 3 },
		func(c *XLSTM) { c.MLSTM, c.SLSTM = 0, 0 },
	} {
		cfg := DefaultXLSTM()
		change(&cfg)
		if _, err := xlstmEntry().New(&cfg); err == nil {
			t.Errorf("%d heads, %d:%d blocks pass", cfg.Heads, cfg.MLSTM, cfg.SLSTM)
		}
	}
}

func BenchmarkXLSTMStep(b *testing.B) {
	stepBenchmark(b, func(in Shape) network { c := DefaultXLSTM(); return newXLSTM(&c, in, rng.New(1)) })
}
