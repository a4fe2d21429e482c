package format

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// cbWriter writes a model.
type cbWriter struct {
	e        *ensemble.Ensemble
	cat      []bool            // columns of categories
	nanRight []bool            // of the numeric columns
	borders  []map[float32]int // of the numeric columns, to their place in the file
	sets     []cbSets          // of the categorical columns
}

// cbSets are the sets of categories of a column. Set i is the column's i-th
// statistic of the kind Buckets: above 0 for the categories of the set.
type cbSets struct {
	index map[string]int
	list  []cbSet
	first int // place of set 0 in the file's list of splits
}

type cbSet struct {
	set     ensemble.Set
	missing bool
}

func (s cbSet) key() string { return fmt.Sprint(s.set, s.missing) }

// exportCatBoost makes the document of an ensemble, with symmetric trees if all
// of its trees are, else with nested ones.
func exportCatBoost(e *ensemble.Ensemble) (fields, error) {
	p := len(e.Columns)
	w := &cbWriter{e: e, cat: make([]bool, p), nanRight: make([]bool, p), borders: make([]map[float32]int, p), sets: make([]cbSets, p)}
	for _, j := range e.Categorical {
		w.cat[j] = true
	}
	for j := range p {
		w.borders[j] = map[float32]int{}
		w.sets[j].index = map[string]int{}
	}
	w.directions()
	trees := summed(e)
	plans := make([]*plan, len(trees))
	symmetric := true
	for i := range trees {
		var err error
		if plans[i], err = w.plan(&trees[i]); err == nil {
			err = w.gather(plans[i])
		}
		if err != nil {
			return nil, fmt.Errorf("tree %d: %w", i, err)
		}
		symmetric = symmetric && evenly(&trees[i]) && len(plans[i].nodes) == len(trees[i].Nodes)
	}
	info, tables, err := w.features()
	if err != nil {
		return nil, err
	}
	docs, name := make([]any, len(trees)), "oblivious_trees"
	for i := range trees {
		if symmetric {
			docs[i] = w.symmetric(plans[i], trees[i].Class)
		} else {
			docs[i], name = w.nested(plans[i], trees[i].Class), "trees"
		}
	}
	out := fields{{"features_info", info}, {"model_info", w.info()}, {name, docs}, {"scale_and_bias", []any{1, e.Base}}}
	if len(tables) > 0 {
		out = append(fields{{"ctr_data", tables}}, out...)
	}
	return out, nil
}

// directions finds out where each numeric column sends missing values: the file
// has one answer for a column. Where nodes differ it is the left side, and a
// test before tells them.
func (w *cbWriter) directions() {
	left := make([]bool, len(w.cat))
	for i := range w.e.Trees {
		for _, n := range w.e.Trees[i].Nodes {
			switch {
			case n.Leaf() || n.Set != 0:
			case n.DefaultLeft || n.ZeroMissing:
				left[n.Feature] = true
			default:
				w.nanRight[n.Feature] = true
			}
		}
	}
	for j := range left {
		w.nanRight[j] = w.nanRight[j] && !left[j]
	}
}

// plan brings a tree into CatBoost's terms.
func (w *cbWriter) plan(t *ensemble.Tree) (*plan, error) {
	p := planOf(t)
	p.zeros()
	for i := range len(p.nodes) {
		s := &p.nodes[i]
		if s.leaf() || s.categorical || s.DefaultLeft != w.nanRight[s.Feature] {
			continue
		}
		// Missing values count as less than all others: only they are not
		// above the border −max.
		right := s.right
		inner := *s
		*s = step{Node: s.Node, left: right, right: len(p.nodes)}
		s.Threshold, s.DefaultLeft = ensemble.Above(-math.MaxFloat32), true
		inner.DefaultLeft = true
		p.nodes = append(p.nodes, inner)
		p.room()
	}
	return p.copies(maxGrowth(len(t.Nodes)))
}

// gather collects the borders and sets of a tree.
func (w *cbWriter) gather(p *plan) error {
	for i := range p.nodes {
		s := &p.nodes[i]
		switch {
		case s.leaf():
		case s.categorical:
			x := cbSet{s.set, s.DefaultLeft}
			if f := &w.sets[s.Feature]; f.index[x.key()] == 0 {
				f.list = append(f.list, x)
				f.index[x.key()] = len(f.list) // from 1
			}
		case w.cat[s.Feature]:
			return fmt.Errorf("node %d compares the categories of column %d with a threshold", i, s.Feature)
		default:
			b := ensemble.Below(s.Threshold)
			if math.IsInf(float64(b), -1) {
				return fmt.Errorf("node %d has a threshold that no value is below", i)
			}
			w.borders[s.Feature][b] = 0
		}
	}
	return nil
}

// features describes the columns and gives every split its place in the list.
func (w *cbWriter) features() (info, tables fields, err error) {
	var floats, cats, ctrs []fields
	place := 0
	for j, name := range w.e.Columns {
		if w.cat[j] {
			cats = append(cats, fields{{"feature_id", name}, {"feature_index", len(cats)}, {"flat_feature_index", j}})
			continue
		}
		bs := slices.Sorted(maps.Keys(w.borders[j]))
		list := make([]float64, len(bs))
		for i, b := range bs {
			w.borders[j][b], list[i] = place, float64(b)
			place++
		}
		treatment := "AsFalse"
		if w.nanRight[j] {
			treatment = "AsTrue"
		}
		floats = append(floats, fields{{"borders", list}, {"feature_id", name}, {"feature_index", len(floats)}, {"flat_feature_index", j}, {"has_nans", true}, {"nan_value_treatment", treatment}})
	}
	for at, j := range w.e.Categorical {
		f := &w.sets[j]
		if len(f.list) == 0 {
			continue
		}
		elements := []fields{{{"cat_feature_index", at}, {"combination_element", "cat_feature_value"}}}
		id := string(appendJSON(nil, fields{{"identifier", elements}, {"type", "Buckets"}}))
		f.first = place
		for i := range f.list {
			ctrs = append(ctrs, fields{{"borders", []float64{0}}, {"ctr_type", "Buckets"}, {"elements", elements}, {"identifier", id},
				{"prior_denomerator", 1}, {"prior_numerator", 0}, {"scale", 1}, {"shift", 0}, {"target_border_idx", i}})
			place++
		}
		table, err := f.table(w.e.Columns[j])
		if err != nil {
			return nil, nil, err
		}
		tables = append(tables, field{id, table})
	}
	if floats != nil {
		info = append(info, field{"float_features", floats})
	}
	if cats != nil {
		info = append(info, field{"categorical_features", cats})
	}
	if ctrs != nil {
		info = append(info, field{"ctrs", ctrs})
	}
	return info, tables, nil
}

// table has a row for each category of the column's sets: its hash and which
// sets it is in. A column of one set has a second place, since rows have two.
func (f *cbSets) table(column string) (fields, error) {
	width := max(2, len(f.list))
	member := map[int]bool{} // −1 is the missing category
	for _, x := range f.list {
		for _, c := range categories(x.set) {
			member[c] = true
		}
		if x.missing {
			member[-1] = true
		}
	}
	codes := slices.Sorted(maps.Keys(member))
	rows, seen := []any{}, map[int32]int{}
	for _, c := range codes {
		text := missingCategory
		if c >= 0 {
			text = strconv.Itoa(c)
		}
		h := catHash([]byte(text))
		if d, twice := seen[h]; twice {
			return nil, fmt.Errorf("column %q: CatBoost has the same hash for the categories %d and %d", column, d, c)
		}
		seen[h] = c
		rows = append(rows, strconv.FormatUint(tableHash(h), 10))
		for i := range width {
			in := 0
			if i < len(f.list) && (c < 0 && f.list[i].missing || c >= 0 && f.list[i].set.Has(c)) {
				in = 1
			}
			rows = append(rows, in)
		}
	}
	if len(codes) == 0 { // a table must not be empty
		rows = append(rows, strconv.FormatUint(math.MaxUint64, 10))
		for range width {
			rows = append(rows, 0)
		}
	}
	return fields{{"counter_denominator", 0}, {"hash_map", rows}, {"hash_stride", width + 1}}, nil
}

// split describes a split and tells where false and true lead.
func (w *cbWriter) split(s *step) (doc fields, no, yes int) {
	if s.categorical {
		f := &w.sets[s.Feature]
		i := f.index[cbSet{s.set, s.DefaultLeft}.key()] - 1
		return fields{{"border", 0}, {"ctr_target_border_idx", i}, {"split_index", f.first + i}, {"split_type", "OnlineCtr"}}, s.right, s.left
	}
	b := ensemble.Below(s.Threshold)
	index := 0 // among the numeric columns
	for j := range s.Feature {
		if !w.cat[j] {
			index++
		}
	}
	return fields{{"border", float64(b)}, {"float_feature_index", index}, {"split_index", w.borders[s.Feature][b]}, {"split_type", "FloatFeature"}}, s.left, s.right
}

// values are the values of a leaf for all scores.
func (w *cbWriter) values(p *plan, i, class int) []float64 {
	k := len(w.e.Base)
	if p.width > 1 {
		return p.values[i*k : (i+1)*k]
	}
	out := make([]float64, k)
	out[class] = p.nodes[i].Value
	return out
}

func (w *cbWriter) symmetric(p *plan, class int) fields {
	var splits []any
	for i := 0; !p.nodes[i].leaf(); i = p.nodes[i].left {
		doc, _, _ := w.split(&p.nodes[i])
		splits = append(splits, doc)
	}
	k, leaves := len(w.e.Base), 1<<len(splits)
	values, weights := make([]float64, leaves*k), make([]float64, leaves)
	for b := range leaves { // bit d is the answer to split d
		i := 0
		for d := range splits {
			_, no, yes := w.split(&p.nodes[i])
			if i = no; b>>d&1 == 1 {
				i = yes
			}
		}
		copy(values[b*k:], w.values(p, i, class))
		weights[b] = p.nodes[i].Cover
	}
	return fields{{"leaf_values", values}, {"leaf_weights", weights}, {"splits", splits}}
}

func (w *cbWriter) nested(p *plan, class int) fields {
	docs := make([]fields, len(p.nodes))
	for i := len(p.nodes) - 1; i >= 0; i-- { // children are after their parents
		s := &p.nodes[i]
		if s.leaf() {
			var v any = w.values(p, i, class)
			if len(w.e.Base) == 1 {
				v = s.Value
			}
			docs[i] = fields{{"value", v}, {"weight", s.Cover}}
			continue
		}
		doc, no, yes := w.split(s)
		docs[i] = fields{{"left", docs[no]}, {"right", docs[yes]}, {"split", doc}}
	}
	return docs[0]
}

// info says what the model is for and what its classes are called.
func (w *cbWriter) info() fields {
	e, k := w.e, len(w.e.Base)
	name := e.Objective
	if l, ok := cbLinks()[name]; e.Style != "catboost" || !ok || l != e.Link {
		switch e.Link {
		case ensemble.Logistic:
			name = "Logloss"
		case ensemble.Softmax:
			name = "MultiClass"
		case ensemble.OneVsAll:
			name = "MultiClassOneVsAll"
		default:
			if name = "RMSE"; k > 1 {
				name = "MultiRMSE"
			}
		}
	}
	params, flat := fields{}, name // the second as it was given to the library
	if e.Style == "catboost" {
		for i, key := range slices.Sorted(maps.Keys(e.Extra)) {
			x := string(number64(nil, e.Extra[key]))
			params = append(params, field{key, x})
			flat += []string{":", ";"}[min(i, 1)] + key + "=" + x
		}
	}
	out := fields{{"params", fields{{"flat_params", fields{{"loss_function", flat}}}, {"loss_function", fields{{"params", params}, {"type", name}}}}}}
	labels := []int{}
	switch {
	case e.Link == ensemble.Identity || e.Link == ensemble.Shares: // written as numbers
	case len(e.Classes) > 0:
		for _, c := range e.Classes {
			labels = append(labels, int(c))
		}
	case e.Link == ensemble.Logistic:
		labels = []int{0, 1}
	case e.Link == ensemble.Softmax || e.Link == ensemble.OneVsAll:
		for c := range k {
			labels = append(labels, c)
		}
	}
	index := make([]int, len(labels))
	for i := range index {
		index[i] = i
	}
	if len(labels) > 0 {
		out = append(fields{{"class_params", fields{{"class_label_type", "Integer"}, {"class_names", labels}, {"class_to_label", index}, {"classes_count", 0}}}}, out...)
	}
	return out
}
