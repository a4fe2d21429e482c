package label

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/stat"
)

// Kinds of event filter.
const (
	AllDecisions = "all"
	CUSUMFilter  = "cusum"
)

// EventConfig chooses which decisions become rows.
type EventConfig struct {
	Kind     string  `yaml:"kind" doc:"all: every decision; cusum: those at which the price has moved by the threshold since the last" enum:"all,cusum"`
	Multiple float64 `yaml:"multiple" doc:"threshold of the cusum filter in barrier widths" min:"0.01" max:"100" search:"log 0.5 5"`
}

// DefaultEvents takes every decision.
func DefaultEvents() EventConfig { return EventConfig{Kind: AllDecisions, Multiple: 1} }

// Events is the indices of the decisions that the filter keeps, ascending. The
// cusum filter ([CUSUM]) runs over the log close of the last bar of s that ended
// by each decision and was not released late, with a threshold of multiple ×
// width at that decision; it begins anew in every segment, so a move over an
// outage is no event. decisions must not descend; widths may be NaN.
func Events(s *bar.Series, decisions []int64, width []float64, cfg EventConfig) ([]int, error) {
	if err := param.Check(cfg); err != nil {
		return nil, fmt.Errorf("label: events: %w", err)
	}
	if len(width) != len(decisions) {
		return nil, fmt.Errorf("label: events: %d widths for %d decisions", len(width), len(decisions))
	}
	var keep []int
	if cfg.Kind == AllDecisions {
		for i := range decisions {
			keep = append(keep, i)
		}
		return keep, nil
	}
	var c cusum
	j, last := 0, -1
	for i, d := range decisions {
		if i > 0 && d < decisions[i-1] {
			return nil, fmt.Errorf("label: events: decision %d at %s precedes decision %d; sort them", i, stamp(d), i-1)
		}
		for ; j < s.Len() && s.End[j] <= d; j++ {
			if s.Flags[j]&bar.Late == 0 {
				last = j
			}
		}
		x, segment := math.NaN(), int32(-1)
		if last >= 0 {
			x, segment = stat.Log(s.Close[last]), s.Segment[last]
		}
		h := float64(cfg.Multiple * width[i])
		if h < 0 {
			return nil, fmt.Errorf("label: events: decision %d at %s has width %v, want at least 0", i, stamp(d), width[i])
		}
		if c.step(x, h, segment) {
			keep = append(keep, i)
		}
	}
	return keep, nil
}

// cusum is the state of the filter.
type cusum struct {
	up, down, prev float64
	segment        int32
	seen           bool
}

// step takes the next value and its threshold and tells whether it is marked;
// the filter begins anew with every segment.
func (c *cusum) step(x, h float64, segment int32) bool {
	if !c.seen || segment != c.segment {
		*c = cusum{prev: x, segment: segment, seen: true}
		return false
	}
	r := x - c.prev
	c.prev = x
	if math.IsNaN(r) || math.IsNaN(h) {
		return false
	}
	c.up, c.down = max(0, c.up+r), min(0, c.down+r)
	switch {
	case c.down < -h:
		c.down = 0
	case c.up > h:
		c.up = 0
	default:
		return false
	}
	return true
}

// CUSUM is the symmetric cumulative-sum filter: it marks the positions at which
// a series has moved by more than a threshold since the last mark, up or down.
//
//	S⁺ ← max(0, S⁺ + r), S⁻ ← min(0, S⁻ + r), r = x[i] − x[i−1]
//	mark i and set S⁻ = 0 when S⁻ < −h[i], else mark i and set S⁺ = 0 when S⁺ > h[i]
//
// x is usually the log close of the decision bars; h has one threshold per
// value, or one for all. A step whose r or h is NaN is skipped. The filter is
// causal: position i depends on nothing later. Errors: lengths that differ, a
// negative threshold. Cost: O(n).
//
// Source: López de Prado (2018), §2.5.2.1, snippet 2.4.
func CUSUM(x, h []float64) ([]int, error) {
	if len(h) != 1 && len(h) != len(x) {
		return nil, fmt.Errorf("label: cusum: %d thresholds for %d values; give one or as many", len(h), len(x))
	}
	for i, t := range h {
		if t < 0 {
			return nil, fmt.Errorf("label: cusum: threshold %d is %v, want at least 0", i, t)
		}
	}
	var marks []int
	var c cusum
	for i := range x {
		t := h[0]
		if len(h) > 1 {
			t = h[i]
		}
		if c.step(x[i], t, 0) {
			marks = append(marks, i)
		}
	}
	return marks, nil
}
