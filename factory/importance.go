package factory

import (
	"context"
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/importance"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	trees "github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/rng"
)

// permutedRows is how many test rows permutation importance looks at: more than its
// error needs cost more than they tell. Each column is dealt out permutedRepeats
// times.
const (
	permutedRows    = 1000
	permutedRepeats = 2
)

// ownImportance is the importance of columns that a model knows by itself, and of
// what: "" where it knows none.
func ownImportance(f model.Fitted) (measure string, of []Importance) {
	switch x := f.(type) {
	case interface{ Importance() ([]string, []float64) }:
		names, values := x.Importance()
		return "coefficient", shares(values, names)
	case interface{ Importance() []trees.Importance }:
		var names []string
		var gains []float64
		for _, c := range x.Importance() {
			names, gains = append(names, c.Name), append(gains, c.Gain)
		}
		return "gain", shares(gains, names)
	}
	return "", nil
}

// permute is the permutation importance of a model's columns and channels on test
// rows of its fold, evenly spaced where there are more than the spec asks for.
func permute(ctx context.Context, spec fitSpec, m *fitted, src *source, s *label.Set, test rows, workers int) ([]Importance, error) {
	n := min(spec.Permute, len(test))
	if n < 2 {
		return []Importance{}, nil
	}
	some := make(rows, n)
	for i := range some {
		some[i] = test[i*len(test)/n]
	}
	v, err := src.rows(&m.Inputs, s, some, nil)
	if err != nil {
		return nil, err
	}
	_, columns, err := importance.Permutation(ctx, m.Fitted, v, importance.Options{
		Repeats: permutedRepeats, Workers: workers, Stream: rng.New(spec.Seed).Stream("importance").Stream(spec.Stream).Stream(spec.Role)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Role, err)
	}
	var names []string
	var rises []float64
	for _, c := range columns {
		names, rises = append(names, c.Name), append(rises, max(0, c.Rise))
	}
	out := shares(rises, names)
	if out == nil {
		out = []Importance{}
	}
	return out, nil
}

// shares normalises importances to a sum of 1, largest first, at most 40.
func shares(imp []float64, columns []string) []Importance {
	total := 0.0
	for _, x := range imp {
		total += x
	}
	if !(total > 0) {
		return nil
	}
	var out []Importance
	for j, x := range imp {
		if x > 0 {
			out = append(out, Importance{columns[j], x / total})
		}
	}
	slices.SortStableFunc(out, func(a, b Importance) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	return out[:min(40, len(out))]
}
