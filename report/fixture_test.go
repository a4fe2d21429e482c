package report_test

import (
	"context"
	"io"
	"math"
	"reflect"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/trade"
	"github.com/mlfactory/mlfactory/view"
)

const recipeText = "schema: mlfactory/recipe/1\nseed: 1 # <script>alert('no')</script> & more\n"

// must stops a fixture that cannot be made.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// traded is an outcome on a generated market whose signals are drawn at random,
// but for a share of them that know the label: enough to make every part of a
// report.
func traded(t testing.TB, name string, sessions int, knows float64) *factory.Outcome {
	t.Helper()
	ctx := context.Background()
	inst := must[bar.Instrument](t)(bar.Find("SYNTH"))
	cfg := synth.Default()
	cfg.Sessions = sessions
	g, err := synth.Generate(ctx, cfg, inst)
	if err != nil {
		t.Fatal(err)
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		t.Fatal(err)
	}
	m, err := cost.New(inst, cost.Default())
	if err != nil {
		t.Fatal(err)
	}
	clock := 5 * bar.Minute
	decisions := must[[]int64](t)(bar.Decisions(g.Base, cal, clock, bar.DecisionOptions{}))
	bars, err := bar.Resample(g.Base, clock, cal)
	if err != nil {
		t.Fatal(err)
	}
	width := must[[]float64](t)(label.Width(bars, decisions, label.Default(), 0))
	set, err := label.Triple(ctx, label.Input{Base: g.Base, Clock: cal, Timeframe: clock, Cost: m, Decisions: decisions, Width: width}, label.Default(), 1)
	if err != nil {
		t.Fatal(err)
	}
	n := len(decisions)
	o := &factory.Outcome{
		Market: name, Instrument: inst, Generated: true, Base: g.Base, Labels: set, Decisions: decisions, Clock: "5m", Notes: []string{"a note of the run"},
		Data: ingest.Report{Source: "generated", Rows: int64(g.Base.Len()), Accepted: int64(g.Base.Len()), First: "2018-01-02T14:31:00Z", Last: "2018-06-01T21:00:00Z", Timeframe: "1m", Stamps: "end", Zone: "UTC",
			Volume: int64(g.Base.Len()), Sessions: sessions, Counts: []ingest.Count{{Kind: "zero volume", N: 3}}, Findings: []ingest.Finding{{Kind: "zero volume", Line: 17, Time: "2018-01-02T15:00:00Z", Text: "volume 0"}}},
		Counts: factory.LabelCounts{Decisions: n, Labelled: len(set.Rows()), Short: n / 2, None: 10, Long: n/2 - 30, Invalid: map[string]int{"no barrier width": 13, "meets the end of the data": 7}, EffectiveN: 321.5, Concurrency: 7.7},
		Table:  view.NewTable(n, []string{"rsi_14@5m", "empty@1h"}), Candidate: 1,
		Audit: &factory.AuditResult{Mode: "quick", OK: true, Checks: 12},
	}
	from, split, end := decisions[n/2], decisions[3*n/4], decisions[9*n/10]
	o.Lockbox = factory.LockboxState{Start: end, Rows: n / 10}
	o.Steps = []factory.StepInfo{
		{Step: 1, Train: n / 3, Stop: 100, Calib: 100, Test: n / 4, TrainTo: decisions[n/2-10], TestFrom: from, TestTo: split},
		{Step: 2, Train: n / 2, Stop: 150, Calib: 150, Test: n / 7, TrainTo: decisions[3*n/4-10], TestFrom: split, TestTo: end},
	}
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	ledger := &judge.MemoryLedger{}
	for k, model := range []string{"logistic", "stack"} {
		gen := rng.New(7).Stream(model).Rand()
		side := make([]int8, n)
		var at []int64
		var row []int32
		var p [3][]float64
		var sides []int8
		var expected []float64
		for i := n / 2; i < 9*n/10; i++ {
			o.Table.Col(0)[i], o.Table.Col(1)[i] = float32(gen.Float64()), float32(math.NaN())
			if u := gen.Float64(); u < 0.15 {
				side[i] = int8(2*gen.IntN(2) - 1)
				if set.Valid[i] && gen.Float64() < knows {
					side[i] = set.Class[i]
				}
			}
			at, row, sides = append(at, decisions[i]), append(row, int32(i)), append(sides, side[i])
			for c, x := range []float64{0.4 - 0.1*float64(side[i]), 0.2, 0.4 + 0.1*float64(side[i])} {
				p[c] = append(p[c], x)
			}
			expected = append(expected, 1e-4*gen.Float64())
		}
		r, err := trade.Simulate(trade.Input{Base: g.Base, Labels: set, Cost: m, Side: side, From: from, To: end, PerYear: cal.DaysPerYear()})
		if err != nil {
			t.Fatal(err)
		}
		st := factory.Strategy{Name: model, Kind: "kind of " + model, Record: record(t, r)}
		f := must[*frame.Frame](t)(frame.New(at, frame.Int32("row", row), frame.Float64("p_short", p[0]), frame.Float64("p_none", p[1]), frame.Float64("p_long", p[2]), frame.Int8("side", sides), frame.Float64("expected_net", expected)))
		out, err := s.Put(ctx, func(w io.Writer) error { return f.WriteIPC(w) })
		if err != nil {
			t.Fatal(err)
		}
		out.Name = "predictions.arrow"
		if st.Predictions, err = s.Object(out); err != nil {
			t.Fatal(err)
		}
		// Out of fold: the first decisions, which the walk-forward never trades.
		oof := must[*frame.Frame](t)(frame.New(decisions[:100], frame.Int32("row", row100()), frame.Float64("p_short", p[0][:100]), frame.Float64("p_none", p[1][:100]), frame.Float64("p_long", p[2][:100])))
		if out, err = s.Put(ctx, func(w io.Writer) error { return oof.WriteIPC(w) }); err != nil {
			t.Fatal(err)
		}
		out.Name = "oof.arrow"
		if st.OutOfFold, err = s.Object(out); err != nil {
			t.Fatal(err)
		}
		st.Key = model + "-key-0123456789abcdef"
		tr := judge.Trial{Key: st.Key, Name: model + " h20", Instrument: inst.Name, From: from, To: end, Days: st.Record.Days, Returns: st.Record.Net}
		if _, err := ledger.Record(ctx, tr); err != nil {
			t.Fatal(err)
		}
		o.Strategy = append(o.Strategy, st)
		skill := 0.002 * float64(2*k-1)
		curve := []factory.RelyBin{{N: 50, Predicted: 0.3, Happened: 0.31}, {N: 80, Predicted: 0.45, Happened: 0.43}, {N: 20, Predicted: 0.6, Happened: 0.64}, {N: 0, Predicted: math.NaN(), Happened: math.NaN()}}
		o.Skill = append(o.Skill, factory.Skill{Name: model, Rows: n / 2, LogLoss: 0.75 - skill, LogLossLow: 0.74, LogLossHi: 0.76, Prior: 0.75, Skill: skill, SkillLow: skill - 0.001, SkillHi: skill + 0.001, ECE: 0.013, Curves: [][]factory.RelyBin{curve, curve[:1], curve}})
	}
	o.Fits = []factory.ModelFit{{Model: "logistic", Info: factory.FitInfo{Rows: 900, EffectiveN: 210, Columns: 2}, Measure: "coefficient", Importance: []factory.Importance{{Column: "rsi_14@5m", Share: 0.9}, {Column: "empty@1h", Share: 0.1}}},
		{Model: "net", Measure: "permutation", Importance: []factory.Importance{{Column: "rsi_14@5m", Share: 1}}}, {Model: "idle", Measure: "permutation"}}
	if o.Ledger, err = ledger.Snapshot(ctx, judge.Query{Instrument: inst.Name, From: from, To: end}); err != nil {
		t.Fatal(err)
	}
	c := o.Strategy[1]
	o.Verdict, err = judge.Judge(judge.Default(), judge.Evidence{Candidate: c.Name, Key: c.Key, Instrument: inst.Name, PeriodsPerYear: c.Record.PerYear, Days: c.Record.Days, Net: c.Record.Net,
		NetMultiple: c.Record.NetMultiple, Gross: c.Record.Gross, SameExposure: c.Record.SameExposure, BuyAndHold: c.Record.BuyAndHold, RandomEntry: c.Record.Random, Bets: len(c.Record.Trades),
		EffectiveN: c.Record.Stat("EffectiveN"), BreakEvenTicks: c.Record.Stat("BreakEvenTicks"), Trials: o.Ledger, Lockbox: judge.Lockbox{State: judge.LockboxUnopened}, Caveats: []string{"invented <costs>"}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// record is a simulation as the factory keeps it.
func record(t testing.TB, r *trade.Result) *factory.Record {
	t.Helper()
	out := &factory.Record{PerYear: r.PerYear, Signals: r.Signals, Ignored: r.Ignored, Unfilled: map[string]int{}, Days: r.IDs(), Net: r.Net(), Gross: r.Gross(),
		NetMultiple: r.AtCost(2).Net(), SameExposure: r.SameExposure(), BuyAndHold: r.BuyAndHold(), Stats: map[string]judge.Number{}}
	for _, d := range r.Days {
		out.Position, out.Exposure = append(out.Position, d.Position), append(out.Exposure, d.Exposure)
	}
	for _, x := range r.Trades {
		out.Trades = append(out.Trades, factory.TradeRow{Row: x.Row, Side: x.Side, Decision: x.Decision, Entry: x.EntryTime, Exit: x.ExitTime, EntryPx: x.Entry, ExitPx: x.Exit, Gross: x.Gross, Net: x.Net, Reason: x.Reason.String()})
	}
	for _, y := range r.ByYear() {
		out.Years = append(out.Years, factory.YearRow{Year: y.Year, Days: y.Days, Trades: y.Trades, Net: y.Net, Gross: y.Gross, SharpeAnnual: judge.Number(y.SharpeAnnual), HitRate: judge.Number(y.HitRate), MaxDrawdown: y.MaxDrawdown, Market: y.Market})
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
	if len(r.Trades) > 0 {
		d, err := r.Random(context.Background(), 200, rng.New(3), 1)
		if err != nil {
			t.Fatal(err)
		}
		out.Random = d.Sharpe
	}
	return out
}

// refused is an outcome that ended before anything was traded.
func refused(t testing.TB, name string) *factory.Outcome {
	t.Helper()
	o := traded(t, name, 12, 0)
	why := "split: walk-forward fold 1 of 3: purge and embargo take too much; give more data or fewer folds"
	o.Refused, o.Verdict = why, judge.Refuse("stack", o.Instrument.Name, why)
	o.Table, o.Strategy, o.Skill, o.Fits, o.Steps, o.Audit, o.Ledger, o.Candidate = nil, nil, nil, nil, nil, nil, judge.Snapshot{}, 0
	o.Lockbox = factory.LockboxState{}
	return o
}

// idle is an outcome whose candidate never traded.
func idle(t testing.TB, name string) *factory.Outcome {
	t.Helper()
	o := traded(t, name, 12, 0)
	r := o.Strategy[1].Record
	zero := make([]float64, len(r.Days))
	r.Net, r.Gross, r.NetMultiple, r.SameExposure, r.Position, r.Exposure = zero, zero, zero, zero, zero, zero
	r.Trades, r.Random, r.Years = nil, nil, nil
	for k := range r.Stats {
		r.Stats[k] = judge.Number(math.NaN())
	}
	var err error
	o.Verdict, err = judge.Judge(judge.Default(), judge.Evidence{Candidate: "stack", Instrument: o.Instrument.Name, PeriodsPerYear: r.PerYear, Days: r.Days, Net: zero, NetMultiple: zero, Gross: zero,
		SameExposure: zero, BuyAndHold: r.BuyAndHold, EffectiveN: 1, BreakEvenTicks: math.NaN(), Lockbox: judge.Lockbox{State: judge.LockboxUnopened}})
	if err != nil {
		t.Fatal(err)
	}
	o.Audit = &factory.AuditResult{Mode: "quick", Checks: 12, Culprits: []factory.AuditCulprit{{Stage: "features", Name: "peek@5m", Detail: "row 17 moved by 0.3"}}}
	return o
}

// three is a market of every kind.
func three(t testing.TB) []*factory.Outcome {
	return []*factory.Outcome{traded(t, "edge", 160, 0.6), refused(t, "short"), idle(t, "idle")}
}

type outcome = factory.Outcome

// row100 is the numbers of the first hundred rows.
func row100() []int32 {
	r := make([]int32, 100)
	for i := range r {
		r[i] = int32(i)
	}
	return r
}
