package format_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/model/tree/format"
)

// small is an ensemble of one tree with one split.
func small(change func(e *ensemble.Ensemble)) *ensemble.Ensemble {
	e := &ensemble.Ensemble{
		Style: "xgboost", Objective: "reg:squarederror", Columns: []string{"a", "b c"}, Base: []float64{0.5}, Single: true,
		Trees: []ensemble.Tree{{Width: 1, Nodes: []ensemble.Node{{Left: 1, Threshold: 2, DefaultLeft: true, Cover: 3}, {Value: -1, Cover: 1}, {Value: 1, Cover: 2}}}},
	}
	if change != nil {
		change(e)
	}
	return e
}

func export(t testing.TB, e *ensemble.Ensemble, f format.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := format.Export(&b, e, f); err != nil {
		t.Fatal(f, err)
	}
	return b.Bytes()
}

// A base score that no probability of float32 has goes into the first tree.
func TestXGBoostBaseScore(t *testing.T) {
	for _, b := range []float64{0, 0.25, -3.5, 3.5, 12, -12, 15, -30, 400} {
		e := small(func(e *ensemble.Ensemble) {
			e.Objective, e.Link, e.Base = "binary:logistic", ensemble.Logistic, []float64{b}
			e.Classes = []int8{-1, 1}
		})
		for _, trees := range []int{1, 0} {
			e.Trees = e.Trees[:trees]
			m, err := format.Import(export(t, e, format.XGBoostUBJ), format.XGBoostUBJ, format.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var want, got [1]float64
			x := []float32{1, 1}
			e.Score(x, want[:])
			m.Score(x, got[:])
			// Two roundings of float32.
			if d := math.Abs(want[0] - got[0]); d > 2.4e-7*math.Max(1, math.Abs(b)) {
				t.Errorf("base %v, %d trees: score %v, want %v", b, trees, got, want)
			}
			if fmt.Sprint(m.Classes) != "[-1 1]" {
				t.Errorf("classes %v", m.Classes)
			}
		}
	}
}

// What a format has no word for is refused with the place and the reason.
func TestExportRefuses(t *testing.T) {
	categorical := func(e *ensemble.Ensemble) {
		e.Categorical = []int{0}
		e.Trees[0].Nodes[0].Set = 1
		e.Trees[0].Nodes[0].Threshold = 0
		e.Trees[0].Sets = []ensemble.Set{{}}
	}
	zeros := func(e *ensemble.Ensemble) { // zero goes right, numbers below 1 left
		nodes := make([]ensemble.Node, 1<<12-1)
		for i := range len(nodes) / 2 {
			nodes[i] = ensemble.Node{Left: int32(2*i + 1), Threshold: 1, ZeroMissing: true}
		}
		e.Trees[0].Nodes = nodes
	}
	for name, c := range map[string]struct {
		format format.Format
		change func(e *ensemble.Ensemble)
		want   string
	}{
		"one against all":   {format.XGBoostUBJ, func(e *ensemble.Ensemble) { e.Link, e.Base = ensemble.OneVsAll, []float64{0, 0} }, "no objective of one logistic score for each class"},
		"empty set":         {format.XGBoostJSON, categorical, "node 0 has no category"},
		"mixed column":      {format.XGBoostJSON, func(e *ensemble.Ensemble) { e.Categorical = []int{0} }, "node 0 splits column 0 both"},
		"too large":         {format.XGBoostJSON, func(e *ensemble.Ensemble) { e.Trees[0].Nodes[1].Value = 1e39 }, "tree 0: node 1: value 1e+39 is beyond float32"},
		"inconsistent":      {format.LightGBM, func(e *ensemble.Ensemble) { e.Trees[0].Nodes[0].Left = 0 }, "nodes are reached"},
		"names after space": {format.LightGBM, func(e *ensemble.Ensemble) { e.Columns = []string{"b c", "b_c"} }, "the same name"},
		"no such format":    {"pmml", nil, "xgboost-json, xgboost-ubj, lightgbm, catboost-json, onnx"},
		"no cat name":       {format.CatBoostJSON, func(e *ensemble.Ensemble) { e.Categorical = []int{0} }, "tree 0: node 0 compares the categories of column 0"},
		"below all":         {format.CatBoostJSON, func(e *ensemble.Ensemble) { e.Trees[0].Nodes[0].Threshold = -math.MaxFloat32 }, "node 0 has a threshold that no value is below"},
		"onnx too large":    {format.ONNX, func(e *ensemble.Ensemble) { e.Trees[0].Nodes[2].Value = -1e39 }, "tree 0: node 2: value -1e+39 is beyond float32"},
		"zeros everywhere":  {format.XGBoostJSON, zeros, "tree 0: it would need more than"},
	} {
		t.Run(name, func(t *testing.T) {
			err := format.Export(&bytes.Buffer{}, small(c.change), c.format)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// A change of one place of a good file is found and the place is named.
func TestImportRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, new, want string
	}{
		"not json":           {"xgb_squared.model.json", `{"learner"`, `{learner"`, "byte 1: an object without a name"},
		"cut short":          {"xgb_squared.model.json", `"version":[3,2,0]}`, ``, "an object without"},
		"booster":            {"xgb_squared.model.json", `"name":"gbtree"`, `"name":"gblinear"`, `learner.gradient_booster.name: booster "gblinear"`},
		"objective":          {"xgb_squared.model.json", "reg:squarederror", "count:poisson", `learner.objective.name: objective "count:poisson" has a link`},
		"base score":         {"xgb_binary.model.json", `"base_score":"[`, `"base_score":"[7`, "learner.learner_model_param.base_score"},
		"base score text":    {"xgb_squared.model.json", `"base_score":"[`, `"base_score":"[x`, "is no finite number"},
		"child":              {"xgb_squared.model.json", `"left_children":[1,`, `"left_children":[1000,`, "learner.gradient_booster.model.trees[0].left_children: element 0 is 1000"},
		"loop":               {"xgb_squared.model.json", `"left_children":[1,`, `"left_children":[0,`, "trees[0]: node 0 has two parents"},
		"column":             {"xgb_squared.model.json", `"split_indices":[`, `"split_indices":[4`, "trees[0]: node 0 splits column 4"},
		"missing array":      {"xgb_squared.model.json", `"default_left"`, `"default_lost"`, `trees[0]: there is no "default_left"`},
		"array length":       {"xgb_squared.model.json", `"sum_hessian":[`, `"sum_hessian":[1,`, "trees[0].sum_hessian: 24 numbers, want 23"},
		"leaf":               {"xgb_squared.model.json", `"split_conditions":[`, `"split_conditions":[NaN,`, "split_conditions"},
		"classes":            {"xgb_softprob.model.json", `"tree_info":[0`, `"tree_info":[7`, "tree_info: element 0 is 7"},
		"categories":         {"xgb_categories.model.json", `"categories_sizes":[`, `"categories_sizes":[9999`, "categories"},
		"weights":            {"xgb_dart.model.json", `"weight_drop":[`, `"weight_drop":[1E0,`, "12 trees and 13 weights"},
		"ubj":                {"xgb_binary_ubj.ubj", "{L", "{M", "byte 2: a length of type"},
		"ubj array":          {"xgb_binary_ubj.ubj", "[$d#L", "[$d#d", "a length of type 'd'"},
		"no tree":            {"lgb_binary.txt", "tree\n", "forest\n", "line 1"},
		"lgb version":        {"lgb_binary.txt", "num_tree_per_iteration=1", "num_tree_per_iteration=x", `line 4: num_tree_per_iteration is "x"`},
		"lgb names":          {"lgb_binary.txt", "feature_names=alpha", "feature_names=alpha alef", "5 feature_names for 4 columns"},
		"lgb objective":      {"lgb_binary.txt", "objective=binary", "objective=poisson", "objective poisson sigmoid:1: its link"},
		"lgb sqrt":           {"lgb_regression.txt", "objective=regression", "objective=regression sqrt", "squares the sum"},
		"lgb linear":         {"lgb_binary.txt", "is_linear=0", "is_linear=1", "tree 0 (line 12): line 27: its leaves are linear models"},
		"lgb leaves":         {"lgb_binary.txt", "num_leaves=12", "num_leaves=2000000000", "leaf_value has 12 values, want 2000000000"},
		"lgb child":          {"lgb_binary.txt", "left_child=", "left_child=9", "child 9"},
		"lgb loop":           {"lgb_binary.txt", "right_child=", "right_child=0 0", "right_child has 12 values, want 11"},
		"lgb decision":       {"lgb_binary.txt", "decision_type=", "decision_type=1", "node 0: decision_type 110"},
		"lgb leaf":           {"lgb_binary.txt", "leaf_value=", "leaf_value=nan ", "leaf_value"},
		"lgb end":            {"lgb_binary.txt", "end of trees", "", "cut short"},
		"lgb trees":          {"lgb_binary.txt", "tree_sizes=", "tree_sizes=7 ", "9 tree_sizes for 8 trees"},
		"lgb sets":           {"lgb_categories.txt", "cat_boundaries=0", "cat_boundaries=1000", "category set"},
		"lgb set":            {"lgb_categories.txt", "cat_threshold=", "cat_threshold=-1 ", "cat_threshold 0"},
		"lgb words per tree": {"lgb_multiclass.txt", "num_tree_per_iteration=3", "num_tree_per_iteration=5", "num_class:3"},
		"cat loss":           {"cat_rmse.model.json", `"type": "RMSE"`, `"type": "Poisson"`, `model_info.params.loss_function.type: the link of loss "Poisson"`},
		"cat scores":         {"cat_rmse.model.json", `"type": "RMSE"`, `"type": "MultiClass"`, `loss "MultiClass" with 1 scores`},
		"cat leaves":         {"cat_rmse.model.json", `"leaf_values": [`, `"leaf_values": [1, `, "oblivious_trees[0]: 4 splits and 17 leaf values"},
		"cat split":          {"cat_rmse.model.json", `"split_index": `, `"split_index": 9000`, "oblivious_trees[0].splits[0].split_index: 9000"},
		"cat column":         {"cat_rmse.model.json", `"flat_feature_index": 1`, `"flat_feature_index": -1`, "float_features[1].flat_feature_index: -1"},
		"cat treatment":      {"cat_rmse.model.json", `"AsFalse"`, `"AsMaybe"`, `nan_value_treatment: "AsMaybe" is unknown`},
		"cat bias":           {"cat_rmse.model.json", `"scale_and_bias": [1, [`, `"scale_and_bias": [1, [7, `, "scale_and_bias: 2 biases for 1 scores"},
		"cat texts":          {"cat_rmse.model.json", `"features_info": {`, `"features_info": {"text_features": [{}], `, "features_info.text_features: columns of texts"},
		"cat nested":         {"cat_depthwise.model.json", `"left"`, `"lost"`, `there is no "left"`},
		"cat value":          {"cat_onehot.model.json", `"values": [`, `"values": [12345, `, "12345 is the hash of no category"},
		"cat table":          {"cat_statistics.model.json", `"hash_map": ["`, `"hash_map": ["1`, "hash_map"},
		"cat stride":         {"cat_statistics.model.json", `"hash_stride": 3`, `"hash_stride": 4`, "values in rows of 4"},
		"cat statistic":      {"cat_statistics.model.json", `"ctr_type": "Borders"`, `"ctr_type": "Boulders"`, `ctr_type: "Boulders" is unknown`},
		"cat combination":    {"cat_statistics.model.json", `"elements": [`, `"elements": [{"cat_feature_index": 1, "combination_element": "cat_feature_value"}, `, "max_ctr_complexity=1"},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile("testdata/golden/" + c.file)
			if err != nil {
				t.Fatal(err)
			}
			f, _ := format.Detect(data)
			if !bytes.Contains(data, []byte(c.old)) {
				t.Fatalf("%q is not in the file", c.old)
			}
			if _, err := format.Import(data, f, format.Options{}); err != nil {
				t.Fatal(err)
			}
			_, err = format.Import(bytes.Replace(data, []byte(c.old), []byte(c.new), 1), f, format.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %q", err, c.want)
			}
		})
	}
}

// Files cut anywhere are refused or, where only white space is lost, read.
func TestImportCutShort(t *testing.T) {
	for _, file := range []string{"xgb_quantile.model.json", "xgb_vector_leaf_ubj.ubj", "lgb_categories.txt", "cat_statistics.model.json"} {
		data, err := os.ReadFile("testdata/golden/" + file)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := format.Detect(data)
		end := len(data)
		if f == format.LightGBM { // the trees end before the importances and parameters
			end = bytes.Index(data, []byte("end of trees"))
		}
		for n := 0; n < end; n += 97 {
			if _, err := format.Import(data[:n], f, format.Options{}); err == nil {
				t.Errorf("%s cut at %d is read", file, n)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	data := export(t, small(func(e *ensemble.Ensemble) { e.Objective, e.Link = "binary:logistic", ensemble.Logistic }), format.XGBoostJSON)
	m, err := format.Import(data, format.XGBoostJSON, format.Options{Columns: []string{"x", "y"}, Classes: []int8{0, 1}})
	if err != nil || m.Columns[1] != "y" || fmt.Sprint(m.Classes) != "[0 1]" {
		t.Error(m, err)
	}
	for want, o := range map[string]format.Options{
		"3 column names":        {Columns: []string{"x", "y", "z"}},
		"are both called \"x\"": {Columns: []string{"x", "x"}},
		"3 class codes":         {Classes: []int8{-1, 0, 1}},
		"in that order":         {Classes: []int8{1, -1}},
	} {
		if _, err := format.Import(data, format.XGBoostJSON, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Ensembles of one style are written in the formats of the others and give
// the same scores.
func TestAcross(t *testing.T) {
	for name, g := range goldens(t) {
		data := g.bytes(t)
		from, _ := format.Detect(data)
		m, err := format.Import(data, from, g.options(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range format.Formats()[:4] {
			var b bytes.Buffer
			if err := format.Export(&b, m.Ensemble, to); err != nil {
				if m.Link != ensemble.OneVsAll {
					t.Error(name, err)
				}
				continue
			}
			back, err := format.Import(b.Bytes(), to, format.Options{Columns: m.Columns})
			if err != nil {
				t.Error(name, err)
				continue
			}
			raw, _ := g.compare(t, back.Ensemble)
			// float32 sums of some tens of trees.
			if raw > 4e-6 {
				t.Errorf("%s as %s: raw scores differ by %v", name, to, raw)
			}
		}
	}
}

// Different base scores go into the first trees of models that are not
// XGBoost's own: a vector of them is misread by older versions.
func TestXGBoostBaseScores(t *testing.T) {
	two := func(style string, width int) *ensemble.Ensemble {
		return small(func(e *ensemble.Ensemble) {
			e.Style, e.Objective, e.Link, e.Base = style, "", ensemble.Softmax, []float64{0.5, -1}
			more := e.Trees[0]
			if more.Class = 1; width == 2 {
				e.Trees[0].Width, e.Trees[0].Values = 2, []float64{0, 0, 1, 2, 3, 4}
				for i := range e.Trees[0].Nodes {
					e.Trees[0].Nodes[i].Value = 0
				}
				return
			}
			e.Trees = append(e.Trees, more)
		})
	}
	for _, c := range []struct {
		style string
		width int
		want  string
	}{{"xgboost", 1, `"base_score":"[5E-01,-1E+00]"`}, {"xgboost", 2, `"base_score":"[5E-01,-1E+00]"`}, {"lightgbm", 1, `"base_score":"0E+00"`}, {"catboost", 2, `"base_score":"0E+00"`}} {
		e := two(c.style, c.width)
		data := export(t, e, format.XGBoostJSON)
		if !bytes.Contains(data, []byte(c.want)) {
			t.Errorf("%s: no %s in %s", c.style, c.want, data)
		}
		m, err := format.Import(data, format.XGBoostJSON, format.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range [][]float32{{1, 0}, {3, 0}} {
			var want, got [2]float64
			e.Score(x, want[:])
			m.Score(x, got[:])
			if want != got {
				t.Errorf("%s: %v, want %v", c.style, got, want)
			}
		}
		if notes := fmt.Sprint(format.Caveats(e, format.XGBoostJSON)); strings.Contains(notes, "misreads") != (c.style == "xgboost") || strings.Contains(notes, "vectors") != (c.width == 2) {
			t.Error(notes)
		}
	}
	if notes := format.Caveats(two("xgboost", 1), format.LightGBM); len(notes) != 1 || !strings.Contains(notes[0], "seventh digit") {
		t.Error(notes)
	}
}
