package split_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
	"pgregory.net/rapid"
)

type problem struct {
	spans []view.Span
	p     split.Purging
	m     split.Market
	clock testClock
}

type testClock interface {
	split.Clock
	OpenTime(a, b int64) int64
}

func draw(t *rapid.T) problem {
	n := rapid.IntRange(20, 120).Draw(t, "n")
	longest := rapid.Int64Range(0, 60).Draw(t, "longest")
	spans := make([]view.Span, n)
	now := int64(0)
	for i := range spans {
		now += rapid.Int64Range(0, 9).Draw(t, "step") // 0: several rows of one decision
		spans[i] = view.Span{Decision: now, Entry: now, Outcome: now + rapid.Int64Range(0, longest).Draw(t, "life")}
	}
	p := bare()
	p.Embargo = param.Duration(rapid.Int64Range(0, 40).Draw(t, "embargo"))
	p.FloorBars = rapid.IntRange(0, 8).Draw(t, "floor")
	if rapid.Bool().Draw(t, "blocks") {
		p.Stop, p.Calib = 0.1, 0.1
	}
	var clock testClock = always{}
	if rapid.Bool().Draw(t, "sessions") {
		clock = tenth{}
	}
	return problem{spans, p, split.Market{Clock: clock, Bar: 2}, clock}
}

// apart says in the plainest words whether two rows may be in different sets.
func (x problem) apart(a, b view.Span) bool {
	if a.Overlaps(b) {
		return false
	}
	if a.Decision > b.Decision {
		a, b = b, a
	}
	return x.clock.OpenTime(a.Outcome, b.Decision) >= int64(x.p.FloorBars)*int64(x.m.Bar)
}

func (x problem) schemes(t *rapid.T) map[string]split.Splitter {
	return map[string]split.Splitter{
		"k-fold":       split.PurgedKFold{K: rapid.IntRange(2, 5).Draw(t, "k"), Purging: x.p, Market: x.m},
		"walk-forward": split.WalkForward{Steps: rapid.IntRange(1, 4).Draw(t, "steps"), Initial: 0.4, Rolling: rapid.Bool().Draw(t, "rolling"), Purging: x.p, Market: x.m},
		"cpcv":         split.CPCV{Groups: 5, Tests: 2, Purging: x.p, Market: x.m},
	}
}

func TestLaws_OverRandomSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := draw(t)
		schemes := x.schemes(t)
		for _, name := range []string{"k-fold", "walk-forward", "cpcv"} {
			folds, err := schemes[name].Split(x.spans)
			if err != nil {
				continue // too few rows for these durations; refusals have their own tests
			}
			tested := make([]int, len(x.spans))
			if name == "k-fold" { // rows of one decision are tested together
				fold := map[int64]int{}
				for b, f := range folds {
					for _, r := range f.Test {
						if was, ok := fold[x.spans[r].Decision]; ok && was != b {
							t.Fatalf("rows decided at %d are tested in folds %d and %d", x.spans[r].Decision, was, b)
						}
						fold[x.spans[r].Decision] = b
					}
				}
			}
			for b, f := range folds {
				sets := [][]int{f.Train, f.Stop, f.Calib, f.Test}
				for i, s := range sets {
					if !slices.IsSorted(s) {
						t.Fatalf("%s fold %d: set %d is not ascending", name, b, i)
					}
					for j := range i {
						for _, r := range s {
							for _, q := range sets[j] {
								if r == q || !x.apart(x.spans[r], x.spans[q]) {
									t.Fatalf("%s fold %d: row %d %v of set %d and row %d %v of set %d are not apart", name, b, r, x.spans[r], i, q, x.spans[q], j)
								}
							}
						}
					}
				}
				for _, r := range f.Test {
					tested[r]++
				}
				if name == "walk-forward" {
					for _, s := range sets[:3] {
						for _, r := range s {
							if x.spans[r].Outcome >= x.spans[first(x.spans, f.Test)].Decision {
								t.Fatalf("walk-forward step %d: row %d ends after the test begins", b, r)
							}
						}
					}
				}
			}
			want := map[string]int{"k-fold": 1, "cpcv": 4}[name]
			for r, n := range tested {
				if name == "walk-forward" {
					if n > 1 {
						t.Fatalf("row %d is tested %d times", r, n)
					}
				} else if n != want {
					t.Fatalf("%s: row %d is tested %d times, want %d", name, r, n, want)
				}
			}
		}
	})
}

func first(spans []view.Span, rows []int) int {
	best := rows[0]
	for _, r := range rows {
		if spans[r].Decision < spans[best].Decision {
			best = r
		}
	}
	return best
}

// The twin looks at every pair of rows: a row trains exactly when it is apart from every test row and not embargoed by
// the latest outcome of a block.
func TestKFold_BruteForceTwin(t *testing.T) {
	done := 0
	rapid.Check(t, func(t *rapid.T) {
		x := draw(t)
		x.p.Stop, x.p.Calib = 0, 0
		folds, err := split.PurgedKFold{K: 3, Purging: x.p, Market: x.m}.Split(x.spans)
		if err != nil {
			return
		}
		done++
		for b, f := range folds {
			test := map[int]bool{}
			end := int64(-1)
			for _, r := range f.Test {
				test[r] = true
				end = max(end, x.spans[r].Outcome)
			}
			var want []int
			for r, s := range x.spans {
				ok := !test[r]
				for _, q := range f.Test {
					ok = ok && x.apart(s, x.spans[q])
				}
				if s.Decision > end && s.Decision <= end+int64(x.p.Embargo) {
					ok = false
				}
				if ok {
					want = append(want, r)
				}
			}
			if d := cmp.Diff(want, f.Train); d != "" {
				t.Fatalf("fold %d: %s", b, d)
			}
		}
	})
	if done == 0 {
		t.Error("every drawn problem was refused: the twin compared nothing")
	}
}

func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	done := 0
	rapid.Check(t, func(t *rapid.T) {
		x := draw(t)
		perm := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Perm(len(x.spans))
		shuffled := make([]view.Span, len(perm))
		for to, from := range perm {
			shuffled[to] = x.spans[from]
		}
		schemes := x.schemes(t)
		for _, name := range []string{"k-fold", "walk-forward", "cpcv"} {
			a, errA := schemes[name].Split(x.spans)
			b, errB := schemes[name].Split(shuffled)
			if (errA == nil) != (errB == nil) {
				t.Fatalf("%s: %v against %v", name, errA, errB)
			}
			if errA != nil {
				continue
			}
			done++
			for k := range a {
				for s, rows := range [][]int{b[k].Train, b[k].Stop, b[k].Calib, b[k].Test} {
					var back []view.Span
					for _, r := range rows {
						back = append(back, shuffled[r])
					}
					var want []view.Span
					for _, r := range [][]int{a[k].Train, a[k].Stop, a[k].Calib, a[k].Test}[s] {
						want = append(want, x.spans[r])
					}
					byTime := func(v []view.Span) func(i, j int) bool {
						return func(i, j int) bool {
							return v[i].Decision < v[j].Decision || v[i].Decision == v[j].Decision && v[i].Outcome < v[j].Outcome
						}
					}
					sort.Slice(back, byTime(back))
					sort.Slice(want, byTime(want))
					if d := cmp.Diff(want, back); d != "" {
						t.Fatalf("%s fold %d set %d: %s", name, k, s, d)
					}
				}
			}
		}
	})
	if done == 0 {
		t.Error("every drawn problem was refused")
	}
}

func TestSeenRefusalsAreTheDocumentedOnes(t *testing.T) {
	p := split.DefaultPurging()
	_, err := split.PurgedKFold{K: 3, Purging: p, Market: split.Market{Clock: always{}, Bar: 1}}.Split(steps(1000, 5))
	var short *split.TooShort
	if !errors.As(err, &short) { // 1000 ns of decisions against an embargo of 5 days
		t.Fatalf("got %v, want a TooShort", err)
	}
}
