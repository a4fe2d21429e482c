package format

import (
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/internal/onnx"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// One node of the domain ai.onnx.ml, version 3, holds all trees. The input
// "input" is float32, rows by columns; a classifier has the outputs "label" and
// "probabilities" of the classes in order, anything else "scores". Runtimes sum
// in float32.

// onnxTrees are the arrays of all nodes and leaves.
type onnxTrees struct {
	tree, id, feature, yes, no, missing []int64
	value                               []float32
	mode                                []string
	leafTree, leafNode, leafScore       []int64
	leafValue                           []float32
	margin                              func(score int) float64 // see onnxMargin
}

// onnxMargin is for two classes that one number s tells apart: how a score
// counts in s, nil for any other ensemble. The classifier then has the scores −s and s. Runtimes treat two
// classes as a case of their own: the class is the second if its score is
// positive, and base values are added in another way, so that the base goes
// into the first tree.
func onnxMargin(e *ensemble.Ensemble) func(score int) float64 {
	switch {
	case e.Link == ensemble.Logistic:
		return func(int) float64 { return 1 }
	case e.Link == ensemble.Softmax && len(e.Base) == 2: // of (a, b) it is the logistic function of b − a
		return func(c int) float64 { return float64(2*c - 1) }
	}
	return nil
}

// exportONNX writes an ensemble for ai.onnx.ml version 3.
func exportONNX(e *ensemble.Ensemble) ([]byte, error) {
	a := onnxTrees{margin: onnxMargin(e)}
	trees := summed(e)
	if len(trees) == 0 { // runtimes want a tree
		trees = []ensemble.Tree{{Nodes: []ensemble.Node{{}}, Width: 1}}
	}
	first := 0.0 // what the first tree adds
	if a.margin != nil {
		for c, b := range e.Base {
			first += float64(a.margin(c) * b)
		}
	}
	for i := range trees {
		if err := a.add(int64(i), &trees[i], first); err != nil {
			return nil, fmt.Errorf("tree %d: %w", i, err)
		}
		first = 0
	}
	var g onnx.Graph
	k := len(e.Base)
	if a.margin != nil {
		k = 2
	}
	labels := make([]int64, k)
	for c := range labels {
		if labels[c] = int64(c); len(e.Classes) == k {
			labels[c] = int64(e.Classes[c])
		}
	}
	// Runtimes call two classes 0 and 1, whatever their labels.
	choose := e.Link == ensemble.OneVsAll || e.Link == ensemble.Shares || a.margin != nil && !slices.Equal(labels, []int64{0, 1})
	if a.margin != nil || e.Link == ensemble.Softmax {
		label := "label"
		if choose {
			label = "zero_or_one"
		}
		n := g.NodeOf(onnx.ML, "TreeEnsembleClassifier", []string{"input"}, []string{label, "probabilities"})
		n.Ints("classlabels_int64s", labels...)
		if err := a.attributes(n, "class", e); err != nil {
			return nil, err
		}
		post := "LOGISTIC"
		if a.margin == nil {
			post = "SOFTMAX"
		}
		n.Text("post_transform", post)
	} else {
		n := g.NodeOf(onnx.ML, "TreeEnsembleRegressor", []string{"input"}, []string{"scores"})
		n.Int("n_targets", k)
		if err := a.attributes(n, "target", e); err != nil {
			return nil, err
		}
		n.Text("post_transform", "NONE")
	}
	rows := onnx.Dim{Name: "rows"}
	g.Input("input", onnx.Float, rows, onnx.Dim{Size: len(e.Columns)})
	if e.Link == ensemble.Identity {
		g.Output("scores", onnx.Float, rows, onnx.Dim{Size: k})
		return g.Model(), nil
	}
	g.Output("label", onnx.Int64, rows)
	g.Output("probabilities", onnx.Float, rows, onnx.Dim{Size: k})
	if e.Link == ensemble.OneVsAll || e.Link == ensemble.Shares { // divided by their sum
		from := "scores"
		if e.Link == ensemble.OneVsAll {
			g.Node("Sigmoid", []string{from}, []string{"each"})
			from = "each"
		}
		g.NodeOf(onnx.ML, "Normalizer", []string{from}, []string{"probabilities"}).Text("norm", "L1")
	}
	if choose { // the class of the largest probability
		g.Node("ArgMax", []string{"probabilities"}, []string{"largest"}).Int("axis", 1).Int("keepdims", 0)
		g.Node("Gather", []string{"labels", "largest"}, []string{"label"})
		g.Ints("labels", labels...)
	}
	return g.Model(), nil
}

// attributes writes the trees into a node; leaves is how its kind calls them.
func (a *onnxTrees) attributes(n *onnx.Node, leaves string, e *ensemble.Ensemble) error {
	if a.margin == nil {
		base := make([]float32, len(e.Base))
		for c, b := range e.Base {
			var err error
			if base[c], err = single(b, "base score"); err != nil {
				return err
			}
		}
		n.Floats("base_values", base...)
	}
	n.Ints("nodes_treeids", a.tree...)
	n.Ints("nodes_nodeids", a.id...)
	n.Ints("nodes_featureids", a.feature...)
	n.Floats("nodes_values", a.value...)
	n.Texts("nodes_modes", a.mode...)
	n.Ints("nodes_truenodeids", a.yes...)
	n.Ints("nodes_falsenodeids", a.no...)
	n.Ints("nodes_missing_value_tracks_true", a.missing...)
	n.Ints(leaves+"_treeids", a.leafTree...)
	n.Ints(leaves+"_nodeids", a.leafNode...)
	n.Ints(leaves+"_ids", a.leafScore...)
	n.Floats(leaves+"_weights", a.leafValue...)
	return nil
}

// add takes a tree; first is added to its leaves.
func (a *onnxTrees) add(tree int64, t *ensemble.Tree, first float64) error {
	p := planOf(t)
	p.zeros()
	p, err := p.copies(maxGrowth(len(t.Nodes)))
	if err != nil {
		return err
	}
	next := int64(len(p.nodes))
	put := func(id, feature int64, mode string, value float32, yes, no int64, missing bool) {
		track := int64(0)
		if missing {
			track = 1
		}
		a.tree, a.id, a.feature = append(a.tree, tree), append(a.id, id), append(a.feature, feature)
		a.mode, a.value = append(a.mode, mode), append(a.value, value)
		a.yes, a.no, a.missing = append(a.yes, yes), append(a.no, no), append(a.missing, track)
	}
	for i := range p.nodes {
		s, id := &p.nodes[i], int64(i)
		switch {
		case s.leaf():
			put(id, 0, "LEAF", 0, 0, 0, false)
			vals, class := []float64{s.Value}, t.Class
			if t.Width > 1 {
				vals, class = p.values[i*t.Width:(i+1)*t.Width], 0
			}
			if err := a.leaf(tree, id, class, vals, first); err != nil {
				return fmt.Errorf("node %d: %w", i, err)
			}
		case !s.categorical:
			put(id, int64(s.Feature), "BRANCH_LT", s.Threshold, int64(s.left), int64(s.right), s.DefaultLeft)
		default: // equal to one category or the next, all leading to the same node
			cats := categories(s.set)
			if len(cats) == 0 { // equal to what no category is
				cats = []int{-1}
			}
			for j, c := range cats {
				no := next
				if j == len(cats)-1 {
					no = int64(s.right)
				}
				put(id, int64(s.Feature), "BRANCH_EQ", float32(c), int64(s.left), no, s.DefaultLeft)
				if no == next {
					id = next
					next++
				}
			}
		}
	}
	return nil
}

// leaf writes the values of a leaf, of which the first is for score class.
func (a *onnxTrees) leaf(tree, node int64, class int, vals []float64, first float64) error {
	if a.margin != nil {
		s := first
		for c, v := range vals {
			s += float64(a.margin(class+c) * v)
		}
		vals, class = []float64{-s, s}, 0
	}
	for c, x := range vals {
		v, err := single(x, "value")
		if err != nil {
			return err
		}
		a.leafTree, a.leafNode = append(a.leafTree, tree), append(a.leafNode, node)
		a.leafScore, a.leafValue = append(a.leafScore, int64(class+c)), append(a.leafValue, v)
	}
	return nil
}
