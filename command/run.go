package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/report"
	"github.com/mlfactory/mlfactory/store"
)

// RunOptions are what does not change a result.
type RunOptions struct {
	Out      string // run folder
	Workers  int    // 0: one per processor
	Memory   int64  // bytes that stages may expect together; 0: no limit
	Progress func(flow.Event)
	Planned  func(Planned)
	Width    int // columns of RunResult.Text
}

// planned hands a factory's plan on.
func (o RunOptions) planned() func(factory.Planned) {
	if o.Planned == nil {
		return nil
	}
	return func(x factory.Planned) { o.Planned(NewPlanned(x)) }
}

// RunResult is what a run came to.
type RunResult struct {
	ID      string         `json:"id"`
	Folder  string         `json:"folder"`
	Ran     int            `json:"stages_ran"`
	Cached  int            `json:"stages_cached"`
	Written bool           `json:"folder_written"` // false: every file was there already
	Timing  Timing         `json:"timing"`
	Summary report.Summary `json:"summary"`
	Text    string         `json:"-"` // table and verdicts for a person
}

// Timing is timing.json: what is not reproducible.
type Timing struct {
	Seconds float64       `json:"seconds"`
	Peak    *float64      `json:"peak_rss_anon_mb"` // null where the system does not tell
	Workers int           `json:"workers"`
	Stages  []StageTiming `json:"stages"` // kinds of stages, in order of first use
}

// StageTiming sums up the stages of one kind.
type StageTiming struct {
	Kind    string  `json:"kind"`
	Ran     int     `json:"ran"`
	Cached  int     `json:"cached"`
	Seconds float64 `json:"seconds"`
}

// Run runs a resolved recipe to a verdict and a run folder.
func (p *Project) Run(ctx context.Context, rec recipe.Recipe, o RunOptions) (_ *RunResult, err error) {
	began := time.Now()
	mem := watchMemory(100 * time.Millisecond)
	stopped := false
	stop := func() int64 { stopped = true; return mem.Stop() }
	defer func() {
		if !stopped {
			stop()
		}
	}()
	out, err := absolute(o.Out)
	if err != nil {
		return nil, err
	}
	if err := writable(out); err != nil {
		return nil, err
	}
	id, text, err := p.identity(ctx, rec, "run")
	if err != nil {
		return nil, err
	}
	s, err := store.Open(p.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	at, err := s.BeginRun(ctx, id, text, store.Label{Name: "command", Value: "run"}, store.Label{Name: "markets", Value: markets(rec)})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, at.Finish(context.WithoutCancel(ctx), err)) }()
	log := newLog(began)
	res, err := p.Factory.Run(ctx, rec, factory.Env{Store: s, Attempt: at, Workers: o.Workers, Memory: o.Memory, Planned: o.planned(),
		Progress: func(e flow.Event) {
			log.event(e)
			if o.Progress != nil {
				o.Progress(e)
			}
		}, Audit: auditInside()})
	if err != nil {
		return nil, classify(err)
	}
	defer func() { err = errors.Join(err, res.Close()) }()
	r := &RunResult{ID: id, Folder: out, Timing: Timing{Workers: workers(o.Workers)}}
	r.count(res.Reports)
	f := folder{store: s, attempt: at, dir: out, began: time.Now()}
	if f.code, err = p.Code(); err != nil {
		return nil, err
	}
	if r.Summary, r.Written, err = f.write(ctx, res, text); err != nil {
		return nil, err
	}
	r.Timing.add("report", r.Written, time.Since(f.began).Seconds())
	log.line("report", fmt.Sprintf("written=%v", r.Written))
	var table strings.Builder
	if err := report.Text(&table, res.Outcomes, o.Width); err != nil {
		return nil, err
	}
	r.Text = table.String()
	if n := stop(); n > 0 {
		mb := math.Round(float64(n)/(1<<20)*10) / 10
		r.Timing.Peak = &mb
	}
	r.Timing.Seconds = math.Round(time.Since(began).Seconds()*1000) / 1000
	timing, err := json.MarshalIndent(r.Timing, "", " ")
	if err != nil {
		return nil, err
	}
	return r, f.log(append(timing, '\n'), log.bytes())
}

// workers is how many goroutines compute at once.
func workers(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}

// count sums up what became of the stages.
func (r *RunResult) count(reports []*flow.Report) {
	seen := map[string]bool{}
	for _, rep := range reports {
		for _, n := range rep.Nodes {
			if seen[n.Name] || n.Status != store.StageRan && n.Status != store.StageCached {
				continue // the phases of a run repeat the nodes before them; a stage that failed did neither
			}
			seen[n.Name] = true
			r.Timing.add(n.Kind, n.Status == store.StageRan, n.Seconds)
			if n.Status == store.StageRan {
				r.Ran++
			} else {
				r.Cached++
			}
		}
	}
}

func (t *Timing) add(kind string, ran bool, seconds float64) {
	i := 0
	for i < len(t.Stages) && t.Stages[i].Kind != kind {
		i++
	}
	if i == len(t.Stages) {
		t.Stages = append(t.Stages, StageTiming{Kind: kind})
	}
	k := &t.Stages[i]
	if !ran {
		k.Cached++
		return
	}
	k.Ran++
	k.Seconds = math.Round((k.Seconds+seconds)*1e6) / 1e6
}

// classify gives an error of a run its kind: what the bars stage refuses is the
// data's fault.
func classify(err error) error {
	var ne *flow.NodeError
	if errors.As(err, &ne) && strings.HasSuffix(ne.Name, "/bars") && !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrDiskFull) {
		return mark(ErrData, err)
	}
	return err
}

// Planned is the plan of one market.
type Planned struct {
	Market   string          `json:"market"`
	Refused  string          `json:"refused,omitempty"` // why nothing can be fitted
	Bars     int             `json:"bars"`
	Rows     int             `json:"decisions"`
	Labelled int             `json:"labelled"`
	Columns  int             `json:"columns"`
	Fits     int             `json:"fits"`   // that would run
	Cached   int             `json:"cached"` // that are in the store
	Memory   int64           `json:"memory_bytes"`
	Embargo  param.Duration  `json:"embargo"`
	Purge    int             `json:"purge_bars"` // at least so many bars of the clock
	ClockBar param.Duration  `json:"clock_bar"`
	Notes    []string        `json:"notes"`
	Kinds    []flow.PlanKind `json:"stages"`
}

// NewPlanned is the plan that a factory tells.
func NewPlanned(x factory.Planned) Planned {
	return Planned{Market: x.Market, Bars: x.Bars, Rows: x.Decisions, Labelled: x.Labelled, Columns: x.Columns, Fits: x.Fits, Cached: x.Cached,
		Memory: x.MemoryBytes, Embargo: param.Duration(x.Embargo), Purge: x.FloorBars, ClockBar: param.Duration(x.ClockBar), Notes: x.Notes, Kinds: x.Kinds}
}

// Plan says what a run would do: bars, labels and folds are made (or taken from
// the store) to know the rows, nothing is fitted.
func (p *Project) Plan(ctx context.Context, rec recipe.Recipe, o RunOptions) (_ []Planned, err error) {
	s, err := store.Open(p.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	release, err := s.Hold(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	var out []Planned
	res, err := p.Factory.Run(ctx, rec, factory.Env{Store: s, Workers: o.Workers, Memory: o.Memory, Progress: o.Progress, Audit: auditInside(),
		Planned: func(x factory.Planned) { out = append(out, NewPlanned(x)) }, Until: factory.ToPlan})
	if err != nil {
		return nil, classify(err)
	}
	for _, x := range res.Outcomes {
		if x.Refused != "" {
			// Too short for the protocol: the arithmetic is the plan.
			out = append(out, Planned{Market: x.Market, Refused: x.Refused})
		}
	}
	return out, res.Close()
}

// auditInside is the leak check of a run.
func auditInside() factory.AuditFunc { return audit.Quick }

// runLog is the log of a run: what happened when.
type runLog struct {
	began time.Time
	b     strings.Builder
}

func newLog(began time.Time) *runLog {
	l := &runLog{began: began}
	fmt.Fprintf(&l.b, "%s start\n", began.UTC().Format(time.RFC3339))
	return l
}

// event is called for one event at a time.
func (l *runLog) event(e flow.Event) {
	switch e.State {
	case flow.Progress:
		return
	case flow.Ran:
		l.line(e.Node, fmt.Sprintf("ran %.3fs", e.Seconds))
	default:
		l.line(e.Node, strings.TrimSpace(string(e.State)+" "+e.Note))
	}
}

func (l *runLog) line(what, text string) {
	fmt.Fprintf(&l.b, "%9.3f %s %s\n", time.Since(l.began).Seconds(), what, text)
}

func (l *runLog) bytes() []byte { return []byte(l.b.String()) }

func writeBytes(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// RequirePass is an error of the kind ErrFound unless every verdict is pass.
func (r *RunResult) RequirePass() error {
	for _, x := range r.Summary.Runs {
		if x.Verdict.Status != judge.Pass {
			return mark(ErrFound, fmt.Errorf("%s: the verdict is %s", x.Market, strings.ReplaceAll(string(x.Verdict.Status), "_", " ")))
		}
	}
	return nil
}
