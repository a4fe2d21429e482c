package judge

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Schema is the version of the JSON form of [Verdict].
const Schema = "mlfactory.verdict/1"

// Status is the outcome of a judgement.
type Status string

// The three outcomes.
const (
	Pass              Status = "pass"
	Fail              Status = "fail"
	NotEnoughEvidence Status = "not_enough_evidence"
)

// Number is a float64 that is null in JSON where it does not exist (NaN or
// infinite).
type Number float64

// Exists reports whether the number is finite.
func (n Number) Exists() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// MarshalJSON writes the shortest decimal that reads back as the same value,
// or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.Exists() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads a number; null becomes NaN.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// Interval is an annual Sharpe ratio with a two-sided interval.
type Interval struct {
	Value      Number  `json:"value"`
	Low        Number  `json:"low"`
	High       Number  `json:"high"`
	StdErr     Number  `json:"std_err"`
	Confidence float64 `json:"confidence"`
}

// Gate names a test of the record.
type Gate string

// The gates, in the order in which a verdict lists them.
const (
	GateTraded      Gate = "traded"        // at least one trade was worth its cost
	GateWorthwhile  Gate = "worthwhile"    // the interval's upper end reaches the worthwhile Sharpe ratio
	GateCost        Gate = "cost_multiple" // net > 0 at a multiple of the cost
	GateExcess      Gate = "excess_dsr"    // DSR of returns in excess of the same-exposure benchmark
	GateRandomEntry Gate = "random_entry"  // above a quantile of random entries
	GateDSR         Gate = "dsr"           // deflated Sharpe ratio of net returns
	GateBets        Gate = "bets"          // enough bets that do not overlap
	GateDays        Gate = "days"          // enough out-of-sample days
	GateActive      Gate = "active_days"   // enough of them with a return
	GatePBO         Gate = "pbo"           // probability of backtest overfitting
	GateRecord      Gate = "record"        // the run ended before a record existed
)

// Reason is the result of one gate.
type Reason struct {
	Gate      Gate   `json:"gate"`
	OK        bool   `json:"ok"`
	Measured  bool   `json:"measured"`         // false: the evidence was not supplied or does not exist
	Value     Number `json:"value"`            // what was found
	Threshold Number `json:"threshold"`        // what was asked
	Blocks    Status `json:"blocks,omitempty"` // the status that this gate alone forces; empty when OK
	Text      string `json:"text"`             // for a person
}

// Verdict is what the judge found. Sharpe ratios named annual are per year,
// all others per period (day).
type Verdict struct {
	Schema     string   `json:"schema"`
	Candidate  string   `json:"candidate"`
	Instrument string   `json:"instrument"`
	Status     Status   `json:"status"`
	Sentence   string   `json:"sentence"`
	Reasons    []Reason `json:"reasons"`
	Caveats    []string `json:"caveats"`

	Days           int     `json:"days"`
	ActiveDays     int     `json:"active_days"`         // days with a net return other than 0
	Sparse         bool    `json:"interval_too_narrow"` // so few that the interval is not to be trusted
	From           string  `json:"from"`                // first and last trading date, YYYY-MM-DD
	To             string  `json:"to"`
	PeriodsPerYear float64 `json:"periods_per_year"`
	Years          float64 `json:"years"` // Days / PeriodsPerYear
	Bets           int     `json:"bets"`  // −1 when unknown
	EffectiveN     Number  `json:"effective_n"`
	BreakEvenTicks Number  `json:"break_even_ticks"`

	SharpeAnnual    Interval `json:"net_sharpe_annual"`           // autocorrelation-robust (Lo 2002, Newey–West)
	SharpeBootstrap Interval `json:"net_sharpe_annual_bootstrap"` // stationary bootstrap, beside it
	GrossAnnual     Interval `json:"gross_sharpe_annual"`
	MultipleAnnual  Interval `json:"cost_multiple_sharpe_annual"`
	ExcessAnnual    Interval `json:"excess_sharpe_annual"`
	ExposureAnnual  Interval `json:"same_exposure_sharpe_annual"`
	HoldAnnual      Interval `json:"buy_and_hold_sharpe_annual"`
	NetReturnAnnual Number   `json:"net_return_annual"` // mean daily net return × periods a year

	Skew            Number `json:"skew"`
	Kurtosis        Number `json:"kurtosis"` // raw: normal = 3
	Autocorrelation Number `json:"autocorrelation"`

	PSR           Number   `json:"psr"`      // against 0
	DSR           Number   `json:"dsr"`      // 2014 form; the gate
	DSR2026       Number   `json:"dsr_2026"` // with autocorrelation; shown
	ExcessDSR     Number   `json:"excess_dsr"`
	SR0Annual     Number   `json:"sr0_annual"` // expected best of the trials without skill
	Trials        int      `json:"trials"`     // the candidate included
	Effective     Number   `json:"trials_effective"`
	Correlation   Number   `json:"trials_mean_correlation"`
	Variance      Number   `json:"trials_variance"` // of per-period Sharpe ratios
	VarianceFrom  string   `json:"trials_variance_from"`
	Ledger        string   `json:"ledger"` // digest of the ledger's answer
	RandomEntryAt Number   `json:"random_entry_threshold"`
	PBO           Number   `json:"pbo"`
	Lockbox       string   `json:"lockbox"`
	LockboxAnnual Interval `json:"lockbox_sharpe_annual"`
	LockboxPSR    Number   `json:"lockbox_psr"`

	MinTrackRecordYears Number  `json:"min_track_record_years"`       // to confidence that SR > 0, if the record's Sharpe is the true one; null: no length suffices
	Power               float64 `json:"power"`                        // that the next three ask for
	MinDetectableAnnual Number  `json:"min_detectable_sharpe_annual"` // smallest true Sharpe ratio that a record of this length shows
	YearsForWorthwhile  Number  `json:"years_for_worthwhile_sharpe"`  // record length that would show the least worthwhile Sharpe ratio
	YearsForOne         Number  `json:"years_for_sharpe_1"`           // the same for a Sharpe ratio of 1
	WorthwhileSharpe    float64 `json:"worthwhile_sharpe"`
}

// Refuse is the verdict of a run that ended before there was a record to judge,
// such as one whose embargo would eat the folds: not enough evidence, with the
// arithmetic in text.
func Refuse(candidate, instrument, text string) Verdict {
	v := newVerdict(Default())
	v.Candidate, v.Instrument = candidate, instrument
	v.Status = NotEnoughEvidence
	v.Reasons = []Reason{{Gate: GateRecord, Value: Number(math.NaN()), Threshold: Number(math.NaN()), Blocks: NotEnoughEvidence, Text: text}}
	v.Sentence = "not enough evidence: " + text
	return v
}

// newVerdict is a verdict in which nothing exists yet.
func newVerdict(c Config) Verdict {
	nan := Number(math.NaN())
	none := Interval{Value: nan, Low: nan, High: nan, StdErr: nan, Confidence: c.Confidence}
	return Verdict{
		Schema: Schema, Reasons: []Reason{}, Caveats: []string{}, Bets: -1,
		EffectiveN: nan, BreakEvenTicks: nan,
		SharpeAnnual: none, SharpeBootstrap: none, GrossAnnual: none, MultipleAnnual: none, ExcessAnnual: none,
		ExposureAnnual: none, HoldAnnual: none, LockboxAnnual: none,
		NetReturnAnnual: nan, Skew: nan, Kurtosis: nan, Autocorrelation: nan,
		PSR: nan, DSR: nan, DSR2026: nan, ExcessDSR: nan, SR0Annual: nan, Effective: nan, Correlation: nan, Variance: nan,
		RandomEntryAt: nan, PBO: nan, Lockbox: string(LockboxNone), LockboxPSR: nan,
		MinTrackRecordYears: nan, MinDetectableAnnual: nan, YearsForWorthwhile: nan, YearsForOne: nan,
		Power: c.Power, WorthwhileSharpe: c.MinWorthwhileSharpe,
	}
}

// number writes x with that many decimals and a true minus sign; "unknown" for
// one that does not exist.
func number(x Number, decimals int) string {
	if !x.Exists() {
		return "unknown"
	}
	s := strconv.FormatFloat(float64(x), 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return strings.Replace(s, "-", "−", 1)
}

// probability writes p with two decimals, or more where two would round it
// onto or over the threshold it failed, and never as 0.00 or 1.00.
func probability(p Number, threshold float64) string {
	switch x := float64(p); {
	case !p.Exists():
		return "unknown"
	case x < 0.005:
		return "<0.01"
	case x > 0.995:
		return ">0.99"
	default:
		for d := 2; d < 6; d++ {
			s := strconv.FormatFloat(x, 'f', d, 64)
			if r, _ := strconv.ParseFloat(s, 64); (r < threshold) == (x < threshold) {
				return s
			}
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
}

// String writes "−0.4 [−1.3, 0.5]".
func (i Interval) String() string {
	if !i.Value.Exists() {
		return "unknown"
	}
	return number(i.Value, 1) + " [" + number(i.Low, 1) + ", " + number(i.High, 1) + "]"
}

// count writes "1 trial", "4 trials".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
