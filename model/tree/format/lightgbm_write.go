package format

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// exportLightGBM writes an ensemble as LightGBM's text, version 4. The base
// scores go into the first tree of each score, as LightGBM does.
func exportLightGBM(e *ensemble.Ensemble) ([]byte, error) {
	objective, err := lgbName(e)
	if err != nil {
		return nil, err
	}
	columns, err := lgbColumns(e.Columns)
	if err != nil {
		return nil, err
	}
	k := len(e.Base)
	trees := scalars(e)
	for c := range k { // a base needs a tree
		if !slices.ContainsFunc(trees, func(t ensemble.Tree) bool { return t.Class == c }) {
			trees = append(trees, ensemble.Tree{Nodes: []ensemble.Node{{}}, Width: 1, Class: c})
		}
	}
	trees = cycle(trees, k)
	infos := make([]lgbInfo, len(columns))
	uses := make([]int, len(columns))
	var body bytes.Buffer
	var sizes []string
	for i := range trees {
		base := 0.0
		if i < k {
			base = e.Base[i]
		}
		before := body.Len()
		fmt.Fprintf(&body, "Tree=%d\n", i)
		if err := lgbWriteTree(&body, &trees[i], base, infos, uses); err != nil {
			return nil, fmt.Errorf("tree %d: %w", i, err)
		}
		body.WriteString("\n\n")
		sizes = append(sizes, strconv.Itoa(body.Len()-before))
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "tree\nversion=v4\nnum_class=%d\nnum_tree_per_iteration=%d\nlabel_index=0\nmax_feature_idx=%d\n", k, k, len(columns)-1)
	if objective != "" {
		fmt.Fprintf(&out, "objective=%s\n", objective)
	}
	fmt.Fprintf(&out, "feature_names=%s\nfeature_infos=", strings.Join(columns, " "))
	for j := range infos {
		if j > 0 {
			out.WriteByte(' ')
		}
		out.WriteString(infos[j].String())
	}
	fmt.Fprintf(&out, "\ntree_sizes=%s\n\n", strings.Join(sizes, " "))
	out.Write(body.Bytes())
	out.WriteString("end of trees\n\nfeature_importances:\n")
	byUse := make([]int, 0, len(columns))
	for j, n := range uses {
		if n > 0 {
			byUse = append(byUse, j)
		}
	}
	sort.SliceStable(byUse, func(a, b int) bool { return uses[byUse[a]] > uses[byUse[b]] })
	for _, j := range byUse {
		fmt.Fprintf(&out, "%s=%d\n", columns[j], uses[j])
	}
	out.WriteString("\nparameters:\nend of parameters\n\npandas_categorical:null\n")
	return out.Bytes(), nil
}

// lgbName is the objective with its parameters, empty for raw scores.
func lgbName(e *ensemble.Ensemble) (string, error) {
	k := len(e.Base)
	name := e.Objective
	if l, ok := lgbLinks()[name]; e.Style != "lightgbm" || !ok || l != e.Link {
		switch e.Link {
		case ensemble.Identity, ensemble.Shares:
			if name = "regression"; k > 1 {
				name = "custom"
			}
		case ensemble.Logistic:
			name = "binary"
		case ensemble.Softmax:
			name = "multiclass"
		case ensemble.OneVsAll:
			name = "multiclassova"
		}
	}
	switch name {
	case "custom":
		return "", nil
	case "binary":
		return "binary sigmoid:1", nil
	case "multiclass":
		return fmt.Sprintf("multiclass num_class:%d", k), nil
	case "multiclassova":
		return fmt.Sprintf("multiclassova num_class:%d sigmoid:1", k), nil
	case "quantile", "huber":
		if a, ok := e.Extra["alpha"]; ok {
			return fmt.Sprintf("%s alpha:%v", name, a), nil
		}
	}
	return name, nil
}

// lgbColumns are the names without spaces, which separate names in the file.
func lgbColumns(names []string) ([]string, error) {
	out := make([]string, len(names))
	for j, n := range names {
		out[j] = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return '_'
			}
			return r
		}, n)
		if n == "" {
			return nil, fmt.Errorf("column %d has no name", j)
		}
	}
	if i, j, twice := repeated(out); twice {
		return nil, fmt.Errorf("columns %q and %q have the same name once spaces are underscores", names[i], names[j])
	}
	return out, nil
}

// lgbInfo gathers what feature_infos says of a column: the range of its
// thresholds (the file's own range is that of the training values, which an
// ensemble does not keep), or its categories.
type lgbInfo struct {
	used   bool
	lo, hi float64
	cats   ensemble.Set
}

func (f *lgbInfo) String() string {
	switch {
	case !f.used:
		return "none"
	case f.cats != nil:
		var s []string
		for _, c := range categories(f.cats) {
			s = append(s, strconv.Itoa(c))
		}
		return strings.Join(s, ":")
	}
	return "[" + string(number64(nil, f.lo)) + ":" + string(number64(nil, f.hi)) + "]"
}

func (f *lgbInfo) add(t float64) {
	if !f.used {
		f.lo, f.hi, f.used = t, t, true
	}
	f.lo, f.hi = min(f.lo, t), max(f.hi, t)
}

// lgbWriteTree writes one tree; base is added to its leaves.
func lgbWriteTree(w *bytes.Buffer, tree *ensemble.Tree, base float64, infos []lgbInfo, uses []int) error {
	p, err := lgbPlan(tree)
	if err != nil {
		return err
	}
	n := len(p.nodes) / 2 // splits, then leaves
	place := make([]int, len(p.nodes))
	splits, leaves := 0, 0
	for i := range p.nodes {
		if p.nodes[i].leaf() {
			place[i] = ^leaves
			leaves++
		} else {
			place[i] = splits
			splits++
		}
	}
	if splits != n || leaves != n+1 {
		return fmt.Errorf("%d splits and %d leaves", splits, leaves)
	}
	var feature, gain, threshold, kind, left, right, value, weight, count []string
	var leafValue, leafWeight, leafCount []string
	bounds, words := []string{"0"}, []string{}
	f64 := func(x float64) string { return string(number64(nil, x)) }
	for i := range p.nodes {
		s := &p.nodes[i]
		if s.leaf() {
			leafValue, leafWeight, leafCount = append(leafValue, f64(s.Value+base)), append(leafWeight, f64(s.Cover)), append(leafCount, strconv.Itoa(int(s.Count)))
			continue
		}
		uses[s.Feature]++
		info := &infos[s.Feature]
		k, t := lgbNaN, float64(ensemble.Below(s.Threshold))
		if s.categorical {
			k, t = lgbCategorical, float64(len(bounds)-1)
			info.used = true
			for _, c := range categories(s.set) {
				info.cats = info.cats.With(c)
			}
			for _, x := range s.set {
				words = append(words, strconv.FormatUint(x&math.MaxUint32, 10), strconv.FormatUint(x>>32, 10))
			}
			bounds = append(bounds, strconv.Itoa(len(words)))
		} else {
			if s.ZeroMissing {
				k = lgbZero
			}
			if s.DefaultLeft {
				k |= lgbDefaultLeft
			}
			info.add(t)
		}
		feature, gain, threshold = append(feature, strconv.Itoa(int(s.Feature))), append(gain, f64(s.Gain)), append(threshold, f64(t))
		kind, left, right = append(kind, strconv.Itoa(k)), append(left, strconv.Itoa(place[s.left])), append(right, strconv.Itoa(place[s.right]))
		value, weight, count = append(value, f64(s.Value)), append(weight, f64(s.Cover)), append(count, strconv.Itoa(int(s.Count)))
	}
	line := func(key string, vals []string) {
		fmt.Fprintf(w, "%s=%s\n", key, strings.Join(vals, " "))
	}
	fmt.Fprintf(w, "num_leaves=%d\nnum_cat=%d\n", leaves, len(bounds)-1)
	line("split_feature", feature)
	line("split_gain", gain)
	line("threshold", threshold)
	line("decision_type", kind)
	line("left_child", left)
	line("right_child", right)
	line("leaf_value", leafValue)
	line("leaf_weight", leafWeight)
	line("leaf_count", leafCount)
	line("internal_value", value)
	line("internal_weight", weight)
	line("internal_count", count)
	if len(bounds) > 1 {
		line("cat_boundaries", bounds)
		line("cat_threshold", words)
	}
	fmt.Fprintf(w, "is_linear=0\nshrinkage=1\n")
	return nil
}

// lgbPlan brings a tree into LightGBM's terms: a missing category goes right
// there. Where it goes left here, a test before sends missing values to the
// left side.
func lgbPlan(t *ensemble.Tree) (*plan, error) {
	p := planOf(t)
	for i := range len(p.nodes) {
		if s := &p.nodes[i]; s.categorical && s.DefaultLeft {
			p.before(i)
		}
	}
	return p.copies(maxGrowth(len(t.Nodes)))
}
