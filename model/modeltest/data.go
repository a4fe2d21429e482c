package modeltest

import (
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// columnNames are not letters, so that an error that names one does so on
// purpose.
// const
var columnNames = []string{"momentum_5m", "distance_vwap", "range_15m", "volume_ratio", "clock_sin"}

// toy is n rows of five columns. The class is the third of
// u = x0 + 0.7·x1 (cut at ±0.5), without noise: three classes, separable by
// three linear scores and by a few dozen splits. Different seeds give different
// rows of the same law. Column 3 is on another scale.
func toy(n int, seed uint64) view.View {
	r := rng.New(seed).Stream("modeltest/toy").Rand()
	t := view.NewTable(n, append([]string(nil), columnNames...))
	v := view.View{Table: t, Class: make([]int8, n)}
	for i := range n {
		for j := range t.P {
			t.Col(j)[i] = float32(r.NormFloat64())
		}
		t.Col(3)[i] = 1000 + 200*t.Col(3)[i]
		switch u := float64(t.Col(0)[i]) + 0.7*float64(t.Col(1)[i]); {
		case u > 0.5:
			v.Class[i] = 1
		case u < -0.5:
			v.Class[i] = -1
		}
	}
	return v
}

// random is toy with classes that have nothing to do with the columns, in
// shares of 0.3, 0.2 and 0.5.
func random(n int, seed uint64) view.View {
	v := toy(n, seed)
	r := rng.New(seed).Stream("modeltest/random").Rand()
	for i := range v.Class {
		switch u := r.Float64(); {
		case u < 0.3:
			v.Class[i] = -1
		case u < 0.5:
			v.Class[i] = 0
		default:
			v.Class[i] = 1
		}
	}
	return v
}

// ramp is weights of a few sizes.
func ramp(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 0.25 * float64(1+i%7)
	}
	return w
}

func cloneView(v view.View) view.View {
	rows := make([]int, v.Len())
	for i := range rows {
		rows[i] = i
	}
	out := pick(v, rows)
	out.Table.Names = append([]string(nil), v.Table.Names...)
	return out
}

// pick copies the given rows of a view that has a table, classes and weights.
func pick(v view.View, rows []int) view.View {
	out := view.View{Table: v.Table.Select(rows)}
	if v.Class != nil {
		out.Class = make([]int8, len(rows))
		for i, r := range rows {
			out.Class[i] = v.Class[r]
		}
	}
	if v.Weight != nil {
		out.Weight = make([]float64, len(rows))
		for i, r := range rows {
			out.Weight[i] = v.Weight[r]
		}
	}
	return out
}
