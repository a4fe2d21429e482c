package nn

import (
	"context"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// A prediction of one window allocates next to nothing.
func TestOnePredictionHardlyAllocates(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	const length, rows = 12, 40
	w := view.NewWindows(rows, length, []string{"a", "b", "c", "d", "e"})
	r := rng.New(3).Rand()
	for k := range w.Data {
		w.Data[k] = float32(r.NormFloat64())
	}
	v := view.View{Streams: []*view.Windows{w}, Class: make([]int8, rows)}
	for i := range v.Class {
		v.Class[i] = int8(i%3) - 1 // #nosec G115 -- −1 to 1
	}
	for _, e := range []model.Entry{lstmEntry(), gruEntry()} {
		cfg := e.Default()
		switch c := cfg.(type) {
		case *LSTM:
			c.Epochs = 1
		case *GRU:
			c.Epochs = 1
		}
		l, err := e.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, v, view.View{})
		if err != nil {
			t.Fatal(err)
		}
		one := view.View{Streams: []*view.Windows{view.NewWindows(1, length, w.Names)}}
		var p model.Prediction
		if n := testing.AllocsPerRun(100, func() {
			if err := m.Predict(context.Background(), one, &p); err != nil {
				t.Fatal(err)
			}
		}); n > 4 {
			t.Errorf("%s: %v allocations", e.Name, n)
		} else {
			t.Logf("%s: %v allocations", e.Name, n)
		}
	}
}
