package trade

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/rng"
)

// marketView is the bars of the range with prices spliced over outages: each
// segment is scaled so that it opens where the one before closed, because no
// position could be held in between.
type marketView struct {
	s       *bar.Series
	lo, hi  int
	factor  []float64 // by bar − lo
	elapsed []float64 // seconds of bar time before bar lo+k
	first   float64   // price at which the range begins; NaN if nothing can fill
}

func newMarketView(s *bar.Series, lo, hi int) *marketView {
	m := &marketView{s: s, lo: lo, hi: hi, factor: make([]float64, hi-lo), elapsed: make([]float64, hi-lo+1), first: math.NaN()}
	f, last := 1.0, -1
	for j := lo; j < hi; j++ {
		m.elapsed[j-lo+1] = m.elapsed[j-lo] + float64(s.End[j]-s.Begin[j])/1e9
		if s.Flags[j]&cost.NoFill == 0 {
			switch {
			case last < 0:
				m.first = s.Open[j]
			case s.Segment[j] != s.Segment[last]:
				f *= s.Close[last] / s.Open[j]
			}
			last = j
		}
		m.factor[j-lo] = f
	}
	return m
}

// time is the seconds of bars a..b−1.
func (m *marketView) time(a, b int) float64 {
	if b <= a {
		return 0
	}
	return m.elapsed[b-m.lo] - m.elapsed[a-m.lo]
}

func (m *marketView) open(j int) float64  { return m.s.Open[j] * m.factor[j-m.lo] }
func (m *marketView) close(j int) float64 { return m.s.Close[j] * m.factor[j-m.lo] }

// dayReturn is the spliced return of a day from the close of the day before, for
// the first day from the first open; 0 for a day in which nothing can fill.
func (m *marketView) dayReturn(d dayRange) float64 {
	if d.last < 0 {
		return 0
	}
	from := m.first
	for j := d.lo - 1; j >= m.lo; j-- {
		if m.s.Flags[j]&cost.NoFill == 0 {
			from = m.close(j)
			break
		}
	}
	return m.close(d.last)/from - 1
}

// BuyAndHold is the instrument's daily returns, without any cost, from the first
// open of the range on. Moves over an outage are left out, as they are for the
// strategy.
func (r *Result) BuyAndHold() []float64 {
	return r.column(func(d Day) float64 { return d.Market })
}

// SameExposure is what the strategy would have earned by holding its mean
// position all the time: Mean × the instrument's return, by day, without any
// cost. What the record earns above it comes from timing, not from drift.
func (r *Result) SameExposure() []float64 {
	return r.column(func(d Day) float64 { return float64(r.Mean * d.Market) })
}

// Draws is random entries, one value per draw.
type Draws struct {
	Sharpe []float64 // annual net Sharpe ratio of the draw's daily returns
	Net    []float64 // sum of the draw's daily net returns
}

// Random draws k records that hold as long, on the same sides and at the same
// costs as the trades, but enter at random.
//
// In each draw the trades are put in random order and their entries spread over
// the bars of the range that can fill, without overlap and uniformly (sorted
// uniform offsets in the free bars). A trade enters at the open of its bar and
// leaves at the open as many bars later as the original lived (one that ended
// inside a bar is counted to the bar's end), at prices spliced over outages. Its
// net return is side·(exit/entry − 1) less the original's own cost gross − net,
// half of it on the day of the entry and half on that of the exit; days are
// marked as in [Simulate].
//
// Draw i uses stream.Stream("draw", i): the result does not depend on workers.
// Errors: no trades; k below 1; a cancelled ctx. Cost: O(k·(trades + days)).
func (r *Result) Random(ctx context.Context, k int, stream rng.Stream, workers int) (Draws, error) {
	if len(r.Trades) == 0 {
		return Draws{}, errors.New("trade: random entries for a record without trades")
	}
	if k < 1 {
		return Draws{}, fmt.Errorf("trade: %d random draws, want at least 1", k)
	}
	p := r.plan()
	out := Draws{Sharpe: make([]float64, k), Net: make([]float64, k)}
	workers = max(1, min(workers, k))
	var wg sync.WaitGroup
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			days, order, at := make([]float64, len(r.Days)), make([]int, len(r.Trades)), make([]float64, len(r.Trades))
			for i := w; i < k && ctx.Err() == nil; i += workers {
				p.draw(stream.Stream("draw", i).Rand(), days, order, at)
				out.Sharpe[i] = SharpeAnnual(days, r.PerYear)
				for _, x := range days {
					out.Net[i] += x
				}
			}
		}()
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return Draws{}, fmt.Errorf("trade: %d random draws: %w", k, err)
	}
	return out, nil
}

// randomPlan is what all draws share: the bars that can fill, in order, with
// spliced prices.
type randomPlan struct {
	trades []Trade
	open   []float64 // spliced, by fillable bar; one more at the end: the last close
	day    []int     // day of each fillable bar; one more at the end
	close  []float64 // spliced close of each day, the mark before it where nothing fills
	hold   []int     // fillable bars that each trade lives
	cost   []float64 // gross − net of each trade
	free   int       // fillable bars in no trade
}

func (r *Result) plan() *randomPlan {
	m := r.market
	p := &randomPlan{trades: r.Trades}
	rank := make([]int, m.hi-m.lo+1) // fillable bars before bar lo+k
	d := 0
	for j := m.lo; j < m.hi; j++ {
		rank[j-m.lo+1] = rank[j-m.lo]
		for r.marks[d].hi <= j {
			d++
		}
		if m.s.Flags[j]&cost.NoFill == 0 {
			rank[j-m.lo+1]++
			p.open, p.day = append(p.open, m.open(j)), append(p.day, d)
		}
	}
	p.free = len(p.open)
	last := m.first
	for _, x := range r.marks {
		if x.last >= 0 {
			last = m.close(x.last)
		}
		p.close = append(p.close, last)
	}
	p.open, p.day = append(p.open, last), append(p.day, len(r.marks)-1)
	for _, t := range r.Trades {
		h := rank[t.heldUntil()-m.lo] - rank[t.EntryBar-m.lo]
		p.hold, p.cost = append(p.hold, h), append(p.cost, t.Gross-t.Net)
		p.free -= h
	}
	return p
}

// draw fills days with one random record; order and at are buffers.
func (p *randomPlan) draw(r *rand.Rand, days []float64, order []int, at []float64) {
	for i := range days {
		days[i] = 0
	}
	for i := range order {
		order[i] = i
	}
	r.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	// Sums of exponential spacings, divided by their total, are sorted uniform numbers.
	sum := 0.0
	for i := range at {
		sum += r.ExpFloat64()
		at[i] = sum
	}
	sum += r.ExpFloat64()
	used := 0
	for i, k := range order {
		b := used + min(p.free, int(at[i]/sum*float64(p.free+1)))
		e := b + p.hold[k]
		used += p.hold[k]
		side, entry, half := float64(p.trades[k].Side), p.open[b], p.cost[k]/2
		value := 0.0
		for d := p.day[b]; d < p.day[e]; d++ {
			now := float64(side*(p.close[d]/entry-1)) - half
			days[d] += now - value
			value = now
		}
		days[p.day[e]] += float64(side*(p.open[e]/entry-1)) - 2*half - value
	}
}
