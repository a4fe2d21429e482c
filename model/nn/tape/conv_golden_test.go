package tape

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
)

// Values and gradients are those of PyTorch (testdata/golden/conv.py).
func TestSequenceOperationsGolden(t *testing.T) {
	var file struct {
		Header struct{ Tolerance float64 }
		Cases  []struct {
			Op      string
			Options map[string]int
			Shape   [3]int
			X       []float32
			Params  []struct {
				Shape       []int
				Value, Grad []float32
			}
			Y, DY, DX []float32
		}
	}
	raw, err := os.ReadFile("testdata/golden/conv.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 20 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	near := func(what string, got, want []float32) {
		t.Helper()
		top := 0.0
		for _, v := range want {
			top = max(top, math.Abs(float64(v)))
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
		}
		for i, v := range want {
			if d := math.Abs(float64(got[i] - v)); !(d <= file.Header.Tolerance*top) {
				t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], v)
			}
		}
	}
	for _, c := range file.Cases {
		t.Run(c.Op, func(t *testing.T) {
			tp := New(0)
			tp.Reset(true, rng.New(1))
			steps := c.Shape[1]
			x := tp.tensor(c.Shape[0]*steps, c.Shape[2], c.X)
			p := make([]*Param, len(c.Params))
			for i, q := range c.Params {
				p[i] = NewParam("p", q.Shape...)
				copy(p[i].Value, q.Value)
				p[i].Shards(1)
			}
			pool := Pool{c.Options["kernel"], c.Options["stride"], c.Options["padding"], c.Options["padding"]}
			var y *Tensor
			switch c.Op {
			case "conv":
				v := &Conv{Weight: p[0], Stride: c.Options["stride"], Dilation: c.Options["dilation"], Groups: c.Options["groups"], Left: c.Options["left"], Right: c.Options["right"]}
				if len(p) > 1 {
					v.Bias = p[1]
				}
				y = tp.Conv(x, steps, v, None)
			case "max_pool":
				y = tp.MaxPool(x, steps, pool)
			case "average_pool":
				y = tp.AveragePool(x, steps, pool)
			case "adaptive_max_pool":
				y = tp.AdaptiveMaxPool(x, steps, c.Options["steps"])
			case "adaptive_average_pool":
				y = tp.AdaptiveAveragePool(x, steps, c.Options["steps"])
			case "batch_norm":
				y = tp.BatchNorm(x, normOf(p), None)
			case "instance_norm":
				y = tp.InstanceNorm(x, steps, p[0], p[1], 1e-5)
			case "reversible_norm":
				r := &RevIN{Gain: p[0], Bias: p[1], Epsilon: 1e-5}
				z, removed := tp.Normalise(x, steps, r)
				y = tp.Denormalise(tp.Apply(z, Tanh), removed, r)
			default:
				t.Fatalf("no operation %q", c.Op)
			}
			near("values", y.Value, c.Y)
			g, _ := tp.gradOf(y)
			copy(g, c.DY)
			tp.Backward()
			near("gradient", x.Grad(), c.DX)
			for i, q := range c.Params {
				near("gradient of a parameter", p[i].ShardGrad(0), q.Grad)
			}
		})
	}
}
