package format_test

import (
	"bytes"
	"fmt"
	"os"

	"github.com/mlfactory/mlfactory/model/tree/format"
)

// A model that LightGBM trained is read, predicts, and is written for XGBoost.
func Example() {
	data, err := os.ReadFile("testdata/golden/lgb_binary.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	f, _ := format.Detect(data)
	m, err := format.Import(data, f, format.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	score := make([]float64, m.Scores())
	m.Score([]float32{0.5, -1, 0.25, 0}, score)
	fmt.Printf("%s %s: %d trees over %v, score %.6f\n", m.Style, m.Objective, len(m.Trees), m.Columns, score[0])

	var out bytes.Buffer
	if err := format.Export(&out, m.Ensemble, format.XGBoostJSON); err != nil {
		fmt.Println(err)
		return
	}
	again, err := format.Import(out.Bytes(), format.XGBoostJSON, format.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	again.Score([]float32{0.5, -1, 0.25, 0}, score)
	fmt.Printf("%s %s: %d trees, score %.6f\n", again.Style, again.Objective, len(again.Trees), score[0])
	// Output:
	// lightgbm binary: 8 trees over [alpha beta gamma delta], score 1.101330
	// xgboost binary:logistic: 8 trees, score 1.101330
}
