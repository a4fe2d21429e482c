package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// predictor is what a fit gives: probabilities of every row, row-major.
type predictor interface {
	Probabilities(ctx context.Context, t *view.Table, dst []float64) ([]float64, error)
}

func isForest(style string) bool { return style == "random_forest" || style == "extra_trees" }

// fit trains with the parameters that opponents.py gives the libraries: the
// same rate, depth, penalties and bins, no sampling.
func fit(ctx context.Context, o options, d core.Data, workers int, progress func(done, total int, note string)) (predictor, error) {
	env := model.Env{Stream: rng.New(1), Workers: workers, Progress: progress}
	switch o.style {
	case "xgboost":
		return ready(xgboost.Train(ctx, env, d, core.Data{}, xgboostConfig(o)))
	case "lightgbm":
		return ready(lightgbm.Train(ctx, env, d, core.Data{}, lightgbmConfig(o)))
	case "catboost":
		return ready(catboost.Train(ctx, env, d, core.Data{}, catboostConfig(o)))
	case "random_forest", "extra_trees":
		kind, c := forest.Random, forest.Default()
		if o.style == "extra_trees" {
			kind, c = forest.Extra, forest.DefaultExtra()
		}
		c.Trees, c.MinSamplesLeaf = o.rounds, o.minRow
		f, err := forest.Train(ctx, env, kind, d, nil, c)
		if err != nil {
			return nil, err
		}
		return ready(f.Ensemble, nil)
	}
	return nil, fmt.Errorf("unknown style %q", o.style)
}

func xgboostConfig(o options) xgboost.Config {
	c := xgboost.Default()
	c.Objective = core.Logistic
	if o.objective == "softprob" {
		c.Objective = core.Softprob
	}
	c.Rounds, c.Eta, c.MaxDepth, c.MaxBin, c.Lambda, c.MinChildWeight = o.rounds, 0.1, o.depth, 256, 1, 1
	return c
}

func catboostConfig(o options) catboost.Config {
	c := catboost.Default()
	c.Loss = catboost.Logloss
	if o.objective == "softprob" {
		c.Loss = catboost.MultiClass
	}
	c.Iterations, c.LearningRate, c.Depth, c.BorderCount, c.L2LeafReg = o.rounds, 0.1, o.depth, 254, 1
	c.RandomStrength, c.BootstrapType, c.LeafIterations = 0, "No", 1
	return c
}

func lightgbmConfig(o options) lightgbm.Config {
	c := lightgbm.Default()
	c.Objective = lightgbm.Binary
	if o.objective == "softprob" {
		c.Objective = lightgbm.Multiclass
	}
	c.NumIterations, c.LearningRate, c.MaxDepth, c.NumLeaves, c.MaxBin = o.rounds, 0.1, o.depth, o.leaves, 255
	c.LambdaL2, c.MinDataInLeaf, c.MinSumHessianInLeaf = 1, 1, 1
	return c
}

// ready makes what a style gives ready to predict.
func ready(fitted any, err error) (predictor, error) {
	if err != nil {
		return nil, err
	}
	switch m := fitted.(type) {
	case predictor:
		return m, nil
	case *ensemble.Ensemble:
		return ensemble.NewModel(m)
	}
	return nil, fmt.Errorf("a %T cannot predict", fitted)
}

// logLoss is that of probabilities, row-major, for the classes y.
func logLoss(p, y []float64) float64 {
	k, sum := len(p)/len(y), 0.0
	for i, c := range y {
		sum -= math.Log(math.Max(p[i*k+int(c)], 1e-15))
	}
	return sum / float64(len(y))
}

// peakMemory is the largest resident set of this process so far, in MB.
func peakMemory() float64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return math.NaN()
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kb / 1024
		}
	}
	return math.NaN()
}
