// Command trees is our side of the comparison with XGBoost, LightGBM, CatBoost
// and scikit-learn; see run.sh and README.md.
//
//	trees gen   -dir DIR -rows N -cols P -test M [-rowmajor=false]
//	trees train -dir DIR -style xgboost -objective binary -rounds 100 -threads 2
//	trees cv    -dir DIR -splits kfold6 -rounds 50 -threads 2
//	trees fit   -dir DIR -style xgboost -setting market
//
// gen writes generated data: x.f32 (column by column), r.f32 (the same row by
// row, for libraries that want it so), y.f32 (classes 0, 1, 2), and test.f32
// and ytest.f32, and shape.json. train and cv print one line of JSON; fit
// trains on x, y and the weights w.f32 and writes the probabilities of the test
// rows to p.f64.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "trees:", err)
		os.Exit(1)
	}
}

// options are the flags of all commands.
type options struct {
	dir, style, objective          string
	splits, setting                string
	rows, cols, test, rounds       int
	threads, depth, leaves, minRow int
	rowMajor                       bool
	seed                           uint64
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("want gen, train, cv or fit")
	}
	var o options
	f := flag.NewFlagSet(args[0], flag.ContinueOnError)
	f.StringVar(&o.dir, "dir", "out", "folder of the data")
	f.StringVar(&o.style, "style", "xgboost", "xgboost, lightgbm, catboost, random_forest or extra_trees")
	f.StringVar(&o.objective, "objective", "binary", "binary or softprob")
	f.StringVar(&o.splits, "splits", "kfold6", "kfold6, cpcv15 or cpcv45")
	f.StringVar(&o.setting, "setting", "default", "default or market (fit)")
	f.IntVar(&o.rows, "rows", 20000, "training rows")
	f.IntVar(&o.cols, "cols", 120, "columns")
	f.IntVar(&o.test, "test", 50000, "test rows")
	f.IntVar(&o.rounds, "rounds", 100, "rounds, or trees of a forest")
	f.IntVar(&o.threads, "threads", 1, "goroutines")
	f.IntVar(&o.depth, "depth", 6, "levels of a tree")
	f.IntVar(&o.leaves, "leaves", 64, "leaves of a tree (lightgbm)")
	f.IntVar(&o.minRow, "min-rows", 20, "least rows of a leaf (forests)")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the learner (fit)")
	f.BoolVar(&o.rowMajor, "rowmajor", true, "write r.f32 too")
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	ctx := context.Background()
	var out any
	var err error
	switch args[0] {
	case "gen":
		return generate(o)
	case "train":
		out, err = train(ctx, o)
	case "fit":
		return fitFile(ctx, o)
	case "cv":
		out, err = crossValidate(ctx, o)
	default:
		return fmt.Errorf("unknown command %q", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// result is what a training prints.
type result struct {
	Setup  float64 `json:"setup_s"` // until the end of the first round: binning and what else is done once
	Round  float64 `json:"round_s"` // mean of the other rounds
	Total  float64 `json:"total_s"`
	Loss   float64 `json:"loss"` // test log-loss
	Memory float64 `json:"memory_mb"`
	Rounds int     `json:"rounds"`
}

func train(ctx context.Context, o options) (*result, error) {
	d, err := load(o.dir, o.objective)
	if err != nil {
		return nil, err
	}
	r := &result{Rounds: o.rounds}
	start := time.Now()
	var first, last time.Time
	done := 0
	progress := func(n, _ int, _ string) {
		if last = time.Now(); done == 0 {
			first = last
		}
		done = n
	}
	m, err := fit(ctx, o, d, o.threads, progress)
	if err != nil {
		return nil, err
	}
	r.Total = time.Since(start).Seconds()
	r.Memory = peakMemory()
	if isForest(o.style) {
		r.Round = r.Total / float64(o.rounds)
	} else {
		if done != o.rounds {
			return nil, fmt.Errorf("%d rounds were reported, want %d", done, o.rounds)
		}
		r.Setup = first.Sub(start).Seconds()
		r.Round = last.Sub(first).Seconds() / float64(o.rounds-1)
	}
	x, y, err := loadTest(o.dir, o.objective)
	if err != nil {
		return nil, err
	}
	p, err := m.Probabilities(ctx, x, nil)
	if err != nil {
		return nil, err
	}
	r.Loss = logLoss(p, y)
	return r, nil
}
