package format

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// maxColumns bounds the columns of a file that does not name them.
const maxColumns = 1 << 20

// xgbObjective is what XGBoost does with raw scores under an objective.
type xgbObjective struct {
	link  ensemble.Link
	logit bool   // base_score is a probability
	param string // parameter block that the objective reads from a file
}

// xgbObjectives are the objectives with a link that an ensemble has.
func xgbObjectives() map[string]xgbObjective {
	return map[string]xgbObjective{
		"reg:squarederror":     {param: "reg_loss_param"},
		"reg:squaredlogerror":  {param: "reg_loss_param"},
		"reg:pseudohubererror": {param: "pseudo_huber_param"},
		"reg:absoluteerror":    {},
		"reg:quantileerror":    {param: "quantile_loss_param"},
		"reg:logistic":         {link: ensemble.Logistic, logit: true, param: "reg_loss_param"},
		"binary:logistic":      {link: ensemble.Logistic, logit: true, param: "reg_loss_param"},
		"binary:logitraw":      {param: "reg_loss_param"},
		"multi:softprob":       {link: ensemble.Softmax, param: "softmax_multiclass_param"},
		"multi:softmax":        {link: ensemble.Softmax, param: "softmax_multiclass_param"},
		"rank:pairwise":        {param: "lambdarank_param"},
		"rank:ndcg":            {param: "lambdarank_param"},
		"rank:map":             {param: "lambdarank_param"},
	}
}

// xgbClasses is the attribute in which this package keeps the class codes.
const xgbClasses = "mlfactory_classes"

// xgbEps is XGBoost's kRtEps.
const xgbEps = float32(1e-6)

// xgbMargin is the margin of a base_score that is a probability, as XGBoost
// computes it in float32.
func xgbMargin(p float32) float32 { return -float32(math.Log(float64(1/p - 1))) }

func importXGBoost(doc *value, o Options, m *Model) error {
	root := newPlace(doc)
	var version []int
	if v := root.find("version"); v != nil {
		version = v.wholes(-1, 0, 1<<20)
		m.Version = strings.Trim(strings.ReplaceAll(fmt.Sprint(version), " ", "."), "[]")
	}
	learner := root.key("learner")
	booster := learner.key("gradient_booster")
	kind := booster.key("name").text()
	outer := booster
	switch {
	case root.err() != nil:
		return root.err()
	case kind == "dart":
		booster = booster.key("gbtree")
	case kind != "gbtree":
		booster.key("name").fail("booster %q is no booster of trees", kind)
	}
	param := learner.key("learner_model_param")
	columns, classes, targets := param.key("num_feature").whole(1, maxColumns), param.key("num_class").whole(0, 1<<16), 1
	if t := param.find("num_target"); t != nil {
		targets = t.whole(1, 1<<16)
	}
	k := max(classes, targets, 1)
	name := learner.down("objective", "name")
	obj, known := xgbObjectives()[name.text()]
	if !known {
		name.fail("objective %q has a link that an ensemble does not have", name.v.str)
	}
	if k > 1 && obj.link == ensemble.Logistic {
		name.fail("objective %q with %d scores", name.v.str, k)
	}
	e := m.Ensemble
	e.Style, e.Objective, e.Link, e.Single = "xgboost", name.text(), obj.link, true
	e.Base = xgbBase(param.key("base_score"), k, obj.logit, slices.Compare(version, []int{3, 2}) >= 0)
	xgbExtra(learner.key("objective"), e)
	kinds := xgbColumns(learner, columns, e)
	model := booster.key("model")
	if root.err() != nil {
		return root.err()
	}
	weights := xgbWeights(outer, booster, model)
	trees, info := model.key("trees"), model.key("tree_info")
	n := trees.len()
	if p := model.find("gbtree_model_param"); p != nil {
		if p := p.find("num_trees"); p != nil && p.whole(0, math.MaxInt32) != n {
			trees.fail("%d trees, num_trees says %d", n, p.whole(0, math.MaxInt32))
		}
	}
	keep := xgbBest(learner, model, n, k, o.Best, m)
	if weights != nil && len(weights) != n {
		trees.fail("%d trees and %d weights of them", n, len(weights))
	}
	class := info.wholes(n, 0, k-1)
	if root.err() != nil {
		return root.err()
	}
	var sets setMaker
	for i := range keep {
		w := float32(1)
		if weights != nil {
			w = weights[i]
		}
		t := xgbTree(trees.at(i), columns, k, w, &sets, kinds)
		if root.err() != nil {
			return root.err()
		}
		if t.Width == 1 {
			t.Class = class[i]
		}
		e.Trees = append(e.Trees, t)
	}
	for j, c := range kinds {
		if c {
			e.Categorical = append(e.Categorical, j)
		}
	}
	if weights != nil {
		m.note("the weights of DART are multiplied into the leaves")
	}
	if model.find("cats") != nil && model.key("cats").find("enc") != nil && model.key("cats").key("enc").len() > 0 {
		m.note("the file holds the texts of its categories; the model counts them from 0 in the order of the file")
	}
	xgbClassCodes(learner, e)
	return root.err()
}

// xgbBase reads base_score: a number or, since 3.1, a vector, both as a text.
// Since 3.2 a probability is brought into [1e-6, 1−1e-6] first.
func xgbBase(p *place, k int, logit, clamp bool) []float64 {
	var parts []string
	switch p.v.kind {
	case number:
		parts = []string{strconv.FormatFloat(p.v.num, 'g', -1, 64)}
	default:
		parts = strings.Split(strings.Trim(p.text(), "[] "), ",")
	}
	if len(parts) != 1 && len(parts) != k {
		p.fail("%d values for %d scores", len(parts), k)
	}
	out := make([]float64, k)
	for c := range out {
		s := parts[0]
		if len(parts) == k {
			s = parts[c]
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
		if err != nil || !finite(x) {
			p.fail("%.40q is no finite number", s)
			return out
		}
		if out[c] = x; logit {
			if clamp && x >= 0 && x <= 1 {
				x = float64(min(max(float32(x), xgbEps), 1-xgbEps))
			}
			if x <= 0 || x >= 1 {
				p.fail("%v is no probability between 0 and 1", x)
				return out
			}
			out[c] = float64(xgbMargin(float32(x)))
		}
	}
	return out
}

// xgbExtra keeps the parameters of the objective.
func xgbExtra(obj *place, e *ensemble.Ensemble) {
	if p := obj.find("reg_loss_param"); p != nil {
		if p := p.find("scale_pos_weight"); p != nil {
			e.Extra["scale_pos_weight"] = float64(float32(p.number()))
		}
	}
	if p := obj.find("pseudo_huber_param"); p != nil {
		if p := p.find("huber_slope"); p != nil {
			e.Extra["huber_slope"] = float64(float32(p.number()))
		}
	}
	if p := obj.find("quantile_loss_param"); p != nil {
		p = p.key("quantile_alpha")
		s := p.v.str
		if p.v.kind == number {
			s = strconv.FormatFloat(p.v.num, 'g', -1, 64)
		}
		parts := strings.Split(strings.Trim(s, "[]() "), ",")
		if len(parts) != len(e.Base) {
			p.fail("%d quantiles for %d scores", len(parts), len(e.Base))
			return
		}
		for i, s := range parts {
			x, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
			if err != nil || !finite(x) {
				p.fail("%.40q is no finite number", s)
				return
			}
			e.Extra[alphaKey(i, len(parts))] = x
		}
	}
}

// alphaKey is the name of the i-th of n quantiles in Ensemble.Extra.
func alphaKey(i, n int) string {
	if n == 1 {
		return "quantile_alpha"
	}
	return "quantile_alpha." + strconv.Itoa(i)
}

// xgbColumns sets the names of the columns and tells which are categorical.
func xgbColumns(learner *place, n int, e *ensemble.Ensemble) []bool {
	if p := learner.find("feature_names"); p != nil && p.len() > 0 {
		if e.Columns = p.texts(); len(e.Columns) != n {
			p.fail("%d names for %d columns", len(e.Columns), n)
		}
	} else {
		for j := range n {
			e.Columns = append(e.Columns, "f"+strconv.Itoa(j))
		}
	}
	out := make([]bool, n)
	if p := learner.find("feature_types"); p != nil && p.len() > 0 {
		types := p.texts()
		if len(types) != n {
			p.fail("%d types for %d columns", len(types), n)
			return out
		}
		for j, t := range types {
			out[j] = t == "c"
		}
	}
	return out
}

// xgbWeights is what trees are multiplied with, nil for 1. Files hold it beside
// the trees of a dart booster, or since 3.5 within the model.
func xgbWeights(places ...*place) []float32 {
	for _, p := range places {
		if w := p.find("weight_drop"); w != nil && w.len() > 0 {
			return w.float32s(-1)
		}
	}
	return nil
}

// xgbBest is how many of the n trees count.
func xgbBest(learner, model *place, n, k int, best bool, m *Model) int {
	a := learner.find("attributes").find("best_iteration")
	if a == nil {
		return n
	}
	round := a.whole(0, math.MaxInt32-1)
	end := n
	if p := model.find("iteration_indptr"); p != nil {
		starts := p.wholes(-1, 0, n)
		if round+1 < len(starts) {
			end = starts[round+1]
		}
	} else if p := model.down("gbtree_model_param", "num_parallel_tree"); a.err() == nil {
		end = min(n, (round+1)*k*p.whole(1, math.MaxInt16))
	}
	switch {
	case end == n:
	case best:
		m.note("kept are the %d trees up to the best iteration, %d, of %d", end, round, n)
		return end
	default:
		m.note("the best iteration is %d, with %d of the %d trees; all are kept", round, end, n)
	}
	return n
}

func xgbClassCodes(learner *place, e *ensemble.Ensemble) {
	a := learner.find("attributes").find(xgbClasses)
	if a == nil {
		return
	}
	for s := range strings.FieldsSeq(a.text()) {
		x, err := strconv.ParseInt(s, 10, 8)
		if err != nil {
			a.fail("%.40q is no class code", s)
			return
		}
		e.Classes = append(e.Classes, int8(x))
	}
}

// xgbTree reads one tree. It is in kinds that the columns of its categorical
// nodes are noted.
func xgbTree(p *place, columns, k int, weight float32, sets *setMaker, kinds []bool) ensemble.Tree {
	params := p.key("tree_param")
	n := params.key("num_nodes").whole(1, math.MaxInt32)
	width := 1
	if w := params.find("size_leaf_vector"); w != nil {
		width = max(1, w.whole(0, 1<<16))
	}
	if width != 1 && width != k {
		params.fail("leaves of %d values for %d scores", width, k)
	}
	left := p.key("left_children").wholes(-1, -1, n-1)
	if len(left) != n {
		p.fail("%d nodes, num_nodes says %d", len(left), n)
	}
	if p.err() != nil {
		return ensemble.Tree{}
	}
	right := p.key("right_children").wholes(n, -1, n-1)
	feature := p.key("split_indices").wholes(n, 0, math.MaxInt32)
	dflt := p.key("default_left").wholes(n, 0, 1)
	// The arrays may hold anything at nodes where they are not used.
	cond, gain, cover := p.key("split_conditions").numbers(n), p.key("loss_changes").float32s(n), p.key("sum_hessian").float32s(n)
	base := p.key("base_weights").float32s(-1)
	tr := &plan{nodes: make([]step, n), width: width}
	cats := xgbCategories(p, n, sets)
	if width == 1 && len(base) != n {
		p.key("base_weights").fail("%d numbers, want %d", len(base), n)
	}
	var leaves []float32
	if width > 1 {
		tr.values = make([]float64, 0)
		if w := p.find("leaf_weights"); w != nil {
			leaves = w.float32s(-1)
		} else if len(base) != n*width {
			p.key("base_weights").fail("%d numbers, want %d", len(base), n*width)
		}
	}
	if p.err() != nil {
		return ensemble.Tree{}
	}
	for i := range tr.nodes {
		s := &tr.nodes[i]
		s.left, s.right = left[i], right[i]
		s.Gain, s.Cover = float64(gain[i]), float64(cover[i])
		if width == 1 {
			s.Value = float64(float32(base[i] * weight))
		}
		if width > 1 {
			tr.values = append(tr.values, xgbVector(p, i, width, weight, base, leaves, s.leaf(), right[i])...)
		}
		if s.leaf() {
			s.right = -1
			if width == 1 {
				v := float32(cond[i])
				if !finite(float64(v)) {
					p.fail("node %d: leaf value %v", i, cond[i])
				}
				s.Value = float64(float32(v * weight))
			}
			continue
		}
		if feature[i] >= columns {
			p.fail("node %d splits column %d of %d", i, feature[i], columns)
			return ensemble.Tree{}
		}
		s.Feature, s.DefaultLeft = int32(feature[i]), dflt[i] == 1
		if set, ok := cats[i]; ok { // the set goes right, everything else left
			s.categorical, s.set = true, set
			s.swap()
			kinds[feature[i]] = true
			continue
		}
		if s.Threshold = float32(cond[i]); s.Threshold != s.Threshold || math.IsInf(float64(s.Threshold), -1) {
			p.fail("node %d has the threshold %v", i, cond[i])
		}
	}
	t, err := tr.order()
	if err != nil {
		p.fail("%v", err)
	}
	return t
}

// xgbVector is the vector of a node: of a leaf from leaf_weights, where the
// file has them, at the place that the right child stands for.
func xgbVector(p *place, i, width int, weight float32, base, leaves []float32, leaf bool, at int) []float64 {
	out := make([]float64, width)
	src := base
	if leaf && leaves != nil {
		src, i = leaves, at
	} else if len(base)%width != 0 || len(base)/width <= i {
		return out // an inner node whose vector the file does not hold
	}
	if i < 0 || (i+1)*width > len(src) {
		p.fail("leaf vector %d of %d", i, len(src)/width)
		return out
	}
	for c := range out {
		out[c] = float64(float32(src[i*width+c] * weight))
	}
	return out
}

// xgbCategories reads the sets of the categorical nodes.
func xgbCategories(p *place, n int, sets *setMaker) map[int]ensemble.Set {
	kinds := p.find("split_type")
	if kinds == nil {
		return nil
	}
	is := kinds.wholes(n, 0, 1)
	nodes := p.key("categories_nodes").wholes(-1, 0, n-1)
	starts, sizes := p.key("categories_segments").wholes(len(nodes), 0, math.MaxInt32), p.key("categories_sizes").wholes(len(nodes), 0, math.MaxInt32)
	cats := p.key("categories").wholes(-1, 0, maxCategory)
	out := make(map[int]ensemble.Set, len(nodes))
	for j, i := range nodes {
		if starts[j]+sizes[j] > len(cats) {
			p.fail("node %d has categories %d to %d of %d", i, starts[j], starts[j]+sizes[j], len(cats))
			return nil
		}
		set, err := sets.of(cats[starts[j] : starts[j]+sizes[j]])
		if err != nil {
			p.fail("node %d: %v", i, err)
			return nil
		}
		out[i] = set
	}
	for i, c := range is {
		if _, ok := out[i]; (c == 1) != ok && p.err() == nil {
			p.fail("node %d has split type %d but its categories say otherwise", i, c)
		}
	}
	return out
}
