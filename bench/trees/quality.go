package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/rng"
)

// fitFile trains on the rows and weights of a folder and writes p.f64, the
// probabilities of the test rows.
func fitFile(ctx context.Context, o options) error {
	d, err := load(o.dir, o.objective)
	if err != nil {
		return err
	}
	w := make([]float32, d.X.N)
	if err := readFloats(filepath.Join(o.dir, "w.f32"), w); err != nil {
		return err
	}
	d.Weight = make([]float64, len(w))
	for i, v := range w {
		d.Weight[i] = float64(v)
	}
	if o.setting != "market" && o.setting != "default" {
		return fmt.Errorf("unknown setting %q", o.setting)
	}
	m, err := fitSetting(ctx, o.style, o.setting == "market", d, model.Env{Stream: rng.New(o.seed), Workers: o.threads})
	if err != nil {
		return err
	}
	x, _, err := loadTest(o.dir, o.objective)
	if err != nil {
		return err
	}
	p, err := m.Probabilities(ctx, x, nil)
	if err != nil {
		return err
	}
	out := make([]byte, 0, len(p)*8)
	for _, v := range p {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return os.WriteFile(filepath.Join(o.dir, "p.f64"), out, 0o600)
}

// fitSetting trains with the library's defaults, or as one would on markets;
// quality.py gives the libraries the same.
func fitSetting(ctx context.Context, style string, market bool, d core.Data, env model.Env) (predictor, error) {
	switch style {
	case "xgboost":
		c := xgboost.Default()
		c.Rounds = 100
		if market {
			c.Rounds, c.Eta, c.MaxDepth, c.MinChildWeight, c.Lambda, c.MaxBin = 200, 0.05, 4, 20, 10, 64
		}
		return ready(xgboost.Train(ctx, env, d, core.Data{}, c))
	case "lightgbm":
		c := lightgbm.Default()
		c.NumIterations = 100
		if market {
			c.NumIterations, c.LearningRate, c.NumLeaves, c.MinDataInLeaf, c.LambdaL2, c.MaxBin = 200, 0.05, 15, 200, 10, 63
		}
		return ready(lightgbm.Train(ctx, env, d, core.Data{}, c))
	case "catboost":
		c := catboost.Default()
		c.Iterations = 100
		if market {
			c.Iterations, c.LearningRate, c.Depth, c.L2LeafReg, c.BorderCount = 200, 0.05, 4, 30, 63
		}
		return ready(catboost.Train(ctx, env, d, core.Data{}, c))
	case "random_forest", "extra_trees":
		kind, c := forest.Random, forest.Default()
		if style == "extra_trees" {
			kind, c = forest.Extra, forest.DefaultExtra()
		}
		c.Trees, c.MinSamplesLeaf = 300, 100
		f, err := forest.Train(ctx, env, kind, d, nil, c)
		if err != nil {
			return nil, err
		}
		return ready(f.Ensemble, nil)
	}
	return nil, fmt.Errorf("unknown style %q", style)
}
