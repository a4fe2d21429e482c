package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mlfactory/mlfactory/model/nn/tape"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// processors lets so many goroutines run at once until the test ends.
func processors(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// Every item of every section is done once, before run returns and in no other
// section, whether members still look for it or sleep already.
func TestCrewDoesEveryItemOnce(t *testing.T) {
	processors(t, 4)
	for _, workers := range []int{1, 2, 4} {
		c := newCrew(workers)
		for section := range 3000 {
			n := section % 9
			done := make([]int, n)
			c.run(n, func(i int) { done[i] = section + 1 })
			for i, d := range done {
				if d != section+1 {
					t.Fatalf("%d workers, section %d: item %d of %d was done in section %d", workers, section, i, n, d-1)
				}
			}
			if section%100 == 0 {
				time.Sleep(2 * attention) // all sleep
			}
		}
		c.dismiss()
	}
}

// The members work: two items that wait for each other end.
func TestCrewWorksAtOnce(t *testing.T) {
	processors(t, 2)
	c := newCrew(2)
	defer c.dismiss()
	for range 20 {
		var met [2]chan struct{}
		for i := range met {
			met[i] = make(chan struct{})
		}
		c.run(2, func(i int) {
			close(met[i])
			<-met[1-i]
		})
		time.Sleep(2 * attention)
	}
}

// Somebody who ends long before the others sleeps and is woken.
func TestCrewWaitsForSlowItems(t *testing.T) {
	processors(t, 2)
	c := newCrew(2)
	defer c.dismiss()
	for k := range 10 {
		var done atomic.Int32
		c.run(2, func(i int) {
			if i == k%2 {
				time.Sleep(10 * attention)
			}
			done.Add(1)
		})
		if done.Load() != 2 {
			t.Fatal("a section ended before its items")
		}
	}
}

// While nothing is to be done, nobody looks for it for long.
func TestCrewSleeps(t *testing.T) {
	processors(t, 3)
	c := newCrew(3)
	defer c.dismiss()
	for range 3 {
		c.run(9, func(int) {})
		for wait := time.Now(); c.asleep.Load() < 2; time.Sleep(attention) {
			if time.Since(wait) > 10*time.Second {
				t.Fatalf("%d of 2 members sleep", c.asleep.Load())
			}
		}
	}
}

// A crew is no larger than what can run at once.
func TestCrewIsNoLargerThanTheProcessors(t *testing.T) {
	processors(t, 1)
	if c := newCrew(8); c != nil {
		c.dismiss()
		t.Error("a crew that can only work in turn")
	}
}

// A panic of any item becomes one of run, and the crew can still be dismissed.
func TestCrewPanics(t *testing.T) {
	processors(t, 3)
	for at := range 6 {
		c := newCrew(3)
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, fmt.Sprintf("item %d is odd", at)) || !strings.Contains(p, "TestCrewPanics") {
					t.Errorf("item %d: %q", at, p)
				}
			}()
			c.run(6, func(i int) {
				if i == at {
					panic(fmt.Sprintf("item %d is odd", i))
				}
			})
		}()
		c.dismiss()
	}
}

// bursting panics from a call of Logits on.
type bursting struct {
	*small
	calls atomic.Int32
	from  int32
}

func (n *bursting) Logits(t *tape.Tape, in *Batch) *tape.Tensor {
	if n.calls.Add(1) > n.from {
		panic("burst")
	}
	return n.small.Logits(t, in)
}

// failing is a checkpoint that keeps nothing.
type failing struct{}

func (failing) Load(string) ([]byte, error) { return nil, nil }
func (failing) Save(string, []byte) error   { return errors.New("full") }

// However a fit ends, its crew ends with it.
func TestCrewEndsWithTheFit(t *testing.T) {
	processors(t, 3)
	cfg := config()
	cfg.Epochs = 3
	train, stop := exclusive(500, 1), exclusive(100, 2)
	poisoned := exclusive(300, 1)
	poisoned.Source.(rowsOf)[17][0] = float32(math.NaN())
	for _, c := range []struct {
		name string
		fit  func() error
		want string
	}{
		{"it succeeds", func() error {
			_, err := Fit(context.Background(), env(3), cfg, newSmall(6, 1), 2, train, stop)
			return err
		}, ""},
		{"cancelled", func() error {
			ctx, cancel := context.WithCancel(context.Background())
			e := env(3)
			e.Progress = func(int, int, string) { cancel() }
			_, err := Fit(ctx, e, cfg, newSmall(6, 1), 2, train, stop)
			return err
		}, "canceled"},
		{"diverged", func() error {
			_, err := Fit(context.Background(), env(3), cfg, newSmall(6, 1), 2, poisoned, stop)
			return err
		}, "finite"},
		{"nothing can be kept", func() error {
			e := env(3)
			e.Checkpoint = failing{}
			_, err := Fit(context.Background(), e, cfg, newSmall(6, 1), 2, train, stop)
			return err
		}, "full"},
		{"a shard panics", func() (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			_, err = Fit(context.Background(), env(3), cfg, &bursting{small: newSmall(6, 1), from: 9}, 2, train, stop)
			return err
		}, "burst"},
		{"progress panics", func() (err error) {
			defer func() { err = fmt.Errorf("%v", recover()) }()
			e := env(3)
			e.Progress = func(int, int, string) { panic("no terminal") }
			_, err = Fit(context.Background(), e, cfg, newSmall(6, 1), 2, train, stop)
			return err
		}, "no terminal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			err := c.fit()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
}

// Members that share a processor, sleep or look give the same bytes, with and
// without a limit on the gradient.
func TestWeightsDoNotDependOnTheCrew(t *testing.T) {
	for _, clip := range []float64{0, 0.05} {
		var want []float32
		for _, procs := range []int{1, 2, 4} {
			processors(t, procs)
			for _, workers := range []int{1, 2, 4} {
				n := newSmall(5000, 1) // several pieces
				c := config()
				c.Epochs, c.Batch, c.ClipNorm, c.EMA = 2, 200, clip, 0.9
				e := env(workers)
				e.Progress = func(int, int, string) { time.Sleep(3 * attention) }
				if _, err := Fit(context.Background(), e, c, n, 2, exclusive(300, 1), exclusive(70, 2)); err != nil {
					t.Fatal(err)
				}
				if got := weights(n); want != nil && !slices.Equal(got, want) {
					t.Fatalf("%d workers on %d processors: other weights", workers, procs)
				} else {
					want = got
				}
			}
		}
	}
}
