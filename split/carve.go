package split

import (
	"fmt"
	"sort"
	"time"

	"github.com/mlfactory/mlfactory/view"
)

// division is one fold before Stop and Calib are set apart.
type division struct {
	scheme      string
	fold, folds int
	blocks      [][]int // test rows, block by block in order of time
	candidates  []int   // rows that may train, in order of time
	after       bool    // embargo applies
}

// divide purges a division's candidates and sets Stop and Calib apart.
func divide(spans []view.Span, d division, p Purging, m Market) (Fold, error) {
	floor := time.Duration(p.FloorBars) * m.Bar
	embargo := int64(0)
	if d.after {
		embargo = int64(p.Embargo)
	}
	zones := make([]zone, len(d.blocks))
	var f Fold
	for b, rows := range d.blocks {
		if len(rows) == 0 {
			return Fold{}, fmt.Errorf("split: %s fold %d of %d: test block %d is empty: too few decisions", d.scheme, d.fold, d.folds, b+1)
		}
		from, to := hull(spans, rows)
		zones[b] = zoneAround(from, to, m.Clock, floor, embargo)
		f.Test = append(f.Test, rows...)
	}
	// parts are the stretches of training time between test blocks.
	parts := make([][]int, len(d.blocks)+1)
	purged, embargoed := 0, 0
	for _, i := range d.candidates {
		cut, hold := false, false
		part := 0
		for b, z := range zones {
			cut, hold = cut || z.purges(spans[i]), hold || z.embargoes(spans[i])
			if spans[i].Decision >= z.after {
				part = b + 1
			}
		}
		switch {
		case cut:
			purged++
		case hold:
			embargoed++
		default:
			parts[part] = append(parts[part], i)
		}
	}
	if lost := purged + embargoed; float64(lost) > p.MaxLost*float64(len(f.Test)) {
		return Fold{}, &TooShort{Scheme: d.scheme, Fold: d.fold, Folds: d.folds, Rows: len(f.Test), Purged: purged, Embargoed: embargoed,
			MaxLost: p.MaxLost, Embargo: time.Duration(embargo), Floor: floor}
	}
	n := 0
	for _, rows := range parts {
		n += len(rows)
	}
	var err error
	if f.Calib, parts, err = carve(spans, parts, share(n, p.Calib), floor, m.Clock); err == nil {
		f.Stop, parts, err = carve(spans, parts, share(n, p.Stop), floor, m.Clock)
	}
	if err != nil {
		return Fold{}, fmt.Errorf("split: %s fold %d of %d with %d training rows: %w", d.scheme, d.fold, d.folds, n, err)
	}
	for _, rows := range parts {
		f.Train = append(f.Train, rows...)
	}
	for _, s := range []struct {
		name string
		rows []int
		want bool
	}{{"training", f.Train, true}, {"stop", f.Stop, p.Stop > 0}, {"calibration", f.Calib, p.Calib > 0}, {"test", f.Test, true}} {
		sort.Ints(s.rows)
		if s.want && len(s.rows) < p.MinRows {
			return Fold{}, fmt.Errorf("split: %s fold %d of %d: %d %s rows, want at least %d (of %d candidates %d were purged, %d embargoed, %d set apart for stop and calibration); give more data or fewer folds",
				d.scheme, d.fold, d.folds, len(s.rows), s.name, p.MinRows, len(d.candidates), purged, embargoed, len(f.Stop)+len(f.Calib))
		}
	}
	return f, nil
}

func share(n int, fraction float64) int { return int(fraction * float64(n)) }

// carve takes the last want rows of the latest part that has as many, and purges
// all parts around them. Rows of one decision stay together, so it may take a few
// more. Parts are in order of time.
func carve(spans []view.Span, parts [][]int, want int, floor time.Duration, clock Clock) ([]int, [][]int, error) {
	if want == 0 {
		return nil, parts, nil
	}
	longest := 0
	for k := len(parts) - 1; k >= 0; k-- {
		rows := parts[k]
		longest = max(longest, len(rows))
		if len(rows) < want {
			continue
		}
		p := len(rows) - want
		for p > 0 && spans[rows[p-1]].Decision == spans[rows[p]].Decision {
			p--
		}
		taken := append([]int(nil), rows[p:]...)
		from, to := hull(spans, taken)
		z := zoneAround(from, to, clock, floor, 0)
		in := make(map[int]bool, len(taken))
		for _, i := range taken {
			in[i] = true
		}
		left := make([][]int, len(parts))
		for j, part := range parts {
			for _, i := range part {
				if !in[i] && !z.purges(spans[i]) {
					left[j] = append(left[j], i)
				}
			}
		}
		return taken, left, nil
	}
	return nil, nil, fmt.Errorf("no unbroken stretch of training time holds a block of %d rows (the longest has %d); lower stop or calib, or use fewer folds", want, longest)
}
