package split_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

// steps is n spans, one decided at each whole number, that live for length.
func steps(n int, length int64) []view.Span {
	s := make([]view.Span, n)
	for i := range s {
		s[i] = view.Span{Decision: int64(i), Entry: int64(i), Outcome: int64(i) + length}
	}
	return s
}

// bare is purging by overlap alone.
func bare() split.Purging { return split.Purging{MaxLost: 100, MinRows: 1} }

func trains(folds []split.Fold) [][]int {
	var out [][]int
	for _, f := range folds {
		out = append(out, f.Train)
	}
	return out
}

func span(lo, hi int) []int {
	var out []int
	for i := lo; i <= hi; i++ {
		out = append(out, i)
	}
	return out
}

func TestCPCV_SkfolioIndices(t *testing.T) {
	c := split.CPCV{Groups: 3, Tests: 2, Purging: bare()}
	cases := []struct {
		name    string
		length  int64
		embargo param.Duration
		want    [][]int
	}{
		{"plain", 0, 0, [][]int{span(8, 11), span(4, 7), span(0, 3)}},
		{"purge 1", 1, 0, [][]int{{9, 10, 11}, {5, 6}, {0, 1, 2}}},
		{"embargo 1", 0, 1, [][]int{{9, 10, 11}, {5, 6, 7}, span(0, 3)}},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			c.Embargo = x.embargo
			folds, err := c.Split(steps(12, x.length))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(x.want, trains(folds)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]int{0, 1, 2, 3, 8, 9, 10, 11}, folds[1].Test); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCPCV_Paths(t *testing.T) {
	got := split.CPCV{Groups: 3, Tests: 2}.Paths()
	if d := cmp.Diff([][]int{{0, 1}, {0, 2}, {1, 2}}, got); d != "" {
		t.Error(d)
	}
	got = split.CPCV{Groups: 5, Tests: 2}.Paths()
	if d := cmp.Diff([][]int{{0, 1, 2, 3}, {0, 4, 5, 6}, {1, 4, 7, 8}, {2, 5, 7, 9}, {3, 6, 8, 9}}, got); d != "" {
		t.Error(d)
	}
	// López de Prado (2018), §12.4: φ = k/N·C(N,k).
	for _, x := range []struct{ groups, tests, folds, paths int }{{6, 2, 15, 5}, {10, 2, 45, 9}, {10, 8, 45, 36}, {5, 2, 10, 4}, {16, 8, 12870, 6435}} {
		c := split.CPCV{Groups: x.groups, Tests: x.tests}
		if n := len(c.Combinations()); n != x.folds {
			t.Errorf("C(%d,%d) gave %d folds, want %d", x.groups, x.tests, n, x.folds)
		}
		for g, folds := range c.Paths() {
			if len(folds) != x.paths {
				t.Errorf("C(%d,%d): group %d is in %d paths, want %d", x.groups, x.tests, g, len(folds), x.paths)
			}
		}
	}
}

func TestPurge_TenLabels(t *testing.T) {
	for _, x := range []struct {
		from, to int64
		want     []int
	}{
		{1, 2, span(3, 9)},
		{8, 11, span(0, 5)},
		{6, 8, []int{0, 1, 2, 3, 9}},
	} {
		if d := cmp.Diff(x.want, split.Purge(steps(10, 2), x.from, x.to)); d != "" {
			t.Errorf("test [%d,%d]: %s", x.from, x.to, d)
		}
	}
}

func TestPurgedKFold_TrainSizes(t *testing.T) {
	for _, x := range []struct {
		embargo param.Duration
		want    []int
	}{
		{0, []int{78, 76, 76, 76, 78}},
		{2, []int{76, 74, 74, 74, 78}},
	} {
		k := split.PurgedKFold{K: 5, Purging: bare()}
		k.Embargo = x.embargo
		folds, err := k.Split(steps(100, 2))
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, f := range folds {
			got = append(got, len(f.Train))
		}
		if d := cmp.Diff(x.want, got); d != "" {
			t.Errorf("embargo %d: %s", x.embargo, d)
		}
	}
}

func TestWalkForward_ExpandingAndRolling(t *testing.T) {
	w := split.WalkForward{Steps: 3, Initial: 0.4, Purging: bare()}
	folds, err := w.Split(steps(100, 2))
	if err != nil {
		t.Fatal(err)
	}
	want := []split.Fold{
		{Train: span(0, 37), Test: span(40, 59)},
		{Train: span(0, 57), Test: span(60, 79)},
		{Train: span(0, 77), Test: span(80, 99)},
	}
	if d := cmp.Diff(want, folds); d != "" {
		t.Error(d)
	}
	w.Rolling = true
	if folds, err = w.Split(steps(100, 2)); err != nil {
		t.Fatal(err)
	}
	want[1].Train, want[2].Train = span(20, 57), span(40, 77)
	if d := cmp.Diff(want, folds); d != "" {
		t.Error(d)
	}
}

// The market is open from 0 to 9 of every 100.
type tenth struct{}

func (tenth) OpenTime(a, b int64) int64 {
	at := func(t int64) int64 {
		day := t / 100
		if t < 0 {
			day = (t - 99) / 100
		}
		return day*10 + min(t-day*100, 10)
	}
	return at(b) - at(a)
}

func (c tenth) AddOpenTime(t int64, d time.Duration) int64 {
	x := t
	for d > 0 && c.OpenTime(t, x) < int64(d) {
		x++
	}
	for d < 0 && c.OpenTime(x, t) < int64(-d) {
		x--
	}
	return x
}

func TestFloor_CountsOpenTime(t *testing.T) {
	var spans []view.Span
	for day := range int64(20) {
		for m := range int64(10) {
			spans = append(spans, view.Span{Decision: 100*day + m, Outcome: 100*day + m})
		}
	}
	k := split.PurgedKFold{K: 4, Purging: bare(), Market: split.Market{Clock: tenth{}, Bar: 1}}
	k.FloorBars = 12
	folds, err := k.Split(spans)
	if err != nil {
		t.Fatal(err)
	}
	// Block 2 is decided from 500 to 909. Twelve open units before 500 begin at 308; after 909 the last open unit
	// 909..910 counts too, so eleven more are needed: 1000..1009 and one of day 11, which ends at 1101.
	var want []int
	for i, s := range spans {
		if s.Decision <= 308 || s.Decision >= 1101 {
			want = append(want, i)
		}
	}
	if d := cmp.Diff(want, folds[1].Train); d != "" {
		t.Error(d)
	}
}

func TestStopAndCalib_AreTheEndOfTraining(t *testing.T) {
	p := bare()
	p.Stop, p.Calib = 0.1, 0.2
	folds, err := split.WalkForward{Steps: 1, Initial: 0.5, Purging: p}.Split(steps(200, 3))
	if err != nil {
		t.Fatal(err)
	}
	// Test begins at 100: rows up to 96 may train (97 of them): calib is the last 19, the stop the last 9 of what
	// ends before 78.
	want := split.Fold{Train: span(0, 62), Stop: span(66, 74), Calib: span(78, 96), Test: span(100, 199)}
	if d := cmp.Diff(want, folds[0]); d != "" {
		t.Error(d)
	}
}

func TestStopAndCalib_UnbrokenInsideKFold(t *testing.T) {
	p := bare()
	p.Stop, p.Calib = 0.12, 0.15
	folds, err := split.PurgedKFold{K: 5, Purging: p}.Split(steps(200, 1))
	if err != nil {
		t.Fatal(err)
	}
	for b, f := range folds {
		for _, block := range [][]int{f.Stop, f.Calib} {
			if block[len(block)-1]-block[0] != len(block)-1 {
				t.Errorf("fold %d: block %v is not contiguous", b, block)
			}
		}
	}
	// In fold 4 the 39 rows after the test block hold the calibration block (23) but not the stop block as well.
	if last := folds[3].Calib[len(folds[3].Calib)-1]; last != 199 {
		t.Errorf("calibration ends at row %d, want 199", last)
	}
	if last := folds[3].Stop[len(folds[3].Stop)-1]; last != 118 {
		t.Errorf("stop block ends at row %d, want 118 (119 ends when the test begins)", last)
	}
}

func TestTooShort_CarriesTheArithmetic(t *testing.T) {
	k := split.PurgedKFold{K: 5, Purging: bare()}
	k.Embargo, k.MaxLost = 2, 0.1
	_, err := k.Split(steps(100, 2))
	var short *split.TooShort
	if !errors.As(err, &short) {
		t.Fatalf("got %v, want a TooShort", err)
	}
	want := &split.TooShort{Scheme: "5-fold", Fold: 1, Folds: 5, Rows: 20, Purged: 2, Embargoed: 2, MaxLost: 0.1, Embargo: 2}
	if d := cmp.Diff(want, short); d != "" {
		t.Error(d)
	}
	if !strings.Contains(err.Error(), "4 rows = 20.0 % of the fold's 20 test rows, more than 10 %") {
		t.Errorf("message lacks the arithmetic: %v", err)
	}
	k.MaxLost = 0.4 // middle folds lose 2 + 2 + 2 rows of 20
	if _, err := k.Split(steps(100, 2)); err != nil {
		t.Errorf("at a limit of 40 %%: %v", err)
	}
}

func TestSplit_Refusals(t *testing.T) {
	floor, few, big := bare(), bare(), bare()
	floor.FloorBars = 3
	few.MinRows = 50
	big.Stop, big.Calib = 0.3, 0.3
	cases := []struct {
		name  string
		s     split.Splitter
		spans []view.Span
		want  string
	}{
		{"backwards span", split.PurgedKFold{K: 2, Purging: bare()}, []view.Span{{Decision: 5, Outcome: 4}, {}}, "row 0"},
		{"floor without calendar", split.PurgedKFold{K: 2, Purging: floor}, steps(10, 1), "calendar"},
		{"one fold", split.PurgedKFold{K: 1, Purging: bare()}, steps(10, 1), "folds"},
		{"more folds than rows", split.PurgedKFold{K: 5, Purging: bare()}, steps(4, 1), "fewer than folds"},
		{"few rows", split.PurgedKFold{K: 2, Purging: few}, steps(60, 1), "29 training rows, want at least 50"},
		{"stop and calib too large", split.PurgedKFold{K: 2, Purging: big}, steps(60, 1), "at most half"},
		{"walk-forward of nothing", split.WalkForward{Steps: 3, Initial: 0.4, Purging: bare()}, nil, "more data"},
		{"all groups tested", split.CPCV{Groups: 3, Tests: 3, Purging: bare()}, steps(10, 1), "leave none"},
		{"too many folds", split.CPCV{Groups: 30, Tests: 15, Purging: bare()}, steps(100, 1), "more than 20000"},
		{"fewer rows than groups", split.CPCV{Groups: 5, Tests: 2, Purging: bare()}, steps(4, 1), "fewer than 5 groups"},
		{"one decision only", split.PurgedKFold{K: 2, Purging: bare()}, make([]view.Span, 10), "0 training rows"},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			_, err := x.s.Split(x.spans)
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v, want an error with %q", err, x.want)
			}
		})
	}
}

func TestLockbox(t *testing.T) {
	spans := steps(101, 4)
	start, err := split.LockboxStart(spans, split.LockboxShare)
	if err != nil || start != 85 {
		t.Fatalf("start %d, %v; want 85", start, err)
	}
	p := bare()
	p.FloorBars = 3
	l, err := split.Lockbox(spans, start, p, split.Market{Clock: always{}, Bar: 1})
	if err != nil {
		t.Fatal(err)
	}
	// The last development row has its outcome 3 before 85, at 82.
	want := split.Locked{Start: 85, Dev: span(0, 78), Purged: span(79, 84), Box: span(85, 100)}
	if d := cmp.Diff(want, l); d != "" {
		t.Error(d)
	}
	for _, share := range []float64{0, 1, -1} {
		if _, err := split.LockboxStart(spans, share); err == nil {
			t.Errorf("a share of %v was accepted", share)
		}
	}
	if _, err := split.LockboxStart(nil, 0.5); err == nil {
		t.Error("no rows were accepted")
	}
}

// always is a market that never closes.
type always struct{}

func (always) OpenTime(a, b int64) int64                  { return b - a }
func (always) AddOpenTime(t int64, d time.Duration) int64 { return t + int64(d) }
