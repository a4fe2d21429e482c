package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/rng"
)

// Quick is the leak check inside every run (a [factory.AuditFunc]): features and
// labels are made again from bars whose future was replaced, and whatever was
// known before must be the same, bit for bit.
//
// At two decisions, about half and nine tenths of the way, it keeps the bars
// known by then, replaces prices and volumes of all later ones by a random walk
// from the last kept price, leaves out a tenth of them (of bars by the clock; of
// ready-made bars none, because a horizon counts them), and cuts the series off
// some bars of the longest timeframe later. From these bars [factory.Prepared]
// makes labels and table anew. Compared are
//
//   - the decisions up to the cut,
//   - every column of every row decided by then,
//   - every label whose outcome was known by then, in either world, and the
//     barrier widths of all rows decided by then.
//
// A culprit names the column ("leaky@5m"), the first row that moved with its
// time, and the two values. What cannot be made from the replaced bars is a
// culprit too: a check that did not happen has not passed. The error is the
// context's, or that there is nothing to check.
//
// The check sees what moves near the cuts. A leak that shows on rare bars only
// needs [Full], or luck. Cost: labels and features of 1.4 times the bars; less where
// an outage lets it begin later.
func Quick(ctx context.Context, p factory.Prepared) (*factory.AuditResult, error) {
	return quick(ctx, p, []float64{0.5, 0.9})
}

func quick(ctx context.Context, p factory.Prepared, shares []float64) (*factory.AuditResult, error) {
	n := p.Labels.Len()
	switch {
	case p.Remake == nil:
		return nil, errors.New("audit: nothing to make features and labels with")
	case n == 0 || p.Base.Len() == 0:
		return nil, fmt.Errorf("audit: %d bars and %d decisions leave nothing to check", p.Base.Len(), n)
	case p.Table.N != n:
		return nil, fmt.Errorf("audit: the table has %d rows for %d decisions", p.Table.N, n)
	}
	res := &factory.AuditResult{Mode: "quick", Culprits: []factory.AuditCulprit{}}
	list := &culprits{}
	root := rng.New(p.Seed).Stream("audit")
	for i, share := range shares {
		cut := p.Labels.Spans[min(n-1, int(share*float64(n)))].Decision
		from := startOf(p.Base, cut)
		past := p.Base.Slice(from, p.Base.Len())
		labels, table, err := p.Remake(ctx, replaceAfter(past, cut, root.Stream("future", i), tailBars(p, cut)), p.Workers)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			list.add("audit", "cut at "+stamp(cut), fmt.Sprintf("features and labels could not be made again, so nothing is proved: %v", err))
			continue
		}
		w := worlds{was: p.Labels, now: labels, table: p.Table, again: table, cut: cut, list: list,
			at: "with all bars after " + stamp(cut) + " replaced"}
		if from > 0 {
			w.from = decidedBy(p.Labels, past.Begin[0])
			w.at += " and those before the outage that ended at " + stamp(past.Begin[0]) + " left out"
		}
		res.Checks += w.compare()
	}
	res.Culprits = append(res.Culprits, list.list()...)
	res.OK = len(res.Culprits) == 0
	return res, nil
}

// enoughBars is how many bars before a cut are made again at least.
const enoughBars = 150_000

// startOf is the first bar that is made again for a cut: the last one that begins
// a segment with enough bars before the cut, else the very first. An outage
// resets everything that looks back, so that what follows it is the same without
// what came before; a long file is not computed twice for that reason.
func startOf(base *bar.Series, cut int64) int {
	known := 0
	for i := base.Len() - 1; i > 0; i-- {
		if base.Known[i] <= cut {
			known++
		}
		if known >= enoughBars && base.Segment[i] != base.Segment[i-1] {
			return i
		}
	}
	return 0
}

// tailBars is how many bars are kept after the cut: enough for every position
// open at the cut to expire, for several bars of the longest timeframe among the
// columns to end, and for a kernel that looks a few bars ahead to find something
// else there.
func tailBars(p factory.Prepared, cut int64) int {
	longest := bar.Timeframe(0)
	for _, name := range p.Table.Names {
		if at := strings.LastIndexByte(name, '@'); at >= 0 {
			if tf, err := bar.ParseTimeframe(name[at+1:]); err == nil {
				longest = max(longest, tf)
			}
		}
	}
	open := 4 * longest.Duration()
	if longest == bar.Session {
		open = 4 * p.Calendar.Typical()
	}
	until := p.Calendar.AddOpenTime(cut, open)
	for i := range decidedBy(p.Labels, cut) {
		if p.Labels.Valid[i] {
			until = max(until, p.Labels.Expiry[i])
		}
	}
	bars := 0
	for i := p.Base.Len() - 1; i >= 0 && p.Base.End[i] > cut; i-- {
		if p.Base.Begin[i] <= until {
			bars++
		}
	}
	return bars + 256
}
