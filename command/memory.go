package command

import (
	"bytes"
	"math"
	"os"
	"strconv"
	"time"
)

// anonymous returns the resident anonymous memory of this process in bytes, and
// whether the system tells it.
func anonymous() (int64, bool) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(line, []byte("RssAnon:"))
		if !ok {
			continue
		}
		f := bytes.Fields(rest)
		if len(f) != 2 || string(f[1]) != "kB" {
			return 0, false
		}
		n, err := strconv.ParseInt(string(f[0]), 10, 64)
		return n << 10, err == nil
	}
	return 0, false
}

// peak samples the anonymous memory until it is stopped.
type peak struct {
	stop chan struct{}
	done chan int64
}

// watchMemory starts to sample.
func watchMemory(every time.Duration) *peak {
	p := &peak{stop: make(chan struct{}), done: make(chan int64, 1)}
	go func() {
		most := int64(0)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			if n, ok := anonymous(); ok {
				most = max(most, n)
			}
			select {
			case <-p.stop:
				p.done <- most
				return
			case <-tick.C:
			}
		}
	}()
	return p
}

// Stop ends the sampling and returns the largest value, 0 where the system does
// not tell.
func (p *peak) Stop() int64 {
	close(p.stop)
	return <-p.done
}

func nan() float64 { return math.NaN() }
