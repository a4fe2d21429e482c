package core

import (
	"runtime"
	"sync/atomic"
)

// Pool runs work on a fixed number of goroutines. Work is divided by index,
// so that what is computed does not depend on the number.
//
// A tree is hundreds of short pieces of work, and waking a goroutine costs
// about as much as one of them. So helpers stay for a moment after each piece,
// looking for the next, and leave when none comes: a pool needs no closing. The
// caller takes part, and does alone what helpers are too late for. One
// goroutine at a time uses a pool; work that itself runs on its pool is done by
// the goroutine that asks.
type Pool struct {
	Workers int
	helpers int32 // most goroutines beside the caller
	work    atomic.Pointer[work]
	alive   atomic.Int32
	waiting atomic.Bool
	done    chan struct{} // wakes the caller if it waits
}

// work is one call of Run: claims hands out the workers' numbers, left counts
// those that are not done.
type work struct {
	f            func(w int)
	n            int32
	claims, left atomic.Int32
}

// Turns of a loop that looks for work or for the end of work: a helper leaves
// after some 50 µs, a caller goes to sleep after as long.
const (
	lingerTurns = 15
	turnLoads   = 4000
)

// NewPool is a pool of at least one worker.
func NewPool(workers int) *Pool {
	p := &Pool{Workers: max(1, workers), done: make(chan struct{}, 1)}
	p.helpers = int32(min(p.Workers, runtime.GOMAXPROCS(0)) - 1) // #nosec G115 -- a number of threads
	return p
}

// Run calls f(w) for every worker and waits. If parallel is false the calls
// happen one after the other on this goroutine: work of a few microseconds is
// not worth dividing. No call may wait for another.
func (p *Pool) Run(parallel bool, f func(w int)) {
	if p.helpers == 0 || !parallel {
		for w := range p.Workers {
			f(w)
		}
		return
	}
	k := &work{f: f, n: int32(p.Workers)} // #nosec G115
	k.left.Store(k.n)
	if !p.work.CompareAndSwap(nil, k) { // called from work of this pool
		for w := range p.Workers {
			f(w)
		}
		return
	}
	for p.alive.Load() < p.helpers {
		p.alive.Add(1)
		go p.help()
	}
	p.take(k)
	p.wait(k)
	p.work.Store(nil)
}

// take calls f for the workers that nobody has claimed.
func (p *Pool) take(k *work) {
	for w := k.claims.Add(1) - 1; w < k.n; w = k.claims.Add(1) - 1 {
		k.f(int(w))
		if k.left.Add(-1) == 0 && p.waiting.CompareAndSwap(true, false) {
			p.done <- struct{}{}
		}
	}
}

// wait returns once all calls of k have: it looks for a while, then sleeps.
func (p *Pool) wait(k *work) {
	for range lingerTurns {
		for range turnLoads {
			if k.left.Load() == 0 {
				return
			}
		}
		runtime.Gosched()
	}
	p.waiting.Store(true)
	if k.left.Load() == 0 && p.waiting.CompareAndSwap(true, false) {
		return
	}
	<-p.done
}

// help is a helper: it takes part in what it finds.
func (p *Pool) help() {
	var last *work
	for {
		for turn := 0; turn < lingerTurns; turn++ {
			for range turnLoads {
				if k := p.work.Load(); k != nil && k != last {
					p.take(k)
					last, turn = k, 0
				}
			}
			runtime.Gosched()
		}
		p.alive.Add(-1)
		// Work that came meanwhile may have counted on this helper.
		if k := p.work.Load(); k == nil || k == last {
			return
		}
		p.alive.Add(1)
	}
}

// Each calls f on up to n goroutines; next hands out the indices 0 to n−1, and
// then numbers ≥ n.
func (p *Pool) Each(n int, f func(next func() int)) {
	var at atomic.Int64
	next := func() int { return int(at.Add(1)) - 1 }
	if min(p.Workers, n) <= 1 {
		f(next)
		return
	}
	p.Run(true, func(int) {
		if int(at.Load()) < n {
			f(next)
		}
	})
}
