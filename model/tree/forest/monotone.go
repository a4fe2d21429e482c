package forest

import (
	"fmt"
	"math"
	"slices"
)

// bounds are between what the values of the leaves below a node must stay so
// that they are monotone in the columns of monotonic_cst. The value is the mean
// target in integer units, or the share of the first of two classes.
type bounds struct{ lo, hi float64 }

func free() bounds { return bounds{math.Inf(-1), math.Inf(1)} }

// clip moves a value into the bounds.
func (b bounds) clip(v float64) float64 { return min(max(v, b.lo), b.hi) }

// allow reports whether a split by a column with direction c into children of
// the values l and r keeps the order and the bounds (check_monotonicity of
// scikit-learn).
func (b bounds) allow(c int8, l, r float64) bool {
	return l >= b.lo && r >= b.lo && l <= b.hi && r <= b.hi && (l-r)*float64(c) <= 0
}

// split are the bounds of the children of a node that is split by a column with
// direction c: the middle of their values comes between them.
func (b bounds) split(c int8, l, r *sums) (left, right bounds) {
	left, right = b, b
	mid := l.s[0]/(2*l.w) + r.s[0]/(2*r.w)
	switch {
	case c > 0:
		left.hi, right.lo = mid, mid
	case c < 0:
		left.lo, right.hi = mid, mid
	}
	return left, right
}

// directions reads monotonic_cst. With two classes the value of a node is the
// share of the first, so that directions turn around.
func (p *problem) directions() error {
	var names []string
	for name := range p.cfg.MonotonicCst {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		j := slices.Index(p.x.Names, name)
		if j < 0 {
			return fmt.Errorf("forest: monotonic_cst: the training table has no column %q", name)
		}
		d := int8(p.cfg.MonotonicCst[name]) // #nosec G115 -- −1, 0 or 1
		if d == 0 {
			continue
		}
		if p.k > 2 {
			return fmt.Errorf("forest: monotonic_cst.%s: needs two classes or a number, there are %d classes", name, p.k)
		}
		if p.cls != nil {
			d = -d
		}
		if p.mono == nil {
			p.mono = make([]int8, p.x.P)
		}
		p.mono[j] = d
	}
	return nil
}
