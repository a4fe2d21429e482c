package xgboost

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
)

// bounds hold the leaf values below a node where columns are monotone.
type bounds struct{ lo, hi float32 }

// free bounds nothing.
func free() bounds { return bounds{-math.MaxFloat32, math.MaxFloat32} }

// clip moves a value into the bounds.
func (b bounds) clip(w float64) float64 {
	if b == (bounds{}) { // no column is monotone
		return w
	}
	return min(max(w, float64(b.lo)), float64(b.hi))
}

// split is the bounds of the children of a node that is split by a column with
// direction c into leaves of the values l and r: below a rising column no value
// on the left may exceed the middle of the two, none on the right may be less.
func (b bounds) split(c int8, l, r float32) (left, right bounds) {
	left, right = b, b
	mid := (l + r) / 2
	switch {
	case c > 0:
		left.hi, right.lo = mid, mid
	case c < 0:
		left.lo, right.hi = mid, mid
	}
	return left, right
}

// directions reads monotone_constraints: the direction of each column, nil if
// there is none.
func (c *Config) directions(names []string) ([]int8, error) {
	at := positions(names)
	var out []int8
	for name, d := range c.MonotoneConstraints {
		j, ok := at[name]
		if !ok {
			return nil, fmt.Errorf("model/tree: monotone_constraints: the table has no column %q", name)
		}
		if d == 0 {
			continue
		}
		if out == nil {
			out = make([]int8, len(names))
		}
		out[j] = int8(d) // #nosec G115 -- −1 or 1
	}
	return out, nil
}

// groups reads interaction_constraints: a mask of the blocks for each group.
func (c *Config) groups(names []string) ([][]uint8, error) {
	at := positions(names)
	var out [][]uint8
	for i, g := range c.InteractionConstraints {
		m := make([]uint8, (len(names)+hist.Lanes-1)/hist.Lanes)
		for _, name := range g {
			j, ok := at[name]
			if !ok {
				return nil, fmt.Errorf("model/tree: interaction_constraints.%d: the table has no column %q", i, name)
			}
			m[j/hist.Lanes] |= 1 << (j % hist.Lanes)
		}
		out = append(out, m)
	}
	return out, nil
}

func positions(names []string) map[string]int {
	at := make(map[string]int, len(names))
	for j, n := range names {
		at[n] = j
	}
	return at
}

// meet returns the columns that may be used below a node: those used above it,
// and every group that holds all of these.
func meet(groups [][]uint8, used []uint8) []uint8 {
	out := append([]uint8(nil), used...)
	for _, g := range groups {
		all := true
		for b, u := range used {
			all = all && u&^g[b] == 0
		}
		if all {
			for b := range out {
				out[b] |= g[b]
			}
		}
	}
	return out
}
