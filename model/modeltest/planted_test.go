package modeltest_test

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

const length, channels = 16, 4

// planted is the patterns with, for each, the log of the odds of class +1 that
// one who knows the pattern gives a window (x[bar*channels+channel]).
func planted() []struct {
	name string
	make func(n int, seed uint64) view.View
	odds func(x []float32) float64
} {
	at := func(x []float32, bar, channel int) float64 { return float64(x[bar*channels+channel]) }
	// logCosh2 is ln 2cosh z: both signs are equally likely.
	logCosh2 := func(z float64) float64 { return math.Abs(z) + math.Log1p(math.Exp(-2*math.Abs(z))) }
	return []struct {
		name string
		make func(n int, seed uint64) view.View
		odds func(x []float32) float64
	}{
		{"Motif", func(n int, seed uint64) view.View { return modeltest.Motif(n, length, channels, seed) }, func(x []float32) float64 {
			var like [2]float64
			for c, shape := range [2][4]float64{{1, -1, 1, -1}, {1, 1, -1, -1}} {
				for first := range length - 3 {
					z := 0.0
					for k, s := range shape {
						z += s * at(x, first+k, 0)
					}
					like[c] += math.Exp(logCosh2(z/(0.25*0.25)) - 100)
				}
			}
			return math.Log(like[1]) - math.Log(like[0])
		}},
		{"Lag", func(n int, seed uint64) view.View { return modeltest.Lag(n, length, channels, 5, seed) }, func(x []float32) float64 {
			return math.Copysign(50, math.Abs(at(x, length-1-5, 0))-0.6744897501960817)
		}},
		{"Interaction", func(n int, seed uint64) view.View { return modeltest.Interaction(n, length, channels, seed) }, func(x []float32) float64 {
			var z [2]float64
			for k := range length {
				for c := range z {
					z[c] += (2*float64(k)/(length-1) - 1) * at(x, k, c) / (0.5 * 0.5)
				}
			}
			return logCosh2(z[0]+z[1]) - logCosh2(z[0]-z[1])
		}},
		{"LongRange", func(n int, seed uint64) view.View { return modeltest.LongRange(n, length, channels, seed) }, func(x []float32) float64 {
			a := 2 * (at(x, 0, 0) + at(x, 1, 0)) / (0.5 * 0.5)
			b := 2 * (at(x, length-1, 0) + at(x, length-2, 0)) / (0.5 * 0.5)
			return logCosh2(a+b) - logCosh2(a-b)
		}},
		{"RegimeFlip", func(n int, seed uint64) view.View { return modeltest.RegimeFlip(n, length, channels, seed) }, func(x []float32) float64 {
			predictor, regime := 0.0, 0.0
			for k := range 4 { // before the flip the regime is known as well; these bars suffice
				predictor += at(x, length-1-k, 0) / (0.25 * 0.25)
				regime += at(x, length-1-k, 1) / (0.25 * 0.25)
			}
			return logCosh2(predictor+regime) - logCosh2(predictor-regime)
		}},
	}
}

// flat is the windows as a table.
func flat(v view.View) view.View {
	w := v.Streams[0]
	p := w.Length * len(w.Names)
	names := make([]string, p)
	for j := range names {
		names[j] = fmt.Sprintf("x%d", j)
	}
	t := view.NewTable(w.Len(), names)
	row := make([]float32, p)
	for i := range w.Len() {
		w.Copy(i, row)
		for j, x := range row {
			t.Col(j)[i] = x
		}
	}
	return view.View{Table: t, Class: v.Class}
}

func logistic(t *testing.T, train, test view.View) float64 {
	t.Helper()
	e := linear.Entry()
	l, err := e.New(e.Default())
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, train, view.View{})
	if err != nil {
		t.Fatal(err)
	}
	var p model.Prediction
	if err := f.Predict(context.Background(), test, &p); err != nil {
		t.Fatal(err)
	}
	loss, err := model.LogLoss(&p, test.Class, nil)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// Who knows the pattern loses next to nothing, a linear model is at chance.
func TestPlantedPatterns(t *testing.T) {
	for _, p := range planted() {
		t.Run(p.name, func(t *testing.T) {
			train, test := p.make(4000, 1), p.make(4000, 2)
			if again := p.make(4000, 1); !reflect.DeepEqual(train, again) {
				t.Error("the same arguments give other rows")
			}
			if slices.Equal(train.Class, test.Class) {
				t.Error("another seed gives the same classes")
			}
			if err := train.Check(); err != nil {
				t.Error(err)
			}
			w, best, up := test.Streams[0], 0.0, 0
			row := make([]float32, length*channels)
			for i, c := range test.Class {
				w.Copy(i, row)
				best += math.Log1p(math.Exp(-p.odds(row)*float64(c))) / float64(w.Len())
				if c == 1 {
					up++
				}
			}
			if best > 0.001 {
				t.Errorf("who knows the pattern has a log-loss of %.5f; the documentation says below 0.001", best)
			}
			// Classes are fair coins: the deviation of their number is 32.
			if up < 1850 || up > 2150 {
				t.Errorf("%d of 4000 rows are of class +1", up)
			}
			if loss := logistic(t, flat(train), flat(test)); loss < modeltest.Chance-0.005 || loss > modeltest.Chance+0.05 {
				t.Errorf("a linear model has a log-loss of %.4f, chance is %.4f", loss, modeltest.Chance)
			}
		})
	}
}

func TestShuffled(t *testing.T) {
	v := modeltest.LongRange(2000, length, channels, 1)
	s := modeltest.Shuffled(v, 7)
	if reflect.DeepEqual(v.Class, s.Class) || &v.Streams[0].Data[0] != &s.Streams[0].Data[0] {
		t.Error("the classes are the same, or the windows are not")
	}
	same, a, b := 0, 0, 0
	for i := range v.Class {
		a, b = a+int(v.Class[i]), b+int(s.Class[i])
		if v.Class[i] == s.Class[i] {
			same++
		}
	}
	if a != b || same < 900 || same > 1100 { // 1000 ± 4.5 deviations
		t.Errorf("sums of classes %d and %d, %d of 2000 in their place", a, b, same)
	}
}

func TestPlantedPatternsRefuseWhatIsTooSmall(t *testing.T) {
	for name, call := range map[string]func(){
		"Motif":       func() { modeltest.Motif(1, 3, 1, 1) },
		"Lag":         func() { modeltest.Lag(1, 5, 1, 5, 1) },
		"Interaction": func() { modeltest.Interaction(1, 16, 1, 1) },
		"LongRange":   func() { modeltest.LongRange(1, 4, 1, 1) },
		"RegimeFlip":  func() { modeltest.RegimeFlip(1, 7, 2, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s makes windows that cannot hold its pattern", name)
				}
			}()
			call()
		}()
	}
}
