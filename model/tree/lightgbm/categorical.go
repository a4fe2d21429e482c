package lightgbm

import (
	"slices"

	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/model/tree/core"
)

// bin is a category of a leaf.
type bin struct {
	index uint8
	sums  core.Sums
	rows  int     // estimated
	order float64 // g/(h+cat_smooth)
}

// categories searches a column of categories (FindBestThresholdCategorical):
// few of them one against the rest, many of them by prefixes from both ends of
// the order of g/(h+cat_smooth), of which the larger part is never on the left
// (Fisher 1958, "On grouping for maximum homogeneity"). Missing values and
// categories without a bin go right.
func (s *search) categories(h core.Planes, k, nb, f int, nd *node) split {
	tg, th := s.unpack(nd.tot)
	G, H := float64(tg)*s.invG, float64(th)*s.invH
	perH := float64(nd.rows) / float64(th)
	var shift float64
	if s.smooth > epsilon {
		shift = s.given(G, H, s.l2, nd.out)
	} else {
		shift = s.gain(G, H, s.l2, nd.rows, 0)
	}
	best := split{gain: shift + s.cfg.MinGainToSplit, feature: -1}
	bins := make([]bin, 0, nb)
	for b := 1; b < nb; b++ {
		v := h.At(b*hist.Lanes + k)
		bins = append(bins, bin{index: uint8(b), sums: v, rows: s.count(v, perH)})
	}
	if nb <= s.cfg.MaxCatToOnehot {
		s.oneHot(bins, f, nd, &best)
	} else {
		s.manyToMany(bins, f, nd, &best)
	}
	if best.feature >= 0 {
		best.gain -= shift + s.cfg.MinGainToSplit
	}
	return best
}

// sides are the sums of a set of categories and of the rest in real units.
func (s *search) sides(part, tot core.Sums) (gl, hl, gr, hr float64) {
	a, b := s.unpack(part)
	c, d := s.unpack(tot.Less(part))
	return float64(a) * s.invG, float64(b) * s.invH, float64(c) * s.invG, float64(d) * s.invH
}

func (s *search) oneHot(bins []bin, f int, nd *node, best *split) {
	tot := nd.tot
	for i := range bins {
		c := &bins[i]
		_, own := s.unpack(c.sums)
		_, rest := s.unpack(tot.Less(c.sums))
		other := nd.rows - c.rows
		if c.rows < s.minData || float64(own) < s.minH || other < s.minData || float64(rest) < s.minH {
			continue
		}
		if nd.random != nil && nd.pick(f, len(bins)) != i {
			continue
		}
		g1, h1, g2, h2 := s.sides(c.sums, tot)
		if gain := s.pair(g2, h2, g1, h1, s.l2, other, c.rows, 0, nd); gain > best.gain {
			set := new(core.BinSet)
			set.Add(c.index)
			*best = split{gain: gain, feature: f, set: set, left: c.sums, count: c.rows}
		}
	}
}

func (s *search) manyToMany(bins []bin, f int, nd *node, best *split) {
	used := bins[:0]
	for _, c := range bins {
		if float64(c.rows) >= s.cfg.CatSmooth {
			g, h := s.unpack(c.sums)
			c.order = float64(g) * s.invG / (float64(h)*s.invH + s.cfg.CatSmooth)
			used = append(used, c)
		}
	}
	slices.SortStableFunc(used, func(a, b bin) int {
		switch {
		case a.order < b.order:
			return -1
		case a.order > b.order:
			return 1
		}
		return 0
	})
	l2 := s.l2 + s.cfg.CatL2
	most := min(s.cfg.MaxCatThreshold, (len(used)+1)/2)
	length, down := 0, false // of the best prefix
	for _, fromEnd := range []bool{false, true} {
		acc, rows, group := core.Sums{}, 0, 0
		for i := range min(len(used), most) {
			c := &used[i]
			if fromEnd {
				c = &used[len(used)-1-i]
			}
			acc = acc.Plus(c.sums)
			rows += c.rows
			group += c.rows
			_, own := s.unpack(acc)
			if rows < s.minData || float64(own) < s.minH {
				continue
			}
			_, rest := s.unpack(nd.tot.Less(acc))
			if other := nd.rows - rows; other < s.minData || other < s.cfg.MinDataPerGroup || float64(rest) < s.minH {
				break
			}
			if group < s.cfg.MinDataPerGroup {
				continue
			}
			group = 0
			if nd.random != nil && nd.pick(f, most-1) != i {
				continue
			}
			gl, hl, gr, hr := s.sides(acc, nd.tot)
			if gain := s.pair(gl, hl, gr, hr, l2, rows, nd.rows-rows, 0, nd); gain > best.gain {
				*best = split{gain: gain, feature: f, many: true, left: acc, count: rows}
				length, down = i+1, fromEnd
			}
		}
	}
	if best.feature < 0 {
		return
	}
	best.set = new(core.BinSet)
	for i := range length {
		if down {
			i = len(used) - 1 - i
		}
		best.set.Add(used[i].index)
	}
}
