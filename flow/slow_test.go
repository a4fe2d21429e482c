//go:build slow

package flow_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/flow"
)

// TestKill_Often kills processes 210 times, seven in each of 30 fresh folders, so
// that every phase is hit: making the folder, the stages, the run folder.
func TestKill_Often(t *testing.T) {
	const pause = 8 * time.Millisecond
	want, whole := undisturbed(t, pause)
	for round := range 30 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			killAndFinish(t, want, whole, uint64(round+1), 7, pause)
		})
	}
}

// TestSecondRun_Fast: 2,000 stages that are all there are looked up in less
// than a second.
func TestSecondRun_Fast(t *testing.T) {
	s := open(t, t.TempDir())
	graph := func() *flow.Node {
		layer := []*flow.Node{node("bars", 0)}
		n := 0
		for range 20 {
			var next []*flow.Node
			for range 100 {
				n++
				next = append(next, node(fmt.Sprintf("fit/%d", n), n, layer[n%len(layer)]))
			}
			layer = next
		}
		return node("stack", 0, layer...)
	}
	start := time.Now()
	first := mustRun(t, s, flow.Options{Workers: 2}, graph())
	t.Logf("%d stages ran in %v", first.Ran(), time.Since(start))
	least := time.Hour // other work on the machine only adds to it
	for k := range 3 {
		start = time.Now()
		a, err := s.BeginRun(context.Background(), fmt.Sprintf("r%d", k), nil)
		if err != nil {
			t.Fatal(err)
		}
		again := mustRun(t, s, flow.Options{Workers: 2, Attempt: a}, graph())
		if err := a.Finish(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		least = min(least, took)
		t.Logf("%d stages found in %v", len(again.Nodes), took)
		if again.Ran() != 0 {
			t.Errorf("%d stages ran", again.Ran())
		}
	}
	if least > time.Second {
		t.Errorf("2,000 stages were found in %v at best, more than a second", least)
	}
}
