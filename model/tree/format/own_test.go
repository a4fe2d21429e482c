package format_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

var exports = flag.String("exports", "", "folder to write the models of our own learners to, in all formats, for bench/trees/parity/formats.sh")

// sample is rows with missing values and three classes, or two.
func sample(n, classes int) view.View {
	r := rng.New(7).Stream("format").Stream("sample").Rand()
	v := view.View{Table: view.NewTable(n, []string{"a", "b", "c", "d"}), Class: make([]int8, n), Weight: make([]float64, n)}
	for i := range n {
		s := r.NormFloat64() / 2
		for j := range 4 {
			x := r.NormFloat64()
			s += x * []float64{1, -0.5, 0, 0.25}[j]
			if r.Float64() < 0.1 {
				x = math.NaN()
			}
			v.Table.Col(j)[i] = float32(x)
		}
		if v.Class[i] = 1; s < 0 {
			v.Class[i] = -1
		}
		if classes == 3 && math.Abs(s) < 0.4 {
			v.Class[i] = 0
		}
		v.Weight[i] = 0.5 + r.Float64()
	}
	return v
}

// shorten makes a config ask for few trees and, with two classes, for the
// objective of two.
func shorten(cfg any, classes int) {
	c := reflect.ValueOf(cfg).Elem()
	for i := range c.NumField() {
		switch c.Type().Field(i).Tag.Get("yaml") {
		case "rounds", "num_iterations", "iterations", "n_estimators", "num_boost_round":
			c.Field(i).SetInt(15)
		case "objective":
			if two := map[string]string{"multi:softprob": "binary:logistic", "multiclass": "binary"}[c.Field(i).String()]; classes == 2 && two != "" {
				c.Field(i).SetString(two)
			}
		case "loss_function":
			if classes == 2 {
				c.Field(i).SetString("Logloss")
			}
		}
	}
}

// The models of every learner of trees are written in every format that can say
// them, and come back with the same scores.
func TestOwnLearners(t *testing.T) {
	for _, entry := range tree.Entries() {
		for _, classes := range []int{2, 3} {
			name := "own_" + entry.Name + map[int]string{2: "_two", 3: "_three"}[classes]
			t.Run(name, func(t *testing.T) {
				cfg := entry.Default()
				shorten(cfg, classes)
				l, err := entry.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				v := sample(600, classes)
				fit, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1).Stream("fit"), Workers: 2}, v, view.View{})
				if err != nil {
					t.Fatal(err)
				}
				m, ok := fit.(interface{ Ensemble() *ensemble.Ensemble })
				if !ok {
					t.Fatalf("%T has no ensemble", fit)
				}
				exportOwn(t, name, m.Ensemble(), v)
			})
		}
	}
}

func exportOwn(t *testing.T, name string, e *ensemble.Ensemble, v view.View) {
	t.Helper()
	g := golden{Reference: "mlfactory", File: name, Params: map[string]any{}, Classes: e.Classes}
	for i := range 60 {
		row := make([]*float64, len(e.Columns))
		for j := range row {
			if x := float64(v.Table.Col(j)[i]); x == x {
				row[j] = &x
			}
		}
		g.X = append(g.X, row)
	}
	for _, x := range g.rows() {
		s := make([]float64, e.Scores())
		e.Score(x, s)
		p := probabilities(e.Link, s)
		g.Raw, g.Prob = append(g.Raw, s), append(g.Prob, p)
	}
	written := 0
	for _, f := range format.Formats() {
		var b bytes.Buffer
		if err := format.Export(&b, e, f); err != nil {
			t.Log(err)
			continue
		}
		written++
		if *exports != "" {
			if err := os.WriteFile(filepath.Join(*exports, name+"."+string(f)), b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if f == format.ONNX { // not read
			continue
		}
		back, err := format.Import(b.Bytes(), f, format.Options{})
		if err != nil {
			t.Fatal(f, err)
		}
		// float32 sums of up to 45 trees, or of 1000 that are halved by a mean.
		if raw, prob := g.compare(t, back.Ensemble); raw > 4e-6 || e.Link == back.Link && prob > 4e-6 {
			t.Errorf("%s: scores differ by %g, probabilities by %g", f, raw, prob)
		}
	}
	if written < 3 {
		t.Errorf("only %d formats", written)
	}
	if *exports != "" {
		b, err := json.Marshal(map[string]any{"reference": g.Reference, "params": g.Params, "classes": labels(g.Classes), "single": e.Single, "x": g.X, "raw": g.Raw, "prob": g.Prob})
		if err == nil {
			err = os.WriteFile(filepath.Join(*exports, name+".json"), b, 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// labels are class codes that JSON does not take for bytes.
func labels(codes []int8) []int {
	var out []int
	for _, c := range codes {
		out = append(out, int(c))
	}
	return out
}
