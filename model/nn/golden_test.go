package nn

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/onnx"
	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/model/nn/safetensors"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
)

// checkGolden compares a network with testdata/golden/NAME.safetensors, which a
// reference implementation wrote (see fixture.py there): with the same weights
// and inputs, outputs, loss and the gradient of every parameter must agree.
// Differences are relative to the largest value of the array compared.
// Parameters of the network that the file lacks, and the other way round, are
// errors. dropout must be off in build's configuration.
func checkGolden(t *testing.T, name string, build func(in Shape) network) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	tolerance, err := strconv.ParseFloat(f.Metadata["tolerance"], 64)
	if err != nil {
		t.Fatal(err)
	}
	take := func(tensor string) (x []float32, shape []int) {
		t.Helper()
		shape, ok := f.Shape(tensor)
		if !ok {
			t.Fatalf("%s has no %q", name, tensor)
		}
		x, err := f.Take(tensor, shape...)
		if err != nil {
			t.Fatal(err)
		}
		return x, shape
	}
	want, shape := take("output")
	rows := shape[0]
	in, batch := Shape{Outputs: shape[1]}, &trainer.Batch{Rows: rows}
	tp := tape.New(0)
	tp.Reset(true, rng.New(1))
	if _, ok := f.Shape("input.table"); ok {
		x, s := take("input.table")
		in.Table, batch.Table = s[1], tp.Input(s[0], s[1], x)
	}
	sequence := func(tensor string) (Sequence, *tape.Tensor) {
		x, s := take(tensor)
		return Sequence{s[1], s[2]}, tp.Input(s[0]*s[1], s[2], x)
	}
	for k := 0; ; k++ {
		tensor := fmt.Sprintf("input.stream.%d", k)
		if _, ok := f.Shape(tensor); !ok {
			break
		}
		q, x := sequence(tensor)
		in.Streams, batch.Streams = append(in.Streams, q), append(batch.Streams, x)
	}
	if _, ok := f.Shape("input.known"); ok {
		in.Known, batch.Known = sequence("input.known")
	}
	net := build(in)
	for _, p := range net.Params() {
		if p.Absorb != nil {
			p.Shards(1)
			continue
		}
		x, s := take("param." + p.Name)
		if !slices.Equal(s, p.Shape) {
			t.Fatalf("%s: %s has shape %v, the reference's %v", name, p.Name, p.Shape, s)
		}
		copy(p.Value, x)
		p.Shards(1)
	}
	classes := make([]int, rows)
	labels, _ := take("classes")
	for i, c := range labels {
		classes[i] = int(c)
	}
	out := net.Logits(tp, batch)
	closeTo(t, name+" output", out.Value, want, tolerance)
	loss := tp.CrossEntropy(out, classes, nil, 0, float64(rows))
	wantLoss, _ := take("loss")
	closeTo(t, name+" loss", []float32{float32(loss)}, wantLoss, tolerance)
	tp.Backward()
	for _, p := range net.Params() {
		if p.Absorb != nil { // the reference has written what its step left
			p.Settle()
			if _, ok := f.Shape("param." + p.Name); ok {
				want, _ := take("param." + p.Name)
				closeTo(t, name+" buffer "+p.Name, p.Value, want, tolerance)
				copy(p.Value, want) // the same bits on every kernel path
			}
			continue
		}
		tensor := "grad." + p.Name
		got := p.ShardGrad(0)
		if _, ok := f.Shape(tensor); !ok {
			if got != nil {
				t.Errorf("%s: %s has a gradient, the reference none", name, p.Name)
			}
			continue
		}
		want, _ := take(tensor)
		if got == nil {
			t.Errorf("%s: %s has no gradient", name, p.Name)
			continue
		}
		closeTo(t, name+" gradient of "+p.Name, got, want, tolerance)
	}
	if _, ok := f.Shape("extra.eval"); ok {
		want, _ := take("extra.eval")
		eval := tape.New(0)
		eval.Reset(false, rng.Stream{})
		closeTo(t, name+" output without training", net.Logits(eval, batch).Value, want, tolerance)
	}
	checkONNX(t, name, in, net)
	if left := f.Left(); left != "" && !strings.HasPrefix(left, "extra.") {
		t.Errorf("%s: the network has no %q", name, left)
	}
}

// exports is a folder for the ONNX graphs of the golden networks.
var exports = flag.String("exports", "", "write the graphs of the golden networks here")

// checkONNX compares the digest of a golden network's graph with the one for
// which testdata/golden/onnx.py found that ONNX Runtime returns the golden
// outputs. When a change of the export changes digests, run that script again.
func checkONNX(t *testing.T, name string, in Shape, net network) {
	t.Helper()
	g := &onnx.Graph{}
	var out string
	var err error
	onPlainPath(t, func() { out, err = trace(g, "", in, net, declare(g, in)) })
	if err != nil {
		t.Logf("%s: %v", name, err)
		return
	}
	g.Node("Identity", []string{out}, []string{"output"})
	g.Output("output", onnx.Float, anyRows(), onnx.Dim{Size: in.Outputs})
	model := g.Model()
	if *exports != "" {
		if err := os.WriteFile(filepath.Join(*exports, name+".onnx"), model, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	var verified struct{ Digests map[string]string }
	raw, err := os.ReadFile(filepath.Join("testdata", "golden", "onnx.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &verified); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%x", sha256.Sum256(model)), verified.Digests[name]; got != want {
		t.Errorf("%s: the graph has digest %.12s, ONNX Runtime was asked about %.12s: run testdata/golden/onnx.py", name, got, want)
	}
}

// onPlainPath does something with the kernels in plain Go: constants of a graph that
// are computed from weights then have the same bits on every processor.
func onPlainPath(t *testing.T, do func()) {
	t.Helper()
	before := simd.Current()
	if err := simd.Use(simd.Generic); err != nil {
		t.Fatal(err)
	}
	do()
	if err := simd.Use(before); err != nil {
		t.Fatal(err)
	}
}

// closeTo compares arrays relative to the largest value wanted.
func closeTo(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	top, worst, at := 0.0, 0.0, 0
	for i, w := range want {
		top = max(top, math.Abs(float64(w)))
		if d := math.Abs(float64(got[i] - w)); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance*max(top, 5e-3)) {
		t.Errorf("%s: value %d is %v, want %v (largest %.3g)", what, at, got[at], want[at], top)
	}
}

func TestLSTMGolden(t *testing.T) {
	checkGolden(t, "lstm", func(in Shape) network {
		return newLSTM(&LSTM{Hidden: 5, Layers: 2}, in, rng.New(1))
	})
}
