package factory

import (
	"context"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
)

// development is the part of a file that a run may use: it develops on decisions
// from from on whose outcome lies before start, and keeps the decisions in
// [start, end) in its lockbox. What is decided at end or later is left alone.
type development struct{ from, start, end int64 }

// rows are the labelled decisions in [from, end).
func (d development) rows(s *label.Set) rows {
	r := rows(s.Rows())
	lo := sort.Search(len(r), func(i int) bool { return s.Spans[r[i]].Decision >= d.from })
	hi := sort.Search(len(r), func(i int) bool { return s.Spans[r[i]].Decision >= d.end })
	return r[lo:max(lo, hi)]
}

// endRow is the first decision at or after end.
func (d development) endRow(s *label.Set) int {
	return sort.Search(s.Len(), func(i int) bool { return s.Spans[i].Decision >= d.end })
}

// lockboxNames says whose lockbox it is, and what a new one is called: an
// instrument has its lockboxes, whatever file or bar size its bars come from and
// whatever the market is called; a generated market has one for its own process.
func (l *line) lockboxNames() (instrument, key string) {
	if l.market.Synth != nil {
		instrument = "generated/" + l.dataDigest[:16]
		return instrument, instrument
	}
	return l.inst.Name, l.inst.Name + "/" + l.market.Name
}

// recordLockbox finds out what this run may develop on, given all lockboxes of
// the instrument, and records its own.
func (l *line) recordLockbox(ctx context.Context, env Env, o *Outcome, clock int64) (development, error) {
	r := o.Labels.Rows()
	if len(r) == 0 {
		return development{}, fmt.Errorf("none of %d decisions has a label: %s", o.Labels.Len(), mostFrequent(o.Counts.Invalid))
	}
	cfg := &l.rec.Split
	// The last decisions of the lockbox live as long as a label after its end.
	floor := time.Duration(max(cfg.WalkForward.FloorBars, cfg.KFold.FloorBars, l.rec.Label.Horizon+2)) * time.Duration(clock)
	f := file{
		spans: spansOf(o.Labels, r),
		end:   max(o.Base.End[o.Base.Len()-1], o.Labels.Spans[o.Labels.Len()-1].Decision) + 1,
		share: cfg.Lockbox,
		need:  cfg.WalkForward.MinRows * (cfg.WalkForward.Steps + 1),
		after: func(end int64) int64 {
			return max(end+int64(cfg.KFold.Embargo), l.cal.AddOpenTime(end, floor))
		},
	}
	if env.Attempt != nil {
		f.run = env.Attempt.RunID()
	}
	f.instrument, f.key = l.lockboxNames()
	var p placement
	box, err := env.Store.UseLockbox(ctx, f.instrument, func(known []store.Lockbox) (store.Lockbox, error) {
		var err error
		p, err = f.place(known)
		return p.record, err
	})
	if err != nil {
		return development{}, err
	}
	l.box = box.Key
	l.notes = append(l.notes, p.notes...)
	if l.rec.Lockbox && p.start >= p.end {
		return p.development, fmt.Errorf("the lockbox from %s holds no decision that was not developed on before (by %s); there is nothing to open: wait for new data", stamp(p.start), by(p.spoilt))
	}
	return p.development, nil
}

// file is what decides which part of a file may be developed on.
type file struct {
	instrument, key string      // see lockboxNames
	run             string      // that asks
	spans           []view.Span // of the labelled decisions, in order
	end             int64       // the first instant behind all of its decisions
	share           float64     // of the time, for a new lockbox
	need            int         // fewest labelled decisions for folds
	// after is the first instant at which a decision keeps purge and embargo
	// behind a lockbox that ends at end.
	after func(end int64) int64
}

// placement is what a file may be used for.
type placement struct {
	development
	record store.Lockbox // to use: a new one, or one that is known
	notes  []string
	spoilt store.Lockbox // whose development the lockbox would run into, if any
}

// place decides. known are the lockboxes of the instrument in order of start.
//
//   - The file's time, less the unopened lockboxes and purge and embargo behind
//     each, falls into stretches. The first with a tenth of the file's decisions
//     is developed on, or else the first with enough for folds: the first,
//     because a file that grows must not move it.
//   - The lockbox follows it: the known one that ends the stretch, opened or not,
//     or else a new one over the last share of the stretch's time.
//   - An unopened lockbox grows with the file, up to what another run has
//     developed on or locked. So no decision is ever locked that was looked at.
//
// It is an error when no stretch has enough decisions.
func (f *file) place(known []store.Lockbox) (placement, error) {
	p, err := f.stretch(known, max(f.need, len(f.spans)/10))
	if err != nil {
		p, err = f.stretch(known, f.need)
	}
	return p, err
}

// stretch is place for the first stretch with so many decisions.
func (f *file) stretch(known []store.Lockbox, need int) (placement, error) {
	first, last := f.spans[0].Decision, f.spans[len(f.spans)-1].Decision
	p := placement{development: development{from: first}}
	var passed []store.Lockbox   // lockboxes that development begins behind
	ignored := map[string]bool{} // opened lockboxes whose burnt decisions are developed on
	for {
		for moved := true; moved; {
			moved = false
			for _, b := range known {
				if !b.Locked() || b.Start > p.from {
					continue
				}
				if to := f.after(b.End); p.from < to {
					p.from, moved = to, true
					passed = append(passed, b)
				}
			}
		}
		var next *store.Lockbox
		for k := range known {
			if b := &known[k]; b.Start > p.from && b.Start <= last && (b.End == 0 || b.End > b.Start) && !ignored[b.Key] {
				next = b
				break
			}
		}
		n := f.count(p.from, last+1)
		if next != nil {
			n = f.count(p.from, next.Start)
		}
		switch {
		case n >= need, next == nil && len(passed) == 0, next != nil && next.OpenedBy == "" && !next.Locked():
			// Enough; or a file without any lockbox, or with one of which nobody
			// knows where it ends: the folds say what is missing.
			return f.with(p, known, next, passed), nil
		case next == nil:
			return p, f.locked(passed, n)
		case next.Locked():
			p.from = next.Start // and from there behind it
		default:
			ignored[next.Key] = true
		}
	}
}

// count is the number of labelled decisions in [lo, hi).
func (f *file) count(lo, hi int64) int {
	at := func(t int64) int {
		return sort.Search(len(f.spans), func(i int) bool { return f.spans[i].Decision >= t })
	}
	return max(0, at(hi)-at(lo))
}

// with completes a placement whose development begins at p.from and ends with
// next, if there is one.
func (f *file) with(p placement, known []store.Lockbox, next *store.Lockbox, passed []store.Lockbox) placement {
	// LockboxStart cannot fail: there are rows, and the share was validated.
	start, _ := split.LockboxStart(f.spans[len(f.spans)-max(1, f.count(p.from, math.MaxInt64)):], f.share)
	switch {
	case next != nil:
		p.record, p.start = *next, next.Start
		p.record.From = min(p.record.From, p.from)
		if start != p.start {
			p.notes = append(p.notes, fmt.Sprintf("the lockbox begins at %s, as recorded at its first use; this file alone would put it at %s", stamp(p.start), stamp(start)))
		}
	default:
		for moved := true; moved; { // burnt decisions are no lockbox
			moved = false
			for _, b := range known {
				if b.OpenedBy != "" && b.Start <= start && start < b.End {
					start, moved = b.End, true
				}
			}
		}
		p.start = start
		p.record = store.Lockbox{Key: f.newKey(known, start), From: p.from, Start: start, By: f.run}
	}
	if next != nil && next.OpenedBy != "" {
		p.end = f.end
		if next.End != 0 && next.End < f.end {
			p.end = next.End
			p.notes = append(p.notes, fmt.Sprintf("the lockbox from %s to %s was opened; what follows is left alone here, and a file that begins behind it may develop on it", stamp(p.start), stamp(p.end)))
		}
	} else {
		p.end = f.free(known, &p)
		p.record.End = max(p.record.End, p.end)
	}
	for _, b := range passed {
		p.notes = append(p.notes, fmt.Sprintf("development begins at %s, behind the unopened lockbox of %s from %s to %s (recorded by %s)", stamp(p.from), f.instrument, stamp(b.Start), stamp(b.End), by(b)))
	}
	if p.spoilt.Key != "" {
		p.notes = append(p.notes, fmt.Sprintf("the lockbox ends at %s, before this file does: what follows was developed on or locked before (by %s)", stamp(p.end), by(p.spoilt)))
	}
	for _, b := range known {
		if b.End == 0 && b.OpenedBy == "" && b.Start <= p.from {
			p.notes = append(p.notes, fmt.Sprintf("an older record of the lockbox of %s from %s does not say where it ends, so it cannot keep this file's decisions shut; run its file again to record that", f.instrument, stamp(b.Start)))
		}
	}
	return p
}

// free is where p's lockbox can end: with the file, or where the next decision
// comes that another run has developed on or locked.
func (f *file) free(known []store.Lockbox, p *placement) int64 {
	kept := max(p.start, p.record.End) // up to here it is locked already
	end := max(kept, f.end)
	for _, b := range known {
		if b.Key == p.record.Key {
			continue
		}
		to := b.End
		if to == 0 {
			to = b.Start + 1
		}
		for _, x := range [][2]int64{{b.From, b.Start}, {b.Start, to}} {
			if x[0] < x[1] && x[1] > kept && x[0] < end {
				end, p.spoilt = max(kept, x[0]), b
			}
		}
	}
	return min(end, f.end)
}

// newKey names a new lockbox.
func (f *file) newKey(known []store.Lockbox, start int64) string {
	taken := func(key string) bool {
		for _, b := range known {
			if b.Key == key && b.Start != start {
				return true
			}
		}
		return false
	}
	key := f.key
	if taken(key) {
		key += "/" + stamp(start)
	}
	if taken(key) {
		key = fmt.Sprintf("%s/%d", f.key, start)
	}
	return key
}

// locked is the error of a file of which lockboxes leave n decisions.
func (f *file) locked(boxes []store.Lockbox, n int) error {
	var list []string
	for _, b := range boxes {
		list = append(list, fmt.Sprintf("from %s to %s, recorded by %s", stamp(b.Start), stamp(b.End), by(b)))
	}
	return fmt.Errorf("the %d labelled decisions of this file, from %s to %s, lie in unopened lockboxes of %s (%s) or within purge and embargo behind them, but for %d; at least %d are needed. Use the file that was developed on, or one with more time before or behind that; or open the lockbox first (--open-lockbox with the recipe that is to be confirmed); another project folder (--store) forgets what was locked",
		len(f.spans), stamp(f.spans[0].Decision), stamp(f.spans[len(f.spans)-1].Decision), f.instrument, strings.Join(list, "; "), n, f.need)
}

// by names the run that recorded a lockbox.
func by(b store.Lockbox) string {
	if b.By == "" {
		return "an earlier run"
	}
	return "run " + b.By[:min(12, len(b.By))]
}
