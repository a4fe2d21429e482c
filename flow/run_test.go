package flow_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/store"
)

// diamond is a → b, c → d with b's parameter and the function of a given.
func diamond(addB int) (a, b, c, d *flow.Node) {
	a = node("a", 1)
	b = node("b", addB, a)
	c = node("c", 3, a)
	d = node("d", 4, b, c)
	return a, b, c, d
}

func ranNames(r *flow.Report) []string {
	var names []string
	for _, n := range r.Nodes {
		if n.Status == store.StageRan {
			names = append(names, n.Name)
		}
	}
	return names
}

func mustRun(t *testing.T, s *store.Store, opts flow.Options, targets ...*flow.Node) *flow.Report {
	t.Helper()
	r, err := flow.Run(t.Context(), s, targets, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRun_SecondRunDoesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	_, _, _, d := diamond(2)
	first := mustRun(t, s, flow.Options{}, d)
	if got := ranNames(first); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Fatalf("ran %v", got)
	}
	res, ok := first.Result("d")
	if !ok || len(res.Outputs) != 1 {
		t.Fatalf("result of d: %v, %v", res, ok)
	}
	o, err := s.Object(res.Outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	if b, err := o.Bytes(); err != nil || string(b) != "11" { // (1+2)+(1+3)+4
		t.Fatalf("d = %q, %v, want 11", b, err)
	}
	second := mustRun(t, s, flow.Options{}, d)
	if second.Ran() != 0 {
		t.Fatalf("second run computed %v", ranNames(second))
	}
	for i := range first.Nodes {
		if first.Nodes[i].Key != second.Nodes[i].Key || !slices.Equal(first.Nodes[i].Outputs, second.Nodes[i].Outputs) {
			t.Errorf("%s differs between runs", first.Nodes[i].Name)
		}
	}
}

func TestRun_ChangedParameterRerunsDependents(t *testing.T) {
	s := open(t, t.TempDir())
	_, _, _, d := diamond(2)
	mustRun(t, s, flow.Options{}, d)
	_, _, _, d = diamond(7)
	if got := ranNames(mustRun(t, s, flow.Options{}, d)); !slices.Equal(got, []string{"b", "d"}) {
		t.Fatalf("ran %v, want b and d", got)
	}
	// Back to the old parameter: everything is still there.
	_, _, _, d = diamond(2)
	if got := ranNames(mustRun(t, s, flow.Options{}, d)); got != nil {
		t.Fatalf("ran %v, want nothing", got)
	}
}

func TestRun_ChangedCodeOrKindReruns(t *testing.T) {
	s := open(t, t.TempDir())
	mustRun(t, s, flow.Options{}, node("a", 1))
	n := node("a", 1)
	n.Code = "2"
	if mustRun(t, s, flow.Options{}, n).Ran() != 1 {
		t.Error("changed code did not rerun")
	}
	n = node("a", 1)
	n.Kind = "other"
	if mustRun(t, s, flow.Options{}, n).Ran() != 1 {
		t.Error("changed kind did not rerun")
	}
	n = node("renamed", 1)
	n.Kind = "a"
	if mustRun(t, s, flow.Options{}, n).Ran() != 0 {
		t.Error("a new name alone made it run")
	}
}

func TestRun_EarlyCutOff(t *testing.T) {
	s := open(t, t.TempDir())
	_, _, _, d := diamond(2)
	mustRun(t, s, flow.Options{}, d)
	// The code of a changes, its output does not: b, c and d stay.
	a, _, _, d := diamond(2)
	a.Code = "2"
	p, err := flow.NewPlan(t.Context(), s, []*flow.Node{d}, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if p.Cached != 0 || p.Run != 4 || p.Nodes[0].Status != flow.PlanRun || p.Nodes[3].Status != flow.PlanDepends {
		t.Errorf("plan %+v", p)
	}
	if got := ranNames(mustRun(t, s, flow.Options{}, d)); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("ran %v, want a alone", got)
	}
}

func TestRun_LogicalDigestCutsOff(t *testing.T) {
	s := open(t, t.TempDir())
	graph := func(code, bytes string) *flow.Node {
		a := &flow.Node{Name: "a", Kind: "a", Code: code, Run: func(ctx context.Context, t *flow.Task) error {
			return t.CreateLogical("sum.txt", "same values", func(w io.Writer) error {
				_, err := io.WriteString(w, bytes)
				return err
			})
		}}
		return node("b", 1, a)
	}
	mustRun(t, s, flow.Options{}, graph("1", "5"))
	if got := ranNames(mustRun(t, s, flow.Options{}, graph("2", "05"))); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("ran %v, want a alone: its bytes changed, its meaning did not", got)
	}
}

func TestRun_EqualKeysComputeOnce(t *testing.T) {
	s := open(t, t.TempDir())
	var calls atomic.Int32
	var twins []*flow.Node
	for _, name := range []string{"x/1", "x/2", "x/3"} {
		n := node(name, 1)
		run := n.Run
		n.Run = func(ctx context.Context, t *flow.Task) error { calls.Add(1); return run(ctx, t) }
		twins = append(twins, n)
	}
	r := mustRun(t, s, flow.Options{Workers: 3}, node("top", 0, twins...))
	if calls.Load() != 1 {
		t.Errorf("computed %d times", calls.Load())
	}
	if res, _ := r.Result("top"); res.Outputs[0].Size != 1 {
		t.Errorf("top: %+v", res)
	}
}

func TestRun_SameBytesForAnyWorkers(t *testing.T) {
	var want []flow.NodeReport
	for _, workers := range []int{1, 2, 5} {
		s := open(t, t.TempDir())
		r, err := flow.Run(t.Context(), s, sample(s, 0), flow.Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Nodes {
			r.Nodes[i].Seconds = 0
		}
		if want == nil {
			want = r.Nodes
		}
		if !slices.EqualFunc(want, r.Nodes, func(a, b flow.NodeReport) bool {
			return a.Name == b.Name && a.Key == b.Key && slices.Equal(a.Outputs, b.Outputs)
		}) {
			t.Errorf("%d workers: other results", workers)
		}
	}
}

func TestRun_FailureCancelsAndNames(t *testing.T) {
	s := open(t, t.TempDir())
	boom := errors.New("boom")
	stopped := make(chan struct{})
	started := make(chan struct{})
	bad := &flow.Node{Name: "fit/bad", Kind: "fit", Code: "1", Params: 1, Run: func(ctx context.Context, t *flow.Task) error {
		<-started
		return boom
	}}
	slow := &flow.Node{Name: "fit/slow", Kind: "fit", Code: "1", Params: 2, Run: func(ctx context.Context, t *flow.Task) error {
		close(started)
		<-ctx.Done()
		close(stopped)
		return ctx.Err()
	}}
	r, err := flow.Run(t.Context(), s, []*flow.Node{node("top", 1, slow, bad)}, flow.Options{Workers: 2})
	<-stopped
	var ne *flow.NodeError
	if !errors.Is(err, boom) || !errors.As(err, &ne) || ne.Name != "fit/bad" || !strings.Contains(err.Error(), "fit/bad") {
		t.Fatalf("error %v", err)
	}
	if r.Ran() != 0 {
		t.Errorf("ran %v", ranNames(r))
	}
}

func TestRun_PanicAndExitAreErrors(t *testing.T) {
	s := open(t, t.TempDir())
	for name, run := range map[string]func(context.Context, *flow.Task) error{
		"panics": func(context.Context, *flow.Task) error { panic("no such column") },
		"exits":  func(context.Context, *flow.Task) error { runtime.Goexit(); return nil },
		"silent": func(context.Context, *flow.Task) error { return nil },
		"twice": func(_ context.Context, t *flow.Task) error {
			w := func(io.Writer) error { return nil }
			return errors.Join(t.Create("x", w), t.Create("x", w))
		},
	} {
		_, err := flow.Run(t.Context(), s, []*flow.Node{{Name: "stage/" + name, Kind: "k", Code: "1", Params: name, Run: run}}, flow.Options{})
		if err == nil || !strings.Contains(err.Error(), "stage/"+name) {
			t.Errorf("%s: error %v", name, err)
		}
		var pe *flow.PanicError
		if name == "panics" && (!errors.As(err, &pe) || !strings.Contains(pe.Stack, "run_test.go")) {
			t.Errorf("%s: error %v has no stack of the stage", name, err)
		}
	}
}

func TestRun_Cancel(t *testing.T) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	n := &flow.Node{Name: "n", Kind: "k", Code: "1", Run: func(ctx context.Context, t *flow.Task) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	_, err := flow.Run(ctx, s, []*flow.Node{node("top", 0, n)}, flow.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
}

func TestRun_RefusesBadGraphs(t *testing.T) {
	s := open(t, t.TempDir())
	cycle := node("a", 1)
	cycle.Inputs = []*flow.Node{node("b", 1, cycle)}
	for _, c := range []struct {
		name, want string
		target     *flow.Node
	}{
		{"cycle", "cycle: a → b → a", cycle},
		{"equal names", "two nodes have the name x", node("top", 1, node("x", 1), node("x", 2))},
		{"nil input", "an input of top is nil", node("top", 1, nil)},
		{"no code", "name, kind, code and run are needed", &flow.Node{Name: "n", Kind: "k", Run: node("x", 1).Run}},
		{"bad parameters", "n: parameters", &flow.Node{Name: "n", Kind: "k", Code: "1", Params: func() {}, Run: node("x", 1).Run}},
	} {
		if _, err := flow.Run(t.Context(), s, []*flow.Node{c.target}, flow.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// load counts what runs at the same time.
type load struct {
	mu              sync.Mutex
	running, most   int
	memory, mostMem int64
	workers         []int
}

func (l *load) node(name string, memory int64, inputs ...*flow.Node) *flow.Node {
	return &flow.Node{Name: name, Kind: "k", Code: "1", Params: name, Memory: memory, Inputs: inputs, Run: func(ctx context.Context, t *flow.Task) error {
		l.mu.Lock()
		l.running++
		l.memory += memory
		l.most, l.mostMem = max(l.most, l.running), max(l.mostMem, l.memory)
		l.workers = append(l.workers, t.Workers)
		l.mu.Unlock()
		time.Sleep(3 * time.Millisecond)
		l.mu.Lock()
		l.running--
		l.memory -= memory
		l.mu.Unlock()
		return t.Create("x", func(w io.Writer) error { _, err := io.WriteString(w, name); return err })
	}}
}

func TestRun_WorkersAndMemory(t *testing.T) {
	for _, c := range []struct {
		name       string
		sizes      []int64
		limit      int64
		most       int
		mostMemory int64
		workers    int // that every stage got
	}{
		{"as many as workers", []int64{1, 1, 1, 1, 1, 1, 1, 1}, 0, 4, 4, 1},
		{"memory holds back", []int64{40, 40, 40, 40, 40, 40}, 100, 2, 80, 1},
		{"small beside large", []int64{90, 90, 10, 10}, 100, 2, 100, 0},
		{"one after another use all workers", []int64{60, 60, 60}, 100, 1, 60, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			var l load
			var targets []*flow.Node
			for i, m := range c.sizes {
				targets = append(targets, l.node(string(rune('a'+i)), m))
			}
			mustRun(t, s, flow.Options{Workers: 4, MemoryLimit: c.limit}, targets...)
			if l.most > c.most || l.mostMem > c.mostMemory {
				t.Errorf("%d ran at once with %d bytes, allowed %d with %d", l.most, l.mostMem, c.most, c.mostMemory)
			}
			for _, w := range l.workers {
				if c.workers != 0 && w != c.workers {
					t.Errorf("workers %v, want %d for each", l.workers, c.workers)
					break
				}
			}
		})
	}
}

func TestRun_AloneGetsAllWorkers(t *testing.T) {
	s := open(t, t.TempDir())
	var l load
	first := l.node("first", 0)
	left, right := l.node("left", 0, first), l.node("right", 0, first)
	mustRun(t, s, flow.Options{Workers: 4}, l.node("last", 0, left, right))
	if want := []int{4, 1, 1, 4}; !slices.Equal(l.workers, want) {
		t.Fatalf("workers %v, want %v", l.workers, want)
	}
}

func TestRun_RefusesWhatCannotFit(t *testing.T) {
	s := open(t, t.TempDir())
	var l load
	big := l.node("big", 200<<20, l.node("small", 1))
	_, err := flow.Run(t.Context(), s, []*flow.Node{big}, flow.Options{MemoryLimit: 100 << 20})
	if err == nil || !strings.Contains(err.Error(), "big expects 200 MiB of memory and the limit is 100 MiB") || l.most != 0 {
		t.Fatalf("error %v after %d stages", err, l.most)
	}
	mustRun(t, s, flow.Options{}, big)
	mustRun(t, s, flow.Options{MemoryLimit: 100 << 20}, big) // cached: nothing has to fit
}

func TestRun_RecomputesLostAndDamaged(t *testing.T) {
	s := open(t, t.TempDir())
	_, _, _, d := diamond(2)
	first := mustRun(t, s, flow.Options{}, d)
	res, _ := first.Result("b")
	o, err := s.Object(res.Outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(o.Path()); err != nil {
		t.Fatal(err)
	}
	if got := ranNames(mustRun(t, s, flow.Options{}, d)); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("ran %v, want b", got)
	}
}

func TestRun_NotesImpureStage(t *testing.T) {
	s := open(t, t.TempDir())
	calls := 0
	n := &flow.Node{Name: "n", Kind: "k", Code: "1", Run: func(ctx context.Context, t *flow.Task) error {
		calls++
		return t.Create("x", func(w io.Writer) error { _, err := io.WriteString(w, strings.Repeat("x", calls)); return err })
	}}
	r := mustRun(t, s, flow.Options{}, n)
	if r.Nodes[0].Note != "" {
		t.Errorf("note %q", r.Nodes[0].Note)
	}
	o, err := s.Object(r.Nodes[0].Outputs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(o.Path()); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, s, flow.Options{}, n); !strings.Contains(r.Nodes[0].Note, "not a pure function") {
		t.Errorf("note %q", r.Nodes[0].Note)
	}
}

func TestRun_Events(t *testing.T) {
	s := open(t, t.TempDir())
	n := node("n", 1)
	run := n.Run
	n.Run = func(ctx context.Context, t *flow.Task) error {
		t.Progress(3, 10, "rounds")
		return run(ctx, t)
	}
	states := func() (all []flow.State) {
		mustRun(t, s, flow.Options{Progress: func(e flow.Event) {
			all = append(all, e.State)
			if e.State == flow.Progress && (e.Node != "n" || e.Done != 3 || e.Total != 10 || e.Note != "rounds") {
				t.Errorf("event %+v", e)
			}
			if want := map[flow.State]int{flow.Ran: 1, flow.Cached: 1}[e.State]; e.NodesDone != want || e.NodesTotal != 1 {
				t.Errorf("event %+v", e)
			}
		}}, n)
		return all
	}
	if got := states(); !slices.Equal(got, []flow.State{flow.Started, flow.Progress, flow.Ran}) {
		t.Errorf("first: %v", got)
	}
	if got := states(); !slices.Equal(got, []flow.State{flow.Cached}) {
		t.Errorf("second: %v", got)
	}
}

func TestNewPlan(t *testing.T) {
	s := open(t, t.TempDir())
	var l load
	bars := l.node("bars", 5)
	mustRun(t, s, flow.Options{}, bars)
	var fits []*flow.Node
	for i, m := range []int64{30, 10, 20} {
		n := l.node(string(rune('a'+i)), m, bars)
		n.Kind = "fit"
		fits = append(fits, n)
	}
	top := l.node("top", 1, fits...)
	for _, c := range []struct {
		workers       int
		limit, memory int64
	}{
		{0, 0, 30}, {1, 0, 30}, {2, 0, 50}, {9, 0, 61},
		{9, 45, 41}, // 30 + 10 + 1: 20 does not fit beside 30
		{2, 20, 30}, // one alone expects more
	} {
		p, err := flow.NewPlan(t.Context(), s, []*flow.Node{top}, c.workers, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if p.Memory != c.memory {
			t.Errorf("%d workers, limit %d: memory %d, want %d", c.workers, c.limit, p.Memory, c.memory)
		}
		want := []flow.PlanKind{{Kind: "k", Cached: 1, Depends: 1}, {Kind: "fit", Run: 3}}
		if p.Cached != 1 || p.Run != 4 || !slices.Equal(p.Kinds, want) {
			t.Errorf("plan %+v", p)
		}
	}
}
