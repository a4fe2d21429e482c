package core

import (
	"sync"
	"sync/atomic"
)

// Pool runs work on a fixed number of goroutines. Work is divided by index,
// so that what is computed does not depend on the number.
type Pool struct{ Workers int }

// NewPool is a pool of at least one worker.
func NewPool(workers int) *Pool { return &Pool{Workers: max(1, workers)} }

// Run calls f(w) for every worker and waits. If parallel is false the calls
// happen one after the other on this goroutine: starting goroutines for little
// work costs more than it saves.
func (p *Pool) Run(parallel bool, f func(w int)) {
	if p.Workers == 1 || !parallel {
		for w := range p.Workers {
			f(w)
		}
		return
	}
	var wg sync.WaitGroup
	for w := 1; w < p.Workers; w++ {
		wg.Go(func() { f(w) })
	}
	f(0)
	wg.Wait()
}

// Each calls f on up to n goroutines; next hands out the indices 0 to n−1, and
// then numbers ≥ n.
func (p *Pool) Each(n int, f func(next func() int)) {
	var at atomic.Int64
	next := func() int { return int(at.Add(1)) - 1 }
	k := min(p.Workers, n)
	if k <= 1 {
		f(next)
		return
	}
	var wg sync.WaitGroup
	for range k - 1 {
		wg.Go(func() { f(next) })
	}
	f(next)
	wg.Wait()
}
