package trade

import (
	"math"
	"time"

	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/view"
)

// Summary is the numbers of a record, for display and for the gates. Fractions
// are of notional.
type Summary struct {
	Days, ActiveDays int
	Bets             int // trades; they never overlap
	Longs, Shorts    int
	EffectiveN       float64 // sum of uniqueness over the labelled rows of the range
	Net, Gross       float64 // sums of the trades' returns
	MeanNet          float64 // per trade
	HitRate          float64 // share of trades with a net return above 0
	ProfitFactor     float64 // sum of gains ÷ sum of losses, net; +Inf without a loss
	SharpeAnnual     float64 // of the daily net returns
	VolatilityAnnual float64
	MaxDrawdown      float64
	TimeUnderWater   int     // days of the longest stretch below a high
	TurnoverPerDay   float64 // notional traded a day: 2 per trade
	Exposure         float64 // share of the bar time in a position
	MeanPosition     float64
	HoldingMinutes   float64 // mean clock time in a trade
	CostTicks        float64 // mean cost a side in ticks; NaN without a tick size
	BreakEvenTicks   float64 // cost a side in ticks at which the trades' net returns would sum to 0
	Concentration    float64 // HHI of the winning days' returns
	SharpeMarket     float64 // buy and hold
	SharpeExcess     float64 // net less same exposure
}

// Summarize computes the summary. With g, r the gross and net returns of the
// trades and e their entry prices before costs:
//
//	CostTicks      = Σ(g − r) / (2·tick·Σ 1/e)
//	BreakEvenTicks = Σ g / (2·tick·Σ 1/e)
//
// Ratios of nothing (no trades, no tick) are NaN. Cost: O(rows·log rows + days).
func (r *Result) Summarize() Summary {
	net := r.Net()
	s := Summary{Days: len(r.Days), Bets: len(r.Trades), MeanPosition: r.Mean, EffectiveN: r.effectiveN()}
	var gains, losses, inverse, held float64
	wins := 0
	for _, t := range r.Trades {
		s.Net, s.Gross = s.Net+t.Net, s.Gross+t.Gross
		if t.Side > 0 {
			s.Longs++
		} else {
			s.Shorts++
		}
		if t.Net > 0 {
			wins++
			gains += t.Net
		} else {
			losses -= t.Net
		}
		inverse += 1 / t.EntryRef
		held += time.Duration(t.ExitTime - t.EntryTime).Minutes()
	}
	n := float64(len(r.Trades))
	s.MeanNet, s.HitRate, s.HoldingMinutes = s.Net/n, float64(wins)/n, held/n
	s.ProfitFactor = gains / losses
	s.CostTicks, s.BreakEvenTicks = math.NaN(), math.NaN()
	if ticks := 2 * r.Cost.Tick * inverse; ticks > 0 {
		s.CostTicks, s.BreakEvenTicks = (s.Gross-s.Net)/ticks, s.Gross/ticks
	}
	var winners []float64
	exposed := 0.0
	excess, same := make([]float64, len(net)), r.SameExposure()
	for i, d := range r.Days {
		if d.Exposure > 0 {
			s.ActiveDays++
		}
		if d.Net > 0 {
			winners = append(winners, d.Net)
		}
		exposed += float64(d.Exposure * r.market.time(r.marks[i].lo, r.marks[i].hi))
		excess[i] = net[i] - same[i]
	}
	s.Exposure = exposed / r.market.time(r.market.lo, r.market.hi)
	s.Concentration = HHI(winners)
	_, sd := meanStd(net)
	s.SharpeAnnual, s.VolatilityAnnual = SharpeAnnual(net, r.PerYear), sd*math.Sqrt(r.PerYear)
	s.SharpeMarket, s.SharpeExcess = SharpeAnnual(r.BuyAndHold(), r.PerYear), SharpeAnnual(excess, r.PerYear)
	s.TurnoverPerDay = 2 * n / float64(len(r.Days))
	s.MaxDrawdown, s.TimeUnderWater = Worst(net)
	return s
}

// Worst is the deepest drawdown of the running sum of returns and the longest
// time below a high, in periods, counted from a sum of 0 before the first; a
// stretch that has not ended is counted to the last period.
func Worst(returns []float64) (depth float64, longest int) {
	for _, d := range Drawdowns(append([]float64{0}, Equity(returns)...)) {
		depth, longest = max(depth, d.Depth), max(longest, min(d.Recovered, len(returns))-d.Peak)
	}
	return depth, longest
}

// effectiveN is the sum of uniqueness of the labelled rows of the range.
func (r *Result) effectiveN() float64 {
	spans := make([]view.Span, len(r.valid))
	for k, i := range r.valid {
		spans[k] = r.spans.Spans[i]
	}
	return label.EffectiveN(label.Uniqueness(spans))
}

// Year is one calendar year of a record.
type Year struct {
	Year         int
	Days, Trades int
	Net, Gross   float64 // sums of the daily returns
	SharpeAnnual float64
	HitRate      float64 // of the trades entered in the year; NaN without any
	MaxDrawdown  float64 // within the year
	Market       float64 // sum of the instrument's daily returns
}

// ByYear divides the record by the year of the trading date. A trade counts in
// the year of its entry, its returns in the years of its days.
func (r *Result) ByYear() []Year {
	var out []Year
	trade := 0
	for lo := 0; lo < len(r.Days); {
		y := year(r.Days[lo].ID)
		hi := lo
		for hi < len(r.Days) && year(r.Days[hi].ID) == y {
			hi++
		}
		row := Year{Year: y, Days: hi - lo}
		net := make([]float64, hi-lo)
		for d := lo; d < hi; d++ {
			net[d-lo] = r.Days[d].Net
			row.Net, row.Gross, row.Market = row.Net+r.Days[d].Net, row.Gross+r.Days[d].Gross, row.Market+r.Days[d].Market
		}
		wins := 0
		for ; trade < len(r.Trades) && r.Trades[trade].EntryBar < r.marks[hi-1].hi; trade++ {
			row.Trades++
			if r.Trades[trade].Net > 0 {
				wins++
			}
		}
		row.HitRate = float64(wins) / float64(row.Trades)
		row.SharpeAnnual = SharpeAnnual(net, r.PerYear)
		row.MaxDrawdown, _ = Worst(net)
		out = append(out, row)
		lo = hi
	}
	return out
}

func year(id int32) int { return time.Unix(int64(id)*86400, 0).UTC().Year() }
