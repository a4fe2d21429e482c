package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// exportXGBoost makes the document of an ensemble in the form of XGBoost 3.2,
// which 1.7 and later read, but for [Caveats].
func exportXGBoost(e *ensemble.Ensemble) (fields, error) {
	name, err := xgbName(e)
	if err != nil {
		return nil, err
	}
	k := len(e.Base)
	vector := len(e.Trees) > 0 && k > 1 && !e.Mean
	for i := range e.Trees {
		vector = vector && e.Trees[i].Width == k
	}
	trees := e.Trees
	if !vector {
		trees = scalars(e)
	}
	start := e.Base
	if e.Style != "xgboost" && unequal(e) { // files of XGBoost's own begin with a vector
		if g, ok := grounded(trees, start); ok {
			trees, start = g, make([]float64, k)
		}
	}
	base, rest, err := xgbBaseScore(start, xgbObjectives()[name].logit)
	if err != nil {
		return nil, err
	}
	if len(trees) == 0 && rest != 0 {
		trees = append(trees, ensemble.Tree{Nodes: []ensemble.Node{{}}, Width: 1})
	}
	categorical := make([]bool, len(e.Columns))
	for _, j := range e.Categorical {
		categorical[j] = true
	}
	docs, info, starts := []fields{}, []int{}, []int{0}
	for i := range trees {
		add := 0.0
		if i == 0 {
			add = rest
		}
		doc, err := xgbTreeDoc(&trees[i], i, len(e.Columns), add, categorical)
		if err != nil {
			return nil, fmt.Errorf("tree %d: %w", i, err)
		}
		docs = append(docs, doc)
		class := trees[i].Class
		if vector {
			class = 0
		}
		info = append(info, class)
		if vector || i+1 == len(trees) || trees[i+1].Class <= class {
			starts = append(starts, i+1)
		}
	}
	types := make([]string, len(e.Columns))
	for j := range types {
		types[j] = "float"
		if categorical[j] {
			types[j] = "c"
		}
	}
	classes, targets := 0, 1
	switch {
	case e.Link == ensemble.Softmax:
		classes = k
	case k > 1:
		targets = k
	}
	attributes := fields{}
	if len(e.Classes) > 0 && e.Link != ensemble.Shares { // which are written as numbers
		attributes = fields{{xgbClasses, strings.Trim(fmt.Sprint(e.Classes), "[]")}}
	}
	return fields{
		{"learner", fields{
			{"attributes", attributes},
			{"feature_names", e.Columns},
			{"feature_types", types},
			{"gradient_booster", fields{
				{"model", fields{
					{"gbtree_model_param", fields{{"num_parallel_tree", "1"}, {"num_trees", strconv.Itoa(len(trees))}, {"size_leaf_vector", "0"}}},
					{"iteration_indptr", starts},
					{"tree_info", info},
					{"trees", docs},
				}},
				{"name", "gbtree"},
			}},
			{"learner_model_param", fields{
				{"base_score", base},
				{"boost_from_average", "1"},
				{"num_class", strconv.Itoa(classes)},
				{"num_feature", strconv.Itoa(len(e.Columns))},
				{"num_target", strconv.Itoa(targets)},
			}},
			{"objective", xgbObjectiveDoc(name, e)},
		}},
		{"version", []int{3, 2, 0}},
	}, nil
}

// xgbName is the objective that the file names.
func xgbName(e *ensemble.Ensemble) (string, error) {
	if o, ok := xgbObjectives()[e.Objective]; ok && e.Style == "xgboost" && o.link == e.Link && o.param != "lambdarank_param" {
		return e.Objective, nil
	}
	switch e.Link {
	case ensemble.Identity, ensemble.Shares:
		return "reg:squarederror", nil
	case ensemble.Logistic:
		return "binary:logistic", nil
	case ensemble.Softmax:
		return "multi:softprob", nil
	}
	return "", fmt.Errorf("XGBoost has no objective of one logistic score for each class; LightGBM, CatBoost and ONNX have")
}

func xgbObjectiveDoc(name string, e *ensemble.Ensemble) fields {
	out := fields{{"name", name}}
	extra := func(key string, dflt float64) string {
		if x, ok := e.Extra[key]; ok {
			dflt = x
		}
		return strconv.FormatFloat(dflt, 'g', -1, 32)
	}
	block := xgbObjectives()[name].param
	switch block {
	case "reg_loss_param":
		out = append(out, field{block, fields{{"scale_pos_weight", extra("scale_pos_weight", 1)}}})
	case "pseudo_huber_param":
		out = append(out, field{block, fields{{"huber_slope", extra("huber_slope", 1)}}})
	case "softmax_multiclass_param":
		out = append(out, field{block, fields{{"num_class", strconv.Itoa(len(e.Base))}}})
	case "quantile_loss_param":
		alphas := make([]string, len(e.Base))
		for i := range alphas {
			alphas[i] = extra(alphaKey(i, len(alphas)), 0.5)
		}
		out = append(out, field{block, fields{{"quantile_alpha", "[" + strings.Join(alphas, ",") + "]"}}})
	}
	return out
}

// xgbBaseScore is base_score as a text: one number if all scores begin alike,
// else a vector. Where a probability cannot carry a margin, the rest is what
// the first tree has to add.
func xgbBaseScore(base []float64, logit bool) (string, float64, error) {
	vals, rest, equal := make([]float32, len(base)), 0.0, true
	for c, b := range base {
		v, err := single(b, "base score")
		if err != nil {
			return "", 0, err
		}
		if vals[c] = v; logit {
			vals[c], rest = xgbProbability(v)
		}
		equal = equal && vals[c] == vals[0]
	}
	if len(vals) > 1 && logit && rest != 0 {
		return "", 0, fmt.Errorf("base scores %v have no probabilities in float32", base)
	}
	if equal {
		return string(number32(nil, vals[0])), rest, nil
	}
	return string(appendJSON(nil, vals)), rest, nil
}

// xgbProbability finds the probability of which XGBoost makes the margin. A
// float32 just below 1 is too coarse for large margins, and probabilities end
// at 1e-6: then it is the nearest one and what is missing, if that is more than float32
// sums lose anyway.
func xgbProbability(margin float32) (near float32, rest float64) {
	m := float64(margin)
	p := min(max(float32(1/(1+math.Exp(-m))), xgbEps), 1-xgbEps)
	best := math.Inf(1)
	for _, way := range []float32{xgbEps, 1 - xgbEps} {
		q := p
		for range 64 { // many probabilities may have one margin, and the way back is within a few ulps
			if d := math.Abs(float64(xgbMargin(q)) - m); d < best {
				best, near = d, q
			}
			if q == way {
				break
			}
			q = math.Nextafter32(q, way)
		}
	}
	if best <= 1e-7*max(1, math.Abs(m)) {
		return near, 0
	}
	return near, m - float64(xgbMargin(near))
}

// xgbTreeDoc is the document of one tree: parallel arrays over the nodes. The
// threshold of a leaf is its value.
func xgbTreeDoc(tree *ensemble.Tree, id, columns int, add float64, categorical []bool) (fields, error) {
	// Its sets go right, so the sides of categorical nodes change places; and
	// it takes the right child to be the one after the left.
	turned := planOf(tree)
	turned.zeros()
	turned, err := turned.copies(maxGrowth(len(tree.Nodes)))
	if err != nil {
		return nil, err
	}
	for i := range turned.nodes {
		if turned.nodes[i].categorical {
			turned.nodes[i].swap()
		}
	}
	t, err := turned.order()
	if err != nil {
		return nil, err
	}
	n := len(t.Nodes)
	left, right, parent, feature := make([]int32, n), make([]int32, n), make([]int32, n), make([]int32, n)
	kind, dflt := make([]uint8, n), make([]uint8, n)
	cond, gain, cover := make([]float32, n), make([]float32, n), make([]float32, n)
	weight, leaves := make([]float32, 0, n*t.Width), []float32{}
	cats, nodes := []int32{}, []int32{}
	starts, sizes := []int64{}, []int64{}
	parent[0] = math.MaxInt32
	if t.Width > 1 {
		parent[0] = -1
	}
	tr := planOf(&t)
	for i := range tr.nodes {
		s := &tr.nodes[i]
		vals := []float64{s.Value}
		if t.Width > 1 {
			vals = t.Values[i*t.Width : (i+1)*t.Width]
		}
		for _, x := range vals {
			v, err := single(x+add, "value")
			if err != nil {
				return nil, fmt.Errorf("node %d: %w", i, err)
			}
			if weight = append(weight, v); s.leaf() {
				leaves = append(leaves, v)
			}
		}
		if gain[i], err = single(s.Gain, "gain"); err != nil {
			return nil, fmt.Errorf("node %d: %w", i, err)
		}
		if cover[i], err = single(s.Cover, "cover"); err != nil {
			return nil, fmt.Errorf("node %d: %w", i, err)
		}
		if s.leaf() {
			left[i], right[i] = -1, -1
			if cond[i] = weight[len(weight)-1]; t.Width > 1 {
				right[i], cond[i] = int32(len(leaves)/t.Width-1), math.SmallestNonzeroFloat32
			}
			continue
		}
		if s.categorical != categorical[s.Feature] {
			return nil, fmt.Errorf("node %d splits column %d both by categories and by a threshold, or the column is not listed as categorical", i, s.Feature)
		}
		cond[i] = s.Threshold
		if s.categorical {
			cs := categories(s.set)
			if len(cs) == 0 {
				return nil, fmt.Errorf("node %d has no category, which XGBoost refuses", i)
			}
			kind[i], cond[i] = 1, math.SmallestNonzeroFloat32
			nodes, starts, sizes = append(nodes, int32(i)), append(starts, int64(len(cats))), append(sizes, int64(len(cs)))
			for _, c := range cs {
				cats = append(cats, int32(c))
			}
		}
		left[i], right[i], feature[i] = int32(s.left), int32(s.right), s.Feature
		parent[s.left], parent[s.right] = int32(i), int32(i)
		if s.DefaultLeft {
			dflt[i] = 1
		}
	}
	out := fields{
		{"base_weights", weight}, {"categories", cats}, {"categories_nodes", nodes}, {"categories_segments", starts}, {"categories_sizes", sizes},
		{"default_left", dflt}, {"id", id},
	}
	if t.Width > 1 {
		out = append(out, field{"leaf_weights", leaves})
	}
	return append(out, fields{
		{"left_children", left}, {"loss_changes", gain}, {"parents", parent}, {"right_children", right},
		{"split_conditions", cond}, {"split_indices", feature}, {"split_type", kind}, {"sum_hessian", cover},
		{"tree_param", fields{{"num_deleted", "0"}, {"num_feature", strconv.Itoa(columns)}, {"num_nodes", strconv.Itoa(n)}, {"size_leaf_vector", strconv.Itoa(t.Width)}}},
	}...), nil
}
