package nn

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func TestMambaGolden(t *testing.T) {
	checkGolden(t, "mamba", func(in Shape) network {
		return newMamba(&Mamba{Width: 17, Layers: 2, State: 5, Expand: 2, Conv: 4}, in, rng.New(1))
	})
}

func TestMambaLearnsPatterns(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultMamba()
	quickly(&cfg.Common, 8)
	cfg.Width, cfg.Layers, cfg.State, cfg.Dropout = 16, 1, 8, 0
	learnsPatterns(t, mambaEntry(), &cfg, 0.35, map[string]func(int, uint64) view.View{"long range": longRange, "motif": motif, "regime flip": regimeFlip})
}

func BenchmarkMambaStep(b *testing.B) {
	stepBenchmark(b, func(in Shape) network { c := DefaultMamba(); return newMamba(&c, in, rng.New(1)) })
}

// The authors' block, with the selective scan of their reference.
func TestMambaBlockReference(t *testing.T) {
	raw, err := os.ReadFile(shareddata.Path(t, "ref_fm/ssm_golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Block struct {
			Params map[string]any `json:"params"`
			X      [][][]float32  `json:"x"`
			Y      [][][]float32  `json:"y"`
		} `json:"mamba1_block"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	cfg := Mamba{Width: 8, Layers: 1, State: 4, Expand: 2, Conv: 4, DtRank: 2}
	b := newMambaBlock("layer", &cfg, rng.New(1).Rand())
	for name, p := range map[string]*tape.Param{"in_proj": b.in, "conv_w": b.conv.weight, "conv_b": b.conv.bias, "x_proj": b.x,
		"dt_w": b.dt.weight, "dt_b": b.dt.bias, "A_log": b.aLog, "D": b.d, "out_proj": b.out} {
		var values []float32
		var walk func(x any)
		walk = func(x any) {
			if list, ok := x.([]any); ok {
				for _, v := range list {
					walk(v)
				}
				return
			}
			values = append(values, float32(x.(float64)))
		}
		walk(file.Block.Params[name])
		if len(values) != len(p.Value) {
			t.Fatalf("%s has %d values, want %d", name, len(values), len(p.Value))
		}
		copy(p.Value, values)
	}
	var x, want []float32
	for i := range file.Block.X {
		x, want = append(x, slices.Concat(file.Block.X[i]...)...), append(want, slices.Concat(file.Block.Y[i]...)...)
	}
	tp, steps := tape.New(0), len(file.Block.X[0])
	tp.Reset(false, rng.Stream{})
	closeTo(t, "block", b.mix(tp, tp.Input(len(x)/8, 8, x), steps).Value, want, 1e-5)
}
