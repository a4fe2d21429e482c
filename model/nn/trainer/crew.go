package trainer

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A crew is the goroutines that work beside the one that fits, from the start of a
// fit to its end. A step has sections of some hundred microseconds, and waking a
// goroutine that sleeps takes as long as a part of one: so those that wait look for
// the next section for a while before they sleep. A nil crew has nobody: its caller
// works alone.
//
// Items of a section are begun in order, each by whoever is free, so nothing may
// depend on who that is.
type crew struct {
	do    func(item int) // of the section at work; the items that are open hold it
	items int
	// section is the number of the section in its upper half, and in its lower half
	// how many of its items nobody has begun: whoever takes one off has begun an item
	// of that very section, however late it was read.
	section atomic.Uint64
	open    atomic.Int64 // items that are not done

	asleep atomic.Int32  // members that sleep and were not called
	call   chan struct{} // for each that was
	waits  atomic.Bool   // the caller sleeps until all is done
	done   chan struct{}

	over    atomic.Bool
	members sync.WaitGroup
	failed  atomic.Pointer[string]
}

// attention is how long somebody who waits looks for what they wait for before they
// sleep: about what it takes to fall asleep and to be woken. Something serial that
// takes long, as the end of an epoch does, costs no more than this.
const attention = 150 * time.Microsecond

// newCrew is a crew that works with up to the given number of goroutines, the
// caller's among them, if so many can run at once. Somebody must dismiss it.
func newCrew(workers int) *crew {
	workers = min(workers, runtime.GOMAXPROCS(0))
	if workers < 2 {
		return nil
	}
	c := &crew{call: make(chan struct{}, workers), done: make(chan struct{}, 1)}
	for range workers - 1 {
		c.members.Go(c.serve)
	}
	return c
}

// run calls do for 0 to n−1 and returns when all have returned. If one panics, run
// panics, and items that nobody had begun are left out.
func (c *crew) run(n int, do func(item int)) {
	if c == nil || n < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	c.do, c.items = do, n
	c.open.Store(int64(n))
	c.section.Store((c.section.Load()>>32+1)<<32 | uint64(n))
	c.rouse()
	c.work()
	if !look(func() bool { return c.open.Load() == 0 }) {
		for c.open.Load() > 0 {
			c.waits.Store(true)
			if c.open.Load() > 0 || !c.waits.CompareAndSwap(true, false) {
				<-c.done // perhaps from somebody late, about the section before
			}
		}
	}
	c.do = nil
	if p := c.failed.Load(); p != nil {
		panic(*p)
	}
}

// work takes items until none is left.
func (c *crew) work() {
	for {
		v := c.section.Load()
		left := int(uint32(v))
		if left == 0 {
			return
		}
		if c.section.CompareAndSwap(v, v-1) {
			c.one(c.items - left)
		}
	}
}

// one does an item.
func (c *crew) one(item int) {
	defer func() {
		if p := recover(); p != nil {
			text := fmt.Sprintf("%v\n\n%s", p, debug.Stack())
			c.failed.CompareAndSwap(nil, &text)
		}
		if c.open.Add(-1) == 0 && c.waits.CompareAndSwap(true, false) {
			c.done <- struct{}{}
		}
	}()
	if c.failed.Load() == nil {
		c.do(item)
	}
}

// serve is the life of a member.
func (c *crew) serve() {
	ready := func() bool { return uint32(c.section.Load()) > 0 || c.over.Load() }
	for !c.over.Load() {
		if !look(ready) {
			c.asleep.Add(1)
			// Whoever began a section meanwhile has seen the sleeper, or is seen here.
			if !ready() || !c.rise() {
				<-c.call
			}
		}
		c.work()
	}
}

// rise takes back that a member sleeps, unless it was called already.
func (c *crew) rise() bool {
	for {
		n := c.asleep.Load()
		if n == 0 {
			return false
		}
		if c.asleep.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// rouse calls all that sleep.
func (c *crew) rouse() {
	if c.asleep.Load() == 0 {
		return
	}
	for range c.asleep.Swap(0) {
		c.call <- struct{}{}
	}
}

// dismiss ends the crew and returns when nobody is left.
func (c *crew) dismiss() {
	if c == nil {
		return
	}
	c.over.Store(true)
	c.rouse()
	c.members.Wait()
}

// look waits for ready without sleeping and reports whether it became so in time.
func look(ready func() bool) bool {
	for start := time.Now(); ; {
		for range 32 {
			if ready() {
				return true
			}
		}
		if time.Since(start) > attention {
			return false
		}
	}
}
