// Command catboost is our side of ../catboost.py: for each DIR/NAME.json it
// trains on DIR/NAME.x, stops early on the stop rows and writes the raw scores
// of the test rows to DIR/NAME.raw, or, where borders are asked for, those of
// every column to DIR/NAME.borders. It prints the seconds of the training.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// task is what catboost.py writes. NAME.x holds the columns of X, then the
// target and the weight, as float32; rows come as train, stop, test.
type task struct {
	Train, Stop, Test, Columns, Classes int
	Loss                                string
	Iterations, Depth, Seed, Workers    int
	LearningRate                        float64
	Categories                          []string
	Ordered                             bool
	Borders                             int
	Bootstrap                           string   // "": the default
	Strength                            *float64 // nil: the default
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: catboost DIR")
		os.Exit(2)
	}
	files, err := filepath.Glob(filepath.Join(os.Args[1], "*.json"))
	if err == nil {
		slices.Sort(files)
		for _, f := range files {
			if err = run(f); err != nil {
				break
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var t task
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	base := strings.TrimSuffix(file, ".json")
	b, err := os.ReadFile(base + ".x")
	if err != nil {
		return err
	}
	n := t.Train + t.Stop + t.Test
	if len(b) != 4*n*(t.Columns+2) {
		return fmt.Errorf("%s.x has %d bytes for %d×%d values", base, len(b), n, t.Columns+2)
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	if t.Borders > 0 {
		return borders(base, &t, v)
	}
	part := func(lo, hi int) core.Data {
		names := make([]string, t.Columns)
		for j := range names {
			names[j] = fmt.Sprint("x", j)
		}
		d := core.Data{X: view.NewTable(hi-lo, names), Y: make([]float64, hi-lo), Weight: make([]float64, hi-lo), Classes: t.Classes}
		for j := range names {
			copy(d.X.Col(j), v[j*n+lo:])
		}
		for i := range d.Y {
			d.Y[i], d.Weight[i] = float64(v[t.Columns*n+lo+i]), float64(v[(t.Columns+1)*n+lo+i])
		}
		return d
	}
	train, stop, test := part(0, t.Train), part(t.Train, t.Train+t.Stop), part(t.Train+t.Stop, n)
	c := catboost.Default()
	c.Loss, c.Iterations, c.Depth, c.LearningRate, c.CatFeatures = t.Loss, t.Iterations, t.Depth, t.LearningRate, t.Categories
	if t.Ordered {
		c.BoostingType = "Ordered"
	}
	if t.Bootstrap != "" {
		c.BootstrapType = t.Bootstrap
	}
	if t.Strength != nil {
		c.RandomStrength = *t.Strength
	}
	start := time.Now()
	m, err := catboost.Train(context.Background(), model.Env{Stream: rng.New(uint64(t.Seed)), Workers: t.Workers}, train, stop, c)
	if err != nil {
		return err
	}
	fmt.Printf("%s %.2f s, %d trees\n", filepath.Base(base), time.Since(start).Seconds(), len(m.Ensemble().Trees))
	out, err := m.Raw(context.Background(), test.X, nil)
	if err != nil {
		return err
	}
	b = nil
	for _, x := range out {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return os.WriteFile(base+".raw", b, 0o644)
}

func borders(base string, t *task, v []float32) error {
	var out strings.Builder
	for j := range t.Columns {
		s := slices.Clone(v[j*t.Train : (j+1)*t.Train])
		slices.Sort(s)
		for _, b := range catboost.Borders("GreedyLogSum", s, t.Borders) {
			fmt.Fprintf(&out, "%d %.9g\n", j, b)
		}
	}
	return os.WriteFile(base+".borders", []byte(out.String()), 0o644)
}
