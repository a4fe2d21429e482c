package factory

import (
	"fmt"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/nn"
)

// A model that knows no importance of its own is asked by permutation, on test rows,
// the same for any number of workers; one that knows it is not.
func TestPermutationImportance(t *testing.T) {
	cat := newTestCatalogue(t)
	tab, s := toy(1200)
	f := fold{Train: between(s, 0, 700), Stop: between(s, 710, 800), Test: between(s, 910, 1200)}
	for use, want := range map[string]string{"mlp": "", "logistic": "coefficient", "xgboost": "gain"} {
		spec := specOf(t, cat, use)
		if c, ok := spec.Config.(*nn.MLP); ok {
			c.Hidden, c.Epochs = 16, 10
		}
		src := &source{table: tab}
		m, err := fitFold(t.Context(), cat.Models, spec, src, s, f, model.Env{Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		measure, own := ownImportance(m.Fitted)
		if measure != want {
			t.Errorf("%s measures %q, want %q", use, measure, want)
		}
		if want != "" {
			if len(own) == 0 || own[0].Column != "good" {
				t.Errorf("%s: %v", use, own)
			}
			continue
		}
		spec.Permute = 200
		one, err := permute(t.Context(), spec, m, src, s, f.Test, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(one) == 0 || one[0].Column != "good" || one[0].Share < 0.8 {
			t.Errorf("importance %v", one)
		}
		three, err := permute(t.Context(), spec, m, src, s, f.Test, 3)
		if err != nil || fmt.Sprint(three) != fmt.Sprint(one) {
			t.Errorf("with three workers %v, %v; want %v", three, err, one)
		}
		if none, err := permute(t.Context(), spec, m, src, s, f.Test[:1], 1); err != nil || len(none) != 0 {
			t.Errorf("one row: %v, %v", none, err)
		}
	}
}
