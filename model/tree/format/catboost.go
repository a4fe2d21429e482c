package format

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// cbLinks are the losses with a link that an ensemble has.
func cbLinks() map[string]ensemble.Link {
	out := map[string]ensemble.Link{
		"Logloss": ensemble.Logistic, "CrossEntropy": ensemble.Logistic, "Focal": ensemble.Logistic,
		"MultiClass": ensemble.Softmax, "MultiClassOneVsAll": ensemble.OneVsAll,
	}
	for _, l := range []string{"RMSE", "MAE", "Quantile", "MultiQuantile", "GroupQuantile", "MAPE", "Huber", "Expectile", "Lq", "LogCosh", "MultiRMSE", "MultiRMSEWithMissingValues",
		"QueryRMSE", "QuerySoftMax", "PairLogit", "PairLogitPairwise", "YetiRank", "YetiRankPairwise", "StochasticRank", "LambdaMart"} {
		out[l] = ensemble.Identity
	}
	return out
}

// missingCategory is the text of a missing category.
const missingCategory = "nan"

// defaultCategories is how many whole numbers are tried as texts of categories.
const defaultCategories = 1 << 16

// cbSplit is a split of the file's list: an entry of split_index.
type cbSplit struct {
	column    int
	threshold float32
	nanRight  bool
	set       ensemble.Set // of the side where true leads, or
	others    bool         // of the other side, where categories without a statistic are on the side of true
	missing   bool         // a missing category is in the set
	cat       bool
}

// cbReader reads a model.
type cbReader struct {
	o      Options
	e      *ensemble.Ensemble
	splits []cbSplit
	codes  map[int]map[int32][]int // of the categorical columns: categories by their hashes
	wanted map[int32][]int         // hashes in the file, and the whole numbers whose texts have them
	sets   setMaker
	scale  float64
	dims   int
}

func importCatBoost(doc *value, o Options, m *Model) error {
	root := newPlace(doc)
	r := &cbReader{o: o, e: m.Ensemble, codes: map[int]map[int32][]int{}, dims: 1}
	r.e.Style = "catboost"
	if info := root.find("model_info").find("catboost_version_info"); info != nil {
		_, v, _ := strings.Cut(info.text(), "tags/v")
		m.Version, _, _ = strings.Cut(v, "\n")
	}
	bias := root.key("scale_and_bias")
	r.scale = bias.at(0).number()
	trees, symmetric := root.find("oblivious_trees"), true
	if trees == nil {
		trees, symmetric = root.key("trees"), false
	}
	r.features(root.key("features_info"), root)
	if root.err() != nil {
		return root.err()
	}
	for i := range trees.len() {
		if symmetric {
			r.symmetric(trees.at(i), i == 0)
		} else {
			r.nested(trees.at(i), i == 0)
		}
		if root.err() != nil {
			return root.err()
		}
	}
	var base []float64
	if b := bias.at(1); b.v.kind == number {
		base = []float64{b.number()}
	} else if b.v.kind != null {
		base = b.numbers(-1)
	}
	if len(r.e.Trees) == 0 {
		r.dims = max(1, len(base))
	}
	r.e.Base = make([]float64, r.dims)
	if len(base) > 0 && len(base) != r.dims {
		bias.fail("%d biases for %d scores", len(base), r.dims)
	}
	copy(r.e.Base, base)
	r.loss(root, m)
	if r.scale != 1 {
		m.note("the scale %v is multiplied into the leaves", r.scale)
	}
	return root.err()
}

// loss reads what was trained for and the class labels.
func (r *cbReader) loss(root *place, m *Model) {
	e := r.e
	info := root.find("model_info")
	params := info.find("params")
	if params != nil && params.v.kind == text { // as the library keeps it in memory
		v, err := parseJSON([]byte(params.v.str))
		if err != nil {
			params.fail("%v", err)
			return
		}
		params.v = &v
	}
	loss := params.find("loss_function")
	if loss == nil {
		e.Objective = "RMSE"
		if r.dims > 1 {
			e.Objective = "MultiRMSE"
		}
		m.note("the file does not say what the model was trained for: its scores are taken as they are")
		return
	}
	name := loss.key("type")
	link, ok := cbLinks()[name.text()]
	if !ok {
		name.fail("the link of loss %q is none that an ensemble has", name.v.str)
		return
	}
	e.Objective, e.Link = name.text(), link
	if r.dims > 1 && link == ensemble.Logistic || r.dims < 2 && (link == ensemble.Softmax || link == ensemble.OneVsAll) {
		name.fail("loss %q with %d scores", name.v.str, r.dims)
	}
	if p := loss.find("params"); p != nil && p.v.kind == object {
		for i, key := range p.v.keys {
			v := &place{v: &p.v.list[i], parent: p, name: key, trouble: p.trouble}
			if x, err := strconv.ParseFloat(v.v.str, 64); v.v.kind == number || v.v.kind == text && err == nil && finite(x) {
				e.Extra[key] = v.number()
			}
		}
	}
	if link == ensemble.Identity {
		return
	}
	want := r.dims
	if link == ensemble.Logistic {
		want = 2
	}
	e.Classes = cbClasses(info.find("class_params"), want)
}

// cbClasses are the class codes of a model, if its classes are from −1, 0 and 1:
// class i is called class_names[class_to_label[i]].
func cbClasses(p *place, k int) []int8 {
	names, index := p.find("class_names"), p.find("class_to_label")
	if names == nil || index == nil || names.v.kind != numbers || index.v.kind != numbers || len(index.v.nums) != k || k > 3 {
		return nil
	}
	var codes []int8
	for _, i := range index.wholes(k, 0, len(names.v.nums)-1) {
		x := names.v.nums[i]
		if x != -1 && x != 0 && x != 1 || len(codes) > 0 && int8(x) <= codes[len(codes)-1] {
			return nil
		}
		codes = append(codes, int8(x))
	}
	return codes
}

// features reads the columns and the list that split_index counts: borders of
// the numeric columns, values of the one-hot columns, borders of statistics.
func (r *cbReader) features(info, root *place) {
	for _, other := range []string{"text_features", "embedding_features", "estimated_features"} {
		if f := info.find(other); f != nil && f.v.kind != null && f.len() > 0 {
			f.fail("columns of texts or embeddings have no place in an ensemble")
		}
	}
	floats, cats := elements(info, "float_features"), elements(info, "categorical_features")
	columns := 0
	for _, f := range append(slices.Clone(floats), cats...) {
		columns = max(columns, f.key("flat_feature_index").whole(0, maxColumns-1)+1)
	}
	if columns == 0 {
		info.fail("no columns")
	}
	if info.err() != nil {
		return
	}
	r.e.Columns = make([]string, columns)
	for j := range r.e.Columns { // CatBoost leaves out columns that it ignored
		r.e.Columns[j] = strconv.Itoa(j)
	}
	for _, f := range append(slices.Clone(floats), cats...) {
		if id := f.find("feature_id"); id != nil && id.text() != "" {
			r.e.Columns[f.key("flat_feature_index").whole(0, columns-1)] = id.text()
		}
	}
	for _, f := range floats {
		column := f.key("flat_feature_index").whole(0, columns-1)
		treatment := f.key("nan_value_treatment").text()
		if treatment != "AsIs" && treatment != "AsFalse" && treatment != "AsTrue" {
			f.key("nan_value_treatment").fail("%q is unknown", treatment)
		}
		for _, b := range f.key("borders").numbers(-1) {
			if !finite(b) {
				f.fail("border %v", b)
			}
			r.splits = append(r.splits, cbSplit{column: column, threshold: ensemble.Above(float64(float32(b))), nanRight: treatment == "AsTrue"})
		}
	}
	place := map[int]int{} // of the categorical columns by their own count
	for _, f := range cats {
		column := f.key("flat_feature_index").whole(0, columns-1)
		if _, twice := r.codes[column]; twice {
			f.fail("column %d is listed twice", column)
			return
		}
		r.codes[column] = r.codesOf(column, cats, root)
		place[f.key("feature_index").whole(0, maxColumns)] = column
		r.e.Categorical = append(r.e.Categorical, column)
		if f.find("values") != nil {
			r.oneHot(f.key("values"), column)
		}
	}
	slices.Sort(r.e.Categorical)
	for _, c := range elements(info, "ctrs") {
		r.statistic(c, root, place)
	}
}

// elements are the elements of an array that may be missing or null.
func elements(p *place, key string) []*place {
	a := p.find(key)
	if a == nil || a.v.kind == null {
		return nil
	}
	out := make([]*place, a.len())
	for i := range out {
		out[i] = a.at(i)
	}
	return out
}

// step makes the node of a split; no and yes are where false and true lead.
func (s *cbSplit) step(no, yes int) step {
	n := step{left: no, right: yes}
	n.Feature = int32(s.column)
	if !s.cat {
		n.Threshold, n.DefaultLeft = s.threshold, !s.nanRight
		return n
	}
	n.categorical, n.set = true, s.set
	if !s.others { // the set is where the split is true
		n.left, n.right = yes, no
	}
	n.DefaultLeft = s.missing
	return n
}

// split looks up split_index.
func (r *cbReader) split(p *place) *cbSplit {
	i := p.key("split_index")
	if len(r.splits) == 0 {
		i.fail("there are no splits in features_info")
		return &cbSplit{}
	}
	return &r.splits[i.whole(0, len(r.splits)-1)]
}

// add takes a tree, the leaves of which have been given covers.
func (r *cbReader) add(p *place, tr *plan) {
	t, err := tr.order()
	if err != nil {
		p.fail("%v", err)
		return
	}
	for i := len(t.Nodes) - 1; i >= 0; i-- {
		if nd := &t.Nodes[i]; !nd.Leaf() {
			nd.Cover = t.Nodes[nd.Left].Cover + t.Nodes[nd.Left+1].Cover
		}
	}
	t.Symmetric = evenly(&t)
	r.e.Trees = append(r.e.Trees, t)
}

// setDims takes the number of scores from the first tree and holds the others
// to it.
func (r *cbReader) setDims(p *place, n int, first bool) bool {
	if first && n >= 1 && n <= 1<<16 {
		r.dims = n
	}
	if n != r.dims {
		p.fail("leaves of %d values, want %d", n, r.dims)
	}
	return n == r.dims
}

// symmetric reads a tree that has one split a level. Bit d of a leaf's place
// is whether split d was true.
func (r *cbReader) symmetric(p *place, first bool) {
	values := p.key("leaf_values").numbers(-1)
	splits := elements(p, "splits")
	depth := len(splits)
	if depth > 20 || len(values)>>depth<<depth != len(values) {
		p.fail("%d splits and %d leaf values", depth, len(values))
		return
	}
	leaves := 1 << depth
	if !r.setDims(p, len(values)/leaves, first) {
		return
	}
	weights := make([]float64, leaves)
	if w := p.find("leaf_weights"); w != nil && w.v.kind != null && w.len() > 0 {
		weights = w.numbers(leaves)
	}
	tr := &plan{nodes: make([]step, 2*leaves-1), width: r.dims}
	if r.dims > 1 {
		tr.values = make([]float64, len(tr.nodes)*r.dims)
	}
	// Node 2^d−1+b is on level d, b being the answers so far.
	for d, s := range splits {
		split := r.split(s)
		for b := range 1 << d {
			tr.nodes[1<<d-1+b] = split.step(2<<d-1+b, 2<<d-1+b+1<<d)
		}
	}
	for b := range leaves {
		r.leaf(p, tr, leaves-1+b, values[b*r.dims:(b+1)*r.dims], weights[b])
	}
	if p.err() == nil {
		r.add(p, tr)
	}
}

func (r *cbReader) leaf(p *place, tr *plan, i int, values []float64, weight float64) {
	n := &tr.nodes[i]
	n.left, n.right, n.Cover = -1, -1, weight
	for c, v := range values {
		v *= r.scale
		if !finite(v) || !finite(weight) {
			p.fail("a leaf value %v of weight %v", v, weight)
		}
		if r.dims == 1 {
			n.Value = v
		} else {
			tr.values[i*r.dims+c] = v
		}
	}
}

// nested reads a tree whose nodes hold their children.
func (r *cbReader) nested(p *place, first bool) {
	type open struct {
		p  *place
		at int
	}
	tr := &plan{nodes: make([]step, 1)}
	var leaves []open
	for queue := []open{{p, 0}}; len(queue) > 0; queue = queue[1:] {
		o := queue[0]
		if o.p.find("value") != nil {
			leaves = append(leaves, o)
			continue
		}
		n := len(tr.nodes)
		tr.nodes = append(tr.nodes, step{}, step{})
		tr.nodes[o.at] = r.split(o.p.key("split")).step(n, n+1)
		queue = append(queue, open{o.p.key("left"), n}, open{o.p.key("right"), n + 1})
		if p.err() != nil {
			return
		}
	}
	for i, o := range leaves {
		v := o.p.key("value")
		var values []float64
		if v.v.kind == number {
			values = []float64{v.number()}
		} else {
			values = v.numbers(-1)
		}
		if !r.setDims(o.p, len(values), first && i == 0) {
			return
		}
		if i == 0 {
			if tr.width = r.dims; r.dims > 1 {
				tr.values = make([]float64, len(tr.nodes)*r.dims)
			}
		}
		weight := 0.0
		if w := o.p.find("weight"); w != nil {
			weight = w.number()
		}
		r.leaf(o.p, tr, o.at, values, weight)
	}
	if p.err() == nil {
		r.add(p, tr)
	}
}

// evenly reports whether all nodes of every level have the same split.
func evenly(t *ensemble.Tree) bool {
	n := len(t.Nodes)
	if n&(n+1) != 0 {
		return false
	}
	for lo := 1; lo <= n; lo *= 2 {
		a := &t.Nodes[lo-1]
		for i := lo - 1; i < 2*lo-1; i++ {
			b := &t.Nodes[i]
			if a.Leaf() != b.Leaf() || !a.Leaf() && (a.Feature != b.Feature || a.Threshold != b.Threshold || a.Set != b.Set || a.DefaultLeft != b.DefaultLeft || a.ZeroMissing != b.ZeroMissing) {
				return false
			}
		}
	}
	return true
}
