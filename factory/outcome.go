package factory

import (
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
)

// Outcome is everything that a run found out about one market. It is what the
// report shows and what the run folder holds; nothing in it depends on the
// clock, the machine or the number of workers. Base, Labels and Table are read
// from mapped files: they end with [Result.Close].
//
// A refused run (Refused is not empty) ended with the labels: Table, Steps,
// Fits, Skill, Strategy, Audit and Ledger are empty and Candidate is −1.
type Outcome struct {
	Market     string
	Instrument bar.Instrument
	Generated  bool // a market of bar/synth, whose lockbox and trials are its own

	Verdict judge.Verdict
	// Refused says why the run ended before anything was traded (the data
	// are too short for the protocol); Verdict is then not_enough_evidence.
	Refused string

	Data      ingest.Report // what reading and checking the bars found
	Base      *bar.Series
	Labels    *label.Set
	Table     *view.Table // features by decision
	Decisions []int64     // instants, one for each row of Labels and Table

	Clock    string   // timeframe of the decision clock
	Notes    []string // what the run decided by itself and a reader must know
	Counts   LabelCounts
	Lockbox  LockboxState
	Steps    []StepInfo // of the walk-forward; the last may be the lockbox
	Fits     []ModelFit // of the last walk-forward step, by model
	Skill    []Skill    // per model and ensemble, from the purged k-fold
	Strategy []Strategy
	// Candidate is the index in Strategy of the one that is judged; −1 if
	// there is none.
	Candidate int

	Audit  *AuditResult   // nil if the run had none
	Ledger judge.Snapshot // what competed

	cache *cache // of its files
}

// LabelCounts sums up the labels.
type LabelCounts struct {
	Decisions   int            `json:"decisions"`
	Labelled    int            `json:"labelled"`
	Short       int            `json:"short"`
	None        int            `json:"none"`
	Long        int            `json:"long"`
	Invalid     map[string]int `json:"invalid"` // by reason
	EffectiveN  float64        `json:"effective_n"`
	Concurrency float64        `json:"mean_concurrency"`
}

// LockboxState says from which decision on this run developed, where the lockbox
// begins and ends, how many labelled decisions it holds and whether this run
// opened it.
type LockboxState struct {
	From   int64 `json:"from"`
	Start  int64 `json:"start"`
	End    int64 `json:"end"`
	Rows   int   `json:"rows"`
	Opened bool  `json:"opened"`
}

// StepInfo describes one walk-forward step: rows of its sets, the last decision
// that anything was fitted on, and first and last decision of its window. Test
// is the labelled decisions of the test block; the window holds the unlabelled
// ones too.
type StepInfo struct {
	Step     int   `json:"step"`
	Train    int   `json:"train_rows"`
	Stop     int   `json:"stop_rows"`
	Calib    int   `json:"calib_rows"`
	Test     int   `json:"test_rows"`
	TrainTo  int64 `json:"train_to"`
	TestFrom int64 `json:"test_from"`
	TestTo   int64 `json:"test_to"`
	Box      bool  `json:"lockbox"`
}

// ModelFit is the final fit of a model in the last walk-forward step.
type ModelFit struct {
	Model      string       `json:"model"`
	Info       FitInfo      `json:"info"`
	Importance []Importance `json:"importance"` // largest first, at most 40
	// Measure says what the shares are of: "gain" of splits, "coefficient" in
	// deviations of the column, or "permutation": the rise in log-loss on test rows
	// of the step when a column is dealt out anew. No column may have any of that.
	Measure string `json:"measure"`
}

// Importance of one column in one model, as a share of the model's total.
type Importance struct {
	Column string  `json:"column"`
	Share  float64 `json:"share"`
}

// Skill is how well probabilities predict labels out of fold, purged k-fold.
type Skill struct {
	Name       string      `json:"name"`
	Rows       int         `json:"rows"`
	LogLoss    float64     `json:"logloss"`
	LogLossLow float64     `json:"logloss_low"` // 95 % block bootstrap
	LogLossHi  float64     `json:"logloss_high"`
	Prior      float64     `json:"prior_logloss"` // of the training rows' class shares
	Skill      float64     `json:"skill"`         // Prior − LogLoss, nats
	SkillLow   float64     `json:"skill_low"`
	SkillHi    float64     `json:"skill_high"`
	ECE        float64     `json:"ece"` // mean over classes
	Curves     [][]RelyBin `json:"curves"`
	// Against compares with the recipe's first logistic regression, on the same
	// rows; nil if the recipe has none, and for that one itself.
	Against *Comparison `json:"against,omitempty"`
}

// Comparison is how much less one model loses than another on the same rows.
type Comparison struct {
	Name    string  `json:"name"` // of the other
	LogLoss float64 `json:"logloss"`
	Gain    float64 `json:"gain"` // its log-loss − this one's, nats
	GainLow float64 `json:"gain_low"`
	GainHi  float64 `json:"gain_high"` // 95 % block bootstrap of the differences
}

// RelyBin is one bin of a reliability curve.
type RelyBin struct {
	N         int     `json:"n"`
	Predicted float64 `json:"predicted"`
	Happened  float64 `json:"happened"`
}

// Strategy is one model or ensemble traded through the walk-forward.
type Strategy struct {
	Name        string
	Kind        string // the learner or the ensemble
	Key         string // of its trial
	Record      *Record
	Box         *Record       // in the lockbox; nil while that is unopened and for all but the candidate
	Predictions *store.Object // frame: row, p_short, p_none, p_long, side, expected_net; of the walk-forward
	OutOfFold   *store.Object // frame: row, p_short, p_none, p_long; of the k-fold; nil if that was left out
}

// AuditResult is the outcome of the leak check inside the run.
type AuditResult struct {
	Mode     string         `json:"mode"`
	OK       bool           `json:"ok"`
	Checks   int            `json:"checks"`
	Culprits []AuditCulprit `json:"culprits"`
}

// AuditCulprit is one thing that changed although only its future did.
type AuditCulprit struct {
	Stage  string `json:"stage"`  // ingest, features, labels, weights, fit, predictions
	Name   string `json:"name"`   // kernel and timeframe, model and step …
	Detail string `json:"detail"` // first row that moved and by how much
}
