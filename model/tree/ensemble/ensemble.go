// Package ensemble holds finished ensembles of decision trees, whatever grew
// them: boosting in the styles of XGBoost, LightGBM and CatBoost, random
// forests, or a file of one of those libraries.
//
// # Trees
//
// A [Tree] is an array of [Node]s. The children of node i are Left and Left+1,
// both after i; Left is 0 for a leaf. Nodes are in breadth-first order, which
// [Tree.Check] holds to. A numeric node sends x < Threshold left. Libraries
// that compare with x ≤ t are the same on float32 inputs with the next larger
// float32 as the threshold, which is how they are stored ([Above]). A
// categorical node sends the categories of a set left; a category is a
// non-negative whole number. Missing values (NaN) go left where DefaultLeft is
// set.
//
// # Scores
//
// A row has [Ensemble.Scores] raw scores: the base of each score and the leaf
// values of the trees, summed in the order of the trees, in float32 or float64
// as the library of the style does (Single). A tree adds one value to the
// score Class, or, with Width > 1, a vector to all scores. The [Link] turns raw
// scores into probabilities or a prediction.
//
// # Predictions
//
// A [Model] is an ensemble made ready to predict: values become ranks among the
// thresholds once, nodes then compare bytes, and many trees, or 64 rows, are
// walked side by side. It gives the bits of [Ensemble.Score] on every kernel
// path, does not allocate for single rows, and is what the learners return from
// a fit.
//
// # Files
//
// [Ensemble.Encode] and [Decode] are the project's own form, which keeps
// everything. The files of the libraries are read and written by package
// model/tree/format.
//
// # Refusals
//
// An ensemble that is inconsistent, inputs that are infinite, a category that
// is negative or no whole number, and columns that differ from those of the
// fit are errors that name the tree and node, or the row and column.
package ensemble

import (
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
)

// Link says what raw scores mean.
type Link uint8

// Links.
const (
	Identity Link = iota // the score is the prediction
	Logistic             // one score, P(1) = 1/(1+e^−s)
	Softmax              // K scores, softmax
	Shares               // K scores that are class shares already (forests): divided by their sum
	OneVsAll             // K scores, each 1/(1+e^−s), then divided by their sum
)

// Node is a node of a finished tree.
type Node struct {
	Feature     int32   // column
	Left        int32   // children are Left and Left+1; 0: leaf
	Threshold   float32 // numeric: x < Threshold goes left; +Inf sends every value left
	Set         int32   // categorical: 1 + index in Tree.Sets of the categories that go left; 0: numeric
	DefaultLeft bool    // where NaN goes
	ZeroMissing bool    // |x| ≤ float32(1e-35) counts as missing too (LightGBM's zero_as_missing)
	// Value is the leaf value, learning rate included; of an inner node what
	// it would be as a leaf, 0 where the grower does not know it. With
	// Tree.Width > 1 it is unused.
	Value float64
	Gain  float64 // of the split, in the units of the style
	Cover float64 // sum of hessians of the training rows (weights, for forests and CatBoost)
	Count int32   // training rows, 0 where unknown
}

// Leaf reports whether the node has no children.
func (n *Node) Leaf() bool { return n.Left == 0 }

// Tree is one tree.
type Tree struct {
	Nodes []Node
	Sets  []Set // of the categorical nodes
	Class int   // the score it adds to, if Width is 1
	Width int   // values of a leaf: 1, or the number of scores
	// Values has Width values for every node if Width > 1, node-major.
	Values []float64
	// Symmetric says that all nodes of a level have the same split.
	Symmetric bool
}

// Set is a set of categories: bit c%64 of word c/64.
type Set []uint64

// Has reports whether category c is in the set.
func (s Set) Has(c int) bool { return c>>6 < len(s) && s[c>>6]>>(c&63)&1 == 1 }

// With is the set and category c.
func (s Set) With(c int) Set {
	for len(s) <= c>>6 {
		s = append(s, 0)
	}
	s[c>>6] |= 1 << (c & 63)
	return s
}

// Len is the number of categories.
func (s Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Ensemble is a finished model. It is not changed after [Ensemble.Check].
type Ensemble struct {
	Style     string   // who grew it: "xgboost", "lightgbm", "catboost", "random_forest", "extra_trees"
	Objective string   // in the words of the style, "multi:softprob" for example
	Link      Link     // what scores mean
	Columns   []string // of the fit, in order
	Classes   []int8   // what the probabilities stand for; nil below the classifier
	// Categorical lists the columns that hold categories, ascending.
	Categorical []int
	Base        []float64 // initial scores; its length is the number of scores
	Trees       []Tree    // in order of addition
	Mean        bool      // scores are means over the trees instead of sums (forests)
	Single      bool      // scores are summed in float32
	// Extra holds parameters of the objective that a file needs, by the names
	// of the style: "scale_pos_weight", "sigmoid", "quantile_alpha".
	Extra map[string]float64
}

// Scores is the number of raw scores of a row.
func (e *Ensemble) Scores() int { return len(e.Base) }

// Above is the smallest float32 greater than t: x ≤ t for a float32 x is
// x < Above(t).
func Above(t float64) float32 {
	f := float32(t)
	if float64(f) > t {
		return f
	}
	return math.Nextafter32(f, float32(math.Inf(1)))
}

// Below is the largest float32 less than threshold: x < threshold is
// x ≤ Below(threshold).
func Below(threshold float32) float32 { return math.Nextafter32(threshold, float32(math.Inf(-1))) }

// zeroMissing is LightGBM's kZeroThreshold, which is a float32.
const zeroMissing = float64(float32(1e-35))

// GoesLeft reports whether a row with value x goes left at an inner node.
func (t *Tree) GoesLeft(n *Node, x float32) bool {
	if x != x || n.ZeroMissing && math.Abs(float64(x)) <= zeroMissing {
		return n.DefaultLeft
	}
	if n.Set != 0 {
		return x >= 0 && x < 1<<24 && t.Sets[n.Set-1].Has(int(x))
	}
	return x < n.Threshold
}

// LeafOf is the leaf that a row reaches.
func (t *Tree) LeafOf(x []float32) int {
	i := 0
	for t.Nodes[i].Left != 0 {
		n := &t.Nodes[i]
		if i = int(n.Left); !t.GoesLeft(n, x[n.Feature]) {
			i++
		}
	}
	return i
}

// Score writes the raw scores of one row to out by walking the nodes: the
// plain twin of the fast predictor. len(out) is [Ensemble.Scores].
func (e *Ensemble) Score(x []float32, out []float64) {
	e.score(x, make([]float32, len(out)), make([]float64, len(out)), out)
}

// score is Score with room for the sums.
func (e *Ensemble) score(x []float32, s []float32, d []float64, out []float64) {
	s, d = s[:min(len(s), len(out))], d[:len(out)]
	for c, b := range e.Base {
		switch {
		case e.Single:
			s[c] = float32(b)
		case e.Mean:
			d[c] = 0
		default:
			d[c] = b
		}
	}
	for i := range e.Trees {
		t := &e.Trees[i]
		l := t.LeafOf(x)
		switch {
		case t.Width <= 1 && e.Single:
			s[t.Class] += float32(t.Nodes[l].Value)
		case t.Width <= 1:
			d[t.Class] += t.Nodes[l].Value
		default:
			for c, v := range t.Values[l*t.Width : (l+1)*t.Width] {
				if e.Single {
					s[c] += float32(v)
				} else {
					d[c] += v
				}
			}
		}
	}
	for c := range out {
		switch {
		case e.Single:
			out[c] = float64(s[c])
		case e.Mean:
			out[c] = d[c]/float64(len(e.Trees)) + e.Base[c]
		default:
			out[c] = d[c]
		}
	}
}

// Check reports the first inconsistency of the ensemble.
func (e *Ensemble) Check() error {
	k := len(e.Base)
	switch {
	case len(e.Columns) == 0:
		return fmt.Errorf("ensemble: no columns")
	case k == 0:
		return fmt.Errorf("ensemble: no scores")
	case e.Link == Logistic && k != 1:
		return fmt.Errorf("ensemble: %d scores for a logistic link, want 1", k)
	case (e.Link == Softmax || e.Link == Shares || e.Link == OneVsAll) && k < 2:
		return fmt.Errorf("ensemble: %d scores for classes, want at least 2", k)
	case e.Link > OneVsAll:
		return fmt.Errorf("ensemble: unknown link %d", e.Link)
	case len(e.Trees) == 0 && e.Mean:
		return fmt.Errorf("ensemble: the mean of no trees")
	case e.Mean && e.Single:
		return fmt.Errorf("ensemble: means are of sums in float64, not in float32")
	}
	seen := make(map[string]int, len(e.Columns))
	for j, c := range e.Columns {
		if i, ok := seen[c]; ok {
			return fmt.Errorf("ensemble: columns %d and %d are both named %q", i, j, c)
		}
		seen[c] = j
	}
	if err := e.checkClasses(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(e.Extra)) {
		if !finite(e.Extra[name]) {
			return fmt.Errorf("ensemble: %s is %v", name, e.Extra[name])
		}
	}
	for c, b := range e.Base {
		if !finite(b) {
			return fmt.Errorf("ensemble: base score %d is %v", c, b)
		}
	}
	for j, c := range e.Categorical {
		if c < 0 || c >= len(e.Columns) || j > 0 && c <= e.Categorical[j-1] {
			return fmt.Errorf("ensemble: categorical column %d of %d", c, len(e.Columns))
		}
	}
	for i := range e.Trees {
		t := &e.Trees[i]
		if err := t.Check(len(e.Columns), k); err != nil {
			return fmt.Errorf("ensemble: tree %d: %w", i, err)
		}
		for j := range t.Nodes {
			if nd := &t.Nodes[j]; nd.Left != 0 && nd.Set != 0 {
				if _, ok := slices.BinarySearch(e.Categorical, int(nd.Feature)); !ok {
					return fmt.Errorf("ensemble: tree %d: node %d sorts the categories of column %d, which is not categorical", i, j, nd.Feature)
				}
			}
		}
	}
	return nil
}

// checkClasses reports what is wrong with the classes: they must ascend from
// −1 to 1 and be as many as the link has probabilities.
func (e *Ensemble) checkClasses() error {
	if len(e.Classes) == 0 {
		return nil
	}
	if want := e.Link.width(len(e.Base)); len(e.Classes) != want || want > 3 {
		return fmt.Errorf("ensemble: %d classes for %d probabilities", len(e.Classes), want)
	}
	for i, c := range e.Classes {
		if c < -1 || c > 1 || i > 0 && c <= e.Classes[i-1] {
			return fmt.Errorf("ensemble: classes %v; they are from -1, 0 and 1, in that order", e.Classes)
		}
	}
	return nil
}

// Check reports what is wrong with a tree over p columns and k scores: nodes
// that are not in breadth-first order, are reached twice or never, split a
// column that does not exist, or hold values that are not finite.
func (t *Tree) Check(p, k int) error {
	n := len(t.Nodes)
	if n == 0 || n%2 == 0 {
		return fmt.Errorf("%d nodes", n)
	}
	switch {
	case t.Width != 1 && (t.Width != k || len(t.Values) != n*t.Width):
		return fmt.Errorf("leaves of %d values and %d values in all for %d scores and %d nodes", t.Width, len(t.Values), k, n)
	case t.Width == 1 && (t.Class < 0 || t.Class >= k):
		return fmt.Errorf("it adds to score %d of %d", t.Class, k)
	}
	for i, v := range t.Values {
		if !finite(v) {
			return fmt.Errorf("value %d is %v", i, v)
		}
	}
	next := int32(1)
	for i := range t.Nodes {
		nd := &t.Nodes[i]
		if !finite(nd.Value) || !finite(nd.Gain) || !finite(nd.Cover) || !finite(float64(nd.Threshold)) && !math.IsInf(float64(nd.Threshold), 1) {
			return fmt.Errorf("node %d holds a value that is not finite", i)
		}
		if nd.Leaf() {
			continue
		}
		if nd.Left != next || int(next)+1 >= n || int(next) <= i {
			return fmt.Errorf("node %d of %d has children at %d, not at %d", i, n, nd.Left, next)
		}
		if nd.Feature < 0 || int(nd.Feature) >= p {
			return fmt.Errorf("node %d splits column %d of %d", i, nd.Feature, p)
		}
		if nd.Set < 0 || int(nd.Set) > len(t.Sets) {
			return fmt.Errorf("node %d uses set %d of %d", i, nd.Set, len(t.Sets))
		}
		next += 2
	}
	if int(next) != n {
		return fmt.Errorf("%d of %d nodes are reached", next, n)
	}
	if t.Symmetric && !t.symmetric() {
		return fmt.Errorf("it is not symmetric")
	}
	return nil
}

// symmetric reports whether all nodes of a level have the same split.
func (t *Tree) symmetric() bool {
	n := len(t.Nodes)
	if n&(n+1) != 0 {
		return false // not 2^d − 1
	}
	for lo := 1; lo <= n; lo *= 2 {
		a := &t.Nodes[lo-1]
		for i := lo; i < 2*lo-1; i++ {
			b := &t.Nodes[i]
			if a.Leaf() != b.Leaf() || !a.Leaf() && (a.Feature != b.Feature || a.Threshold != b.Threshold || a.Set != b.Set ||
				a.DefaultLeft != b.DefaultLeft || a.ZeroMissing != b.ZeroMissing) {
				return false
			}
		}
	}
	return true
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
