package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/mlfactory/mlfactory/store"
)

// Options say how a graph is run. None changes a result.
type Options struct {
	Workers     int            // of the default executor: goroutines that compute at once; 0: one per processor
	MemoryLimit int64          // for the sum of what the running nodes expect, in bytes; 0: none
	Progress    func(Event)    // called for one event at a time, from any goroutine; it must not block
	Executor    Executor       // nil: NewLocal(Workers, MemoryLimit)
	Attempt     *store.Attempt // the attempt at a run that the results are recorded for; nil: none
	Log         *slog.Logger   // nil: discarded
}

// State says what happened to a node.
type State string

// States of an [Event].
const (
	Cached   State = "cached"  // its result was there, or another process made it
	Started  State = "started" // it began to run
	Waiting  State = "waiting" // another process computes it
	Progress State = "progress"
	Ran      State = "ran" // it has run
	Failed   State = "failed"
)

// Event is one step of a running graph.
type Event struct {
	Node, Kind  string
	State       State
	Done, Total int64   // of Progress
	Note        string  // of Progress and Failed
	Seconds     float64 // of Ran
	NodesDone   int     // of the graph
	NodesTotal  int
}

// NodeReport is what became of one node.
type NodeReport struct {
	Name    string         `json:"name"`
	Kind    string         `json:"kind"`
	Key     string         `json:"key,omitempty"`    // empty if its inputs were not done
	Status  string         `json:"status,omitempty"` // store.StageCached or store.StageRan; empty if it was not done
	Seconds float64        `json:"seconds"`          // log: how long it ran
	Outputs []store.Output `json:"outputs,omitempty"`
	Note    string         `json:"note,omitempty"` // what is odd about it
}

// Report is what became of a graph, nodes after their inputs.
type Report struct {
	Nodes []NodeReport `json:"nodes"`
}

// Ran counts the nodes that were computed.
func (r *Report) Ran() int {
	n := 0
	for _, v := range r.Nodes {
		if v.Status == store.StageRan {
			n++
		}
	}
	return n
}

// Result returns the result of the node of that name, if it is done.
func (r *Report) Result(name string) (Result, bool) {
	for _, v := range r.Nodes {
		if v.Name == name && v.Status != "" {
			return Result{Key: v.Key, Outputs: v.Outputs}, true
		}
	}
	return Result{}, false
}

// NodeError is a failure of one node.
type NodeError struct {
	Name string
	Key  string
	Err  error
}

func (e *NodeError) Error() string { return "flow: " + e.Name + ": " + e.Err.Error() }

// Unwrap returns what went wrong.
func (e *NodeError) Unwrap() error { return e.Err }

// Run computes the targets and all that they need, except what the store has.
// It returns when nothing of it runs any more. The report is never nil; after
// an error it tells how far the graph came. Of several failures, that of the
// first node in the report's order is returned.
func Run(ctx context.Context, s *store.Store, targets []*Node, opts Options) (*Report, error) {
	all, err := graph(targets)
	if err != nil {
		return &Report{}, err
	}
	release, err := s.Hold(ctx)
	if err != nil {
		return &Report{}, err
	}
	r := newRunner(s, all, opts)
	err = r.checkMemory(ctx)
	if err == nil {
		err = r.run(ctx)
	}
	if opts.Attempt != nil {
		err = errors.Join(err, opts.Attempt.Use(context.WithoutCancel(ctx), r.cachedUses()))
	}
	return r.report, errors.Join(err, release())
}

// message tells the coordinator about a node that was submitted.
type message struct {
	index int
	err   error
	retry bool // another process had it and did not make it: submit it again
}

// errBusy: another process computes the key.
var errBusy = errors.New("computed by another process")

// runner is one call of Run. Its coordinator goroutine owns everything but what
// says otherwise.
type runner struct {
	store    *store.Store
	all      []*vertex
	opts     Options
	executor Executor
	report   *Report
	results  []Result
	missing  []int            // inputs that are not done, per node
	first    map[string]int   // by key: the node that was submitted for it
	twins    map[string][]int // by key: nodes that wait for that one
	flying   int              // submitted or waited for
	messages chan message
	seconds  []float64 // written by the job, read after its message
	ran      []bool    // likewise
	notes    []string  // likewise
	failed   int       // lowest failed node, or -1
	failure  error

	mu   sync.Mutex // guards done and calls of opts.Progress
	done int
}

func newRunner(s *store.Store, all []*vertex, opts Options) *runner {
	n := len(all)
	r := &runner{
		store: s, all: all, opts: opts, executor: opts.Executor, report: &Report{Nodes: make([]NodeReport, n)},
		results: make([]Result, n), missing: make([]int, n), first: map[string]int{}, twins: map[string][]int{},
		messages: make(chan message, n), seconds: make([]float64, n), ran: make([]bool, n), notes: make([]string, n), failed: -1,
	}
	if r.executor == nil {
		r.executor = NewLocal(opts.Workers, opts.MemoryLimit)
	}
	if r.opts.Log == nil {
		r.opts.Log = slog.New(slog.DiscardHandler)
	}
	for i, v := range all {
		r.report.Nodes[i] = NodeReport{Name: v.Name, Kind: v.Kind}
	}
	return r
}

// checkMemory refuses a graph of which a node that may have to run cannot fit.
func (r *runner) checkMemory(ctx context.Context) error {
	if r.opts.MemoryLimit <= 0 {
		return nil
	}
	p, err := plan(ctx, r.store, r.all)
	if err != nil {
		return err
	}
	for _, n := range p.Nodes {
		if n.Status != PlanCached && n.Memory > r.opts.MemoryLimit {
			return fmt.Errorf("flow: %s expects %d MiB of memory and the limit is %d MiB: raise the limit or make the stage smaller", n.Name, n.Memory>>20, r.opts.MemoryLimit>>20)
		}
	}
	return nil
}

func (r *runner) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	var ready []int
	for i, v := range r.all {
		seen := map[int]bool{}
		for _, in := range v.inputs {
			seen[in] = true
		}
		if r.missing[i] = len(seen); r.missing[i] == 0 {
			ready = append(ready, i)
		}
	}
	r.advance(ctx, cancel, ready)
	for r.flying > 0 {
		m := <-r.messages
		switch {
		case m.retry:
			r.submit(ctx, []int{m.index})
		case errors.Is(m.err, errBusy):
			r.await(ctx, m.index)
		default:
			r.flying--
			r.finish(ctx, cancel, m)
		}
	}
	r.executor.Wait()
	if r.failure != nil {
		return r.failure
	}
	if err := context.Cause(parent); err != nil {
		return fmt.Errorf("flow: stopped: %w", err)
	}
	return nil
}

// advance takes nodes whose inputs are done: it gives them keys, passes over
// those whose results are there (and on to who waits for them) and submits the
// rest together.
func (r *runner) advance(ctx context.Context, cancel context.CancelCauseFunc, ready []int) {
	var jobs []int
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		v := r.all[i]
		inputs := make([]Result, len(v.inputs))
		for k, in := range v.inputs {
			inputs[k] = r.results[in]
		}
		key := keyOf(v.Node, v.params, inputs)
		r.results[i].Key, r.report.Nodes[i].Key = key, key
		outs, ok, err := r.store.Ready(ctx, key)
		switch {
		case err != nil:
			r.fail(ctx, cancel, i, err)
		case ok:
			ready = append(ready, r.complete(i, outs)...)
		default:
			if _, taken := r.first[key]; taken {
				r.twins[key] = append(r.twins[key], i)
				continue
			}
			r.first[key] = i
			jobs = append(jobs, i)
		}
	}
	r.flying += len(jobs)
	r.submit(ctx, jobs)
}

// submit hands nodes to the executor, those with the longest way to go first.
func (r *runner) submit(ctx context.Context, nodes []int) {
	slices.SortStableFunc(nodes, func(a, b int) int { return r.all[b].height - r.all[a].height })
	jobs := make([]Job, len(nodes))
	index := make(map[string]int, len(nodes))
	for k, i := range nodes {
		v := r.all[i]
		inputs := make([]Result, len(v.inputs))
		for k, in := range v.inputs {
			inputs[k] = r.results[in]
		}
		key := r.results[i].Key
		index[key] = i
		jobs[k] = Job{Key: key, Name: v.Name, Kind: v.Kind, Memory: v.Memory, Do: func(ctx context.Context, workers int) error {
			return r.do(ctx, v, key, inputs, workers)
		}}
	}
	if len(jobs) > 0 {
		r.executor.Submit(ctx, jobs, func(j Job, err error) {
			r.messages <- message{index: index[j.Key], err: err}
		})
	}
}

// await waits, outside the executor, for the process that computes a node.
func (r *runner) await(ctx context.Context, i int) {
	r.event(Event{Node: r.all[i].Name, Kind: r.all[i].Kind, State: Waiting}, 0)
	go func() {
		l, err := r.store.Lock(ctx, r.results[i].Key)
		if err != nil {
			r.messages <- message{index: i, err: err}
			return
		}
		_, ok, err := r.store.Ready(ctx, r.results[i].Key)
		err = errors.Join(err, l.Release())
		r.messages <- message{index: i, err: err, retry: err == nil && !ok}
	}()
}

// do computes one node under the lock of its key. It runs in the executor.
func (r *runner) do(ctx context.Context, v *vertex, key string, inputs []Result, workers int) (err error) {
	l, err := r.store.TryLock(key)
	if err != nil {
		return err
	}
	if l == nil {
		return errBusy
	}
	defer func() { err = errors.Join(err, l.Release()) }()
	if _, ok, err := r.store.Ready(ctx, key); ok || err != nil {
		return err
	}
	r.event(Event{Node: v.Name, Kind: v.Kind, State: Started}, 0)
	t := &Task{
		Workers: workers, Log: r.opts.Log.With("node", v.Name), ctx: ctx, node: v.Node, key: key, store: r.store, inputs: inputs,
		progress: func(done, total int64, note string) {
			r.event(Event{Node: v.Name, Kind: v.Kind, State: Progress, Done: done, Total: total, Note: note}, 0)
		},
	}
	start := time.Now()
	if err := call(ctx, v.Run, t); err != nil {
		return err
	}
	if len(t.outputs) == 0 {
		return errors.New("it wrote no output, so there is nothing to keep")
	}
	r.seconds[v.index] = time.Since(start).Seconds()
	res := store.Result{Key: key, Name: v.Name, Kind: v.Kind, Code: v.Code, Params: string(v.params), Outputs: t.outputs, Seconds: r.seconds[v.index]}
	for _, in := range inputs {
		res.Inputs = append(res.Inputs, in.Key)
	}
	// The work is done: keep it even if the rest has been stopped meanwhile.
	changed, err := r.store.SaveResult(context.WithoutCancel(ctx), res, r.opts.Attempt)
	if err != nil {
		return err
	}
	if changed {
		r.notes[v.index] = "recomputed with other outputs than before: the stage is not a pure function of its key"
		t.Log.Warn(r.notes[v.index], "key", key)
	}
	r.ran[v.index] = true
	return r.store.DropStates(key)
}

// call runs a stage function and turns whatever it does into an error.
func call(ctx context.Context, run func(context.Context, *Task) error, t *Task) (err error) {
	returned := make(chan struct{})
	go func() { // of its own, so that even runtime.Goexit only ends this
		defer close(returned)
		err = errExited
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: string(debug.Stack())}
				t.Log.Error("panic", "value", v, "stack", err.(*PanicError).Stack)
			}
		}()
		err = run(ctx, t)
	}()
	<-returned
	return err
}

// finish takes a node's end from its message.
func (r *runner) finish(ctx context.Context, cancel context.CancelCauseFunc, m message) {
	key := r.results[m.index].Key
	twins := r.twins[key]
	delete(r.twins, key)
	delete(r.first, key)
	if m.err != nil {
		r.fail(ctx, cancel, m.index, m.err)
		return
	}
	outs, ok, err := r.store.Ready(context.WithoutCancel(ctx), key)
	if err == nil && !ok {
		err = errors.New("the executor reported it done and its result is not in the store, or was damaged at once")
	}
	if err != nil {
		r.fail(ctx, cancel, m.index, err)
		return
	}
	ready := r.complete(m.index, outs)
	for _, t := range twins {
		ready = append(ready, r.complete(t, outs)...)
	}
	if context.Cause(ctx) == nil {
		r.advance(ctx, cancel, ready)
	}
}

// complete records a node's result and returns the nodes that have now all
// their inputs.
func (r *runner) complete(i int, outs []store.Output) (ready []int) {
	r.results[i].Outputs = outs
	n := &r.report.Nodes[i]
	n.Outputs, n.Status, n.Note = outs, store.StageCached, r.notes[i]
	e := Event{Node: n.Name, Kind: n.Kind, State: Cached}
	if r.ran[i] {
		n.Status, n.Seconds = store.StageRan, r.seconds[i]
		e.State, e.Seconds = Ran, n.Seconds
	}
	r.event(e, 1)
	for _, reader := range r.all[i].readers {
		if r.missing[reader]--; r.missing[reader] == 0 {
			ready = append(ready, reader)
		}
	}
	return ready
}

// fail records a failure and stops the rest. What only ended because the rest
// was stopped is no failure.
func (r *runner) fail(ctx context.Context, cancel context.CancelCauseFunc, i int, err error) {
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, cause) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return
	}
	ne := &NodeError{Name: r.all[i].Name, Key: r.results[i].Key, Err: err}
	if r.failed < 0 || i < r.failed {
		r.failed, r.failure = i, ne
	}
	r.event(Event{Node: r.all[i].Name, Kind: r.all[i].Kind, State: Failed, Note: err.Error()}, 0)
	cancel(ne)
}

func (r *runner) event(e Event, done int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done += done
	e.NodesDone, e.NodesTotal = r.done, len(r.all)
	if r.opts.Progress != nil {
		r.opts.Progress(e)
	}
}

// cachedUses lists the nodes whose results were used without running them.
func (r *runner) cachedUses() []store.Use {
	var uses []store.Use
	for _, n := range r.report.Nodes {
		if n.Status == store.StageCached {
			uses = append(uses, store.Use{Name: n.Name, Key: n.Key, Status: n.Status})
		}
	}
	return uses
}
