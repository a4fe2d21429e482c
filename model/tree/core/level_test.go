package core

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/internal/simd/hist"
	"github.com/mlfactory/mlfactory/view"
)

// eightProcs lets pools have helpers on any machine.
func eightProcs(t *testing.T) {
	old := runtime.GOMAXPROCS(8)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

func TestPoolCallsEveryWorkerOnce(t *testing.T) {
	eightProcs(t)
	for _, workers := range []int{1, 2, 3, 8} {
		p := NewPool(workers)
		for range 2000 { // often enough for helpers to come, stay and leave
			calls := make([]int, workers)
			p.Run(true, func(w int) { calls[w]++ })
			for w, n := range calls {
				if n != 1 {
					t.Fatalf("%d workers: worker %d was called %d times", workers, w, n)
				}
			}
		}
		var mu sync.Mutex
		seen := make([]int, 100)
		p.Each(len(seen), func(next func() int) {
			for i := next(); i < len(seen); i = next() {
				mu.Lock()
				seen[i]++
				mu.Unlock()
			}
		})
		if slices.Min(seen) != 1 || slices.Max(seen) != 1 {
			t.Errorf("%d workers: Each handed out %v", workers, seen)
		}
		n := 0
		p.Run(true, func(w int) { // work that runs on its own pool
			p.Run(true, func(int) {
				mu.Lock()
				n++
				mu.Unlock()
			})
		})
		if n != workers*workers {
			t.Errorf("%d workers: %d calls from within, want %d", workers, n, workers*workers)
		}
	}
}

// levelData is a matrix of n rows and p columns with missing values, of which
// the rows listed take part.
func levelData(t *testing.T, n, p int, wide, all bool, workers int) *Histograms {
	r := rand.New(rand.NewPCG(uint64(n), uint64(p)))
	x := view.NewTable(n, make([]string, p))
	for i := range x.Data {
		if x.Data[i] = float32(r.IntN(40 + i%300)); r.IntN(20) == 0 {
			x.Data[i] = float32(math.NaN())
		}
	}
	m, err := NewMatrix(x, nil, nil, EqualWeight(63), NewPool(1))
	if err != nil {
		t.Fatal(err)
	}
	g := NewHistograms(m, NewPool(workers))
	g.Ascending, g.GH = true, make([]uint64, n)
	if wide {
		g.H = make([]uint64, n)
	}
	for i := range n {
		g.GH[i] = hist.Pack(int64(r.IntN(2001))-1000, int64(r.IntN(1000)))
		if wide {
			g.H[i] = r.Uint64() >> 30
		}
		if all || r.IntN(4) > 0 {
			g.Idx = append(g.Idx, uint32(i))
		}
	}
	return g
}

// Every division of the work gives the sums of a plain loop, and every block of
// every job is reported once, when it is complete.
func TestBuildAllAgainstAPlainLoop(t *testing.T) {
	eightProcs(t)
	for _, c := range []struct {
		n, p      int
		wide, all bool
	}{{300, 3, false, true}, {30000, 20, false, false}, {30000, 20, false, true}, {20000, 13, true, true}, {20000, 13, true, false}, {12000, 150, false, false}} {
		for _, workers := range []int{1, 2, 8} {
			for _, path := range []simd.Path{simd.Generic, simd.Best()} {
				simd.Force(t, path)
				g := levelData(t, c.n, c.p, c.wide, c.all, workers)
				n := len(g.Idx)
				for _, cuts := range [][]int{{0, n}, {0, n / 50, n / 50, n / 2, n/2 + 1, n}} {
					var jobs []Job
					for i := 1; i < len(cuts); i++ {
						jobs = append(jobs, Job{cuts[i-1], cuts[i], g.Slot()})
						held := g.At(jobs[i-1].Slot) // what a slot holds is undefined
						for b := range held {
							held[b][3*hist.Lanes+b%hist.Lanes] = 7
						}
					}
					var mu sync.Mutex
					count := make([][]int, len(jobs))
					for i := range count {
						count[i] = make([]int, g.M.Blocks)
					}
					g.BuildAll(jobs, func(job, from, to int) {
						h := g.At(jobs[job].Slot)
						for b := from; b < to; b++ {
							var want, wantH hist.Block
							for _, row := range g.Idx[jobs[job].Lo:jobs[job].Hi] {
								for k := range min(hist.Lanes, c.p-b*hist.Lanes) {
									bin := int(g.M.Col[b*hist.Lanes+k][row])*hist.Lanes + k
									want[bin] += g.GH[row]
									if c.wide {
										wantH[bin] += g.H[row]
									}
								}
							}
							for i := range g.M.BlockBins[b] * hist.Lanes {
								if b*hist.Lanes+i%hist.Lanes >= c.p { // what absent features hold is of no concern
									continue
								}
								if h[b][i] != want[i] || c.wide && g.Wide(h)[b][i] != wantH[i] {
									t.Errorf("%+v, %d workers, job %d, block %d: entry %d differs", c, workers, job, b, i)
									return
								}
							}
							mu.Lock()
							count[job][b]++
							mu.Unlock()
						}
					})
					for i := range count {
						if slices.Min(count[i]) != 1 || slices.Max(count[i]) != 1 {
							t.Errorf("%+v, %d workers, job %d: blocks were reported %v times", c, workers, i, count[i])
						}
						g.Release(jobs[i].Slot)
					}
				}
				if len(g.free) != len(g.slots) {
					t.Errorf("%+v, %d workers: %d of %d slots came back", c, workers, len(g.free), len(g.slots))
				}
			}
		}
	}
}

func TestPartitionAllKeepsTheOrder(t *testing.T) {
	eightProcs(t)
	for _, workers := range []int{1, 2, 8} {
		g := levelData(t, 90000, 4, false, false, workers)
		n := len(g.Idx)
		set := &BinSet{0: 1 << 3, 1: 1 << 5}
		parts := []Part{
			{Lo: 0, Hi: 40000, Rule: &Rule{Feature: 1, Bin: 20, MissingLeft: true}},
			{Lo: 40000, Hi: 40000, Rule: &Rule{Feature: 0, Bin: 1}},
			{Lo: 40000, Hi: 40500, Rule: &Rule{Feature: 2, Set: set}},
			{Lo: 40500, Hi: n, Rule: &Rule{Feature: 3, Bin: 50}},
		}
		before := slices.Clone(g.Idx)
		g.PartitionAll(parts)
		for i, p := range parts {
			var left, right []uint32
			for _, row := range before[p.Lo:p.Hi] {
				b := g.M.Col[p.Rule.Feature][row]
				goes := b != MissingBin && b <= p.Rule.Bin || b == MissingBin && p.Rule.MissingLeft
				if p.Rule.Set != nil {
					goes = p.Rule.Set.Has(b)
				}
				if goes {
					left = append(left, row)
				} else {
					right = append(right, row)
				}
			}
			if p.Left != len(left) || !slices.Equal(g.Idx[p.Lo:p.Hi], append(left, right...)) {
				t.Errorf("%d workers, part %d: wrong division", workers, i)
			}
		}
	}
}
