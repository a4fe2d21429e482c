package importance_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/importance"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/nn"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

func fit(t testing.TB, e model.Entry, cfg any, v view.View) model.Fitted {
	t.Helper()
	l, err := e.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 2}, v, view.View{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func entry(t testing.TB, name string) model.Entry {
	t.Helper()
	for _, e := range nn.Entries() {
		if e.Name == name {
			return e
		}
	}
	t.Fatalf("no %q", name)
	return model.Entry{}
}

// overlapping is windows over one series of bars, of which channel 1 of 4, two bars
// before the end, tells the class; the first windows are short.
func overlapping(n int, seed uint64) view.View {
	const length = 8
	r := rng.New(seed).Rand()
	w := &view.Windows{Timeframe: "5m", Length: length, Names: []string{"a", "planted", "c", "d"}, Data: make([]float32, 4*n), Width: 4,
		Columns: []int32{0, 1, 2, 3}, Last: make([]int32, n)}
	v := view.View{Streams: []*view.Windows{w}, Class: make([]int8, n)}
	for i := range w.Data {
		w.Data[i] = float32(r.NormFloat64())
	}
	for i := range n {
		w.Last[i] = int32(i)
		v.Class[i] = int8(r.IntN(2)*2 - 1)
		if i >= 2 {
			v.Class[i] = -1
			if w.Data[(i-2)*4+1] > 0 {
				v.Class[i] = 1
			}
		}
	}
	return v
}

// The channel that tells the class has the whole rise, and about as much as a class
// that is a coin costs; the others have next to none. Rows of windows that share bars
// and are short count as they are, for any number of workers.
func TestPermutationFindsThePlantedChannel(t *testing.T) {
	e := entry(t, "gru")
	cfg := e.Default().(*nn.GRU)
	cfg.Hidden, cfg.Epochs, cfg.LearningRate, cfg.Batch, cfg.Patience = 8, 12, 2e-2, 64, 0
	f := fit(t, e, cfg, overlapping(1200, 1))
	test := overlapping(300, 2)
	var want []importance.Column
	var p model.Prediction
	if err := f.Predict(context.Background(), test, &p); err != nil {
		t.Fatal(err)
	}
	plain, err := model.LogLoss(&p, test.Class, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 2, 4} {
		loss, columns, err := importance.Permutation(context.Background(), f, test, importance.Options{Repeats: 2, Workers: workers, Stream: rng.New(5)})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(loss-plain) > 1e-12 {
			t.Errorf("the loss is %v, Predict's %v", loss, plain)
		}
		if want != nil && !reflect.DeepEqual(columns, want) {
			t.Errorf("%d workers: %v, want %v", workers, columns, want)
		}
		want = columns
	}
	if len(want) != 4 || want[1].Name != "planted" || want[1].Part != "stream.0" {
		t.Fatalf("columns %v", want)
	}
	if want[1].Rise < 0.6 {
		t.Errorf("the planted channel has %.3f", want[1].Rise)
	}
	for _, j := range []int{0, 2, 3} {
		if math.Abs(want[j].Rise) > 0.1*want[1].Rise {
			t.Errorf("%s tells nothing and has %.3f, the planted channel %.3f", want[j].Name, want[j].Rise, want[1].Rise)
		}
	}
}

// Two channels of which only the product tells each have all of it.
func TestPermutationOfAnInteraction(t *testing.T) {
	e := entry(t, "tcn")
	cfg := e.Default().(*nn.TCN)
	cfg.Channels, cfg.Epochs, cfg.LearningRate, cfg.Batch, cfg.Patience, cfg.Dropout = 16, 10, 1e-2, 64, 0, 0
	f := fit(t, e, cfg, modeltest.Interaction(1200, 12, 3, 1))
	_, columns, err := importance.Permutation(context.Background(), f, modeltest.Interaction(300, 12, 3, 2), importance.Options{Stream: rng.New(5)})
	if err != nil {
		t.Fatal(err)
	}
	if columns[0].Rise < 0.5 || columns[1].Rise < 0.5 || math.Abs(columns[2].Rise) > 0.1 {
		t.Errorf("rises of two channels that interact and of noise: %v", columns)
	}
}

// A table, weights, and every part beside windows.
func TestPermutationOfEveryPart(t *testing.T) {
	e := entry(t, "tft")
	cfg := e.Default().(*nn.TFT)
	cfg.Heads, cfg.HeadWidth, cfg.Epochs, cfg.Patience = 1, 4, 1, 0
	v := modeltest.Motif(80, 8, 2, 1)
	v.Table = view.NewTable(80, []string{"static"})
	v.Known = view.NewWindows(80, 2, []string{"clock"})
	f := fit(t, e, cfg, v)
	_, columns, err := importance.Permutation(context.Background(), f, v, importance.Options{Stream: rng.New(5)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.Part+"/"+c.Name)
	}
	if got := strings.Join(names, " "); got != "table/static stream.0/channel_0 stream.0/channel_1 known/clock" {
		t.Errorf("columns %s", got)
	}
	if columns[0].Rise != 0 || columns[3].Rise != 0 {
		t.Errorf("constants have %v and %v", columns[0].Rise, columns[3].Rise)
	}
}

// scripted predicts +1 with the probability that its one column says.
type scripted struct{ model.Fitted }

func (scripted) Predict(_ context.Context, v view.View, out *model.Prediction) error {
	out.Resize(v.Len(), model.K)
	for i := range out.N {
		x := float64(v.Table.Col(0)[i])
		copy(out.Row(i), []float64{1 - x, 0, x})
	}
	return nil
}

// The rise is what the definition says, with weights, by hand: two rows that are
// dealt out change places or do not.
func TestPermutationByHand(t *testing.T) {
	v := view.View{Table: view.NewTable(2, []string{"x"}), Class: []int8{1, -1}, Weight: []float64{3, 1}}
	copy(v.Table.Data, []float32{0.75, 0.5})
	base := (3*-math.Log(0.75) - math.Log(0.5)) / 4
	swapped := (3*-math.Log(0.5) - math.Log(0.25)) / 4
	seen := map[string]bool{}
	for seed := range uint64(20) {
		loss, c, err := importance.Permutation(context.Background(), scripted{}, v, importance.Options{Stream: rng.New(seed)})
		if err != nil || math.Abs(loss-base) > 1e-12 {
			t.Fatalf("loss %v, want %v, %v", loss, base, err)
		}
		switch {
		case c[0].Rise == 0:
			seen["same"] = true
		case math.Abs(c[0].Rise-(swapped-base)) < 1e-12:
			seen["swapped"] = true
		default:
			t.Errorf("rise %v, want 0 or %v", c[0].Rise, swapped-base)
		}
	}
	if len(seen) != 2 {
		t.Errorf("of two deals only %v", seen)
	}
	if v.Table.Data[0] != 0.75 {
		t.Error("the rows were changed")
	}
}

func TestPermutationRefuses(t *testing.T) {
	good := func() view.View {
		v := view.View{Table: view.NewTable(2, []string{"x"}), Class: []int8{1, -1}}
		copy(v.Table.Data, []float32{0.75, 0.5})
		return v
	}
	for want, change := range map[string]func(v *view.View){
		"classes are -1, 0 and +1":    func(v *view.View) { v.Class[1] = 2 },
		"2 rows with 0 classes":       func(v *view.View) { v.Class = nil },
		"a total weight of 0":         func(v *view.View) { v.Weight = []float64{0, 0} },
		"has 3 rows, the input has 2": func(v *view.View) { v.Class = []int8{1, 1, 1} },
		"probability NaN":             func(v *view.View) { v.Table.Data[1] = float32(math.NaN()) },
	} {
		v := good()
		change(&v)
		if _, _, err := importance.Permutation(context.Background(), scripted{}, v, importance.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	e := entry(t, "mlp")
	cfg := e.Default().(*nn.MLP)
	cfg.Task, cfg.Epochs, cfg.Patience = "regression", 1, 0
	v := good()
	v.Target = []float64{1, 2}
	f := fit(t, e, cfg, v)
	if _, _, err := importance.Permutation(context.Background(), f, v, importance.Options{}); err == nil || !strings.Contains(err.Error(), "predicts targets") {
		t.Errorf("a regression: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	cfg.Task = "classes"
	if _, _, err := importance.Permutation(ctx, fit(t, e, cfg, v), v, importance.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func ExamplePermutation() {
	// The class follows from "useful" and from nothing else.
	r := rng.New(1).Rand()
	v := view.View{Table: view.NewTable(400, []string{"useful", "useless"}), Class: make([]int8, 400)}
	for i := range v.Class {
		v.Table.Col(0)[i], v.Table.Col(1)[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
		v.Class[i] = 1
		if v.Table.Col(0)[i] < 0 {
			v.Class[i] = -1
		}
	}
	cfg := linear.DefaultConfig()
	cfg.C = 10
	learner, err := linear.Entry().New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	half := func(lo int) view.View {
		rows := make([]int, 200)
		for i := range rows {
			rows[i] = lo + i
		}
		return view.View{Table: v.Table.Select(rows), Class: v.Class[lo : lo+200]}
	}
	f, err := learner.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, half(0), view.View{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, columns, err := importance.Permutation(context.Background(), f, half(200), importance.Options{Stream: rng.New(2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range columns {
		fmt.Println(c.Name, c.Rise > 0.5)
	}
	// Output:
	// useful true
	// useless false
}
