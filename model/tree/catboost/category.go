package catboost

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/view"
)

// Kinds of target statistics, in the library's words.
const (
	ctrBorders = "Borders" // share of the class above a border
	ctrBuckets = "Buckets" // share of a class
	ctrMean    = "BinarizedTargetMeanValue"
	ctrCounter = "Counter" // how frequent the category is; no target needed
	oneHot     = "one-hot"
)

// ctrSpec is one entry of simple_ctr.
type ctrSpec struct {
	kind   string
	bins   int // borders of the statistic
	priors []float32
}

// parseCTR reads "Borders:CtrBorderCount=15:Prior=0/1:Prior=0.5/1".
func parseCTR(text string) (ctrSpec, error) {
	words := strings.Split(text, ":")
	s := ctrSpec{kind: words[0], bins: 15}
	switch s.kind {
	case ctrBorders, ctrBuckets, ctrMean, ctrCounter:
	default:
		return s, fmt.Errorf("%q is none of %s, %s, %s and %s", words[0], ctrBorders, ctrBuckets, ctrMean, ctrCounter)
	}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "CtrBorderCount":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 254 {
				return s, fmt.Errorf("%q: CtrBorderCount is a whole number from 1 to 254", w)
			}
			s.bins = n
		case "Prior":
			value = strings.TrimSuffix(value, "/1")
			p, err := strconv.ParseFloat(value, 32)
			if err != nil || math.IsNaN(p) || math.Abs(p) > 1e6 {
				return s, fmt.Errorf("%q: Prior is a number, with or without /1", w)
			}
			s.priors = append(s.priors, float32(p))
		default:
			return s, fmt.Errorf("%q: known are CtrBorderCount and Prior", w)
		}
	}
	if s.priors == nil {
		s.priors = []float32{0, 0.5, 1}
		if s.kind == ctrCounter {
			s.priors = []float32{0}
		}
	}
	return s, nil
}

// category is a column of categories.
type category struct {
	column  int
	values  []float32 // ascending
	missing bool      // a category more, the last, stands for missing values
	id      []int32   // of each training row
}

// count is the number of categories.
func (c *category) count() int {
	if c.missing {
		return len(c.values) + 1
	}
	return len(c.values)
}

// find is the number of a value, −1 if training had none like it.
func (c *category) find(v float32) int {
	if v != v {
		return c.count()*b2i(c.missing) - 1
	}
	if i, ok := slices.BinarySearch(c.values, v); ok {
		return i
	}
	return -1
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// newCategory numbers the categories of column j of the given rows (nil: all).
func newCategory(t *view.Table, j int, rows []int) (*category, error) {
	c, col := &category{column: j}, t.Col(j)
	n := t.N
	if rows != nil {
		n = len(rows)
	}
	at := func(i int) (int, float32) {
		if rows != nil {
			i = rows[i]
		}
		return i, col[i]
	}
	for i := range n {
		row, v := at(i)
		switch {
		case v != v:
			c.missing = true
		case v < 0 || v >= 1<<24 || v != float32(int32(v)):
			return nil, fmt.Errorf("model/tree: training column %q row %d is %v; a category is a whole number from 0 to 16777215", t.Names[j], row, v)
		default:
			c.values = append(c.values, v+0)
		}
	}
	slices.Sort(c.values)
	c.values = slices.Clip(slices.Compact(c.values))
	c.id = make([]int32, n)
	for i := range n {
		_, v := at(i)
		c.id[i] = int32(c.find(v))
	}
	return c, nil
}

// statistic is a numeric column that is derived from a column of categories:
// whether the row has one category (one-hot), or a target statistic
//
//	(good + prior) / (total + 1)
//
// scaled to the range of its priors and cut into bins equal parts. While trees
// are chosen, good and total count the earlier rows of the permutation that
// have the same category; in the finished model they count all training rows.
type statistic struct {
	c      *category
	kind   string
	border int // Borders: rows of a class above it are good; Buckets: of this class
	prior  float32
	bins   int
	final  []uint8 // of each category, over all rows; one-hot: 1 for the category
	other  uint8   // of a category without rows
}

// bin is CalcCTR of the library, whose arithmetic is in float32.
func (s *statistic) bin(good, total float32) uint8 {
	low, high := min(0, s.prior), max(1, s.prior)
	v := float32(good+s.prior) / float32(total+1)
	return uint8(float32(float32(float32(v-low)/float32(high-low)) * float32(s.bins)))
}

// good is what counts for the statistic among rows of a category, given how
// many rows it has of each class.
func (s *statistic) good(classes []float32) float32 {
	switch s.kind {
	case ctrBuckets:
		return classes[s.border]
	case ctrMean:
		sum := float32(0)
		for c, n := range classes {
			sum += float32(float32(c)*n) / float32(len(classes)-1)
		}
		return sum
	}
	sum := float32(0)
	for _, n := range classes[s.border+1:] {
		sum += n
	}
	return sum
}

// column is the statistic of every row, each from the rows before it in perm.
// class is the class of each row, below k.
func (s *statistic) column(perm []uint32, class []uint8, k int) []float32 {
	out := make([]float32, len(perm))
	if s.kind == oneHot || s.kind == ctrCounter {
		for i, id := range s.c.id {
			out[i] = float32(s.final[id])
		}
		return out
	}
	count, total := make([]float32, s.c.count()*k), make([]float32, s.c.count())
	for _, r := range perm {
		id := int(s.c.id[r])
		out[r] = float32(s.bin(s.good(count[id*k:id*k+k]), total[id]))
		count[id*k+int(class[r])]++
		total[id]++
	}
	return out
}

// finish finds the statistic of each category over all rows.
func (s *statistic) finish(class []uint8, k int) {
	n := s.c.count()
	count, total := make([]float32, n*k), make([]float32, n)
	for i, id := range s.c.id {
		count[int(id)*k+int(class[i])]++
		total[id]++
	}
	s.final = make([]uint8, n)
	if s.kind == ctrCounter {
		most := slices.Max(total)
		for id := range s.final {
			s.final[id] = s.bin(total[id], most)
		}
		s.other = s.bin(0, most)
		return
	}
	for id := range s.final {
		s.final[id] = s.bin(s.good(count[id*k:id*k+k]), total[id])
	}
	s.other = s.bin(0, 0)
}

// classesOf sorts the targets into classes for target statistics: their own, or
// for a real target two halves, divided where Σ n·ln n of the numbers of rows is
// least (MinEntropy).
func classesOf(l *loss, t *core.Targets) (class []uint8, k int) {
	class = make([]uint8, len(t.Y))
	if l.classes() {
		for i, y := range t.Y {
			class[i] = uint8(y)
		}
		return class, max(l.k, 2)
	}
	s := slices.Clone(t.Y)
	slices.Sort(s)
	n := len(s)
	entropy := func(at int) float64 {
		a, b := float64(at), float64(n-at)
		return float64(a*math.Log(a+1e-8)) + float64(b*math.Log(b+1e-8))
	}
	best, border := math.Inf(1), s[0]
	for i := 1; i < n; i++ {
		if s[i] != s[i-1] {
			if e := entropy(i); e < best {
				best, border = e, (s[i]+s[i-1])/2
			}
		}
	}
	for i, y := range t.Y {
		class[i] = uint8(b2i(y > border))
	}
	return class, 2
}

// newStatistics derives the columns of a category. Of one category alone there
// is nothing to tell; of up to oneHotMax each becomes a column, of two one will
// do; otherwise there are the target statistics.
func newStatistics(c *category, oneHotMax int, specs []ctrSpec, class []uint8, k int) []*statistic {
	var out []*statistic
	n := c.count()
	switch {
	case n < 2:
		return nil
	case n <= oneHotMax:
		for id := range n - b2i(n == 2) {
			s := &statistic{c: c, kind: oneHot, final: make([]uint8, n)}
			s.final[id] = 1
			out = append(out, s)
		}
		return out
	}
	for _, spec := range specs {
		borders := 1
		switch spec.kind {
		case ctrBorders:
			borders = k - 1
		case ctrBuckets:
			borders = k
		}
		for b := range borders {
			for _, p := range spec.priors {
				s := &statistic{c: c, kind: spec.kind, border: b, prior: p, bins: spec.bins}
				s.finish(class, k)
				out = append(out, s)
			}
		}
	}
	return out
}

// cuts give every bin of a statistic one of its own.
func (s *statistic) cuts() core.Cuts {
	c := core.Cuts{Last: math.MaxFloat32}
	for b := range max(s.bins, 1) {
		c.Edge = append(c.Edge, float32(b+1))
	}
	return c
}
