package nn

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// interaction has class +1 where two columns agree in sign and −1 where not,
// which no linear model sees; class 0 is rare.
func interaction(n int, seed uint64) view.View {
	r := rand.New(rand.NewPCG(seed, 11))
	v := view.View{Table: view.NewTable(n, []string{"a", "b", "c"}), Class: make([]int8, n)}
	for i := range n {
		for j := range 3 {
			v.Table.Col(j)[i] = float32(r.NormFloat64() * 3)
		}
		v.Class[i] = -1
		if v.Table.Col(0)[i]*v.Table.Col(1)[i] > 0 {
			v.Class[i] = 1
		}
		if r.IntN(25) == 0 {
			v.Class[i] = 0
		}
	}
	return v
}

// Every parameter of the perceptron beside the trainer's changes what is learned.
func TestEveryParameterHasAnEffect(t *testing.T) {
	train, stop := interaction(400, 1), interaction(100, 2)
	fitted := func(change func(*MLP)) []float64 {
		c := DefaultMLP()
		c.Epochs, c.Patience, c.Hidden = 2, 2, 8
		change(&c)
		l, err := mlpEntry().New(&c)
		if err != nil {
			t.Fatal(err)
		}
		m, err := l.Fit(context.Background(), model.Env{Stream: rng.New(1), Workers: 1}, train, stop)
		if err != nil {
			t.Fatal(err)
		}
		var p model.Prediction
		if err := m.Predict(context.Background(), stop, &p); err != nil {
			t.Fatal(err)
		}
		return p.Prob
	}
	base := fitted(func(*MLP) {})
	for name, change := range map[string]func(*MLP){
		"hidden":     func(c *MLP) { c.Hidden = 9 },
		"layers":     func(c *MLP) { c.Layers = 3 },
		"activation": func(c *MLP) { c.Activation = "tanh" },
		"norm":       func(c *MLP) { c.Norm = false },
		"dropout":    func(c *MLP) { c.Dropout = 0.4 },
		"input_clip": func(c *MLP) { c.InputClip = 0.5 },
		"seeds":      func(c *MLP) { c.Seeds = 2 },
	} {
		if slices.Equal(fitted(change), base) {
			t.Errorf("%s has no effect", name)
		}
	}
}
