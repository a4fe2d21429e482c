package flow

import (
	"context"
	"runtime"
	"sync"
)

// Job is a node that is ready to run: its inputs are in the store.
type Job struct {
	Key    string
	Name   string
	Kind   string
	Memory int64
	// Do computes the node with that many workers and stores its result. Another
	// process may do it instead, if it builds the same graph: after done is
	// called the result must be in the store under Key.
	Do func(ctx context.Context, workers int) error
}

// Executor decides when and where jobs run. One belongs to one [Run].
type Executor interface {
	// Submit takes jobs in order of preference and returns without waiting for
	// them. done is called once for each job, from any goroutine; a job that has
	// not started when ctx ends is done with its cause.
	Submit(ctx context.Context, jobs []Job, done func(Job, error))
	// Wait returns when every submitted job is done and nothing of the executor
	// runs any more.
	Wait()
}

// Local runs jobs in goroutines of this process: at most one per worker, and
// together within the limit of memory.
type Local struct {
	workers int
	limit   int64

	mu      sync.Mutex
	queue   []queued
	running int
	cores   int   // workers given to running jobs
	memory  int64 // sum over running jobs
	wait    sync.WaitGroup
}

type queued struct {
	ctx  context.Context
	job  Job
	done func(Job, error)
}

// NewLocal returns an executor with that many workers (0: one per processor)
// and that limit for the sum of what the running jobs expect (0: none). A job
// gets one worker, or all of them if no other job runs or can run beside it. A
// job that expects more than the limit runs alone.
func NewLocal(workers int, limit int64) *Local {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &Local{workers: workers, limit: limit}
}

// Submit implements [Executor].
func (l *Local) Submit(ctx context.Context, jobs []Job, done func(Job, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		l.wait.Add(1)
		l.queue = append(l.queue, queued{ctx, j, done})
	}
	l.start()
}

// Wait implements [Executor].
func (l *Local) Wait() { l.wait.Wait() }

// start starts what fits, first come first served; l.mu is held.
func (l *Local) start() {
	var chosen []queued
	rest := l.queue[:0]
	for _, q := range l.queue {
		if l.cores+len(chosen) < l.workers && l.fits(q.job, l.running+len(chosen)) {
			l.memory += q.job.Memory
			chosen = append(chosen, q)
			continue
		}
		rest = append(rest, q)
	}
	clear(l.queue[len(rest):])
	l.queue = rest
	workers := 1
	if l.running == 0 && len(chosen) == 1 {
		workers = l.workers
	}
	l.running += len(chosen)
	l.cores += workers * len(chosen)
	for _, q := range chosen {
		go func() {
			defer l.wait.Done()
			err := context.Cause(q.ctx)
			if err == nil {
				err = q.job.Do(q.ctx, workers)
			}
			l.mu.Lock()
			l.running--
			l.cores -= workers
			l.memory -= q.job.Memory
			l.mu.Unlock()
			// done comes first, so that the jobs it submits are seen by the choice.
			q.done(q.job, err)
			l.mu.Lock()
			l.start()
			l.mu.Unlock()
		}()
	}
}

func (l *Local) fits(j Job, others int) bool {
	return l.limit <= 0 || others == 0 || l.memory+j.Memory <= l.limit
}
