package nn

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn/safetensors"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// exportCase is a fitted model whose graph is held to its predictions.
type exportCase struct {
	entry model.Entry
	keys  []string // path, value, …
}

// exportCases are every architecture with its own task of classes, and those that
// stand for the ways to the outputs with every other task: a table, members, a
// window, a window beside other parts, features that are counted.
func exportCases() (names []string, cases map[string]exportCase) {
	cases = map[string]exportCase{}
	add := func(name string, e model.Entry, keys ...string) {
		names, cases[name] = append(names, name), exportCase{e, keys}
	}
	for _, e := range Entries() {
		add(e.Name, e)
		switch e.Name {
		case "mlp":
			add("mlp_unbounded", e, "input_clip", "0")
			add("mlp_robust", e, "input_scale", "robust")
			add("mlp_sharpe", e, "loss", "sharpe", "order", "blocks")
		case "tabm", "gru", "tft", "minirocket":
		default:
			continue
		}
		add(e.Name+"_binary", e, "task", "binary")
		add(e.Name+"_regression", e, "task", "regression")
		add(e.Name+"_quantiles", e, "task", "quantiles", "quantiles", "0.1,0.3,0.5,0.9")
		add(e.Name+"_position", e, "task", "regression", "loss", "sharpe", "order", "blocks")
	}
	return names, cases
}

// exportRows are rows with missing values and bars, for any task.
func exportRows(e model.Entry, binary bool, n int, seed uint64) view.View {
	v := everything(e, n, 16, seed)
	v.Target, v.NetLong, v.NetShort = make([]float64, n), make([]float64, n), make([]float64, n)
	r := rng.New(seed).Stream("targets").Rand()
	for i := range n {
		v.Target[i] = 7 + 3*r.NormFloat64()
		v.NetLong[i], v.NetShort[i] = 0.01*r.NormFloat64(), 0.01*r.NormFloat64()
		if binary && v.Class[i] == 0 {
			v.Class[i] = 1
		}
	}
	return v
}

// redraw replaces the weights of fitted networks by some that do not depend on the
// kernels which trained them: about the rounded weight, so that gains, rates and
// signs keep their size. What minirocket counts is the same on every kernel path
// already.
func redraw(f *predictor) {
	for k, net := range f.nets {
		_, counts := net.(*miniRocket)
		for _, p := range net.Params() {
			if p.Absorb != nil && counts {
				continue
			}
			r := rng.New(5).Stream("redraw").Stream(fmt.Sprint(k, p.Name)).Rand()
			size := 0.4 / math.Sqrt(float64(len(p.Value)/p.Shape[0]))
			for i, v := range p.Value {
				v := math.Round(float64(v)) + size*r.NormFloat64()
				if p.Absorb != nil { // a variance, or a mean that may be anything
					v = 0.2 + math.Abs(v)
				}
				p.Value[i] = float32(v)
			}
		}
	}
}

// exportedModel is the fitted model of a case, with the weights of its fit.
func exportedModel(t *testing.T, c exportCase) (f *predictor, test view.View) {
	t.Helper()
	cfg := small(t, c.entry, 2)
	common := cfg.(interface{ common() *Common }).common()
	common.Seeds, common.Epochs, common.Patience, common.Batch = 2, 1, 1, 40
	common.LearningRate, common.Warmup, common.WeightDecay = 1e-8, 0, 0 // the fit measures, redraw makes weights
	for i := 0; i < len(c.keys); i += 2 {
		if err := param.Set(cfg, c.keys[i], c.keys[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	l, err := c.entry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	binary := common.Task == "binary"
	m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(3), Workers: 1}, exportRows(c.entry, binary, 80, 1), view.View{})
	if err != nil {
		t.Fatal(err)
	}
	test = exportRows(c.entry, binary, 24, 2)
	nan := float32(math.NaN())
	for k, x := range []float32{nan, 1e30, -math.MaxFloat32, math.MaxFloat32} {
		if common.InputClip == 0 && x == x {
			break // nothing bounds what follows
		}
		if test.Table != nil {
			for j := range test.Table.P {
				test.Table.Col(j)[k] = x
			}
		}
		for _, w := range test.Streams {
			per := w.Length * w.Width
			for i := k * per; i < (k+1)*per; i += 2 {
				w.Data[i] = x
			}
		}
	}
	return m.(*predictor), test
}

// A whole exported model (scales, missing values, seeds, members, task) is the one
// for which testdata/golden/exports.py found that ONNX Runtime predicts what
// Predict does. When a change of the export or of a scale changes digests, run that
// script again.
func TestExportedModels(t *testing.T) {
	names, cases := exportCases()
	var verified struct{ Digests map[string]string }
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", "exports.json"))
	if err == nil {
		err = json.Unmarshal(raw, &verified)
	}
	if err != nil && *exports == "" {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			f, test := exportedModel(t, cases[name])
			redraw(f)
			var graph []byte
			var err error
			onPlainPath(t, func() { graph, err = f.ExportONNX() })
			if err != nil {
				t.Fatal(err)
			}
			if *exports != "" {
				writeExport(t, name, graph, predicted(t, f, test), test)
				return
			}
			if got, want := fmt.Sprintf("%x", sha256.Sum256(graph)), verified.Digests[name]; got != want {
				t.Errorf("the model has digest %.12s, ONNX Runtime was asked about %.12s: run testdata/golden/exports.py", got, want)
			}
		})
	}
	if got := len(verified.Digests); *exports == "" && got != len(names) {
		t.Errorf("%d digests of %d models", got, len(names))
	}
}

// writeExport writes what exports.py reads: a graph, its inputs and what Predict
// says of them.
func writeExport(t *testing.T, name string, graph []byte, p *model.Prediction, v view.View) {
	t.Helper()
	single := func(x []float64) []float32 {
		out := make([]float32, len(x))
		for i, v := range x {
			out[i] = float32(v)
		}
		return out
	}
	// Missing values have no place in a safetensors file: a number that nothing else
	// has stands for them.
	const missing = 12345
	full := func(x []float32) []float32 {
		out := append([]float32(nil), x...)
		for i, v := range out {
			if v != v {
				out[i] = missing
			}
		}
		return out
	}
	var tensors []safetensors.Tensor
	add := func(name string, data []float32, shape ...int) {
		tensors = append(tensors, safetensors.Tensor{Name: name, Shape: shape, Data: data})
	}
	n := v.Len()
	if v.Table != nil {
		x := make([]float32, 0, n*v.Table.P)
		for i := range n {
			for j := range v.Table.P {
				x = append(x, v.Table.Col(j)[i])
			}
		}
		add("input.table", full(x), n, v.Table.P)
	}
	window := func(name string, w *view.Windows) {
		size := w.Length * len(w.Names)
		x := make([]float32, n*size)
		for i := range n {
			w.Copy(i, x[i*size:(i+1)*size])
		}
		add(name, full(x), n, w.Length, len(w.Names))
	}
	for k, w := range v.Streams {
		window(fmt.Sprintf("input.stream.%d", k), w)
	}
	if v.Known != nil {
		window("input.known", v.Known)
	}
	switch {
	case p.K > 0:
		add("output.probabilities", single(p.Prob), n, p.K)
	case len(p.Levels) > 0:
		add("output.quantiles", single(p.Quantiles), n, len(p.Levels))
	default:
		add("output.mean", single(p.Mean), n)
	}
	file, err := os.Create(filepath.Join(*exports, name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if err := safetensors.Write(file, tensors, map[string]string{"missing": fmt.Sprint(missing)}); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*exports, name+".onnx"), graph, 0o600); err != nil {
		t.Fatal(err)
	}
}
