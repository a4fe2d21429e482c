package factory

import (
	"context"
	"fmt"
	"math"
	"reflect"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/trade"
	"github.com/mlfactory/mlfactory/view"
)

// Record is one strategy's out-of-sample record.
type Record struct {
	PerYear  float64        `json:"per_year"`
	Signals  int            `json:"signals"`
	Ignored  int            `json:"ignored"` // signals while a position was open
	Unfilled map[string]int `json:"unfilled"`

	Days         []int32   `json:"days"`
	Net          []float64 `json:"net"`
	Gross        []float64 `json:"gross"`
	NetMultiple  []float64 `json:"net_multiple"` // at the judge's multiple of the cost
	SameExposure []float64 `json:"same_exposure"`
	BuyAndHold   []float64 `json:"buy_and_hold"`
	Position     []float64 `json:"position"`
	Exposure     []float64 `json:"exposure"`

	Trades []TradeRow `json:"trades"`
	Years  []YearRow  `json:"years"`
	Random []float64  `json:"random_sharpe_annual"`

	// Stats are the fields of trade.Summary by name.
	Stats map[string]judge.Number `json:"stats"`
	// Payoffs are the mean net returns by class, by step.
	Payoffs []trade.Payoff `json:"payoffs"`
}

// Stat is a number of trade.Summary by its field name, NaN if there is none.
func (r *Record) Stat(name string) float64 {
	x, ok := r.Stats[name]
	if !ok {
		return math.NaN()
	}
	return float64(x)
}

// TradeRow is one trade of a record.
type TradeRow struct {
	Row      int     `json:"row"`
	Side     int8    `json:"side"`
	Decision int64   `json:"decision"`
	Entry    int64   `json:"entry"`
	Exit     int64   `json:"exit"`
	EntryPx  float64 `json:"entry_price"`
	ExitPx   float64 `json:"exit_price"`
	Gross    float64 `json:"gross"`
	Net      float64 `json:"net"`
	Reason   string  `json:"reason"`
}

// YearRow is one calendar year of a record.
type YearRow struct {
	Year         int          `json:"year"`
	Days         int          `json:"days"`
	Trades       int          `json:"trades"`
	Net          float64      `json:"net"`
	Gross        float64      `json:"gross"`
	SharpeAnnual judge.Number `json:"sharpe_annual"`
	HitRate      judge.Number `json:"hit_rate"`
	MaxDrawdown  float64      `json:"max_drawdown"`
	Market       float64      `json:"market"`
}

// recordOf flattens a simulation.
func recordOf(ctx context.Context, r *trade.Result, multiple float64, draws int, stream rng.Stream, workers int) (*Record, error) {
	out := &Record{PerYear: r.PerYear, Signals: r.Signals, Ignored: r.Ignored, Unfilled: map[string]int{},
		Days: r.IDs(), Net: r.Net(), Gross: r.Gross(), NetMultiple: r.AtCost(multiple).Net(),
		SameExposure: r.SameExposure(), BuyAndHold: r.BuyAndHold(), Stats: map[string]judge.Number{}}
	for k, why := range r.Unfilled.Why {
		out.Unfilled[why] = r.Unfilled.Count[k]
	}
	for _, d := range r.Days {
		out.Position = append(out.Position, d.Position)
		out.Exposure = append(out.Exposure, d.Exposure)
	}
	for _, t := range r.Trades {
		out.Trades = append(out.Trades, TradeRow{Row: t.Row, Side: t.Side, Decision: t.Decision, Entry: t.EntryTime, Exit: t.ExitTime,
			EntryPx: t.Entry, ExitPx: t.Exit, Gross: t.Gross, Net: t.Net, Reason: t.Reason.String()})
	}
	for _, y := range r.ByYear() {
		out.Years = append(out.Years, YearRow{y.Year, y.Days, y.Trades, y.Net, y.Gross, judge.Number(y.SharpeAnnual), judge.Number(y.HitRate), y.MaxDrawdown, y.Market})
	}
	v := reflect.ValueOf(r.Summarize())
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Float64:
			out.Stats[v.Type().Field(i).Name] = judge.Number(f.Float())
		case reflect.Int:
			out.Stats[v.Type().Field(i).Name] = judge.Number(f.Int())
		}
	}
	if len(r.Trades) == 0 {
		return out, nil
	}
	random, err := r.Random(ctx, draws, stream, workers)
	if err != nil {
		return nil, err
	}
	// Entries that earned exactly nothing on every day have no ratio; they
	// count as one of 0.
	for i, x := range random.Sharpe {
		if math.IsNaN(x) {
			random.Sharpe[i] = 0
		}
	}
	out.Random = random.Sharpe
	return out, nil
}

type tradeParams struct {
	Rule     trade.Rule  `yaml:"rule"`
	Cost     labelParams `yaml:"labels"`
	Multiple float64     `yaml:"multiple"`
	Draws    int         `yaml:"draws"`
	Seed     uint64      `yaml:"seed"`
	Stream   string      `yaml:"stream"`
	PerYear  float64     `yaml:"per_year"`
}

// trades makes the stage that trades a strategy over all windows of folds; steps
// are its combinations, one for each window. kind is trade, or lockbox.
func (l *line) trades(kind, name string, folding *flow.Node, steps []*flow.Node) (*flow.Node, error) {
	p := tradeParams{Rule: l.rec.Rule, Cost: labelParams{l.rec.Label, l.clock.String(), l.rec.Clock.Events, *l.cost, l.cal.Name()},
		Multiple: l.rec.Judge.CostMultiple * l.cost.Multiplier, Draws: l.rec.Random, Seed: l.rec.Seed, Stream: name, PerYear: l.cal.DaysPerYear()}
	inputs := append([]*flow.Node{l.bars, l.labels, folding}, steps...)
	return l.node(kind+"/"+name, kind, p, l.size.trades(), inputs, func(ctx context.Context, t *flow.Task) error {
		b, err := l.readBars(t, 0)
		if err != nil {
			return err
		}
		s, err := l.readLabels(t, 1)
		if err != nil {
			return err
		}
		fs, err := l.readFolds(t, 2)
		if err != nil {
			return err
		}
		if len(fs.Steps) != len(steps) {
			return fmt.Errorf("factory: %d windows for %d combinations", len(fs.Steps), len(steps))
		}
		var windows []*probabilities
		for w := range steps {
			q, err := l.readProb(t, 3+w)
			if err != nil {
				return err
			}
			windows = append(windows, q)
		}
		rec, prob, err := tradeSteps(ctx, l.cost, b, s, fs.Steps, windows, p, t.Workers)
		if err != nil {
			return err
		}
		if err := writeJSON(t, "record.json", rec); err != nil {
			return err
		}
		return writeFrame(t, "predictions.arrow", prob)
	}, "trade", "label", "cost")
}

// tradeSteps follows the rule through consecutive windows. The payoffs of a
// window come from the rows that trained its step.
func tradeSteps(ctx context.Context, m *cost.Model, b *bar.Series, s *label.Set, steps []step, windows []*probabilities, p tradeParams, workers int) (*Record, *frame.Frame, error) {
	side := make([]int8, s.Len())
	all := &probabilities{}
	var sides []int8
	var expected []float64
	var payoffs []trade.Payoff
	for w := range steps {
		v := viewRows(s, steps[w].Train)
		pay, err := trade.FitPayoff(v)
		if err != nil {
			return nil, nil, fmt.Errorf("step %d: %w", w+1, err)
		}
		payoffs = append(payoffs, pay)
		q := windows[w]
		sd, ex, err := p.Rule.Sides(pay, &model.Prediction{N: len(q.Row), K: model.K, Prob: q.Prob})
		if err != nil {
			return nil, nil, fmt.Errorf("step %d: %w", w+1, err)
		}
		for i, d := range q.Row {
			side[d] = sd[i]
		}
		all.Row, all.Prob = append(all.Row, q.Row...), append(all.Prob, q.Prob...)
		sides, expected = append(sides, sd...), append(expected, ex...)
	}
	from, to := s.Spans[steps[0].Lo].Decision, s.Spans[s.Len()-1].Decision+1
	if hi := steps[len(steps)-1].Hi; hi < s.Len() {
		to = s.Spans[hi].Decision
	}
	r, err := trade.Simulate(trade.Input{Base: b, Labels: s, Cost: m, Side: side, From: from, To: to, PerYear: p.PerYear})
	if err != nil {
		return nil, nil, err
	}
	rec, err := recordOf(ctx, r, p.Multiple, p.Draws, rng.New(p.Seed).Stream("random").Stream(p.Stream), workers)
	if err != nil {
		return nil, nil, err
	}
	rec.Payoffs = payoffs
	f := all.frame(decisionsOf(s))
	f.Meta[metaKind] = "predictions"
	f.Columns = append(f.Columns, frame.Int8("side", sides), frame.Float64("expected_net", expected))
	return rec, f, nil
}

// viewRows is the targets of rows without inputs, weighted by uniqueness.
func viewRows(s *label.Set, r rows) view.View {
	v := view.View{Rows: r, Spans: spansOf(s, r), Class: make([]int8, len(r)), NetLong: make([]float64, len(r)), NetShort: make([]float64, len(r))}
	for i, d := range r {
		v.Class[i], v.NetLong[i], v.NetShort[i] = s.Class[d], s.Long.Net[d], s.Short.Net[d]
	}
	v.Weight = label.Uniqueness(v.Spans)
	return v
}
