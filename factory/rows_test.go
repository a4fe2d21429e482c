package factory

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

func TestRowsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rows{}
		at := -1
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			at += rapid.SampledFrom([]int{1, 1, 1, 2, 17}).Draw(t, "step")
			r = append(r, at)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back rows
		if err := json.Unmarshal(b, &back); err != nil || !slices.Equal(r, back) {
			t.Fatalf("%v became %s and %v: %v", r, b, back, err)
		}
	})
	b, err := json.Marshal(rows{3, 4, 5, 9})
	if err != nil || string(b) != "[3,6,9,10]" {
		t.Errorf("rows 3, 4, 5, 9 are written %s, %v", b, err)
	}
	for _, bad := range []string{"[1]", "[3,3]", "[5,2]", "[0,4,2,6]", "[-2,1]", `["a"]`} {
		var r rows
		if err := json.Unmarshal([]byte(bad), &r); err == nil {
			t.Errorf("%s was read as %v", bad, r)
		}
	}
}

func TestPositions(t *testing.T) {
	got, err := positions(rows{2, 5, 7, 11}, rows{2, 7, 11})
	if err != nil || !slices.Equal(got, []int{0, 2, 3}) {
		t.Errorf("positions %v, %v", got, err)
	}
	for _, r := range []rows{{3}, {12}, {2, 6}} {
		if got, err := positions(rows{2, 5, 7, 11}, r); err == nil {
			t.Errorf("%v was found at %v", r, got)
		}
	}
	p := &probabilities{Row: []int{1, 4}, Prob: []float64{.2, .3, .5, .1, .1, .8}}
	q, err := p.prediction(rows{4})
	if err != nil || !slices.Equal(q.Prob, []float64{.1, .1, .8}) {
		t.Errorf("prediction %v, %v", q, err)
	}
	if _, err := p.prediction(rows{1, 2}); err == nil || !strings.Contains(err.Error(), "decision 2") {
		t.Errorf("a decision that was not predicted: %v", err)
	}
}

// market is decisions every five minutes of a calendar with random spans, some
// without a label.
func randomLabels(t *rapid.T, cal *calendar.Calendar, sessions int) *label.Set {
	s := &label.Set{}
	start := time.Date(2020, 1, 6, 0, 0, 0, 0, time.UTC).UnixNano()
	for range sessions {
		ses := cal.Next(start)
		for at := ses.Open + int64(5*bar.Minute); at <= ses.Close; at += int64(5 * bar.Minute) {
			n := rapid.IntRange(0, 20).Draw(t, "bars")
			s.Spans = append(s.Spans, view.Span{Decision: at, Entry: at + int64(bar.Minute), Outcome: cal.AddOpenTime(at, time.Duration(n+1)*5*time.Minute)})
			s.Valid = append(s.Valid, n > 0)
			s.Class = append(s.Class, int8(n%3-1))
		}
		start = ses.Close
	}
	return s
}

// whole is the use of a file with one lockbox from box to its end.
func whole(box int64) development { return development{math.MinInt64, box, math.MaxInt64} }

// TestDivideRows: whatever the spans, what a step is fitted on is known before
// its window, inner folds divide what trains, windows follow one another, the
// k-fold covers every development row once, and no window or row of development
// reaches the lockbox.
func TestDivideRows(t *testing.T) {
	inst, err := bar.Find("SYNTH")
	if err != nil {
		t.Fatal(err)
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := randomLabels(t, cal, rapid.IntRange(25, 32).Draw(t, "sessions"))
		p := split.Purging{FloorBars: rapid.SampledFrom([]int{0, 3, 30}).Draw(t, "floor"), Stop: 0.1, Calib: 0.1, MaxLost: 10, MinRows: 5}
		cfg := recipe.Split{InnerFolds: 2, Lockbox: 0.15,
			WalkForward: split.WalkForward{Steps: rapid.IntRange(1, 3).Draw(t, "steps"), Initial: 0.4, Rolling: rapid.Bool().Draw(t, "rolling"), Purging: p},
			KFold:       split.PurgedKFold{K: rapid.IntRange(2, 4).Draw(t, "k"), Purging: p}}
		m := marketOf(cal, int64(5*bar.Minute))
		labelled := rows(s.Rows())
		box, err := split.LockboxStart(spansOf(s, labelled), 0.15)
		if err != nil {
			t.Fatal(err)
		}
		fs, err := divideRows(&Catalogue{}, s, cfg, m, whole(box), 20, rapid.Bool().Draw(t, "irregular"), nil)
		if err != nil {
			t.Fatal(err)
		}
		known := func(what string, r rows, before int64) {
			for _, d := range r {
				if !s.Valid[d] || s.Spans[d].Outcome >= before {
					t.Fatalf("%s: row %d (labelled %v, outcome %d) is not known before %d", what, d, s.Valid[d], s.Spans[d].Outcome, before)
				}
			}
		}
		check := func(fs *folds) {
			for w := range fs.Steps {
				st := &fs.Steps[w]
				start := s.Spans[st.Lo].Decision
				known("train", st.Train, start)
				known("stop", st.Stop, start)
				known("calib", st.Calib, start)
				if len(st.Train) == 0 || len(st.Stop) == 0 || len(st.Calib) == 0 || len(st.Inner) != cfg.InnerFolds {
					t.Fatalf("step %d: %d, %d, %d rows, %d inner folds", w+1, len(st.Train), len(st.Stop), len(st.Calib), len(st.Inner))
				}
				var tested rows
				for _, in := range st.Inner {
					if len(in.Calib) != 0 {
						t.Fatal("an inner fold has calibration rows, which nothing uses")
					}
					for _, r := range []rows{in.Train, in.Stop, in.Test} {
						if _, err := positions(st.Train, r); err != nil {
							t.Fatalf("step %d: an inner fold leaves the training rows: %v", w+1, err)
						}
					}
					tested = append(tested, in.Test...)
				}
				slices.Sort(tested)
				if !slices.Equal(tested, st.Train) {
					t.Fatalf("step %d: inner folds do not test every training row once", w+1)
				}
			}
		}
		check(fs)
		if len(fs.Steps) != cfg.WalkForward.Steps || len(fs.KFold) != cfg.KFold.K {
			t.Fatalf("%d steps, %d folds", len(fs.Steps), len(fs.KFold))
		}
		for w := range fs.Steps {
			st := fs.Steps[w]
			if st.Lo >= st.Hi || w > 0 && st.Lo != fs.Steps[w-1].Hi {
				t.Fatalf("window %d is [%d, %d) after %d", w+1, st.Lo, st.Hi, fs.Steps[max(0, w-1)].Hi)
			}
			for d := st.Lo; d < st.Hi; d++ {
				if s.Valid[d] && s.Spans[d].Outcome >= box {
					t.Fatalf("window %d: decision %d could see the lockbox", w+1, d)
				}
			}
		}
		var all rows
		for _, f := range fs.KFold {
			known("k-fold", append(slices.Clone(f.Train), f.Test...), box)
			all = append(all, f.Test...)
			if len(f.Calib) != 0 {
				t.Fatal("a fold has calibration rows, which nothing uses")
			}
		}
		slices.Sort(all)
		if len(all) != fs.Dev || len(slices.Compact(all)) != fs.Dev {
			t.Fatalf("the k-fold tests %d rows, development has %d", len(all), fs.Dev)
		}
		opened, err := divideBox(&Catalogue{}, s, cfg, m, whole(box))
		if err != nil {
			t.Fatal(err)
		}
		check(opened)
		st := opened.Steps[0]
		if !st.Box || s.Spans[st.Lo].Decision < box || st.Hi != s.Len() || len(st.Test) != fs.BoxRows {
			t.Fatalf("lockbox step %+v", st)
		}
		n := len(st.Train) + len(st.Stop) + len(st.Calib)
		if most := int(0.4 * float64(fs.Dev)); cfg.WalkForward.Rolling && n > most {
			t.Fatalf("a rolling step before the lockbox has %d rows, want at most %d", n, most)
		}
	})
}

// TestSmallLockbox: the smallest lockbox that a recipe may ask for can be opened.
func TestSmallLockbox(t *testing.T) {
	s := &label.Set{}
	for i := range 4000 {
		at := int64(i) * int64(5*bar.Minute)
		s.Spans = append(s.Spans, view.Span{Decision: at, Entry: at + 1, Outcome: at + int64(bar.Hour)})
		s.Valid, s.Class = append(s.Valid, true), append(s.Class, 0)
	}
	p := split.Purging{Stop: 0.1, Calib: 0.1, MaxLost: 10, MinRows: 5}
	cfg := recipe.Split{InnerFolds: 2, Lockbox: 0.01, WalkForward: split.WalkForward{Steps: 2, Initial: 0.4, Purging: p}, KFold: split.PurgedKFold{K: 2, Purging: p}}
	box, err := split.LockboxStart(s.Spans, cfg.Lockbox)
	if err != nil {
		t.Fatal(err)
	}
	fs, err := divideBox(&Catalogue{}, s, cfg, split.Market{}, whole(box))
	if err != nil || len(fs.Steps[0].Test) != 40 {
		t.Errorf("%v, %+v", err, fs)
	}
	if _, err := divideBox(&Catalogue{}, s, cfg, split.Market{}, whole(s.Spans[3999].Decision+1)); err == nil || !strings.Contains(err.Error(), "nothing to open") {
		t.Errorf("an empty lockbox: %v", err)
	}
}

func TestClockBar(t *testing.T) {
	inst, _ := bar.Find("SYNTH")
	cal, err := inst.NewCalendar()
	if err != nil {
		t.Fatal(err)
	}
	open := cal.Next(time.Date(2020, 1, 6, 0, 0, 0, 0, time.UTC).UnixNano()).Open
	for _, c := range []struct {
		tf        bar.Timeframe
		decisions []int64
		want      int64
	}{
		{5 * bar.Minute, nil, int64(5 * bar.Minute)},
		{bar.Native, nil, int64(bar.Hour)},
		{bar.Native, []int64{open, open + 60e9, open + 180e9, open + 480e9}, 120e9}, // distances 1, 2 and 5 minutes
	} {
		if got := clockBar(c.tf, c.decisions, cal); got != c.want {
			t.Errorf("clock %v of %d decisions: %v, want %v", c.tf, len(c.decisions), got, c.want)
		}
	}
}
