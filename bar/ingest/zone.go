package ingest

import (
	"errors"
	"fmt"
	"math"
	"time"
)

var errNoZone = errors.New("no zone")

// zone turns local times into instants. Stamps come in the order of the file,
// which tells the two runs of a doubled hour apart.
type zone struct {
	loc    *time.Location // nil when none was stated
	lo, hi int64          // local seconds [lo, hi) that have one offset, off
	off    int64

	seen       int   // 0, 1, 2 (or more) instants so far
	last, prev int64 // the last instant and the one before
}

// local is the instant of a local date (seconds since 1970 as if UTC) and time
// of day.
//
// Where the clocks go back a local time happens twice. It is the first of the
// two unless the stamp before is later than that; a stamp that equals the one
// before is a repeated row, or the second run where the stamps lie as far apart
// as the two runs do (hourly bars). A file that runs backwards is read the other
// way round. Where the clocks go forward a local time does not exist: an error.
func (z *zone) local(day, ns int64) (int64, error) {
	if z.loc == nil {
		return 0, errNoZone
	}
	sec := day + ns/1e9
	if sec < z.lo || sec >= z.hi {
		a, b, n := z.lookup(sec)
		switch n {
		case 0:
			return 0, fmt.Errorf("%s does not exist in %s: the clocks went forward; is the zone right?",
				time.Unix(sec, 0).UTC().Format("2006-01-02 15:04:05"), z.loc)
		case 2:
			return z.note(z.choose((sec-a)*1e9+ns%1e9, (sec-b)*1e9+ns%1e9)), nil
		}
		z.off = a
		if sec < z.lo || sec >= z.hi { // no stretch to go by
			z.lo, z.hi = sec, sec+1
		}
	}
	return z.note((sec-z.off)*1e9 + ns%1e9), nil
}

func (z *zone) note(t int64) int64 {
	z.prev, z.last = z.last, t
	if z.seen < 2 {
		z.seen++
	}
	return t
}

// choose picks the earlier or the later of the two instants of a local time.
func (z *zone) choose(a, b int64) int64 {
	if z.seen == 0 {
		return a
	}
	apart := z.seen == 2 && max(z.last-z.prev, z.prev-z.last) >= b-a
	if z.seen == 2 && z.last < z.prev { // newest first
		if b < z.last || b == z.last && !apart {
			return b
		}
		return a
	}
	if a > z.last || a == z.last && !apart {
		return a
	}
	return b
}

// lookup finds the offsets, in seconds, that local second sec can have: two
// where the clocks went back over it (the earlier instant first), none where they
// went forward. Where there is one, it sets lo and hi to the stretch in which it
// is the only one.
func (z *zone) lookup(sec int64) (a, b int64, n int) {
	var offs [2]int64
	for _, probe := range [2]int64{sec - 86400, sec + 86400} {
		_, o := time.Unix(probe, 0).In(z.loc).Zone()
		if _, back := time.Unix(sec-int64(o), 0).In(z.loc).Zone(); back == o && (n == 0 || offs[0] != int64(o)) {
			offs[n] = int64(o)
			n++
		}
	}
	if n == 2 { // the larger offset is the earlier instant
		return max(offs[0], offs[1]), min(offs[0], offs[1]), 2
	}
	if n == 1 {
		off := offs[0]
		start, end := time.Unix(sec-off, 0).In(z.loc).ZoneBounds()
		z.lo, z.hi = math.MinInt64, math.MaxInt64
		if !start.IsZero() {
			_, before := start.Add(-time.Second).Zone()
			z.lo = start.Unix() + max(off, int64(before))
		}
		if !end.IsZero() {
			_, after := end.Zone()
			z.hi = end.Unix() + min(off, int64(after))
		}
	}
	return offs[0], offs[0], n
}
