package nn

import (
	"context"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/model/nn/safetensors"
	"github.com/mlfactory/mlfactory/model/nn/tape"
	"github.com/mlfactory/mlfactory/model/nn/trainer"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// With the channels and biases that the published code drew, the features are
// its features, and every bias is the quantile that the feature's number asks
// for of one training window's convolution.
func TestMiniRocketGolden(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden/minirocket.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	take := func(name string) (x []float32, shape []int) {
		shape, _ = f.Shape(name)
		if x, err = f.Take(name, shape...); err != nil {
			t.Fatal(err)
		}
		return x, shape
	}
	for name, features := range map[string]int{"many": 84 * 21, "one": 84 * 7} {
		train, ts := take(name + ".train")
		test, _ := take(name + ".test")
		want, fs := take(name + ".features")
		use, us := take(name + ".channels")
		biases, _ := take(name + ".biases")
		dilations, _ := take(name + ".dilations")
		perDilation, _ := take(name + ".per_dilation")
		steps, channels := ts[1], ts[2]
		cfg := MiniRocket{Features: features, MaxDilations: 32}
		n := newMiniRocket(&cfg, Shape{Streams: []Sequence{{steps, channels}}, Outputs: 3}, rng.New(1)).(*miniRocket)
		if n.width != features || fs[1] != features || len(n.dilations) != len(dilations) || !slices.Equal(us, n.use.Shape) {
			t.Fatalf("%s: %d features of %d dilations, channels %v; want %v, %d and %v", name, n.width, len(n.dilations), n.use.Shape, fs, len(dilations), us)
		}
		for i, d := range dilations {
			if n.dilations[i] != int(d) || n.counts[i] != int(perDilation[i]) {
				t.Errorf("%s: dilation %d is %d with %d features, want %v with %v", name, i, n.dilations[i], n.counts[i], d, perDilation[i])
			}
		}
		copy(n.use.Value, use)
		copy(n.biases.Value, biases)
		work := make([]float32, n.workRoom())
		other, size := 0, steps*channels
		for i := range fs[0] {
			n.count(test[i*size:(i+1)*size], work, func(f, above, of int) {
				d := math.Abs(float64(above)/float64(of) - float64(want[i*features+f]))
				switch {
				case d < 1e-6:
				case d < 1.01/float64(of): // sums in another order fall on the other side of a bias
					other++
				default:
					t.Fatalf("%s: feature %d of window %d is %d of %d, want %v", name, f, i, above, of, want[i*features+f])
				}
			})
		}
		if other > fs[0]*features/200 {
			t.Errorf("%s: %d of %d features differ by a bar", name, other, fs[0]*features)
		}
		n.each(func(dilation, kernel, first, count int) {
			for i := range ts[0] {
				c, _ := n.convolve(train[i*size:(i+1)*size], work, dilation, kernel)
				slices.Sort(c)
				fits := true
				for f := first; f < first+count; f++ {
					_, q := math.Modf(float64(f+1) * math.Phi)
					fits = fits && math.Abs(float64(quantile(c, q)-biases[f])) < 1e-3
				}
				if fits {
					return
				}
			}
			t.Errorf("%s: the biases of dilation %d, kernel %d are quantiles of no training window", name, dilation, kernel)
		})
	}
}

func rocket(features, epochs int, rate float64) *MiniRocket {
	c := DefaultMiniRocket()
	c.Epochs, c.Patience, c.Batch, c.LearningRate, c.Features = epochs, 0, 64, rate, features
	return &c
}

func TestMiniRocketLearnsPlantedPatterns(t *testing.T) {
	notUnderRace(t)
	for name, c := range map[string]struct {
		make  func(n, length, channels int, seed uint64) view.View
		floor float64
	}{"motif": {modeltest.Motif, 0.2}, "interaction": {modeltest.Interaction, 0.3}} {
		m := fitted(t, miniRocketEntry(), rocket(840, 10, 3e-3), c.make(1500, 16, 4, 1), view.View{})
		if loss := logLoss(t, m, c.make(400, 16, 4, 2)); loss > c.floor {
			t.Errorf("%s: log-loss %.3f, want below %v; a linear model is at %.3f", name, loss, c.floor, modeltest.Chance)
		}
	}
	cfg := rocket(252, 30, 1e-4)
	cfg.Patience = 3
	shuffled := func(n int, seed uint64) view.View {
		return modeltest.Shuffled(modeltest.Motif(n, 16, 4, seed), seed+1)
	}
	m := fitted(t, miniRocketEntry(), cfg, shuffled(800, 3), shuffled(400, 5))
	if loss := logLoss(t, m, shuffled(800, 7)); loss < modeltest.Chance-0.02 || loss > modeltest.Chance+0.2 {
		t.Errorf("log-loss %.3f on shuffled classes, chance is %.3f", loss, modeltest.Chance)
	}
}

// Training sees the same features, bit by bit, as predicting does, with bytes
// and with more bars than a byte counts.
func TestMiniRocketRowsAreItsFeatures(t *testing.T) {
	for _, steps := range []int{16, 300} {
		v := modeltest.Motif(12, steps, 3, 1)
		in := newInputs(v, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, bound{at: 5})
		src := in.source(v, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
		cfg := rocket(168, 1, 1e-3)
		n := newMiniRocket(cfg, in.shape(3), rng.New(1)).(*miniRocket)
		var nothing trainer.Source
		rows, _ := n.prepare(src, nothing, rng.New(2), 2)
		tp := tape.New(0)
		tp.Reset(false, rng.Stream{})
		some := []int{3, 7, 0}
		kept := rows.Put(tp, some).Table.Value
		windows, work := src.Put(tp, some).Streams[0].Value, make([]float32, n.workRoom())
		size := steps * 3
		for i := range some {
			n.count(windows[i*size:(i+1)*size], work, func(f, above, of int) {
				if got, want := kept[i*n.width+f], n.scaled(f, above, of); got != want {
					t.Fatalf("%d bars: feature %d of row %d is %v, want %v", steps, f, i, got, want)
				}
			})
		}
	}
}

func TestMiniRocketKeysHaveAnEffect(t *testing.T) {
	train, stop := modeltest.Motif(150, 24, 3, 1), modeltest.Motif(60, 24, 3, 2)
	probabilities := func(cfg *MiniRocket) []float64 {
		var p model.Prediction
		if err := fitted(t, miniRocketEntry(), cfg, train, stop).Predict(context.Background(), stop, &p); err != nil {
			t.Fatal(err)
		}
		return p.Prob
	}
	base := probabilities(rocket(252, 1, 1e-3))
	if slices.Equal(probabilities(rocket(336, 1, 1e-3)), base) {
		t.Error("features has no effect")
	}
	cfg := rocket(252, 1, 1e-3)
	cfg.MaxDilations = 1
	if slices.Equal(probabilities(cfg), base) {
		t.Error("max_dilations has no effect")
	}
}

func TestMiniRocketRefusesShortWindows(t *testing.T) {
	l, err := miniRocketEntry().New(rocket(84, 1, 1e-3))
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, modeltest.Motif(100, 8, 2, 1), view.View{})
	if err == nil || !strings.Contains(err.Error(), "9 taps need windows") {
		t.Errorf("windows of 8 bars: %v", err)
	}
}
