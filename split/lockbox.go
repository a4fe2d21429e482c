package split

import (
	"fmt"
	"sort"
	"time"

	"github.com/mlfactory/mlfactory/view"
)

// LockboxShare is the part of time, at its end, that the lockbox takes.
const LockboxShare = 0.15

// Locked is the division between development and the lockbox.
type Locked struct {
	Start  int64 // first instant of the lockbox
	Dev    []int // rows that development may use, ascending
	Box    []int // rows decided at or after Start, ascending
	Purged []int // rows before Start whose outcome or floor reaches it, ascending: used by neither
}

// LockboxStart is the instant from which the last share of the time between the
// first and the last decision is locked: first + (1 − share)·(last − first).
func LockboxStart(spans []view.Span, share float64) (int64, error) {
	if !(share > 0 && share < 1) {
		return 0, fmt.Errorf("split: a lockbox of %v of the time: want more than 0 and less than 1", share)
	}
	if len(spans) == 0 {
		return 0, fmt.Errorf("split: a lockbox of no rows")
	}
	first, last := spans[0].Decision, spans[0].Decision
	for _, s := range spans {
		first, last = min(first, s.Decision), max(last, s.Decision)
	}
	return first + int64((1-share)*float64(last-first)), nil
}

// Lockbox divides the rows at a start that was computed by [LockboxStart] once
// and recorded; it never moves by itself. Rows decided at or after start are in
// the box; of the others, development may use those whose Outcome lies before
// start by the floor of open time.
func Lockbox(spans []view.Span, start int64, p Purging, m Market) (Locked, error) {
	if err := p.check(p, m); err != nil {
		return Locked{}, err
	}
	if err := checkSpans(spans); err != nil {
		return Locked{}, err
	}
	z := zoneAround(start, start, m.Clock, time.Duration(p.FloorBars)*m.Bar, 0)
	l := Locked{Start: start}
	for i, s := range spans {
		switch {
		case s.Decision >= start:
			l.Box = append(l.Box, i)
		case s.Outcome > z.before:
			l.Purged = append(l.Purged, i)
		default:
			l.Dev = append(l.Dev, i)
		}
	}
	return l, nil
}

func ascending(rows []int) []int {
	out := clone(rows)
	sort.Ints(out)
	return out
}
