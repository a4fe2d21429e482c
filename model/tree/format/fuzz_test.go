package format_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
)

// seeds are small ensembles that use much of what a format has.
func seeds() []*ensemble.Ensemble {
	return []*ensemble.Ensemble{
		small(nil),
		small(func(e *ensemble.Ensemble) {
			e.Objective, e.Link, e.Base, e.Classes = "multi:softprob", ensemble.Softmax, []float64{1, 2, 3}, []int8{-1, 0, 1}
			e.Trees[0].Width, e.Trees[0].Values = 3, []float64{0, 0, 0, 1, 2, 3, 4, 5, 6}
			for i := range e.Trees[0].Nodes {
				e.Trees[0].Nodes[i].Value = 0
			}
		}),
		small(func(e *ensemble.Ensemble) {
			e.Objective, e.Link, e.Categorical, e.Extra = "binary:logistic", ensemble.Logistic, []int{1}, map[string]float64{"scale_pos_weight": 2}
			e.Trees[0].Sets = []ensemble.Set{ensemble.Set{}.With(3).With(70)}
			e.Trees[0].Nodes = []ensemble.Node{{Feature: 1, Set: 1, Left: 1, Cover: 4}, {Left: 3, Threshold: 0.5, Gain: 2}, {Value: 1}, {Value: -2}, {Value: 4}}
		}),
	}
}

// fuzz reads what the fuzzer makes of small ensembles and of the smallest golden files of a format. Reading must
// not panic; what is read predicts; and if it can be written it comes back with
// the same scores.
func fuzz(f *testing.F, kind format.Format, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata/golden", pattern))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if d, _ := format.Detect(data); d == kind && len(data) < 4<<10 {
			f.Add(data)
		}
	}
	for _, e := range seeds() {
		f.Add(export(f, e, kind))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := format.Import(data, kind, format.Options{})
		if err != nil || len(m.Columns) > 1000 || len(m.Base) > 1000 {
			return
		}
		a, b := make([]float64, m.Scores()), make([]float64, m.Scores())
		rows := [][]float32{make([]float32, len(m.Columns)), make([]float32, len(m.Columns))}
		for j := range m.Columns {
			rows[1][j] = float32(j) + 0.5
		}
		var out bytes.Buffer
		if err := format.Export(&out, m.Ensemble, kind); err != nil {
			return
		}
		again, err := format.Import(out.Bytes(), kind, format.Options{Columns: m.Columns})
		if err != nil {
			t.Fatalf("what is written is not read: %v", err)
		}
		for _, x := range rows {
			m.Score(x, a)
			again.Score(x, b)
			for c := range a {
				if a[c] != b[c] && a[c] == a[c] {
					t.Fatalf("score %d is %v, after writing %v", c, a[c], b[c])
				}
			}
		}
	})
}

func FuzzXGBoostJSON(f *testing.F) { fuzz(f, format.XGBoostJSON, "xgb_*.model.json") }
func FuzzXGBoostUBJ(f *testing.F)  { fuzz(f, format.XGBoostUBJ, "xgb_*.ubj") }
func FuzzLightGBM(f *testing.F)    { fuzz(f, format.LightGBM, "lgb_*.txt") }
func FuzzCatBoost(f *testing.F)    { fuzz(f, format.CatBoostJSON, "cat_*.model.json") }
