package nn

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/modeltest"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// lagged has class +1 where the first channel was far from its mean, on either
// side, three bars before the end, which no linear model sees. The second channel is
// noise, and one window in ten begins with missing bars.
func lagged(n, length int, seed uint64) view.View {
	r := rand.New(rand.NewPCG(seed, 21))
	w := view.NewWindows(n, length, []string{"a", "b"})
	w.Timeframe = "5m"
	v := view.View{Streams: []*view.Windows{w}, Class: make([]int8, n)}
	for i := range w.Data {
		w.Data[i] = float32(r.NormFloat64() + 3)
	}
	for i := range n {
		end := (i + 1) * length
		v.Class[i] = -1
		if math.Abs(float64(w.Data[(end-3)*2])-3) > 0.67 {
			v.Class[i] = 1
		}
		if i%10 == 0 {
			w.Segment[end-length], w.Segment[end-length+1] = -1, -1
		}
	}
	return v
}

// fitted fits an entry with a configuration.
func fitted(t *testing.T, e model.Entry, cfg any, train, stop view.View) model.Fitted {
	t.Helper()
	l, err := e.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(7), Workers: 2}, train, stop)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// logLoss is the mean log-loss of a model.
func logLoss(t *testing.T, m model.Fitted, v view.View) float64 {
	t.Helper()
	var p model.Prediction
	if err := m.Predict(context.Background(), v, &p); err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, c := range v.Class {
		sum -= math.Log(max(1e-12, p.Row(i)[model.ClassIndex(c)]))
	}
	return sum / float64(p.N)
}

// Recurrent networks of one layer learn what the first two bars of a window tell with
// the last two: from three starts each, where those of PyTorch stay at chance. A linear
// model is at chance, 0.693.
func TestRecurrentNetworksRemember(t *testing.T) {
	notUnderRace(t)
	for seed := range uint64(3) {
		plant := func(n int, s uint64) view.View { return modeltest.LongRange(n, 16, 3, 10*seed+s) }
		l, g := DefaultLSTM(), DefaultGRU()
		l.Hidden, g.Hidden = 16, 16
		quickly(&l.Common, 12)
		quickly(&g.Common, 12)
		if loss := logLoss(t, fitted(t, lstmEntry(), &l, plant(1500, 1), view.View{}), plant(400, 2)); loss > 0.1 {
			t.Errorf("lstm, seed %d: log-loss %.3f, want below 0.1", seed, loss)
		}
		if loss := logLoss(t, fitted(t, gruEntry(), &g, plant(1500, 1), view.View{}), plant(400, 2)); loss > 0.1 {
			t.Errorf("gru, seed %d: log-loss %.3f, want below 0.1", seed, loss)
		}
	}
}

// Over 40 bars a gru stays at chance with its default and remembers with a forget_bias
// of 3 (Tallec and Ollivier 2018 draw log U(1, bars), up to 3.7).
func TestGRURemembersLongerWithForgetBias(t *testing.T) {
	notUnderRace(t)
	for seed := range uint64(3) {
		plant := func(n int, s uint64) view.View { return modeltest.LongRange(n, 40, 3, 10*seed+s) }
		g := DefaultGRU()
		g.Hidden, g.ForgetBias = 16, 3
		quickly(&g.Common, 12)
		if loss := logLoss(t, fitted(t, gruEntry(), &g, plant(1500, 1), view.View{}), plant(400, 2)); loss > 0.1 {
			t.Errorf("seed %d: log-loss %.3f, want below 0.1", seed, loss)
		}
	}
}

func TestLSTMLearnsALag(t *testing.T) {
	notUnderRace(t)
	cfg := DefaultLSTM()
	cfg.Hidden, cfg.Epochs, cfg.LearningRate, cfg.Batch = 24, 30, 1e-2, 64
	train, test := lagged(3000, 12, 1), lagged(500, 12, 2)
	m := fitted(t, lstmEntry(), &cfg, train, view.View{})
	loss := logLoss(t, m, test)
	if loss > 0.35 {
		t.Errorf("log-loss %.3f, want below 0.35; chance is 0.693", loss)
	}
	var b bytes.Buffer
	if err := m.Encode(&b); err != nil {
		t.Fatal(err)
	}
	again, err := lstmEntry().Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if l := logLoss(t, again, test); l != loss {
		t.Errorf("after a file the loss is %v, was %v", l, loss)
	}
}
