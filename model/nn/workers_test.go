package nn

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// everything is a view with all parts that an entry takes, one window in eight
// short and one value in fifty missing.
func everything(e model.Entry, n, length int, seed uint64) view.View {
	r := rand.New(rand.NewPCG(seed, 41))
	hole := func() float32 {
		if r.IntN(50) == 0 {
			return float32(math.NaN())
		}
		return float32(r.NormFloat64())
	}
	windows := func(timeframe string, length int, names ...string) *view.Windows {
		w := view.NewWindows(n, length, names)
		w.Timeframe = timeframe
		for i := range w.Data {
			w.Data[i] = hole()
		}
		for i := 0; i < n; i += 8 {
			w.Segment[i*length] = -1
		}
		return w
	}
	v := view.View{Table: view.NewTable(n, []string{"a", "b", "c", "d"}), Class: make([]int8, n), Weight: make([]float64, n)}
	for i := range v.Table.Data {
		v.Table.Data[i] = hole()
	}
	for i := range n {
		v.Class[i], v.Weight[i] = int8(r.IntN(3)-1), 0.5+r.Float64()
	}
	if e.Input != model.InputTable {
		v.Streams = []*view.Windows{windows("5m", length, "x", "y", "z")}
		v.Known = windows("5m", 4, "clock", "session")
	}
	if e.Input == model.InputStreams {
		v.Streams = append(v.Streams, windows("15m", length/2, "x", "y"))
	}
	return v
}

// Every architecture has the same bytes for 1, 2 and 4 workers: with dropout,
// averages, gradients of two mini-batches and several shards in each.
func TestWorkersDoNotMatter(t *testing.T) {
	for _, e := range Entries() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := small(t, e, 2)
			c := cfg.(interface{ common() *Common }).common()
			c.Epochs, c.Patience, c.Batch, c.Accumulate, c.EMA = 1, 1, 130, 2, 0.9
			l, err := e.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			train, stop := everything(e, 270, 16, 1), everything(e, 40, 16, 2)
			var want []byte
			for _, workers := range []int{1, 2, 4} {
				m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(3), Workers: workers}, train, stop)
				if err != nil {
					t.Fatal(err)
				}
				if b := encoded(t, m); want != nil && !bytes.Equal(b, want) {
					t.Fatalf("%d workers: other bytes", workers)
				} else {
					want = b
				}
			}
		})
	}
}

// No architecture takes one class, no rows or infinite values; stop rows without
// any weight are none; a step that is far too large ends in an error or in weights
// that predict.
func TestBadInputOfEveryArchitecture(t *testing.T) {
	for _, e := range Entries() {
		t.Run(e.Name, func(t *testing.T) {
			fit := func(rate float64, change func(train, stop *view.View)) error {
				cfg := e.Default()
				c := cfg.(interface{ common() *Common }).common()
				c.Epochs, c.Patience, c.Batch, c.LearningRate, c.ClipNorm, c.Warmup = 2, 1, 20, rate, 0, 0
				l, err := e.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				train, stop := everything(e, 40, 16, 1), everything(e, 20, 16, 2)
				change(&train, &stop)
				m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(3), Workers: 1}, train, stop)
				if err == nil {
					predicted(t, m, everything(e, 20, 16, 3))
				}
				return err
			}
			if err := fit(1e-3, func(v, _ *view.View) { clear(v.Class) }); !errors.Is(err, model.ErrOneClass) {
				t.Errorf("one class: %v", err)
			}
			if err := fit(1e-3, func(v, _ *view.View) { clear(v.Weight) }); !errors.Is(err, model.ErrNoRows) {
				t.Errorf("no weight: %v", err)
			}
			if err := fit(1e-3, func(_, s *view.View) { clear(s.Weight) }); err != nil {
				t.Errorf("stop rows without weight: %v", err)
			}
			err := fit(1e-3, func(v, _ *view.View) {
				if e.Input == model.InputTable {
					v.Table.Data[7] = float32(math.Inf(1))
				} else {
					v.Streams[0].Data[(3*16-1)*3] = float32(math.Inf(1))
				}
			})
			if err == nil || !strings.Contains(err.Error(), "infinite") {
				t.Errorf("an infinite value: %v", err)
			}
			if err := fit(10, func(_, _ *view.View) {}); err != nil && !strings.Contains(err.Error(), "learning_rate") {
				t.Errorf("an exploding loss: %v", err)
			}
		})
	}
}
