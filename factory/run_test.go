package factory_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/store"
)

const sessions = 160

// TestRun goes through one project folder: a run, the same again, changed
// values, the lockbox.
func TestRun(t *testing.T) {
	s := openStore(t)
	base := tiny(t, "planted", 3, sessions)
	var planned []factory.Planned
	first := run(t, s, base, factory.Env{Planned: func(p factory.Planned) { planned = append(planned, p) }})
	o := first.Outcomes[0]

	t.Run("plan", func(t *testing.T) {
		// 2 models × (2 steps × (2 inner + 1 final) + 2 folds).
		if len(planned) != 1 || planned[0].Fits != 16 || planned[0].Cached != 0 {
			t.Fatalf("planned %+v, want 16 fits", planned)
		}
		p := planned[0]
		if p.Bars != o.Base.Len() || p.Decisions != len(o.Decisions) || p.Labelled != o.Counts.Labelled || p.Columns != o.Table.P {
			t.Errorf("planned %+v, the run has %d bars, %d decisions, %d labels, %d columns", p, o.Base.Len(), len(o.Decisions), o.Counts.Labelled, o.Table.P)
		}
		if p.MemoryBytes < 32<<20 || p.MemoryBytes > 256<<20 { // 62 000 bars, 12 000 decisions: tens of MiB
			t.Errorf("planned memory %d MiB", p.MemoryBytes>>20)
		}
	})
	t.Run("trades are labels", func(t *testing.T) { tradesAreLabels(t, o) })
	t.Run("outcome", func(t *testing.T) {
		if o.Candidate < 0 || o.Strategy[o.Candidate].Name != "stack" || len(o.Strategy) != 4 || len(o.Skill) != 4 {
			t.Errorf("candidate %d of %d strategies, %d skills", o.Candidate, len(o.Strategy), len(o.Skill))
		}
		if o.Lockbox.Opened || o.Lockbox.Start == 0 || o.Lockbox.Rows == 0 {
			t.Errorf("lockbox %+v, want recorded and closed", o.Lockbox)
		}
		for _, st := range o.Strategy {
			if st.Box != nil {
				t.Errorf("%s was traded in the closed lockbox", st.Name)
			}
			for _, tr := range st.Record.Trades {
				if tr.Exit >= o.Lockbox.Start {
					t.Errorf("%s: the trade of row %d ends in the lockbox", st.Name, tr.Row)
				}
			}
			if d := st.Record.Days; int64(d[len(d)-1])*864e11 > o.Lockbox.Start {
				t.Errorf("%s: the record reaches into the lockbox", st.Name)
			}
		}
		if got := len(o.Ledger.Trials); got != 4 {
			t.Errorf("%d trials in the ledger, want 4", got)
		}
	})
	t.Run("out of fold", func(t *testing.T) {
		// What is kept gives the log-losses that are shown, and covers every
		// development row once.
		for _, st := range o.Strategy {
			f, err := frame.OpenIPC(st.OutOfFold.Path())
			if err != nil {
				t.Fatal(err)
			}
			row, sum := f.Frame().Column("row").Int32, 0.0
			for i, r := range row {
				p := f.Frame().Column([]string{"p_short", "p_none", "p_long"}[o.Labels.Class[r]+1]).Float64[i]
				sum -= math.Log(p)
				if i > 0 && row[i-1] >= r || !o.Labels.Valid[r] || o.Labels.Spans[r].Outcome >= o.Lockbox.Start {
					t.Fatalf("%s: row %d is twice, unlabelled or locked", st.Name, r)
				}
			}
			for _, sk := range o.Skill {
				if sk.Name == st.Name && (sk.Rows != len(row) || math.Abs(sum/float64(len(row))-sk.LogLoss) > 1e-12) {
					t.Errorf("%s: log-loss %v of %d rows, shown %v of %d", st.Name, sum/float64(len(row)), len(row), sk.LogLoss, sk.Rows)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("again", func(t *testing.T) {
		second := run(t, s, base, factory.Env{})
		if kinds, n := ran(second); n != 0 {
			t.Errorf("the second run computed %d stages: %v", n, kinds)
		}
		if !maps.Equal(digests(first), digests(second)) {
			t.Error("the second run has other outputs")
		}
		if got := len(second.Outcomes[0].Ledger.Trials); got != 4 {
			t.Errorf("%d trials after a rerun, want 4", got)
		}
		if second.Outcomes[0].Ledger.Digest != o.Ledger.Digest || !reflect.DeepEqual(text(second.Outcomes[0].Verdict), text(o.Verdict)) {
			t.Error("the second run has another ledger or verdict")
		}
	})
	t.Run("another model beside", func(t *testing.T) {
		// Fewer strategies: none of those left is a new trial.
		r := base
		r.Ensembles = r.Ensembles[1:]
		res := run(t, s, r, factory.Env{})
		if kinds, _ := ran(res); !slices.Equal(kinds, []string{"skill", "judge"}) {
			t.Errorf("without the vote the stages %v ran, want skill and judge", kinds)
		}
		if got := len(res.Outcomes[0].Ledger.Trials); got != 4 {
			t.Errorf("%d trials, want the 4 that were counted", got)
		}
	})
	t.Run("threshold", func(t *testing.T) {
		r := base
		r.Rule.Threshold += 1e-4
		res := run(t, s, r, factory.Env{})
		if kinds, _ := ran(res); !slices.Equal(kinds, []string{"trade", "judge"}) {
			t.Errorf("another threshold ran the stages %v, want trade and judge", kinds)
		}
		if got := len(res.Outcomes[0].Ledger.Trials); got != 8 {
			t.Errorf("%d trials, want 8: another threshold is another trial", got)
		}
		tradesAreLabels(t, res.Outcomes[0])
	})
	t.Run("judge alone", func(t *testing.T) {
		r := base
		r.Judge.MinWorthwhileSharpe += 0.25
		if kinds, _ := ran(run(t, s, r, factory.Env{})); !slices.Equal(kinds, []string{"judge"}) {
			t.Errorf("another threshold of the judge ran %v", kinds)
		}
	})
	t.Run("lockbox", func(t *testing.T) {
		r := base
		r.Lockbox = true
		res := run(t, s, r, factory.Env{})
		kinds, n := ran(res)
		// folds, 2 × (2 inner + 1 final), combine, lockbox, judge.
		if want := []string{"folds", "fit", "combine", "lockbox", "judge"}; n != 10 || !slices.Equal(kinds, want) {
			t.Errorf("opening the lockbox ran %d stages %v, want 10 of %v", n, kinds, want)
		}
		b := res.Outcomes[0]
		if !b.Lockbox.Opened || b.Lockbox.Start != o.Lockbox.Start || len(b.Steps) != 3 || !b.Steps[2].Box {
			t.Fatalf("lockbox %+v, steps %+v", b.Lockbox, b.Steps)
		}
		for k, st := range b.Strategy {
			if (st.Box != nil) != (k == b.Candidate) {
				t.Errorf("%s: traded in the lockbox: %v", st.Name, st.Box != nil)
			}
		}
		box := b.Strategy[b.Candidate].Box
		if len(box.Trades) == 0 {
			t.Fatal("no trade in the lockbox; this test shows nothing")
		}
		for _, tr := range box.Trades {
			if tr.Decision < b.Lockbox.Start {
				t.Errorf("the trade of row %d lies before the lockbox", tr.Row)
			}
		}
		if v := b.Verdict; !strings.Contains(v.Lockbox, "opened") || strings.Contains(v.Lockbox, "unopened") || !v.LockboxAnnual.Value.Exists() || !strings.Contains(o.Verdict.Lockbox, "unopened") {
			t.Errorf("the verdict says of the lockbox: %q, Sharpe ratio %v; before: %q", v.Lockbox, v.LockboxAnnual.Value, o.Verdict.Lockbox)
		}
		if b.Strategy[b.Candidate].Key != o.Strategy[o.Candidate].Key || b.Ledger.Digest == "" {
			t.Error("opening the lockbox made another trial of the candidate")
		}
		// The same again is no second look.
		if _, n := ran(run(t, s, r, factory.Env{})); n != 0 {
			t.Errorf("the same run computed %d stages", n)
		}
		// Another candidate is refused, before anything runs in the lockbox.
		r.Candidate = "xgboost"
		_, err := tryRun(t, s, r, factory.Env{})
		if !errors.Is(err, store.ErrLockboxOpened) || !strings.Contains(err.Error(), "burnt") {
			t.Errorf("a second candidate: %v", err)
		}
	})
	t.Run("bundle of the lockbox step", func(t *testing.T) {
		r := base
		r.Lockbox = true
		res := run(t, s, r, factory.Env{})
		b, err := newFactory(t).Bundle(s, res, "planted", "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if b.Step != 3 || b.Known >= o.Lockbox.Start {
			t.Errorf("step %d, fitted on what was known at %d; the lockbox begins at %d", b.Step, b.Known, o.Lockbox.Start)
		}
	})
}

// text is everything a value says.
func text(v any) string { return fmt.Sprintf("%+v", v) }

// tradesAreLabels: entry, exit and net return of every trade are its row's.
func tradesAreLabels(t *testing.T, o *factory.Outcome) {
	t.Helper()
	n := 0
	for _, st := range o.Strategy {
		for _, tr := range st.Record.Trades {
			n++
			l := o.Labels.Of(tr.Side)
			if tr.Decision != o.Labels.Spans[tr.Row].Decision || tr.Entry != o.Labels.Spans[tr.Row].Entry ||
				tr.Exit != l.ExitTime[tr.Row] || tr.Net != l.Net[tr.Row] || tr.EntryPx != l.Entry[tr.Row] || tr.ExitPx != l.Price[tr.Row] {
				t.Fatalf("%s: trade %+v differs from its label", st.Name, tr)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d trades", n)
	}
}

// TestWorkers: every output of every stage has the same bytes for any number of
// workers.
func TestWorkers(t *testing.T) {
	r := tiny(t, "planted", 5, 120)
	var want map[string]string
	for _, w := range []int{1, 2, 4} {
		got := digests(run(t, openStore(t), r, factory.Env{Workers: w}))
		if want == nil {
			want = got
			if len(want) < 40 {
				t.Fatalf("only %d outputs", len(want))
			}
			continue
		}
		for k, d := range want {
			if got[k] != d {
				t.Errorf("%d workers: %s differs", w, k)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d workers: %d outputs, want %d", w, len(got), len(want))
		}
	}
}

// TestStackFindsTheEdge: on the planted market the stack's probabilities are
// better than the prior and the vote and as good as the best base's, and it earns
// more than it costs. On the null nothing does, and the verdict does not
// pass even at zero cost.
func TestStackFindsTheEdge(t *testing.T) {
	skill := func(o *factory.Outcome, name string) factory.Skill {
		return o.Skill[slices.IndexFunc(o.Skill, func(s factory.Skill) bool { return s.Name == name })]
	}
	planted := run(t, openStore(t), tiny(t, "planted", 9, 320), factory.Env{}).Outcomes[0]
	stack := skill(planted, "stack")
	if !(stack.SkillLow > 0) {
		t.Errorf("planted: the stack's skill is %.4f [%.4f, %.4f], want above 0", stack.Skill, stack.SkillLow, stack.SkillHi)
	}
	best := math.Max(skill(planted, "logistic").Skill, skill(planted, "xgboost").Skill)
	// A meta learner pays for learning, on a few hundred effective rows, that
	// one base is worthless: a tenth of the skill at most.
	if stack.Skill < 0.9*best {
		t.Errorf("planted: the stack's skill %.4f is below the best base's %.4f", stack.Skill, best)
	}
	if v := skill(planted, "voting").Skill; stack.Skill <= v {
		t.Errorf("planted: the stack's skill %.4f is not above the vote's %.4f, which weighs a worthless base like a good one", stack.Skill, v)
	}
	if x, l := skill(planted, "xgboost").Skill, skill(planted, "logistic").Skill; x <= l {
		t.Errorf("planted: boosting's skill %.4f is not above the linear model's %.4f, though the edge is an interaction", x, l)
	}
	if s := planted.Strategy[planted.Candidate].Record.Stat("SharpeAnnual"); !(s > 1) {
		t.Errorf("planted: net Sharpe ratio %v", s)
	}
	free := tiny(t, "null", 9, 200)
	free.Cost.Multiplier = 0
	o := run(t, openStore(t), free, factory.Env{}).Outcomes[0]
	if s := skill(o, "stack"); s.SkillLow > 0 {
		t.Errorf("null: the stack's skill is %.4f [%.4f, %.4f]", s.Skill, s.SkillLow, s.SkillHi)
	}
	if o.Verdict.Status == judge.Pass {
		t.Errorf("null at zero cost: %s", o.Verdict.Sentence)
	}
	for _, st := range o.Strategy {
		if !slices.Equal(st.Record.Net, st.Record.Gross) {
			t.Errorf("null: %s pays at zero cost", st.Name)
		}
	}
}

// TestTooShort: data too short for purge and embargo end with a verdict and the
// arithmetic.
func TestTooShort(t *testing.T) {
	r := tiny(t, "planted", 3, 40)
	r.Split.WalkForward.MaxLost, r.Split.KFold.MaxLost = 0.1, 0.1
	r.Split.WalkForward.FloorBars = 300
	o := run(t, openStore(t), r, factory.Env{}).Outcomes[0]
	if o.Verdict.Status != judge.NotEnoughEvidence || o.Refused == "" {
		t.Fatalf("verdict %s, refused %q", o.Verdict.Status, o.Refused)
	}
	for _, want := range []string{"the data are too short, 40 trading dates: ", "purge (", "rows", "%", "give more data or fewer folds"} {
		if !strings.Contains(o.Refused, want) {
			t.Errorf("the refusal %q does not say %q", o.Refused, want)
		}
	}
	if o.Candidate != -1 || len(o.Strategy) != 0 || o.Lockbox.Start == 0 {
		t.Errorf("refused, with candidate %d of %d strategies and lockbox %+v", o.Candidate, len(o.Strategy), o.Lockbox)
	}
	if !slices.ContainsFunc(o.Verdict.Caveats, func(c string) bool { return strings.Contains(c, "proxy") }) {
		t.Errorf("the caveats %q do not say that the market is a proxy", o.Verdict.Caveats)
	}
}

// TestFewRows: a file that leaves no rows for a fold says which and what to do.
func TestFewRows(t *testing.T) {
	r := tiny(t, "planted", 3, 3)
	r.Split.WalkForward.MaxLost, r.Split.KFold.MaxLost = 100, 100
	_, err := tryRun(t, openStore(t), r, factory.Env{})
	if err == nil || !strings.Contains(err.Error(), "planted") || !strings.Contains(err.Error(), "rows") || !strings.Contains(err.Error(), "give more data") {
		t.Errorf("three sessions: %v", err)
	}
}

// TestNoLabel: barriers that nothing fills say why there is no label.
func TestNoLabel(t *testing.T) {
	r := tiny(t, "planted", 3, 2)
	r.Label.Horizon, r.Label.ProfitTake, r.Label.StopLoss = 10000, 0, 0
	_, err := tryRun(t, openStore(t), r, factory.Env{})
	if err == nil || !strings.Contains(err.Error(), "has a label") {
		t.Errorf("an expiry beyond the data: %v", err)
	}
}

// TestSingleClass: labels of one class cannot be learnt; the verdict says so and
// names the fold, for any number of workers and in a plan too.
func TestSingleClass(t *testing.T) {
	r := tiny(t, "null", 3, 60)
	r.Label.ProfitTake, r.Label.StopLoss = 0, 0
	r.Label.Horizon = 2
	r.Cost.Multiplier = 100 // nothing is ever worth its cost: class 0 throughout
	for _, env := range []factory.Env{{Workers: 1}, {Workers: 4}, {Until: factory.ToPlan}, {Until: factory.ToSkill}, {NoSkill: true}} {
		o := run(t, openStore(t), r, env).Outcomes[0]
		if o.Verdict.Status != judge.NotEnoughEvidence || o.Candidate != -1 || len(o.Steps) != 2 ||
			!strings.HasPrefix(o.Refused, "walk-forward step 1 of 2: all ") || !strings.Contains(o.Refused, "training rows have class 0 (neither side made money net of cost)") {
			t.Errorf("%+v: labels of one class: %s, %q", env, o.Verdict.Status, o.Refused)
		}
		if x := o.Verdict.Reasons; len(x) != 1 || x[0].Gate != judge.GateRecord || x[0].Text != o.Refused {
			t.Errorf("reasons %+v", x)
		}
	}
}

// TestAudit: a leak fails the verdict and is part of its key.
func TestAudit(t *testing.T) {
	r := tiny(t, "planted", 3, 60)
	s := openStore(t)
	clean := func(detail string) factory.AuditFunc {
		return func(_ context.Context, p factory.Prepared) (*factory.AuditResult, error) {
			if p.Base == nil || p.Labels == nil || p.Table == nil || p.Remake == nil {
				t.Error("the audit is not given all it needs")
			}
			if detail == "" {
				return &factory.AuditResult{Mode: "quick", OK: true, Checks: 1}, nil
			}
			return &factory.AuditResult{Mode: "quick", Checks: 1, Culprits: []factory.AuditCulprit{{Stage: "features", Name: "leaky@5m", Detail: detail}}}, nil
		}
	}
	ok := run(t, s, r, factory.Env{Audit: clean("")}).Outcomes[0]
	if ok.Audit == nil || !ok.Audit.OK {
		t.Fatalf("audit %+v", ok.Audit)
	}
	leak := run(t, openStore(t), r, factory.Env{Audit: clean("row 7 moved by 0.5")}).Outcomes[0]
	if leak.Verdict.Status != judge.Fail || !strings.Contains(leak.Verdict.Sentence, "leaky@5m: row 7 moved by 0.5") {
		t.Errorf("verdict %s: %s", leak.Verdict.Status, leak.Verdict.Sentence)
	}
	off := r
	off.Audit = "off"
	if o := run(t, s, off, factory.Env{Audit: clean("never asked")}).Outcomes[0]; o.Audit != nil {
		t.Error("the audit ran though it is off")
	}
}
