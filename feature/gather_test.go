package feature_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/internal/race"
	"github.com/mlfactory/mlfactory/view"
)

// asOf is the rule of feature.AsOf, by exhaustive search.
func asOf(s *feature.Store, m *feature.Matrix, t int64, c *calendar.Calendar) int32 {
	row, segment := -1, int32(-1)
	for i, k := range m.Known {
		if k <= t {
			row = i
		}
	}
	for _, k := range s.Marks {
		if k.Known <= t {
			segment = k.Segment
		}
	}
	limit := 2 * int64(m.Timeframe)
	if m.Timeframe == bar.Session {
		limit = 2 * int64(c.Typical())
	}
	if row < 0 || m.Segment[row] != segment || int64(c.OpenTime(m.End[row], t)) > limit {
		return -1
	}
	return int32(row)
}

func TestGatherEqualsExhaustiveSearch(t *testing.T) {
	for _, name := range []string{calendar.Synth, calendar.Always} {
		c := cal(t, name)
		r, s := registry(t), market(t, 3000, c)
		store, err := feature.Compute(context.Background(), r, s, c, ladder(t, r), 1)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 2))
		first, last := s.Begin[0]-int64(bar.Hour), s.End[s.Len()-1]+3*int64(bar.Hour)
		var sorted, mixed []int64
		for x := first; x < last; x += 97 * int64(bar.Minute) / 10 {
			sorted = append(sorted, x)
		}
		sorted = append(sorted, s.End[10:400]...)
		for range 300 {
			mixed = append(mixed, first+random.Int64N(last-first))
		}
		columns := []string{"rsi_14@5m", "log_return_1@1m", "bb_width_20@1h", "session_return@1d", "clv_1@5m", "minutes_to_close@15m"}
		for what, decisions := range map[string][]int64{"sorted": sorted, "mixed": mixed} {
			var dst view.Table
			if err := feature.Gather(store, decisions, columns, c, &dst); err != nil {
				t.Fatal(err)
			}
			seen := 0
			for j, column := range []struct {
				tf   bar.Timeframe
				name string
			}{{5 * bar.Minute, "rsi_14"}, {bar.Minute, "log_return_1"}, {bar.Hour, "bb_width_20"}, {bar.Session, "session_return"}, {5 * bar.Minute, "clv_1"}, {15 * bar.Minute, "minutes_to_close"}} {
				m := store.Matrix(column.tf)
				for i, x := range decisions {
					want := float32(math.NaN())
					if row := asOf(store, m, x, c); row >= 0 {
						for k, n := range m.Names {
							if n == column.name {
								want = m.Row(int(row))[k]
							}
						}
						seen++
					}
					if got := dst.Col(j)[i]; math.Float32bits(got) != math.Float32bits(want) && !(got != got && want != want) {
						t.Fatalf("%s %s decision %d (%d) of %s is %v, want %v", name, what, i, x, columns[j], got, want)
					}
				}
			}
			if seen == 0 || seen == len(decisions)*len(columns) {
				t.Errorf("%s %s: %d values found, so either none or nothing missing was tested", name, what, seen)
			}
		}
	}
}

func TestGatherSeesABarAtItsEnd(t *testing.T) {
	c := cal(t, calendar.Always)
	r, s := registry(t), market(t, 600, c)
	set := feature.Set{Frames: []feature.Frame{{Timeframe: 15 * bar.Minute, Features: []feature.Spec{{Name: "clv"}}}}}
	store, err := feature.Compute(context.Background(), r, s, c, set, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := store.Matrices[0]
	limit := 2 * int64(15*bar.Minute)
	for _, v := range []struct {
		what string
		at   int64
		row  int32
	}{
		{"one nanosecond before the end", m.End[4] - 1, 3},
		{"at the end", m.End[4], 4},
		{"two bars after the last", m.End[m.Rows()-1] + limit, int32(m.Rows() - 1)},
		{"later", m.End[m.Rows()-1] + limit + 1, -1},
	} {
		if got := feature.AsOf(store, m, []int64{v.at}, c, nil)[0]; got != v.row {
			t.Errorf("%s: row %d, want %d", v.what, got, v.row)
		}
	}
}

func TestGatherRefuses(t *testing.T) {
	c := cal(t, calendar.Always)
	r, s := registry(t), market(t, 300, c)
	store, err := feature.Compute(context.Background(), r, s, c, ladder(t, r), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range []string{"rsi_14", "rsi_14@2m", "rsi_15@5m"} {
		if err := feature.Gather(store, nil, []string{column}, c, &view.Table{}); err == nil {
			t.Errorf("column %q was taken", column)
		}
	}
}

func TestGatherDoesNotAllocatePerRow(t *testing.T) {
	c := cal(t, calendar.Always)
	r, s := registry(t), market(t, 3000, c)
	store, err := feature.Compute(context.Background(), r, s, c, ladder(t, r), 1)
	if err != nil {
		t.Fatal(err)
	}
	columns := store.Columns()
	var dst view.Table
	count := func(decisions []int64) float64 {
		return testing.AllocsPerRun(5, func() {
			if err := feature.Gather(store, decisions, columns, c, &dst); err != nil {
				t.Fatal(err)
			}
		})
	}
	many := count(s.End[:2000])
	if few := count(s.End[:1000]); many > few+10 && !race.Enabled {
		t.Errorf("%v allocations for 2000 rows, %v for 1000", many, few)
	}
}

func TestReaderFollowsAGrowingStore(t *testing.T) {
	c := cal(t, calendar.Synth)
	r, s := registry(t), market(t, 2500, c)
	d, err := feature.NewDriver(r, ladder(t, r), bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := feature.Compute(context.Background(), r, s, c, ladder(t, r), 1)
	if err != nil {
		t.Fatal(err)
	}
	columns := whole.Columns()
	reader, err := feature.NewReader(d.Store(), columns, c)
	if err != nil {
		t.Fatal(err)
	}
	var b bar.Bar
	var live, history view.Table
	decision := make([]int64, 1)
	for i := range s.Arrivals() {
		s.At(i, &b)
		if err := d.Push(&b); err != nil {
			t.Fatal(err)
		}
		if b.Known > b.End { // more bars may be released at this instant
			continue
		}
		if err := d.Advance(b.Known); err != nil {
			t.Fatal(err)
		}
		if i%7 > 0 {
			continue
		}
		d.Forget(b.Known)
		decision[0] = b.Known
		if err := reader.Read(d.Store(), decision, &live); err != nil {
			t.Fatal(err)
		}
		if err := feature.Gather(whole, decision, columns, c, &history); err != nil {
			t.Fatal(err)
		}
		for j := range columns {
			if x, y := live.Data[j], history.Data[j]; math.Float32bits(x) != math.Float32bits(y) && !(x != x && y != y) {
				t.Fatalf("decision %d: %s is %v live, %v in history", i, columns[j], x, y)
			}
		}
	}
	if a := testing.AllocsPerRun(20, func() { _ = reader.Read(d.Store(), decision, &live) }); a > 0 && !race.Enabled {
		t.Errorf("a decision allocates %v times", a)
	}
	other := feature.Set{Frames: []feature.Frame{{Timeframe: bar.Hour, Features: []feature.Spec{{Name: "rsi"}}}}}
	d, err = feature.NewDriver(r, other, bar.Minute, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Read(d.Store(), decision, &live); err == nil {
		t.Error("a store of another set was taken")
	}
}

// BenchmarkGather is the default table of a year of five-minute decisions.
func BenchmarkGather(b *testing.B) {
	c := cal(b, calendar.Always)
	r, s := registry(b), market(b, 525600, c)
	set, err := feature.DefaultSet(r, bar.Minute)
	if err != nil {
		b.Fatal(err)
	}
	store, err := feature.Compute(context.Background(), r, s, c, set, 2)
	if err != nil {
		b.Fatal(err)
	}
	columns := store.Columns()
	var dst view.Table
	decisions := store.Matrix(5 * bar.Minute).End
	for b.Loop() {
		if err := feature.Gather(store, decisions, columns, c, &dst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(columns)), "columns")
	b.ReportMetric(float64(len(decisions)), "rows")
}
