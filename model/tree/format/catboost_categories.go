package format

import (
	"math"
	"slices"
	"strconv"
)

// codesOf finds the categories of a column by their hashes: the texts that the
// caller gave, or the whole numbers. Code −1 is a missing category.
func (r *cbReader) codesOf(column int, cats []*place, root *place) map[int32][]int {
	given, ok := r.o.Categories[r.e.Columns[column]]
	if !ok {
		return r.numbers(cats, root)
	}
	out := map[int32][]int{}
	for c, s := range given {
		h := catHash([]byte(s))
		out[h] = append(out[h], c)
	}
	if h := catHash([]byte(missingCategory)); !slices.Contains(given, missingCategory) {
		out[h] = append(out[h], -1)
	}
	return out
}

// numbers tries the texts of whole numbers for the hashes that are in the file.
func (r *cbReader) numbers(cats []*place, root *place) map[int32][]int {
	if r.wanted != nil {
		return r.wanted
	}
	in := map[int32]bool{}
	for _, f := range cats {
		if v := f.find("values"); v != nil {
			for _, x := range v.v.nums {
				in[int32(x)] = true
			}
		}
	}
	if tables := root.find("ctr_data"); tables != nil && tables.v.kind == object {
		for i := range tables.v.list {
			t := place{v: &tables.v.list[i], trouble: root.trouble}
			if rows := t.find("hash_map"); rows != nil {
				for _, x := range rows.v.list {
					if key, err := strconv.ParseUint(x.str, 10, 64); err == nil {
						if c, ok := tableCat(key); ok {
							in[c] = true
						}
					}
				}
			}
		}
	}
	r.wanted = map[int32][]int{}
	add := func(text []byte, code int) {
		if h := catHash(text); in[h] {
			r.wanted[h] = append(r.wanted[h], code)
		}
	}
	var text []byte
	for c := range defaultCategories {
		text = strconv.AppendInt(text[:0], int64(c), 10)
		add(text, c)
	}
	add([]byte(missingCategory), -1)
	return r.wanted
}

// set makes a split of the codes on one side; code −1 is a missing category.
func (r *cbReader) set(p *place, column int, codes []int, others bool) {
	s := cbSplit{column: column, cat: true, others: others}
	if i := slices.Index(codes, -1); i >= 0 {
		s.missing = true
		codes = slices.DeleteFunc(slices.Clone(codes), func(c int) bool { return c < 0 })
	}
	var err error
	if s.set, err = r.sets.of(codes); err != nil {
		p.fail("%v", err)
	}
	r.splits = append(r.splits, s)
}

const howToName = "is the hash of no category; give the texts of the column's categories (without them they are the whole numbers below 65536)"

func (r *cbReader) oneHot(values *place, column int) {
	for _, v := range values.wholes(-1, math.MinInt32, math.MaxInt32) {
		codes, ok := r.codes[column][int32(v)]
		if !ok {
			values.fail("%d %s", v, howToName)
			return
		}
		r.set(values, column, codes, false)
	}
}

// statistic reads the borders of a target statistic. Of one column alone it is
// a number for each category, so that a border divides the categories in two
// sets.
func (r *cbReader) statistic(c, root *place, byIndex map[int]int) {
	parts := c.key("elements")
	if parts.len() != 1 || parts.at(0).key("combination_element").text() != "cat_feature_value" {
		if c.err() == nil {
			parts.fail("a combination of columns has no place in an ensemble; train with max_ctr_complexity=1")
		}
		return
	}
	column, ok := byIndex[parts.at(0).key("cat_feature_index").whole(0, maxColumns)]
	if !ok {
		parts.fail("there is no such categorical column")
		return
	}
	kind := c.key("ctr_type").text()
	f32 := func(key string) float32 { return float32(c.key(key).number()) }
	num, den, shift, scale := f32("prior_numerator"), f32("prior_denomerator"), f32("shift"), f32("scale")
	target := c.key("target_border_idx").whole(0, math.MaxInt16)
	calc := func(count, total float32) float32 { // float32 as the library
		ratio := float32(count+num) / float32(total+den)
		return float32(ratio+shift) * scale
	}
	table := root.key("ctr_data").key(c.key("identifier").text())
	entries, stride := table.key("hash_map"), table.key("hash_stride").whole(2, math.MaxInt16)
	if c.err() == nil && entries.len()%stride != 0 {
		entries.fail("%d values in rows of %d", entries.len(), stride)
	}
	empty := calc(0, 0)
	den0 := float32(0)
	switch kind {
	case "Counter", "FeatureFreq":
		den0 = float32(table.key("counter_denominator").number())
		empty = calc(0, den0)
		if stride != 2 {
			table.fail("rows of %d for %s", stride, kind)
		}
	case "BinarizedTargetMeanValue", "FloatTargetMeanValue":
		if stride != 3 {
			table.fail("rows of %d for %s", stride, kind)
		}
	case "Borders", "Buckets":
		if kind == "Borders" && stride < 3 || target >= stride-1 {
			table.fail("rows of %d for %s and target %d", stride, kind, target)
		}
	default:
		c.key("ctr_type").fail("%q is unknown", kind)
	}
	if c.err() != nil {
		return
	}
	var codes []int
	var values []float32
	for i := 0; i < entries.len(); i += stride {
		hash, err := strconv.ParseUint(entries.at(i).text(), 10, 64)
		if err != nil {
			entries.fail("%.40q is no hash", entries.at(i).v.str)
			return
		}
		if hash == math.MaxUint64 { // an empty place of the library's table
			continue
		}
		row := make([]float32, stride-1)
		for j := range row {
			row[j] = float32(entries.at(i + 1 + j).number())
		}
		cat, ok := tableCat(hash)
		found := r.codes[column][cat]
		if !ok || len(found) == 0 {
			entries.fail("%d %s", hash, howToName)
			return
		}
		v := statisticOf(kind, row, target, den0, calc)
		for _, code := range found {
			codes, values = append(codes, code), append(values, v)
		}
	}
	for _, x := range c.key("borders").numbers(-1) {
		border := float32(x)
		others := empty > border // where a category without a row is
		var in []int
		for i, code := range codes {
			if (values[i] > border) != others {
				in = append(in, code)
			}
		}
		r.set(c, column, in, others)
	}
}

// statisticOf is the statistic of a row of a table.
func statisticOf(kind string, row []float32, target int, den float32, calc func(count, total float32) float32) float32 {
	switch kind {
	case "Counter", "FeatureFreq":
		return calc(row[0], den)
	case "BinarizedTargetMeanValue", "FloatTargetMeanValue":
		return calc(row[0], row[1])
	}
	total, good := float32(0), float32(0)
	for i, n := range row {
		total += n
		if kind == "Buckets" && i == target || kind == "Borders" && i > target {
			good += n
		}
	}
	return calc(good, total)
}
