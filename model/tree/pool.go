package tree

import (
	"sync"
	"sync/atomic"
)

// pool runs work on a fixed number of goroutines. Work is divided by index,
// so that what is computed does not depend on the number.
type pool struct{ workers int }

func newPool(workers int) *pool { return &pool{workers: max(1, workers)} }

// run calls f(w) for every worker and waits. If parallel is false the calls
// happen one after the other on this goroutine: starting goroutines for little
// work costs more than it saves.
func (p *pool) run(parallel bool, f func(w int)) {
	if p.workers == 1 || !parallel {
		for w := range p.workers {
			f(w)
		}
		return
	}
	var wg sync.WaitGroup
	for w := 1; w < p.workers; w++ {
		wg.Go(func() { f(w) })
	}
	f(0)
	wg.Wait()
}

// each calls f on up to n goroutines; next hands out the indices 0 to n−1, and
// then numbers ≥ n.
func (p *pool) each(n int, f func(next func() int)) {
	var at atomic.Int64
	next := func() int { return int(at.Add(1)) - 1 }
	k := min(p.workers, n)
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
