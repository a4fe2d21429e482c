package label

import (
	"encoding/json"
	"fmt"

	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/view"
)

// configKey is where a frame keeps the config of its labels.
const configKey = "label.config"

// Frame is the set as a table, one row per decision in order of time, valid or
// not: the columns valid, why, class, primary (if there is one), entry, outcome,
// expiry, entry_bar, entry_price, width, and for both sides long_ and short_
// exit (0 none, 1 profit-take, 2 stop-loss, 3 expiry), exit_time, entry, price,
// ref, gross, net. Slices are shared with the set where their types allow it.
// The metadata hold the config; [FromFrame] gives the same set back.
func (s *Set) Frame() (*frame.Frame, error) {
	cfg, err := json.Marshal(s.Config)
	if err != nil {
		return nil, fmt.Errorf("label: config: %w", err)
	}
	n := s.Len()
	decision, entry, outcome := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, x := range s.Spans {
		decision[i], entry[i], outcome[i] = x.Decision, x.Entry, x.Outcome
	}
	columns := []frame.Column{
		frame.Bool("valid", s.Valid), frame.String("why", s.Why), frame.Int8("class", s.Class),
		frame.Time("entry", entry), frame.Time("outcome", outcome), frame.Time("expiry", s.Expiry),
		frame.Int32("entry_bar", s.EntryBar), frame.Float64("entry_price", s.EntryPrice), frame.Float64("width", s.Width),
	}
	if s.Primary != nil {
		columns = append(columns, frame.Int8("primary", s.Primary))
	}
	for _, x := range []struct {
		name string
		side *Side
	}{{"long_", &s.Long}, {"short_", &s.Short}} {
		exit := make([]int8, n)
		for i, e := range x.side.Exit {
			exit[i] = int8(e)
		}
		columns = append(columns, frame.Int8(x.name+"exit", exit), frame.Time(x.name+"exit_time", x.side.ExitTime),
			frame.Float64(x.name+"entry", x.side.Entry), frame.Float64(x.name+"price", x.side.Price), frame.Float64(x.name+"ref", x.side.Ref),
			frame.Float64(x.name+"gross", x.side.Gross), frame.Float64(x.name+"net", x.side.Net))
	}
	f, err := frame.New(decision, columns...)
	if err != nil {
		return nil, fmt.Errorf("label: %w", err)
	}
	f.Meta = map[string]string{configKey: string(cfg)}
	return f, nil
}

// FromFrame reads what [Set.Frame] made; slices are shared with the frame where
// their types allow it. A missing column, one of another type, a config that
// does not read and values outside their range are errors.
func FromFrame(f *frame.Frame) (*Set, error) {
	s := &Set{}
	if err := json.Unmarshal([]byte(f.Meta[configKey]), &s.Config); err != nil {
		return nil, fmt.Errorf("label: the frame's %s: %w", configKey, err)
	}
	if err := s.Config.Validate(); err != nil {
		return nil, fmt.Errorf("label: the frame's %s: %w", configKey, err)
	}
	s.Horizon = s.Config.Horizon
	var missing error
	column := func(name string, kind frame.Kind) *frame.Column {
		c := f.Column(name)
		if c == nil || c.Kind != kind || c.Len() != f.Rows() {
			if missing == nil {
				missing = fmt.Errorf("label: the frame has no column %s of %s with %d values", name, kind, f.Rows())
			}
			return &frame.Column{}
		}
		return c
	}
	floats := func(name string) []float64 { return column(name, frame.KindFloat64).Float64 }
	times := func(name string) []int64 { return column(name, frame.KindTime).Int64 }
	s.Valid, s.Why, s.Class = column("valid", frame.KindBool).Bool, column("why", frame.KindString).String, column("class", frame.KindInt8).Int8
	entry, outcome := times("entry"), times("outcome")
	s.Expiry, s.EntryBar = times("expiry"), column("entry_bar", frame.KindInt32).Int32
	s.EntryPrice, s.Width = floats("entry_price"), floats("width")
	if f.Column("primary") != nil {
		s.Primary = column("primary", frame.KindInt8).Int8
	}
	var exits [2][]int8
	for k, name := range []string{"long_", "short_"} {
		side := s.Of(int8(1 - 2*k))
		exits[k], side.ExitTime = column(name+"exit", frame.KindInt8).Int8, times(name+"exit_time")
		side.Entry, side.Price, side.Ref = floats(name+"entry"), floats(name+"price"), floats(name+"ref")
		side.Gross, side.Net = floats(name+"gross"), floats(name+"net")
	}
	if missing != nil {
		return nil, missing
	}
	n := f.Rows()
	if len(f.Time) != n {
		return nil, fmt.Errorf("label: the frame has no time index")
	}
	s.Spans = make([]view.Span, n)
	s.Long.Exit, s.Short.Exit = make([]Exit, n), make([]Exit, n)
	for i := range n {
		s.Spans[i] = view.Span{Decision: f.Time[i], Entry: entry[i], Outcome: outcome[i]}
		for k := range exits {
			if e := exits[k][i]; e < int8(None) || e > int8(Expiry) {
				return nil, fmt.Errorf("label: row %d of the frame has exit code %d", i, e)
			}
		}
		s.Long.Exit[i], s.Short.Exit[i] = Exit(exits[0][i]), Exit(exits[1][i])
		if c := s.Class[i]; c < -1 || c > 1 {
			return nil, fmt.Errorf("label: row %d of the frame has class %d", i, c)
		}
	}
	return s, nil
}
