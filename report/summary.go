package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/judge"
)

// Schema is the version of the layout of summary.json. A key is never removed
// or given another meaning under the same version; keys may be added.
const Schema = "mlfactory.summary/1"

// Summary is summary.json. Every field has a doc tag, from which docs/summary.md
// is made. Pointers are null where there is nothing to report.
type Summary struct {
	Schema string     `json:"schema" doc:"version of this layout"`
	Runs   []Run      `json:"runs" doc:"one per market, in the order of the recipe"`
	Files  []FileInfo `json:"files" doc:"the other files of the folder that can be reproduced, in the order of their names"`
}

// Run is what was found out about one market.
type Run struct {
	Market     string `json:"market" doc:"name of the market in the recipe, and of its subfolder"`
	Instrument string `json:"instrument" doc:"name of the instrument"`
	Generated  bool   `json:"generated" doc:"the bars were made by the generator, not read from a file"`
	Proxy      string `json:"proxy" doc:"empty if the instrument can be traded; otherwise what it stands for and whose costs were taken"`
	Clock      string `json:"clock" doc:"timeframe at whose bar ends decisions are made"`
	Horizon    int    `json:"horizon" doc:"decision bars after which a position is closed at the latest"`
	Candidate  string `json:"candidate" doc:"the strategy that is judged, named in the recipe beforehand"`
	Refused    string `json:"refused" doc:"why the run ended before anything was traded; empty if it did not"`

	Verdict   Verdict  `json:"verdict" doc:"what the judge found"`
	Judge     Judge    `json:"judge" doc:"the numbers behind the verdict"`
	NetSharpe Interval `json:"net_sharpe_annual" doc:"Sharpe ratio of the candidate's daily net returns, per year"`

	Days           int          `json:"days" doc:"out-of-sample days of the record"`
	ActiveDays     int          `json:"active_days" doc:"of them with a net return other than 0"`
	Sparse         bool         `json:"interval_too_narrow" doc:"they are fewer than judge.min_active_days, so the interval of net_sharpe_annual is not to be trusted"`
	From           string       `json:"from" doc:"first day of the record, YYYY-MM-DD"`
	To             string       `json:"to" doc:"last day of the record, YYYY-MM-DD"`
	Bets           int          `json:"bets" doc:"trades of the candidate; they never overlap"`
	EffectiveN     judge.Number `json:"effective_n" doc:"sum of uniqueness of the labelled decisions of the record: how many independent outcomes it holds"`
	BreakEvenTicks judge.Number `json:"break_even_ticks" doc:"cost a side, in ticks, at which the candidate's net return would be 0; null without a tick size"`
	CostTicks      judge.Number `json:"cost_ticks" doc:"mean cost a side that was paid, in ticks; null without a tick size"`

	OOF        map[string]OOF `json:"oof" doc:"by model and ensemble: how well its probabilities predict labels out of fold (purged k-fold over development data, ensembles cross-fitted)"`
	Strategies []Strategy     `json:"strategies" doc:"every model and ensemble that was traded through the walk-forward, the candidate among them"`
	Steps      []Step         `json:"steps" doc:"walk-forward steps"`
	Lockbox    Lockbox        `json:"lockbox" doc:"the last part of time, kept back"`
	Labels     Labels         `json:"labels" doc:"outcomes of the decisions"`
	Data       Data           `json:"data" doc:"the bars; data_report.json has all of it"`
	Audit      *Audit         `json:"audit" doc:"leak check inside the run; null if it was off or the run was refused"`
	Notes      []string       `json:"notes" doc:"what the run decided by itself and a reader should know"`
}

// Verdict is the judge's decision.
type Verdict struct {
	Status   judge.Status `json:"status" doc:"pass, fail or not_enough_evidence"`
	Sentence string       `json:"sentence" doc:"the verdict in words"`
	Reasons  []Reason     `json:"reasons" doc:"every gate, in order"`
	Caveats  []string     `json:"caveats" doc:"what a reader must know of the data"`
}

// Reason is one gate.
type Reason struct {
	Gate      judge.Gate   `json:"gate" doc:"which gate: traded, worthwhile, cost_multiple, excess_dsr, random_entry, dsr, bets, days, active_days, pbo, record, audit"`
	OK        bool         `json:"ok" doc:"it holds"`
	Measured  bool         `json:"measured" doc:"false: the evidence does not exist"`
	Value     judge.Number `json:"value" doc:"what was found"`
	Threshold judge.Number `json:"threshold" doc:"what was asked"`
	Blocks    judge.Status `json:"blocks" doc:"the status that this gate alone forces; empty when it holds"`
	Text      string       `json:"text" doc:"in words"`
}

// Judge is the numbers behind a verdict.
type Judge struct {
	PSR           judge.Number `json:"psr" doc:"confidence (1 − p of a one-sided test) that the true Sharpe ratio exceeds 0 (probabilistic Sharpe ratio)"`
	DSR           judge.Number `json:"dsr" doc:"the same against what the best of the trials without skill would show (deflated Sharpe ratio, 2014 form); the gate"`
	DSR2026       judge.Number `json:"dsr_2026" doc:"the 2026 form, with autocorrelation; shown only"`
	ExcessDSR     judge.Number `json:"excess_dsr" doc:"DSR of the returns in excess of the same-exposure benchmark"`
	SR0           judge.Number `json:"sr0_annual" doc:"annual Sharpe ratio expected of the best trial without skill"`
	Trials        int          `json:"trials" doc:"trials counted, the candidate included"`
	Effective     judge.Number `json:"trials_effective" doc:"how many independent trials they count as"`
	Ledger        string       `json:"ledger" doc:"digest of the ledger's answer"`
	PBO           judge.Number `json:"pbo" doc:"probability of backtest overfitting; null where fewer than ten effective configurations competed"`
	Gross         Interval     `json:"gross_sharpe_annual" doc:"before costs"`
	Multiple      Interval     `json:"cost_multiple_sharpe_annual" doc:"at the judge's multiple of the cost"`
	Excess        Interval     `json:"excess_sharpe_annual" doc:"in excess of the same-exposure benchmark"`
	Exposure      Interval     `json:"same_exposure_sharpe_annual" doc:"of holding the candidate's mean position all the time"`
	Hold          Interval     `json:"buy_and_hold_sharpe_annual" doc:"of holding the instrument"`
	Lockbox       Interval     `json:"lockbox_sharpe_annual" doc:"in the lockbox, if it was opened"`
	RandomEntry   judge.Number `json:"random_entry_threshold" doc:"annual net Sharpe ratio that random entries reach with the judge's quantile"`
	MinDetectable judge.Number `json:"min_detectable_sharpe_annual" doc:"smallest true Sharpe ratio that a record of this length shows with the stated power"`
	Power         float64      `json:"power" doc:"that power"`
	YearsForOne   judge.Number `json:"years_for_sharpe_1" doc:"years of record that would show a Sharpe ratio of 1 with that power"`
	Years         float64      `json:"years" doc:"length of this record in years"`
	NetReturn     judge.Number `json:"net_return_annual" doc:"mean daily net return times days a year, a fraction of the entry notional"`
}

// Interval is an annual Sharpe ratio with a two-sided interval.
type Interval struct {
	Value      judge.Number `json:"value" doc:"estimate"`
	Low        judge.Number `json:"low" doc:"lower end"`
	High       judge.Number `json:"high" doc:"upper end"`
	Confidence float64      `json:"confidence" doc:"of the interval"`
}

// OOF is how well one model predicts out of fold.
type OOF struct {
	Rows        int          `json:"rows" doc:"labelled decisions that were predicted"`
	LogLoss     judge.Number `json:"logloss" doc:"mean log-loss in nats"`
	LogLossLow  judge.Number `json:"logloss_low" doc:"lower end of its 95 % interval (block bootstrap)"`
	LogLossHigh judge.Number `json:"logloss_high" doc:"upper end"`
	Prior       judge.Number `json:"prior_logloss" doc:"log-loss of the class shares of the training rows"`
	Skill       judge.Number `json:"skill" doc:"prior_logloss − logloss, in nats; above 0 is better than the prior"`
	SkillLow    judge.Number `json:"skill_low" doc:"lower end of its 95 % interval (block bootstrap)"`
	SkillHigh   judge.Number `json:"skill_high" doc:"upper end"`
	ECE         judge.Number `json:"ece" doc:"expected calibration error, mean over the classes"`
}

// Strategy is the headline of one strategy.
type Strategy struct {
	Name      string `json:"name" doc:"name in the recipe"`
	Kind      string `json:"kind" doc:"learner or ensemble"`
	Candidate bool   `json:"candidate" doc:"it is the one that is judged"`
	Trial     string `json:"trial" doc:"key of its trial in the ledger"`

	Bets        int            `json:"bets" doc:"trades"`
	Longs       int            `json:"longs" doc:"of them long"`
	Shorts      int            `json:"shorts" doc:"of them short"`
	Signals     int            `json:"signals" doc:"decisions with a side"`
	Ignored     int            `json:"ignored" doc:"signals while a position was open"`
	Unfilled    map[string]int `json:"unfilled" doc:"signals without a trade, by reason"`
	Sharpe      judge.Number   `json:"net_sharpe_annual" doc:"of daily net returns"`
	Net         judge.Number   `json:"net" doc:"sum of net returns, a fraction of the entry notional"`
	Gross       judge.Number   `json:"gross" doc:"the same before costs"`
	MeanNet     judge.Number   `json:"mean_net" doc:"net return per trade"`
	HitRate     judge.Number   `json:"hit_rate" doc:"share of trades with a net gain"`
	Profit      judge.Number   `json:"profit_factor" doc:"sum of net gains over sum of net losses; null without a loss"`
	Volatility  judge.Number   `json:"volatility_annual" doc:"of daily net returns"`
	Drawdown    judge.Number   `json:"max_drawdown" doc:"deepest fall of the running sum of net returns, a fraction of the entry notional"`
	Underwater  int            `json:"time_under_water_days" doc:"longest time below a high, in days of the record"`
	Turnover    judge.Number   `json:"turnover_per_day" doc:"notional traded a day, in units of the entry notional"`
	Exposure    judge.Number   `json:"exposure" doc:"share of market time in a position"`
	Position    judge.Number   `json:"mean_position" doc:"the same with sign"`
	Holding     judge.Number   `json:"holding_minutes" doc:"mean time in a trade"`
	CostTicks   judge.Number   `json:"cost_ticks" doc:"mean cost a side that was paid, in ticks"`
	BreakEven   judge.Number   `json:"break_even_ticks" doc:"cost a side, in ticks, at which the net return would be 0"`
	RandomPlace judge.Number   `json:"random_place" doc:"share of random entries with a lower net Sharpe ratio"`
	Years       []Year         `json:"years" doc:"by calendar year"`
	Lockbox     *BoxRecord     `json:"lockbox" doc:"the record in the lockbox; null while it is unopened"`
}

// BoxRecord is the headline of a record in the lockbox.
type BoxRecord struct {
	Days   int          `json:"days" doc:"days"`
	Bets   int          `json:"bets" doc:"trades"`
	Sharpe judge.Number `json:"net_sharpe_annual" doc:"of daily net returns"`
	Net    judge.Number `json:"net" doc:"sum of net returns, a fraction of the entry notional"`
}

// Year is one calendar year of a record.
type Year struct {
	Year     int          `json:"year" doc:"calendar year"`
	Days     int          `json:"days" doc:"days of the record in it"`
	Bets     int          `json:"bets" doc:"trades entered in it"`
	Net      judge.Number `json:"net" doc:"sum of net returns, a fraction of the entry notional"`
	Gross    judge.Number `json:"gross" doc:"the same before costs"`
	Sharpe   judge.Number `json:"net_sharpe_annual" doc:"of daily net returns"`
	HitRate  judge.Number `json:"hit_rate" doc:"share of trades with a net gain"`
	Drawdown judge.Number `json:"max_drawdown" doc:"deepest fall within the year"`
	Market   judge.Number `json:"buy_and_hold" doc:"sum of the instrument's daily returns"`
}

// Step is one walk-forward step.
type Step struct {
	Step     int    `json:"step" doc:"number, from 1"`
	Train    int    `json:"train_rows" doc:"decisions that models may be fitted on, after purging"`
	Stop     int    `json:"stop_rows" doc:"decisions that end boosting early"`
	Calib    int    `json:"calib_rows" doc:"decisions that calibrate"`
	Test     int    `json:"test_rows" doc:"decisions that are traded"`
	TrainTo  string `json:"train_to" doc:"last decision that is used for fitting"`
	TestFrom string `json:"test_from" doc:"first decision that is traded"`
	TestTo   string `json:"test_to" doc:"last one"`
	Lockbox  bool   `json:"lockbox" doc:"the step trades the lockbox"`
}

// Lockbox is the state of the lockbox.
type Lockbox struct {
	State string `json:"state" doc:"unopened or opened; none for a run that was refused"`
	From  string `json:"development_from" doc:"first instant of what was developed on; later than the first decision where the file begins in the lockbox of an earlier run"`
	Start string `json:"start" doc:"instant from which on nothing was looked at; empty if there is none"`
	End   string `json:"end" doc:"first instant behind it; before the end of the file where another run has developed on what follows"`
	Rows  int    `json:"rows" doc:"labelled decisions in it"`
}

// Labels sums up the labels.
type Labels struct {
	Decisions   int            `json:"decisions" doc:"decisions made"`
	Labelled    int            `json:"labelled" doc:"of them with a label"`
	Short       int            `json:"short" doc:"labels −1: a short made money net of cost"`
	None        int            `json:"none" doc:"labels 0: neither side did"`
	Long        int            `json:"long" doc:"labels +1: a long made money net of cost"`
	Invalid     map[string]int `json:"invalid" doc:"decisions without a label, by reason"`
	EffectiveN  judge.Number   `json:"effective_n" doc:"sum of uniqueness: how many independent outcomes the labels are worth"`
	Concurrency judge.Number   `json:"mean_concurrency" doc:"how many labels are alive at once, on average"`
}

// Data sums up the bars.
type Data struct {
	Source    string         `json:"source" doc:"csv, parquet or generated"`
	Timeframe string         `json:"timeframe" doc:"length of a bar"`
	Rows      int64          `json:"rows" doc:"rows read"`
	Accepted  int64          `json:"accepted" doc:"bars accepted"`
	First     string         `json:"first" doc:"first stamp"`
	Last      string         `json:"last" doc:"last stamp"`
	Stamps    string         `json:"stamps" doc:"which side of a bar a stamp marks"`
	Assumed   bool           `json:"stamps_assumed" doc:"that side is an assumption"`
	Zone      string         `json:"zone" doc:"time zone of the stamps"`
	Volume    int64          `json:"rows_with_volume" doc:"bars whose volume is known"`
	NoTrade   int64          `json:"minutes_without_trade" doc:"open minutes without a bar; they are not filled"`
	Sessions  int            `json:"sessions" doc:"trading dates"`
	Outages   int            `json:"outages" doc:"unscheduled absences that end a segment"`
	Findings  map[string]int `json:"findings" doc:"rows that were dropped, repaired or held, by kind"`
}

// Audit is the outcome of the leak check.
type Audit struct {
	Mode     string    `json:"mode" doc:"how much was checked"`
	OK       bool      `json:"ok" doc:"nothing known at a decision changed when only its future did"`
	Checks   int       `json:"checks" doc:"comparisons made"`
	Culprits []Culprit `json:"culprits" doc:"what changed"`
}

// Culprit is one thing that changed although only its future did.
type Culprit struct {
	Stage  string `json:"stage" doc:"where: ingest, features, labels, weights, fit or predictions"`
	Name   string `json:"name" doc:"what"`
	Detail string `json:"detail" doc:"first row that moved and by how much"`
}

// FileInfo names a file of the folder.
type FileInfo struct {
	Name   string `json:"name" doc:"path in the folder, with slashes"`
	Bytes  int64  `json:"bytes" doc:"length"`
	SHA256 string `json:"sha256" doc:"digest of its bytes"`
}

// Summarize gathers the summary of outcomes, without files. It never fails; an
// outcome without a record has the parts that it has.
func Summarize(outcomes []*factory.Outcome) Summary {
	s := Summary{Schema: Schema, Runs: []Run{}, Files: []FileInfo{}}
	for _, o := range outcomes {
		s.Runs = append(s.Runs, summarizeRun(o))
	}
	return s
}

// Marshal writes the summary as indented JSON with a newline at its end. The
// same summary gives the same bytes: keys are in the order of the fields, those
// of maps ascending. Numbers that do not exist are null.
func (s Summary) Marshal() ([]byte, error) { return marshal(s) }

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return b.Bytes(), nil
}

func interval(i judge.Interval) Interval {
	return Interval{Value: i.Value, Low: i.Low, High: i.High, Confidence: i.Confidence}
}

// stamp writes an instant; empty for 0, which no part of an outcome uses as one.
func stamp(t int64) string {
	if t == 0 {
		return ""
	}
	return time.Unix(0, t).UTC().Format(time.RFC3339)
}

// candidate is the strategy that was judged; nil if nothing was traded.
func candidate(o *factory.Outcome) *factory.Strategy {
	if o.Candidate < 0 || o.Candidate >= len(o.Strategy) || o.Strategy[o.Candidate].Record == nil {
		return nil
	}
	return &o.Strategy[o.Candidate]
}

func stat(r *factory.Record, name string) judge.Number { return judge.Number(r.Stat(name)) }

func summarizeRun(o *factory.Outcome) Run {
	v := &o.Verdict
	r := Run{
		Market: o.Market, Instrument: o.Instrument.Name, Generated: o.Generated, Proxy: o.Instrument.Proxy, Clock: o.Clock,
		Candidate: v.Candidate, Refused: o.Refused,
		Verdict: Verdict{Status: v.Status, Sentence: v.Sentence, Reasons: []Reason{}, Caveats: texts(v.Caveats)},
		Judge: Judge{
			PSR: v.PSR, DSR: v.DSR, DSR2026: v.DSR2026, ExcessDSR: v.ExcessDSR, SR0: v.SR0Annual, Trials: v.Trials, Effective: v.Effective,
			Ledger: v.Ledger, PBO: v.PBO, Gross: interval(v.GrossAnnual), Multiple: interval(v.MultipleAnnual), Excess: interval(v.ExcessAnnual),
			Exposure: interval(v.ExposureAnnual), Hold: interval(v.HoldAnnual), Lockbox: interval(v.LockboxAnnual), RandomEntry: v.RandomEntryAt,
			MinDetectable: v.MinDetectableAnnual, Power: v.Power, YearsForOne: v.YearsForOne, Years: v.Years, NetReturn: v.NetReturnAnnual,
		},
		NetSharpe: interval(v.SharpeAnnual), Days: v.Days, ActiveDays: v.ActiveDays, Sparse: v.Sparse, From: v.From, To: v.To, Bets: max(v.Bets, 0),
		EffectiveN: v.EffectiveN, BreakEvenTicks: v.BreakEvenTicks, CostTicks: judge.Number(math.NaN()),
		OOF: map[string]OOF{}, Strategies: []Strategy{}, Steps: []Step{}, Notes: texts(o.Notes),
		Lockbox: Lockbox{State: "none"},
		Labels: Labels{Decisions: o.Counts.Decisions, Labelled: o.Counts.Labelled, Short: o.Counts.Short, None: o.Counts.None, Long: o.Counts.Long,
			Invalid: counts(o.Counts.Invalid), EffectiveN: judge.Number(o.Counts.EffectiveN), Concurrency: judge.Number(o.Counts.Concurrency)},
		Data: Data{Source: o.Data.Source, Timeframe: o.Data.Timeframe, Rows: o.Data.Rows, Accepted: o.Data.Accepted, First: o.Data.First, Last: o.Data.Last,
			Stamps: o.Data.Stamps, Assumed: o.Data.Assumed, Zone: o.Data.Zone, Volume: o.Data.Volume, NoTrade: o.Data.NoTrade,
			Sessions: o.Data.Sessions, Outages: o.Data.Outages, Findings: map[string]int{}},
	}
	if o.Labels != nil {
		r.Horizon = o.Labels.Horizon
	}
	for _, x := range v.Reasons {
		r.Verdict.Reasons = append(r.Verdict.Reasons, Reason(x))
	}
	for _, c := range o.Data.Counts {
		r.Data.Findings[c.Kind] = int(c.N)
	}
	if o.Lockbox.Start != 0 {
		r.Lockbox = Lockbox{State: "unopened", From: stamp(o.Lockbox.From), Start: stamp(o.Lockbox.Start), End: stamp(o.Lockbox.End), Rows: o.Lockbox.Rows}
		if o.Lockbox.Opened {
			r.Lockbox.State = "opened"
		}
	}
	if c := candidate(o); c != nil {
		r.Candidate, r.CostTicks = c.Name, stat(c.Record, "CostTicks")
	}
	for _, k := range o.Skill {
		r.OOF[k.Name] = OOF{Rows: k.Rows, LogLoss: judge.Number(k.LogLoss), LogLossLow: judge.Number(k.LogLossLow), LogLossHigh: judge.Number(k.LogLossHi),
			Prior: judge.Number(k.Prior), Skill: judge.Number(k.Skill), SkillLow: judge.Number(k.SkillLow), SkillHigh: judge.Number(k.SkillHi), ECE: judge.Number(k.ECE)}
	}
	for i := range o.Strategy {
		r.Strategies = append(r.Strategies, summarizeStrategy(&o.Strategy[i], i == o.Candidate))
	}
	for _, s := range o.Steps {
		r.Steps = append(r.Steps, Step{Step: s.Step, Train: s.Train, Stop: s.Stop, Calib: s.Calib, Test: s.Test,
			TrainTo: stamp(s.TrainTo), TestFrom: stamp(s.TestFrom), TestTo: stamp(s.TestTo), Lockbox: s.Box})
	}
	if a := o.Audit; a != nil {
		r.Audit = &Audit{Mode: a.Mode, OK: a.OK, Checks: a.Checks, Culprits: []Culprit{}}
		for _, c := range a.Culprits {
			r.Audit.Culprits = append(r.Audit.Culprits, Culprit(c))
		}
	}
	return r
}

func summarizeStrategy(s *factory.Strategy, judged bool) Strategy {
	out := Strategy{Name: s.Name, Kind: s.Kind, Candidate: judged, Trial: s.Key, Unfilled: map[string]int{}, Years: []Year{}}
	r := s.Record
	if r == nil {
		r = &factory.Record{} // whose numbers do not exist
	}
	number := func(name string) judge.Number { return stat(r, name) }
	whole := func(name string) int {
		if x := number(name); x.Exists() {
			return int(x)
		}
		return 0
	}
	out.Bets, out.Longs, out.Shorts, out.Underwater = len(r.Trades), whole("Longs"), whole("Shorts"), whole("TimeUnderWater")
	out.Signals, out.Ignored, out.Unfilled = r.Signals, r.Ignored, counts(r.Unfilled)
	out.Sharpe, out.Net, out.Gross, out.MeanNet = number("SharpeAnnual"), number("Net"), number("Gross"), number("MeanNet")
	out.HitRate, out.Profit, out.Volatility, out.Drawdown = number("HitRate"), number("ProfitFactor"), number("VolatilityAnnual"), number("MaxDrawdown")
	out.Turnover, out.Exposure, out.Position, out.Holding = number("TurnoverPerDay"), number("Exposure"), number("MeanPosition"), number("HoldingMinutes")
	out.CostTicks, out.BreakEven = number("CostTicks"), number("BreakEvenTicks")
	out.RandomPlace = place(r.Random, float64(out.Sharpe))
	for _, y := range r.Years {
		out.Years = append(out.Years, Year{Year: y.Year, Days: y.Days, Bets: y.Trades, Net: judge.Number(y.Net), Gross: judge.Number(y.Gross),
			Sharpe: y.SharpeAnnual, HitRate: y.HitRate, Drawdown: judge.Number(y.MaxDrawdown), Market: judge.Number(y.Market)})
	}
	if b := s.Box; b != nil {
		out.Lockbox = &BoxRecord{Days: len(b.Days), Bets: len(b.Trades), Sharpe: stat(b, "SharpeAnnual"), Net: stat(b, "Net")}
	}
	return out
}

// place is the share of draws below x; NaN without draws or x.
func place(draws []float64, x float64) judge.Number {
	if len(draws) == 0 || math.IsNaN(x) {
		return judge.Number(math.NaN())
	}
	below := 0
	for _, d := range draws {
		if d < x {
			below++
		}
	}
	return judge.Number(float64(below) / float64(len(draws)))
}

func texts(s []string) []string { return append([]string{}, s...) }

func counts(m map[string]int) map[string]int {
	out := map[string]int{}
	for k, n := range m {
		out[k] = n
	}
	return out
}
