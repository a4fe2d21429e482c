package trainer

import (
	"math"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd/vec"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/rng"
)

// A parameter of several pieces takes the step of its whole vector, bit by bit,
// for any number of workers.
func TestUpdateInPieces(t *testing.T) {
	const in, out, rows, shards = 10007, 2, 3, 2
	cfg := Default()
	cfg.ClipNorm, cfg.Warmup = 0, 0
	var want []float32
	wantNorm := 0.0
	for _, workers := range []int{1, 2, 4} {
		r := rng.New(5).Rand()
		w, b := tape.NewParam("w", out, in), tape.NewParam("b", out)
		b.NoDecay = true
		for i := range w.Value {
			w.Value[i] = float32(r.NormFloat64()) / 100
		}
		f := &fitter{cfg: cfg, params: []*tape.Param{w, b}, steps: 100, env: model.Env{Workers: workers}}
		for _, p := range f.params {
			p.Shards(shards)
			f.m, f.v = append(f.m, make([]float32, len(p.Value))), append(f.v, make([]float32, len(p.Value)))
		}
		data := make([]float32, rows*in)
		for s := range shards {
			for i := range data {
				data[i] = float32(r.NormFloat64())
			}
			tp := tape.New(s)
			tp.Reset(true, rng.New(1))
			tp.CrossEntropy(tp.Linear(tp.Input(rows, in, data), w, b), []int{0, 1, 1}, nil, 0, rows*shards)
			tp.Backward()
		}
		if want == nil {
			g := slices.Clone(w.ShardGrad(0))
			vec.Add(g, w.ShardGrad(1), g)
			for _, v := range g {
				wantNorm += float64(v) * float64(v)
			}
			for c := range out {
				d := float64(b.ShardGrad(0)[c]) + float64(b.ShardGrad(1)[c])
				wantNorm += d * d
			}
			want = slices.Clone(w.Value)
			m, v := make([]float32, len(g)), make([]float32, len(g))
			vec.AdamW(want, g, m, v, want, m, v, float32(cfg.Beta1), float32(1-cfg.Beta1), float32(cfg.Beta2), float32(1-cfg.Beta2),
				float32(1/math.Sqrt(1-cfg.Beta2)), float32(cfg.Epsilon), float32(f.rate(0)/(1-cfg.Beta1)), float32(1-f.rate(0)*cfg.WeightDecay))
		}
		norm, err := f.update()
		if err != nil {
			t.Fatal(err)
		}
		if len(f.pieces) != 4 {
			t.Errorf("%d pieces, want 3 and 1", len(f.pieces))
		}
		if math.Abs(norm-math.Sqrt(wantNorm)) > 1e-5*norm {
			t.Errorf("%d workers: norm %v, want %v", workers, norm, math.Sqrt(wantNorm))
		}
		if !slices.Equal(w.Value, want) {
			t.Errorf("%d workers: the step is not that of the whole vector", workers)
		}
		if w.ShardGrad(0) != nil {
			t.Error("the gradients are not forgotten")
		}
	}
}
