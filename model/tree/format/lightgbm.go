package format

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// Bits of LightGBM's decision_type. Bits 2 and 3 say what is missing: nothing
// (NaN is taken for 0), zero and NaN, or NaN.
const (
	lgbCategorical = 1
	lgbDefaultLeft = 2
	lgbZero        = 1 << 2
	lgbNaN         = 2 << 2
)

// lgbLinks are the objectives with a link that an ensemble has.
func lgbLinks() map[string]ensemble.Link {
	return map[string]ensemble.Link{
		"regression": ensemble.Identity, "regression_l1": ensemble.Identity, "huber": ensemble.Identity, "fair": ensemble.Identity,
		"quantile": ensemble.Identity, "mape": ensemble.Identity, "lambdarank": ensemble.Identity, "rank_xendcg": ensemble.Identity, "custom": ensemble.Identity,
		"binary": ensemble.Logistic, "cross_entropy": ensemble.Logistic, "xentropy": ensemble.Logistic,
		"multiclass": ensemble.Softmax, "multiclassova": ensemble.OneVsAll,
	}
}

// lines walks over the lines of a file.
type lines struct {
	rest []byte
	n    int // of the line that next gave, from 1
}

func (l *lines) next() (string, bool) {
	if len(l.rest) == 0 {
		return "", false
	}
	line, rest, _ := bytes.Cut(l.rest, []byte{'\n'})
	l.rest = rest
	l.n++
	return string(bytes.TrimRight(line, "\r")), true
}

// section is keys and values with the number of their line.
type section map[string]entry

type entry struct {
	val  string
	line int
}

func (s section) words(key string) []string { return strings.Fields(s[key].val) }

// whole reads a whole number from lo to hi.
func (s section) whole(key string, lo, hi int) (int, error) {
	e, ok := s[key]
	if !ok {
		return 0, fmt.Errorf("there is no %s", key)
	}
	x, err := strconv.Atoi(strings.TrimSpace(e.val))
	if err != nil || x < lo || x > hi {
		return 0, fmt.Errorf("line %d: %s is %.40q, want a whole number from %d to %d", e.line, key, e.val, lo, hi)
	}
	return x, nil
}

func importLightGBM(data []byte, m *Model) error {
	l := &lines{rest: data}
	if first, _ := l.next(); first != "tree" {
		return fmt.Errorf("line 1: %.40q, want \"tree\"", first)
	}
	head, more := lgbSection(l)
	e := m.Ensemble
	e.Style = "lightgbm"
	m.Version = head["version"].val
	k, err := head.whole("num_tree_per_iteration", 1, 1<<16)
	if err != nil {
		return err
	}
	top, err := head.whole("max_feature_idx", 0, maxColumns-1)
	if err != nil {
		return err
	}
	if e.Columns = head.words("feature_names"); len(e.Columns) != top+1 {
		return fmt.Errorf("line %d: %d feature_names for %d columns", head["feature_names"].line, len(e.Columns), top+1)
	}
	e.Base = make([]float64, k)
	scale, err := lgbObjective(head, e)
	if err != nil {
		return err
	}
	categorical := make([]bool, top+1)
	var sets setMaker
	for more {
		name := fmt.Sprintf("tree %d (line %d)", len(e.Trees), l.n)
		var body section
		body, more = lgbSection(l)
		t, err := lgbTree(body, len(e.Columns), scale, categorical, &sets)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		t.Class = len(e.Trees) % k
		e.Trees = append(e.Trees, t)
	}
	if sizes := head.words("tree_sizes"); len(sizes) != len(e.Trees) && head["tree_sizes"].line > 0 {
		return fmt.Errorf("line %d: %d tree_sizes for %d trees", head["tree_sizes"].line, len(sizes), len(e.Trees))
	}
	if !lgbEnd(data) {
		return fmt.Errorf("line %d: there is no \"end of trees\": the file is cut short", l.n)
	}
	if len(e.Trees)%k != 0 {
		return fmt.Errorf("%d trees for %d scores", len(e.Trees), k)
	}
	for j, c := range categorical {
		if c {
			e.Categorical = append(e.Categorical, j)
		}
	}
	if _, ok := head["average_output"]; ok && len(e.Trees) > 0 {
		rounds := float64(len(e.Trees) / k)
		for i := range e.Trees {
			for j := range e.Trees[i].Nodes {
				e.Trees[i].Nodes[j].Value /= rounds
			}
		}
		m.note("the mean over %.0f trees is divided into the leaves", rounds)
	}
	if scale != 1 {
		m.note("sigmoid:%v is multiplied into the leaves", scale)
	}
	if i := bytes.LastIndex(data, []byte("\npandas_categorical:[[")); i >= 0 {
		m.note("the file holds the categories of a data frame; the model counts them from 0 in the order of the file")
	}
	return nil
}

func lgbEnd(data []byte) bool {
	return bytes.Contains(data, []byte("\nend of trees"))
}

// lgbSection reads keys and values up to the next tree, and tells whether
// there is one.
func lgbSection(l *lines) (section, bool) {
	s := section{}
	for {
		line, ok := l.next()
		if !ok || line == "end of trees" {
			return s, false
		}
		if strings.HasPrefix(line, "Tree=") {
			return s, true
		}
		if key, val, _ := strings.Cut(line, "="); key != "" {
			if _, twice := s[key]; !twice {
				s[key] = entry{val, l.n}
			}
		}
	}
}

// lgbObjective reads the objective; the leaves are to be multiplied with scale.
func lgbObjective(head section, e *ensemble.Ensemble) (scale float64, err error) {
	words := head.words("objective")
	if len(words) == 0 { // a function of the caller's
		e.Objective = "custom"
		return 1, nil
	}
	line := head["objective"].line
	fail := func(format string, a ...any) (float64, error) {
		return 0, fmt.Errorf("line %d: objective %s: %s", line, strings.Join(words, " "), fmt.Sprintf(format, a...))
	}
	link, ok := lgbLinks()[words[0]]
	if !ok {
		return fail("its link is none that an ensemble has")
	}
	e.Objective, e.Link, scale = words[0], link, 1
	for _, w := range words[1:] {
		key, val, _ := strings.Cut(w, ":")
		x, err := strconv.ParseFloat(val, 64)
		switch {
		case w == "sqrt":
			return fail("it squares the sum of the trees")
		case err != nil || !finite(x):
			return fail("%.40q is no parameter", w)
		case key == "sigmoid" && x > 0:
			scale = x
		case key == "sigmoid":
			return fail("sigmoid must be positive")
		case key == "num_class" && int(x) != len(e.Base):
			return fail("the file has %d trees an iteration", len(e.Base))
		case key != "num_class":
			e.Extra[key] = x
		}
	}
	k := len(e.Base)
	if link == ensemble.Logistic && k != 1 || (link == ensemble.Softmax || link == ensemble.OneVsAll) && k < 2 {
		return fail("the file has %d trees an iteration", k)
	}
	return scale, nil
}

// lgbNumbers reads n numbers of a key; a key that is not there is n zeros where
// it is optional.
func lgbNumbers[T any](s section, key string, n int, optional bool, parse func(string) (T, error)) ([]T, error) {
	words := s.words(key)
	if len(words) == 0 && optional {
		return make([]T, n), nil
	}
	if len(words) != n {
		return nil, fmt.Errorf("line %d: %s has %d values, want %d", s[key].line, key, len(words), n)
	}
	out := make([]T, n)
	for i, w := range words {
		var err error
		if out[i], err = parse(w); err != nil {
			return nil, fmt.Errorf("line %d: %s %d is %.40q: %w", s[key].line, key, i, w, err)
		}
	}
	return out, nil
}

func parseWhole(s string) (int, error) {
	x, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("no whole number")
	}
	return int(x), nil
}

func parseFinite(s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !finite(x) {
		return 0, fmt.Errorf("no finite number")
	}
	return x, nil
}

// parseBound reads a threshold: more than float64 holds is as good as infinite.
func parseBound(s string) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if math.IsNaN(x) || err != nil && !math.IsInf(x, 0) {
		return 0, fmt.Errorf("no number")
	}
	return x, nil
}

func parseWord(s string) (uint32, error) {
	x, err := strconv.ParseUint(s, 10, 32)
	return uint32(x), err
}

// lgbArrays are the arrays of a tree.
type lgbArrays struct {
	feature, kind, left, right, leafCount, count []int
	threshold, gain, value, weight               []float64
	leafValue, leafWeight                        []float64
	bounds                                       []int
	words                                        []uint32
}

func lgbRead(s section, leaves int) (a lgbArrays, err error) {
	n := leaves - 1
	whole := func(dst *[]int, key string, n int, optional bool) {
		if err == nil {
			*dst, err = lgbNumbers(s, key, n, optional, parseWhole)
		}
	}
	float := func(dst *[]float64, key string, n int, optional bool, parse func(string) (float64, error)) {
		if err == nil {
			*dst, err = lgbNumbers(s, key, n, optional, parse)
		}
	}
	float(&a.leafValue, "leaf_value", leaves, false, parseFinite)
	if err != nil { // from here on leaves is no more than the file has numbers
		return a, err
	}
	float(&a.leafWeight, "leaf_weight", leaves, true, parseFinite)
	whole(&a.leafCount, "leaf_count", leaves, true)
	if n == 0 {
		return a, err
	}
	whole(&a.feature, "split_feature", n, false)
	whole(&a.kind, "decision_type", n, false)
	whole(&a.left, "left_child", n, false)
	whole(&a.right, "right_child", n, false)
	whole(&a.count, "internal_count", n, true)
	float(&a.threshold, "threshold", n, false, parseBound)
	float(&a.gain, "split_gain", n, true, parseBound)
	float(&a.value, "internal_value", n, true, parseFinite)
	float(&a.weight, "internal_weight", n, true, parseFinite)
	if err != nil {
		return a, err
	}
	cats, err := s.whole("num_cat", 0, math.MaxInt32)
	if err != nil || cats == 0 {
		return a, err
	}
	if len(s.words("cat_boundaries")) != cats+1 {
		return a, fmt.Errorf("line %d: cat_boundaries has %d values, want %d", s["cat_boundaries"].line, len(s.words("cat_boundaries")), cats+1)
	}
	whole(&a.bounds, "cat_boundaries", cats+1, false)
	if err == nil {
		a.words, err = lgbNumbers(s, "cat_threshold", len(s.words("cat_threshold")), false, parseWord)
	}
	return a, err
}

func lgbTree(s section, columns int, scale float64, categorical []bool, sets *setMaker) (ensemble.Tree, error) {
	var none ensemble.Tree
	if x, ok := s["is_linear"]; ok && strings.TrimSpace(x.val) != "0" {
		return none, fmt.Errorf("line %d: its leaves are linear models (linear_tree), which an ensemble does not have", x.line)
	}
	leaves, err := s.whole("num_leaves", 1, math.MaxInt32)
	if err != nil {
		return none, err
	}
	a, err := lgbRead(s, leaves)
	if err != nil {
		return none, err
	}
	n := leaves - 1
	p := &plan{nodes: make([]step, n+leaves), width: 1}
	at := func(c int) (int, error) { // leaf j is written as ~j
		switch {
		case c >= 0 && c < n:
			return c, nil
		case c < 0 && ^c < leaves:
			return n + ^c, nil
		}
		return 0, fmt.Errorf("child %d of %d splits and %d leaves", c, n, leaves)
	}
	for j := range leaves {
		nd := &p.nodes[n+j]
		nd.left, nd.right = -1, -1
		nd.Value, nd.Cover, nd.Count = a.leafValue[j]*scale, a.leafWeight[j], count32(a.leafCount[j])
	}
	for i := range n {
		nd := &p.nodes[i]
		var errs [2]error
		nd.left, errs[0] = at(a.left[i])
		nd.right, errs[1] = at(a.right[i])
		for _, err := range errs {
			if err != nil {
				return none, fmt.Errorf("node %d: %w", i, err)
			}
		}
		nd.Value, nd.Cover, nd.Count = a.value[i]*scale, a.weight[i], count32(a.count[i])
		if nd.Gain = a.gain[i]; !finite(nd.Gain) {
			nd.Gain = math.Copysign(math.MaxFloat64, nd.Gain)
		}
		if f := a.feature[i]; f < 0 || f >= columns {
			return none, fmt.Errorf("node %d splits column %d of %d", i, f, columns)
		}
		nd.Feature = int32(a.feature[i])
		if err := lgbSplit(nd, &a, i, sets); err != nil {
			return none, fmt.Errorf("node %d: %w", i, err)
		}
		if nd.categorical {
			categorical[nd.Feature] = true
		}
	}
	return p.order()
}

func count32(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

// lgbSplit sets the test of node i: x ≤ threshold, or the set of categories.
func lgbSplit(nd *step, a *lgbArrays, i int, sets *setMaker) error {
	kind, t := a.kind[i], a.threshold[i]
	if kind&^(lgbCategorical|lgbDefaultLeft|3<<2) != 0 || kind&(3<<2) == 3<<2 {
		return fmt.Errorf("decision_type %d", kind)
	}
	if kind&lgbCategorical != 0 {
		j := int(t)
		if t != math.Trunc(t) || t < 0 || t >= float64(max(len(a.bounds)-1, 0)) {
			return fmt.Errorf("category set %v of %d", t, max(len(a.bounds)-1, 0))
		}
		lo, hi := a.bounds[j], a.bounds[j+1]
		if lo < 0 || hi < lo || hi > len(a.words) {
			return fmt.Errorf("category set %d is words %d to %d of %d", j, lo, hi, len(a.words))
		}
		var cats []int
		for w, bits := range a.words[lo:hi] {
			for b := range 32 {
				if bits>>b&1 == 1 {
					cats = append(cats, w*32+b)
				}
			}
		}
		set, err := sets.of(cats)
		nd.categorical, nd.set, nd.DefaultLeft = true, set, false
		return err
	}
	if nd.Threshold = ensemble.Above(t); math.IsInf(t, -1) {
		return fmt.Errorf("threshold %v", t)
	}
	switch kind & (3 << 2) {
	case lgbNaN:
		nd.DefaultLeft = kind&lgbDefaultLeft != 0
	case lgbZero:
		nd.DefaultLeft, nd.ZeroMissing = kind&lgbDefaultLeft != 0, true
	default: // NaN is 0
		nd.DefaultLeft = 0 <= t
	}
	return nil
}
