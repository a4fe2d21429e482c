package factory

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/view"
)

// This file says what a model looks at and gathers it: a table is copied row by
// row from the table of the run; windows look into the mapped matrices of the
// features, so that overlapping windows of all rows are never laid out.

// routeInputs is what a learner sees of the features by its route. clock is the
// decision clock, horizon the label's, in its bars.
func routeInputs(set feature.Set, reg *feature.Registry, e model.Entry, r recipe.Route, clock bar.Timeframe, horizon int) (bundle.Inputs, error) {
	var in bundle.Inputs
	if e.Input == model.InputTable {
		var err error
		in.Columns, err = routeColumns(set, reg, r)
		return in, err
	}
	var frames []string
	for _, f := range set.Frames {
		frames = append(frames, f.Timeframe.String())
	}
	shown := r.Timeframes
	switch {
	case len(shown) > 0:
	case e.Input == model.InputStreams:
		shown = frames
	case slices.Contains(frames, clock.String()):
		shown = []string{clock.String()}
	default:
		shown = frames[:1]
	}
	for _, tf := range shown {
		channels, err := routeColumns(set, reg, recipe.Route{Timeframes: []string{tf}, Families: r.Families})
		if errors.Is(err, errNoColumn) && len(shown) > 1 {
			continue // families that only some timeframes have
		}
		if err != nil {
			return in, err
		}
		frame, err := bar.ParseTimeframe(tf)
		if err != nil {
			return in, err
		}
		in.Streams = append(in.Streams, bundle.Stream{Timeframe: frame, Length: r.Window, Channels: channels})
	}
	if len(in.Streams) == 0 {
		return in, errNoColumn
	}
	if e.Abilities.Static {
		beside := r.Static
		if len(beside) == 0 {
			beside = slices.DeleteFunc(slices.Clone(frames), func(tf string) bool { return slices.Contains(shown, tf) })
		}
		if len(beside) > 0 && beside[0] != "none" {
			columns, err := routeColumns(set, reg, recipe.Route{Timeframes: beside, Families: r.Families})
			switch {
			case err == nil:
				in.Columns = columns
			case !errors.Is(err, errNoColumn) || len(r.Static) > 0:
				return in, fmt.Errorf("route.static: %w", err)
			}
		}
	}
	if e.Abilities.Known {
		switch {
		case clock > 0 || clock == bar.Session:
			in.Known = &bundle.Known{Timeframe: clock, Bars: r.Ahead}
			if r.Ahead == 0 {
				in.Known.Bars = horizon
			}
		case r.Ahead > 0:
			return in, fmt.Errorf("route.ahead: bars of %v follow no schedule, so that nothing is known of those to come; leave the key out", clock)
		}
	}
	return in, nil
}

// errNoColumn is returned for a route that lets nothing through.
var errNoColumn = errors.New("route: no column is left")

// routeColumns are the columns that a route lets through.
func routeColumns(set feature.Set, reg *feature.Registry, r recipe.Route) ([]string, error) {
	var out []string
	for _, tf := range r.Timeframes {
		if !slices.ContainsFunc(set.Frames, func(f feature.Frame) bool { return f.Timeframe.String() == tf }) {
			var known []string
			for _, f := range set.Frames {
				known = append(known, f.Timeframe.String())
			}
			return nil, fmt.Errorf("route.timeframes: %w among the features", unknown("timeframe", tf, known))
		}
	}
	var families []string
	for _, f := range set.Frames {
		for _, spec := range f.Features {
			e, _ := reg.Entry(spec.Name)
			if !slices.Contains(families, e.Family) {
				families = append(families, e.Family)
			}
			if len(r.Timeframes) > 0 && !slices.Contains(r.Timeframes, f.Timeframe.String()) || len(r.Families) > 0 && !slices.Contains(r.Families, e.Family) {
				continue
			}
			one := feature.Set{Frames: []feature.Frame{{Timeframe: f.Timeframe, Features: []feature.Spec{spec}}}}
			names, err := one.Columns(reg)
			if err != nil {
				return nil, err
			}
			out = append(out, names...)
		}
	}
	for _, x := range r.Families {
		if !slices.Contains(families, x) {
			return nil, fmt.Errorf("route.families: %w among the features", unknown("family", x, families))
		}
	}
	if len(out) == 0 {
		return nil, errNoColumn
	}
	return out, nil
}

// source is what the inputs of any decision are gathered from. Parts that a model
// does not look at are nil.
type source struct {
	table     *view.Table
	features  *feature.Store
	decisions []int64
	cal       *calendar.Calendar
}

// inputs gathers the given decisions. Windows share their bars with the features.
func (s *source) inputs(in *bundle.Inputs, r rows) (view.View, error) {
	v := view.View{Rows: r}
	if len(in.Columns) > 0 {
		cols, err := columnsOf(s.table, in.Columns)
		if err != nil {
			return v, err
		}
		v.Table = gather(s.table, cols, r)
	}
	if len(in.Streams) == 0 && in.Known == nil {
		return v, nil
	}
	rd, err := in.NewReader(s.features, s.cal)
	if err != nil {
		return v, err
	}
	at := make([]int64, len(r))
	for i, d := range r {
		at[i] = s.decisions[d]
	}
	return v, rd.Read(s.features, at, &v)
}

// rows gathers the given decisions for a learner, with what it learns from.
func (s *source) rows(in *bundle.Inputs, l *label.Set, r rows, weight []float64) (view.View, error) {
	v, err := s.inputs(in, r)
	if err != nil {
		return v, err
	}
	v.Weight = weight
	v.Spans = spansOf(l, r)
	v.Class = make([]int8, len(r))
	v.NetLong, v.NetShort = make([]float64, len(r)), make([]float64, len(r))
	for i, d := range r {
		v.Class[i], v.NetLong[i], v.NetShort[i] = l.Class[d], l.Long.Net[d], l.Short.Net[d]
	}
	return v, nil
}

// usable is in without the columns and channels that are valid on less than
// minValid of the rows; a channel is asked for the bar that the window ends with.
// A window that is longer than what any row has before it is an error.
func (s *source) usable(in *bundle.Inputs, r rows, minValid float64) (bundle.Inputs, []Dropped, error) {
	out := bundle.Inputs{Known: in.Known}
	var dropped []Dropped
	if len(in.Columns) > 0 {
		cols, err := columnsOf(s.table, in.Columns)
		if err != nil {
			return out, nil, err
		}
		cols, dropped = usable(s.table, cols, r, minValid)
		for _, j := range cols {
			out.Columns = append(out.Columns, s.table.Names[j])
		}
	}
	if len(in.Streams) == 0 {
		return out, dropped, nil
	}
	v, err := s.inputs(&bundle.Inputs{Streams: in.Streams}, r)
	if err != nil {
		return out, nil, err
	}
	for k, w := range v.Streams {
		longest := 0
		for i := range w.Len() {
			longest = max(longest, int(w.Last[i])+1-w.First(i))
		}
		if len(r) > 0 && longest < w.Length && longest > 0 {
			return out, nil, fmt.Errorf("no training row has %d bars of %s before it without an outage, the most that one has is %d: set route.window to that or less, or give more data", w.Length, w.Timeframe, longest)
		}
		keep, lost := usableChannels(w, minValid)
		dropped = append(dropped, lost...)
		if len(keep) > 0 {
			st := in.Streams[k]
			st.Channels = keep
			out.Streams = append(out.Streams, st)
		}
	}
	return out, dropped, nil
}

// usableChannels are the channels that are valid on at least minValid of the
// windows, in the bar that the window ends with.
func usableChannels(w *view.Windows, minValid float64) (keep []string, dropped []Dropped) {
	for j, at := range w.Columns {
		n := 0
		for _, last := range w.Last {
			if last < 0 {
				continue
			}
			if x := w.Data[int(last)*w.Width+int(at)]; x == x {
				n++
			}
		}
		if d, ok := tooRare(w.Names[j], n, w.Len(), minValid); ok {
			dropped = append(dropped, d)
			continue
		}
		keep = append(keep, w.Names[j])
	}
	return keep, dropped
}

// usable drops the columns that are valid on less than minValid of the rows.
func usable(t *view.Table, cols []int, r rows, minValid float64) (keep []int, dropped []Dropped) {
	for _, j := range cols {
		col, n := t.Col(j), 0
		for _, d := range r {
			if x := col[d]; x == x {
				n++
			}
		}
		if d, ok := tooRare(t.Names[j], n, len(r), minValid); ok {
			dropped = append(dropped, d)
			continue
		}
		keep = append(keep, j)
	}
	return keep, dropped
}

// tooRare reports a column that has a value on valid of n rows, if those are too
// few.
func tooRare(name string, valid, n int, minValid float64) (Dropped, bool) {
	share := float64(valid) / float64(max(1, n))
	if valid > 0 && share >= minValid {
		return Dropped{}, false
	}
	return Dropped{Column: name, Valid: share,
		Reason: fmt.Sprintf("valid on %.1f %% of the training rows, less than %.0f %%", 100*share, 100*minValid)}, true
}

// gather copies rows and columns of t, in the given order.
func gather(t *view.Table, cols []int, r rows) *view.Table {
	names := make([]string, len(cols))
	for k, j := range cols {
		names[k] = t.Names[j]
	}
	out := view.NewTable(len(r), names)
	for k, j := range cols {
		src, dst := t.Col(j), out.Col(k)
		for i, d := range r {
			dst[i] = src[d]
		}
	}
	return out
}

// columnsOf finds columns by name.
func columnsOf(t *view.Table, names []string) ([]int, error) {
	at := make(map[string]int, t.P)
	for j, n := range t.Names {
		at[n] = j
	}
	cols := make([]int, len(names))
	for k, n := range names {
		j, ok := at[n]
		if !ok {
			return nil, fmt.Errorf("factory: the table has no column %q", n)
		}
		cols[k] = j
	}
	return cols, nil
}
