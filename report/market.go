package report

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"unicode"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/trade"
)

const (
	noRecord = "there is no record"
	noTrade  = "no trade"
	noTick   = "the instrument has no tick size"
)

// capital writes the first letter as a capital.
func capital(s string) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = unicode.ToUpper(r[0])
	}
	return string(r)
}

func newMarket(i int, o *factory.Outcome) (*market, error) {
	v := &o.Verdict
	m := &market{ID: fmt.Sprintf("m%d", i+1), Name: o.Market, Status: v.Status, Sentence: capital(v.Sentence), Refused: o.Refused, Caveats: v.Caveats, Notes: o.Notes}
	m.Icon, m.Word = word(v.Status)
	m.Sub = subtitle(o)
	m.Gates = gates(v)
	m.Labels, m.Data, m.Findings = labelTable(o), dataTable(o), findings(o)
	m.DataNotes = o.Data.Notes
	m.Audit = auditOf(o)
	if o.Refused == "" && candidate(o) != nil {
		c := candidate(o)
		m.Cards = cards(o, c)
		m.Forest = forestTable(v)
		m.Years = years(c.Record)
		m.Bench = benchmarks(v, c)
		if len(c.Record.Random) > 0 {
			m.Random = randomPanel(v, c)
		}
		m.Strategies = strategies(o)
		if err := m.charts(o, c); err != nil {
			return nil, err
		}
	}
	m.Skill = skill(o)
	top := reliabilityTop(o.Skill)
	for k := range o.Skill {
		s := &o.Skill[k]
		m.Calibration = append(m.Calibration, panel{Title: s.Name, Sub: "mean calibration error " + percent(s.ECE, 1), Drawing: calibration(s, top)})
	}
	m.Folds, m.FoldsTable = folds(o), steps(o)
	for k := range o.Fits {
		if t := importance(&o.Fits[k]); t != nil {
			m.Importance = append(m.Importance, t)
		}
	}
	m.Ledger = ledger(o)
	return m, nil
}

func subtitle(o *factory.Outcome) string {
	var s []string
	in := o.Instrument.Name
	if o.Instrument.Description != "" {
		in += ", " + o.Instrument.Description
	}
	if o.Generated && !strings.Contains(in, "generated") {
		in += ", generated"
	}
	s = append(s, in)
	if c := candidate(o); c != nil {
		s = append(s, "candidate: "+c.Name)
	} else if o.Verdict.Candidate != "" {
		s = append(s, "candidate: "+o.Verdict.Candidate)
	}
	if o.Clock != "" {
		s = append(s, "decides every "+o.Clock+" bar")
	}
	if v := &o.Verdict; v.From != "" {
		s = append(s, fmt.Sprintf("%s to %s out of sample", v.From, v.To))
	}
	return strings.Join(s, " · ")
}

func cards(o *factory.Outcome, c *factory.Strategy) []card {
	v, r := &o.Verdict, c.Record
	s := func(name string) judge.Number { return stat(r, name) }
	level := decimal(100*v.SharpeAnnual.Confidence, 0)
	box := card{Label: "Lockbox", value: value{Text: "unopened"}, Sub: "nothing was kept back"}
	if o.Lockbox.Start != 0 {
		box.Sub = fmt.Sprintf("%s kept back, from %s on", plural(o.Lockbox.Rows, "decision"), date(o.Lockbox.Start))
		if o.Lockbox.Opened {
			box.value, box.Sub = value{Text: "opened"}, fmt.Sprintf("net Sharpe there %s [%s]; its rows are burnt", number(v.LockboxAnnual.Value, 1, "", "").Text, bounds(v.LockboxAnnual, 1))
		}
	}
	paid := s("CostTicks")
	paidText := "what was paid is unknown: " + noTick
	switch {
	case len(r.Trades) == 0:
		paidText = ""
	case paid.Exists():
		paidText = fmt.Sprintf("paid: %s ticks a side", decimal(float64(paid), 2))
	}
	if v.BreakEvenTicks < 0 {
		paidText = "below 0: it loses before costs; " + paidText
	}
	sharpe := card{Label: "Net Sharpe ratio, a year", value: number(v.SharpeAnnual.Value, 2, "", "the returns have none"), Sub: either(v.SharpeAnnual.Low.Exists(), level+" % interval "+bounds(v.SharpeAnnual, 2), "")}
	if v.Sparse {
		sharpe.Sub += "; too narrow to trust, on " + plural(v.ActiveDays, "active day")
	}
	hit := "profit factor " + number(s("ProfitFactor"), 2, "", "").Text
	if !s("ProfitFactor").Exists() {
		hit = "profit factor – (no losing trade)"
	}
	if len(r.Trades) == 0 {
		hit = ""
	}
	sub := func(n judge.Number, format string) string {
		if !n.Exists() {
			return ""
		}
		return fmt.Sprintf(format, decimal(float64(n), 0))
	}
	held, gross, under := "", "", ""
	if len(r.Trades) > 0 {
		held = "held " + decimal(float64(s("HoldingMinutes")), 0) + " minutes on average, in the market " + percent(float64(s("Exposure")), 0) + " of the time"
		gross = "; gross of costs " + percent(sum(r.Gross)/float64(len(r.Gross))*r.PerYear, 1)
		under = "longest time under water: " + plural(int(s("TimeUnderWater")), "day")
	}
	return []card{
		sharpe,
		{"Smallest Sharpe this record can show", number(v.MinDetectableAnnual, 2, "", noRecord), fmt.Sprintf("with %s power, in %s years of record", percent(v.Power, 0), decimal(v.Years, 1))},
		{"Break-even cost", number(v.BreakEvenTicks, 2, "ticks a side", either(len(r.Trades) == 0, noTrade, noTick)), paidText},
		{"Bets", value{Text: integer(len(r.Trades)), Unit: "trades"}, sub(v.EffectiveN, "never overlapping; effective n of the decisions: %s")},
		{"Turnover", number(s("TurnoverPerDay"), 1, "× notional a day", noRecord), held},
		{"Net return", share(v.NetReturnAnnual, 1, "a year", noRecord), "of the entry notional, not compounded" + gross},
		{"Deepest drawdown", share(s("MaxDrawdown"), 1, "of notional", noRecord), under},
		{"Winning trades", share(s("HitRate"), 0, "", noTrade), hit},
		{"Deflated Sharpe (DSR)", value{Text: probability(float64(v.DSR)), Why: either(v.DSR.Exists(), "", "the returns have no Sharpe ratio")}, "confidence (1 − p) that it exceeds the best of " + plural(v.Trials, "trial") + " without skill"},
		box,
	}
}

func either(c bool, a, b string) string {
	if c {
		return a
	}
	return b
}

var gateNames = map[judge.Gate]string{ // const
	judge.GateTraded: "It traded", judge.GateWorthwhile: "It may be worthwhile", judge.GateCost: "It survives dearer trading",
	judge.GateExcess: "It beats its market exposure", judge.GateRandomEntry: "It beats random entries", judge.GateDSR: "It survives the trials",
	judge.GateBets: "Enough bets", judge.GateDays: "Enough days", judge.GateActive: "Enough active days", judge.GatePBO: "Not overfitted", judge.GateRecord: "There is a record", judge.GateAudit: "No look-ahead",
}

// gates lists the reasons of a verdict.
func gates(v *judge.Verdict) *table {
	t := &table{Caption: "Gates: what was asked and what was found", Head: []string{"Gate", "Result", "Found", "Asked", "In words"}, Text: 2, Stack: true}
	for _, r := range v.Reasons {
		name, ok := gateNames[r.Gate]
		if !ok {
			name = string(r.Gate)
		}
		res := cell{value: value{Text: "✗ fails"}, Class: "neg"}
		switch {
		case r.OK && r.Measured:
			res = cell{value: value{Text: "✓ holds"}, Class: "pos"}
		case r.OK:
			res = cell{value: value{Text: "– not needed"}}
		case !r.Measured:
			res = cell{value: value{Text: "– not measured"}, Class: "neg"}
		}
		if r.Blocks == judge.NotEnoughEvidence && !r.OK {
			res.Class = "warn"
			if r.Measured {
				res.Text = "✗ not shown"
			}
		}
		found, asked := gateNumber(r.Gate, r.Value), gateNumber(r.Gate, r.Threshold)
		t.Rows = append(t.Rows, row{Cells: []cell{text(name), res, num(found), num(asked), {value: value{Text: r.Text}, Class: "words"}}})
	}
	return t
}

func gateNumber(g judge.Gate, x judge.Number) value {
	switch {
	case !x.Exists():
		return value{Text: Dash}
	case g == judge.GateTraded || g == judge.GateBets || g == judge.GateDays || g == judge.GateActive || g == judge.GateAudit:
		unit := map[judge.Gate]string{judge.GateTraded: "days", judge.GateBets: "bets", judge.GateDays: "days", judge.GateActive: "days", judge.GateAudit: "leaks"}[g]
		return value{Text: decimal(float64(x), 0), Unit: unit}
	case g == judge.GateCost:
		return value{Text: decimal(100*float64(x), 2), Unit: "% a year"}
	case g == judge.GateExcess || g == judge.GateDSR:
		return value{Text: probability(float64(x)), Unit: "confidence"}
	case g == judge.GatePBO:
		return value{Text: probability(float64(x)), Unit: "probability"}
	}
	return value{Text: decimal(float64(x), 2), Unit: "Sharpe"}
}

func forestTable(v *judge.Verdict) *table {
	list := []forestRow{
		{Name: "Candidate, net", Class: "accent", Interval: v.SharpeAnnual},
		{Name: "before costs", Interval: v.GrossAnnual},
		{Name: "at multiplied cost", Interval: v.MultipleAnnual},
		{Name: "beyond its exposure", Interval: v.ExcessAnnual},
		{Name: "Same exposure", Class: "soft", Interval: v.ExposureAnnual},
		{Name: "Buy and hold", Class: "soft", Interval: v.HoldAnnual},
	}
	if v.LockboxAnnual.Value.Exists() {
		list = append(list, forestRow{Name: "Candidate in the lockbox, net", Class: "accent", Interval: v.LockboxAnnual})
	}
	rows := forest(list)
	t := &table{Caption: "Sharpe ratios a year, with " + decimal(100*v.SharpeAnnual.Confidence, 0) + " % intervals", Head: []string{"Returns", "", "Sharpe", "Interval"}, Text: 2, Stack: true}
	for i, r := range rows {
		t.Rows = append(t.Rows, row{Strong: i == 0, Cells: []cell{text(r.Name), drawing(r.Drawing), num(number(r.Interval.Value, 2, "", "no variation")), text(bounds(r.Interval, 2))}})
	}
	return t
}

func years(r *factory.Record) *table {
	if len(r.Years) == 0 {
		return nil
	}
	t := &table{Caption: "By year", Head: []string{"Year", "Days", "Trades", "Net return", "Gross return", "Net Sharpe", "Winning", "Drawdown", "Buy and hold"}, Text: 1,
		Note: "Sums of daily returns on the entry notional."}
	for _, y := range r.Years {
		t.Rows = append(t.Rows, row{Cells: []cell{text(fmt.Sprint(y.Year)), text(integer(y.Days)), text(integer(y.Trades)),
			signed(value{Text: percent(y.Net, 1)}, judge.Number(y.Net)), text(percent(y.Gross, 1)), num(number(y.SharpeAnnual, 2, "", "no variation")),
			num(share(y.HitRate, 0, "", noTrade)), text(percent(y.MaxDrawdown, 1)), text(percent(y.Market, 1))}})
	}
	return t
}

func sum(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

func benchmarks(v *judge.Verdict, c *factory.Strategy) *table {
	r := c.Record
	t := &table{Caption: "Against benchmarks", Head: []string{"", "Return a year", "Sharpe a year", "Deepest drawdown"}, Text: 1}
	line := func(name string, x []float64, i judge.Interval, strong bool) {
		if len(x) == 0 {
			return
		}
		depth, _ := trade.Worst(x)
		annual := sum(x) / float64(len(x)) * r.PerYear
		t.Rows = append(t.Rows, row{Strong: strong, Cells: []cell{text(name), signed(value{Text: percent(annual, 1)}, judge.Number(annual)), num(number(i.Value, 2, "", "no variation")), text(percent(depth, 1))}})
	}
	line(c.Name+", net", r.Net, v.SharpeAnnual, true)
	line(c.Name+", gross", r.Gross, v.GrossAnnual, false)
	line("Buy and hold", r.BuyAndHold, v.HoldAnnual, false)
	line("Same exposure", r.SameExposure, v.ExposureAnnual, false)
	t.Note = "Same exposure: holding the candidate's mean position (" + percent(float64(stat(r, "MeanPosition")), 1) + " of the notional) all the time. What the candidate earns beyond that comes from timing."
	return t
}

func randomPanel(v *judge.Verdict, c *factory.Strategy) *panel {
	sr := float64(v.SharpeAnnual.Value)
	p := place(c.Record.Random, sr)
	sub := fmt.Sprintf("%s with the same holding times, sides and costs.", plural(len(c.Record.Random), "random record"))
	if p.Exists() {
		sub += fmt.Sprintf(" The candidate's net Sharpe of %s lies above %s of them; %s is asked.", decimal(sr, 2), percent(float64(p), 0), number(v.RandomEntryAt, 2, "", "").Text)
	}
	return &panel{Title: "Against random entries", Sub: sub, Drawing: histogram(c.Record.Random, sr, float64(v.RandomEntryAt), sub)}
}

func skill(o *factory.Outcome) *table {
	if len(o.Skill) == 0 {
		return nil
	}
	t := &table{Caption: "Do the probabilities know anything? Skill against the class shares", Head: []string{"Model", "", "Skill (nats)", "95 % interval", "Log-loss", "Prior's log-loss", "Calibration error"}, Text: 2, Stack: true,
		Note: "Out of fold, purged. Skill is the prior's log-loss less the model's: above 0, the model knows more than how often each class occurs. Skill is not yet profit."}
	var xs []float64
	for _, k := range o.Skill {
		xs = append(xs, k.SkillLow, k.SkillHi, k.Skill)
	}
	s := span(0.05, append(xs, 0)...)
	for _, k := range o.Skill {
		class := "soft"
		switch {
		case k.SkillLow > 0:
			class = "pos"
		case k.SkillHi < 0:
			class = "neg"
		}
		t.Rows = append(t.Rows, row{Cells: []cell{text(k.Name), drawing(whisker(s, k.Skill, k.SkillLow, k.SkillHi, class)), text(decimal(k.Skill, 4)),
			text(decimal(k.SkillLow, 4) + " to " + decimal(k.SkillHi, 4)), text(decimal(k.LogLoss, 4)), text(decimal(k.Prior, 4)), text(percent(k.ECE, 1))}})
	}
	return t
}

func strategies(o *factory.Outcome) *table {
	t := &table{Caption: "Every strategy of this run, each a counted trial", Head: []string{"Strategy", "Trades", "Net return", "Gross return", "Net Sharpe", "Winning", "Drawdown", "Break-even", "Paid", "In market"}, Text: 1,
		Note: "Returns are sums over the whole record, of the entry notional; costs in ticks a side. The candidate was named beforehand; choosing another one now would be another trial."}
	for i := range o.Strategy {
		s := &o.Strategy[i]
		if s.Record == nil {
			continue
		}
		n := func(name string) judge.Number { return stat(s.Record, name) }
		name := s.Name
		if i == o.Candidate {
			name += " (candidate)"
		}
		t.Rows = append(t.Rows, row{Strong: i == o.Candidate, Cells: []cell{text(name), text(integer(len(s.Record.Trades))),
			signed(share(n("Net"), 1, "", noTrade), n("Net")), num(share(n("Gross"), 1, "", noTrade)), num(number(n("SharpeAnnual"), 2, "", "no variation")),
			num(share(n("HitRate"), 0, "", noTrade)), num(share(n("MaxDrawdown"), 1, "", noRecord)), num(number(n("BreakEvenTicks"), 2, "", "")), num(number(n("CostTicks"), 2, "", "")), num(share(n("Exposure"), 0, "", noRecord))}})
	}
	return t
}

func steps(o *factory.Outcome) *table {
	if len(o.Steps) == 0 {
		return nil
	}
	t := &table{Caption: "Walk-forward steps", Head: []string{"Step", "Fitted on data up to", "Training rows", "Early stop", "Calibration", "Traded from", "Traded to", "Traded rows"}, Text: 2,
		Note: "A row is one decision. Rows whose outcome would reach into the traded stretch are purged."}
	for _, s := range o.Steps {
		name := fmt.Sprint(s.Step)
		if s.Box {
			name += " (lockbox)"
		}
		t.Rows = append(t.Rows, row{Cells: []cell{text(name), text(date(s.TrainTo)), text(integer(s.Train)), text(integer(s.Stop)), text(integer(s.Calib)), text(date(s.TestFrom)), text(date(s.TestTo)), text(integer(s.Test))}})
	}
	return t
}

func importance(f *factory.ModelFit) *table {
	if len(f.Importance) == 0 && f.Measure != "permutation" {
		return nil
	}
	const shown = 12
	t := &table{Caption: "What " + f.Model + " looks at", Head: []string{"Feature", "", "Share"}, Text: 2,
		Note: fmt.Sprintf("Last fit: %s rows (effective n %s), %s columns.", integer(f.Info.Rows), decimal(f.Info.EffectiveN, 0), integer(f.Info.Columns))}
	if n := len(f.Info.Dropped); n > 0 {
		t.Note += fmt.Sprintf(" %s dropped.", plural(n, "column"))
	}
	switch {
	case f.Measure == "permutation" && len(f.Importance) == 0:
		t.Note += " Without any one of them the model would have been no worse on the rows that followed."
	case f.Measure == "permutation":
		t.Note += " Share of the rise in log-loss, on rows that followed, when a column (of windows: a channel in all its bars) is dealt out anew among the rows."
	case f.Measure == "gain":
		t.Note += " Share of the gain of all splits."
	case f.Measure == "coefficient":
		t.Note += " Share of the coefficients, in deviations of the column."
	}
	for _, x := range f.Importance[:min(shown, len(f.Importance))] {
		t.Rows = append(t.Rows, row{Cells: []cell{{value: value{Text: x.Column}, Class: "mono"}, drawing(stripe(x.Share / f.Importance[0].Share)), text(percent(x.Share, 1))}})
	}
	return t
}

func labelTable(o *factory.Outcome) *table {
	c := &o.Counts
	if c.Decisions == 0 {
		return nil
	}
	t := &table{Caption: "Labels: what the decisions came to", Head: []string{"Outcome", "", "Decisions", "Share"}, Text: 2}
	line := func(name string, n int) {
		x := float64(n) / float64(c.Decisions)
		t.Rows = append(t.Rows, row{Cells: []cell{text(name), drawing(stripe(x)), text(integer(n)), text(percent(x, 1))}})
	}
	line("a short made money after costs (−1)", c.Short)
	line("neither side did (0)", c.None)
	line("a long made money after costs (+1)", c.Long)
	why := make([]string, 0, len(c.Invalid))
	for k := range c.Invalid {
		why = append(why, k)
	}
	sort.Strings(why)
	for _, k := range why {
		line("no label: "+k, c.Invalid[k])
	}
	if c.Labelled > 0 {
		t.Note = fmt.Sprintf("%s labels, %s alive at once on average, worth %s independent outcomes (effective n).", integer(c.Labelled), decimal(c.Concurrency, 1), decimal(c.EffectiveN, 0))
	}
	return t
}

func dataTable(o *factory.Outcome) *table {
	d := &o.Data
	if d.Rows == 0 && d.Source == "" {
		return nil
	}
	stamps := d.Stamps + " of the bar"
	if d.Assumed {
		stamps += " (an assumption)"
	}
	t := &table{Caption: "Data report", Head: []string{"Fact", "Value"}, Text: 1}
	for _, f := range [][2]string{{"Source", d.Source}, {"Rows read", integer(d.Rows)}, {"Bars accepted", integer(d.Accepted)}, {"First bar begins", d.First}, {"Last bar ends", d.Last},
		{"Bar length", d.Timeframe}, {"Stamps mark", stamps}, {"Time zone", d.Zone}, {"Bars with known volume", integer(d.Volume)},
		{"Bars without a trade", integer(d.NoTrade)}, {"Trading dates", integer(d.Sessions)}, {"Outages", integer(d.Outages)}, {"Bars outside scheduled hours", integer(d.OffClock)}} {
		t.Rows = append(t.Rows, row{Cells: []cell{text(f[0]), textIf(f[1], "not stated")}})
	}
	return t
}

func findings(o *factory.Outcome) *table {
	if len(o.Data.Counts) == 0 {
		return nil
	}
	t := &table{Caption: "Findings in the bars", Head: []string{"Kind", "How often", "For example"}, Text: 1, Note: "data_report.json lists up to 200 of each kind."}
	for _, c := range o.Data.Counts {
		example := ""
		for _, f := range o.Data.Findings {
			if f.Kind == c.Kind {
				example = fmt.Sprintf("line %s, %s: %s", integer(f.Line), f.Time, f.Text)
				break
			}
		}
		t.Rows = append(t.Rows, row{Cells: []cell{text(c.Kind), text(integer(c.N)), {value: textIf(example, "none listed").value, Class: "words"}}})
	}
	return t
}

func auditOf(o *factory.Outcome) *audit {
	a := o.Audit
	if a == nil {
		return nil
	}
	out := &audit{OK: a.OK, Sentence: fmt.Sprintf("✓ No leak found: in %s (%s audit), nothing known at a decision changed when only its future did.", plural(a.Checks, "comparison"), a.Mode)}
	if a.OK {
		return out
	}
	out.Sentence = fmt.Sprintf("✗ Leak found: in %s (%s audit), things changed although only their future did. No number of this run can be trusted.", plural(a.Checks, "comparison"), a.Mode)
	t := &table{Caption: "What changed", Head: []string{"Stage", "What", "How"}, Text: 3}
	for _, c := range a.Culprits {
		t.Rows = append(t.Rows, row{Cells: []cell{text(c.Stage), text(c.Name), text(c.Detail)}})
	}
	out.Culprits = t
	return out
}

func ledger(o *factory.Outcome) *table {
	c := candidate(o)
	if c == nil {
		return nil
	}
	t := &table{Caption: "Ledger: every trial that the verdict counts", Head: []string{"Trial", "Key", "Days", "From", "To", "Net Sharpe"}, Text: 2,
		Note: fmt.Sprintf("%s, counting as %s independent ones; without skill the best of them would be expected to show a Sharpe of %s. Digest of this list: %s.",
			plural(o.Verdict.Trials, "trial"), number(o.Verdict.Effective, 1, "", "").Text, number(o.Verdict.SR0Annual, 2, "", "").Text, short(o.Ledger.Digest))}
	const shown = 50
	for i, x := range o.Ledger.Trials {
		if i == shown {
			t.Note += fmt.Sprintf(" The first %d are shown; ledger.json has all.", shown)
			break
		}
		from, to := Dash, Dash
		if len(x.Days) > 0 {
			from, to = day(x.Days[0]), day(x.Days[len(x.Days)-1])
		}
		name := x.Name
		if x.Key == c.Key {
			name += " (candidate)"
		}
		sr := math.NaN()
		if len(x.Returns) > 1 {
			sr = trade.SharpeAnnual(x.Returns, c.Record.PerYear)
		}
		t.Rows = append(t.Rows, row{Strong: x.Key == c.Key, Cells: []cell{text(name), {value: value{Text: short(x.Key)}, Class: "mono"}, text(integer(len(x.Days))), text(from), text(to), num(number(judge.Number(sr), 2, "", "no variation"))}})
	}
	return t
}

func short(digest string) string {
	if len(digest) > 12 {
		return digest[:12] + "…"
	}
	return digest
}
