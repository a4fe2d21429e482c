package judge

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

// LockboxState says what happened to the rows that were locked away.
type LockboxState string

// States of the lockbox.
const (
	LockboxNone     LockboxState = "none"     // nothing was locked away
	LockboxUnopened LockboxState = "unopened" // locked, not yet looked at
	LockboxOpened   LockboxState = "opened"   // opened once; its rows are burnt
)

// Lockbox is the state of the locked rows and, once opened, the candidate's
// daily net returns on them.
type Lockbox struct {
	State LockboxState
	Days  []int32
	Net   []float64
}

// Evidence is everything that a verdict is based on. All return series are
// simple returns on entry notional of the same Days, flat days 0. A series or
// a count that is missing (nil, or Bets < 0) makes its gate unmeasured, and a
// verdict with an unmeasured gate cannot pass.
type Evidence struct {
	Candidate      string  // readable name: "stack h20"
	Key            string  // its content key in the ledger
	Instrument     string  // as in the recipe
	PeriodsPerYear float64 // trading days of a year of this calendar

	Days         []int32   // trading dates, days since 1970-01-01, ascending
	Net          []float64 // net of cost
	NetMultiple  []float64 // net of Config.CostMultiple times the cost
	Gross        []float64 // before cost; shown only, may be nil
	SameExposure []float64 // mean position × instrument return
	BuyAndHold   []float64 // instrument held long; shown only, may be nil

	RandomEntry    []float64 // annual net Sharpe ratio of each random-entry draw
	Bets           int       // bets that do not overlap; −1 when unknown
	EffectiveN     float64   // sum of training weights; shown only, 0 when unknown
	BreakEvenTicks float64   // cost per side in ticks at which net is 0; shown only, NaN when unknown

	Trials  Snapshot    // competing trials; the candidate counts as one more unless its Key is among them
	Configs [][]float64 // returns of each configuration that competed, for PBO; may be nil
	Lockbox Lockbox
	Caveats []string // what a reader must know of the data: "stamp side assumed", "proxy instrument"
}

// check refuses evidence that contradicts itself.
func (e Evidence) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("judge: "+format, args...)) }
	if err := checkSeries(e.Days, e.Net); err != nil {
		bad("net returns: %w", err)
		return errors.Join(errs...)
	}
	if !(e.PeriodsPerYear >= 1 && e.PeriodsPerYear <= 366) {
		bad("%v periods a year: want 1 to 366", e.PeriodsPerYear)
	}
	for _, s := range []struct {
		name string
		x    []float64
	}{{"net returns at multiplied cost", e.NetMultiple}, {"gross returns", e.Gross}, {"same-exposure benchmark", e.SameExposure}, {"buy and hold", e.BuyAndHold}} {
		if s.x == nil {
			continue
		}
		if err := checkSeries(e.Days, s.x); err != nil {
			bad("%s: %w", s.name, err)
		}
	}
	for i, x := range e.RandomEntry {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			bad("random entry %d has Sharpe ratio %v", i, x)
			break
		}
	}
	for _, t := range e.Trials.Trials {
		if err := t.Check(); err != nil {
			errs = append(errs, err)
		}
	}
	switch e.Lockbox.State {
	case LockboxNone, LockboxUnopened, LockboxOpened:
	default:
		bad("lockbox state %q: want none, unopened or opened", e.Lockbox.State)
	}
	if err := checkSeries(e.Lockbox.Days, e.Lockbox.Net); err != nil {
		bad("lockbox: %w", err)
	}
	return errors.Join(errs...)
}

// competing is the counted trials with the candidate among them, its returns
// being those judged.
func (e Evidence) competing() []Trial {
	own := Trial{Key: e.Key, Name: e.Candidate, Instrument: e.Instrument, Days: e.Days, Returns: e.Net}
	found := false
	var out []Trial
	for _, t := range e.Trials.Trials {
		if t.Inner {
			continue
		}
		if e.Key != "" && t.Key == e.Key {
			t.Days, t.Returns, found = e.Days, e.Net, true
		}
		out = append(out, t)
	}
	if !found {
		out = append(out, own)
	}
	return out
}

// date writes a trading date.
func date(day int32) string {
	return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly)
}

// neverTraded reports whether all returns are zero.
func neverTraded(x []float64) bool {
	for _, v := range x {
		if v != 0 {
			return false
		}
	}
	return true
}

// sharpeInterval is the annual Sharpe ratio of returns with its two-sided
// interval, SR̂ ± z·σ(SR̂), σ by [stat.SharpeStdErr]. All NaN where no Sharpe
// ratio exists.
func sharpeInterval(returns []float64, perYear, level float64) Interval {
	nan := Number(math.NaN())
	out := Interval{Value: nan, Low: nan, High: nan, StdErr: nan, Confidence: level}
	s, err := NewSample(returns)
	if err != nil {
		return out
	}
	k := annual(perYear)
	se := stat.SharpeStdErr(returns, -1)
	z := stat.NormalQuantile((1 + level) / 2)
	out.Value = Number(k * s.Sharpe)
	out.StdErr = Number(k * se)
	out.Low = Number(k * (s.Sharpe - float64(z*se)))
	out.High = Number(k * (s.Sharpe + float64(z*se)))
	return out
}

// bootstrapInterval is the percentile interval of the annual Sharpe ratio from
// the stationary bootstrap with mean block n^(1/3), at least 5 periods.
func bootstrapInterval(returns []float64, perYear, level float64, draws int, stream rng.Stream) Interval {
	nan := Number(math.NaN())
	out := Interval{Value: nan, Low: nan, High: nan, StdErr: nan, Confidence: level}
	s, err := NewSample(returns)
	if err != nil || draws == 0 {
		return out
	}
	block := max(5, math.Cbrt(float64(len(returns))))
	k := annual(perYear)
	sr := stat.Bootstrap(returns, draws, stat.Stationary{Mean: block}, stream, func(x []float64) float64 {
		if sd := stat.StdDev(x); sd > 0 {
			return k * stat.Mean(x) / sd
		}
		return 0 // a resample of flat days only
	})
	out.Value = Number(k * s.Sharpe)
	out.StdErr = Number(stat.StdDevPop(sr))
	out.Low = Number(stat.Quantile(sr, (1-level)/2))
	out.High = Number(stat.Quantile(sr, (1+level)/2))
	return out
}
