package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
)

const dayNS = 24 * 3600 * 1_000_000_000

// featureFrame is a view of the table: nothing is copied.
func featureFrame(decisions []int64, t *view.Table) (*frame.Frame, error) {
	cols := make([]frame.Column, 0, t.P)
	for j, name := range t.Names {
		cols = append(cols, frame.Float32(name, t.Col(j)))
	}
	f, err := frame.New(decisions, cols...)
	if err != nil {
		return nil, fmt.Errorf("report: features: %w", err)
	}
	return f, nil
}

func pick[T any](src []T, rows []int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = src[r]
	}
	return out
}

func index(rows []int) []int32 {
	out := make([]int32, len(rows))
	for i, r := range rows {
		out[i] = int32(r)
	}
	return out
}

// labelFrame has one row per decision with a label.
func labelFrame(s *label.Set) *frame.Frame {
	rows := s.Rows()
	decision, entry, outcome := make([]int64, len(rows)), make([]int64, len(rows)), make([]int64, len(rows))
	for i, r := range rows {
		decision[i], entry[i], outcome[i] = s.Spans[r].Decision, s.Spans[r].Entry, s.Spans[r].Outcome
	}
	cols := []frame.Column{
		frame.Int32("row", index(rows)), frame.Int8("class", pick(s.Class, rows)),
		frame.Time("entry_time", entry), frame.Time("outcome_time", outcome),
		frame.Float64("entry_price", pick(s.EntryPrice, rows)), frame.Float64("width", pick(s.Width, rows)),
	}
	if s.Primary != nil {
		cols = append(cols, frame.Int8("primary_side", pick(s.Primary, rows)))
	}
	for _, side := range []struct {
		name string
		*label.Side
	}{{"long", &s.Long}, {"short", &s.Short}} {
		if side.Exit == nil {
			continue
		}
		exit, held := make([]string, len(rows)), make([]float64, len(rows))
		for i, r := range rows {
			exit[i], held[i] = side.Exit[r].String(), math.NaN()
			if side.Exit[r] != cost.None {
				held[i] = float64(side.ExitTime[r]-s.Spans[r].Entry) / 60e9
			}
		}
		cols = append(cols, frame.String(side.name+"_exit", exit), frame.Float64(side.name+"_minutes", held),
			frame.Float64(side.name+"_entry_fill", pick(side.Entry, rows)), frame.Float64(side.name+"_exit_fill", pick(side.Price, rows)),
			frame.Float64(side.name+"_gross", pick(side.Gross, rows)), frame.Float64(side.name+"_net", pick(side.Net, rows)))
	}
	return &frame.Frame{Time: decision, Columns: cols, Meta: map[string]string{"horizon": strconv.Itoa(s.Horizon)}}
}

// unlabelledFrame has one row per decision without a label, with the reason.
func unlabelledFrame(s *label.Set) *frame.Frame {
	var rows []int
	time := []int64{}
	for i, ok := range s.Valid {
		if !ok {
			rows, time = append(rows, i), append(time, s.Spans[i].Decision)
		}
	}
	return &frame.Frame{Time: time, Columns: []frame.Column{frame.Int32("row", index(rows)), frame.String("reason", pick(s.Why, rows))}}
}

// order merges lists that ascend in time into one: at[k] is the list of the
// k-th element of the merge and pos[k] its place there; ties go to the earlier
// list.
func order(times [][]int64) (at []int8, pos []int32) {
	n := 0
	for _, t := range times {
		n += len(t)
	}
	at, pos = make([]int8, 0, n), make([]int32, 0, n)
	next := make([]int32, len(times))
	for range n {
		best := -1
		for l, t := range times {
			if i := int(next[l]); i < len(t) && (best < 0 || t[i] < times[best][next[best]]) {
				best = l
			}
		}
		at, pos = append(at, int8(best)), append(pos, next[best])
		next[best]++
	}
	return at, pos
}

// gather copies the elements of a merge.
func gather[T any](at []int8, pos []int32, from func(list int) []T) []T {
	lists := make([][]T, 0, 8)
	for _, l := range at {
		for len(lists) <= int(l) {
			lists = append(lists, from(len(lists)))
		}
	}
	out := make([]T, len(at))
	for k, l := range at {
		out[k] = lists[l][pos[k]]
	}
	return out
}

// The schemes by which a row of predictions.parquet was predicted.
const (
	schemeWalkForward = "walk_forward"
	schemeKFold       = "kfold"
)

// writePredictions writes the predictions of all strategies, in order of time:
// those of the walk-forward, which were traded, and those of the k-fold, which
// have neither side nor expected return.
func writePredictions(w io.Writer, o *factory.Outcome) (err error) {
	var open []*frame.Frame
	var closing []func() error
	var names, schemes []string
	var times [][]int64
	add := func(strategy, scheme string, from *store.Object, columns ...string) error {
		if from == nil {
			return nil
		}
		f, e := frame.OpenIPC(from.Path())
		if e != nil {
			return fmt.Errorf("report: %s predictions of %s: %w", scheme, strategy, e)
		}
		open, names, schemes, times = append(open, f.Frame()), append(names, strategy), append(schemes, scheme), append(times, f.Frame().Time)
		closing = append(closing, f.Close)
		for _, c := range columns {
			if f.Frame().Column(c) == nil {
				return fmt.Errorf("report: %s predictions of %s have no column %q", scheme, strategy, c)
			}
		}
		return nil
	}
	defer func() {
		for _, f := range closing {
			err = errors.Join(err, f())
		}
	}()
	for _, s := range o.Strategy {
		if err := add(s.Name, schemeWalkForward, s.Predictions, "row", "p_short", "p_none", "p_long", "side", "expected_net"); err != nil {
			return err
		}
	}
	for _, s := range o.Strategy {
		if err := add(s.Name, schemeKFold, s.OutOfFold, "row", "p_short", "p_none", "p_long"); err != nil {
			return err
		}
	}
	at, pos := order(times)
	float := func(name string) frame.Column {
		return frame.Float64(name, gather(at, pos, func(l int) []float64 {
			if c := open[l].Column(name); c != nil {
				return c.Float64
			}
			x := make([]float64, len(times[l]))
			for i := range x {
				x[i] = math.NaN()
			}
			return x
		}))
	}
	f := &frame.Frame{
		Time: gather(at, pos, func(l int) []int64 { return times[l] }),
		Columns: []frame.Column{
			frame.String("scheme", repeated(at, schemes)),
			frame.String("strategy", repeated(at, names)),
			frame.Int32("row", gather(at, pos, func(l int) []int32 { return open[l].Column("row").Int32 })),
			float("p_short"), float("p_none"), float("p_long"),
			frame.Int8("side", gather(at, pos, func(l int) []int8 {
				if c := open[l].Column("side"); c != nil {
					return c.Int8
				}
				return make([]int8, len(times[l]))
			})), float("expected_net"),
		},
	}
	return f.WriteParquet(w)
}

func repeated(at []int8, names []string) []string {
	out := make([]string, len(at))
	for k, l := range at {
		out[k] = names[l]
	}
	return out
}

// part is one record of a strategy: walk-forward or lockbox.
type part struct {
	name string
	box  bool
	*factory.Record
}

func parts(o *factory.Outcome) (out []part) {
	for _, s := range o.Strategy {
		if s.Record != nil {
			out = append(out, part{s.Name, false, s.Record})
		}
		if s.Box != nil {
			out = append(out, part{s.Name, true, s.Box})
		}
	}
	return out
}

func tradeFrame(o *factory.Outcome) *frame.Frame {
	type row struct {
		*part
		*factory.TradeRow
	}
	var all []row
	ps := parts(o)
	for i := range ps {
		for j := range ps[i].Trades {
			all = append(all, row{&ps[i], &ps[i].Trades[j]})
		}
	}
	slices.SortStableFunc(all, func(a, b row) int { return compare(a.Decision, b.Decision) })
	n := len(all)
	time, entry, exit := make([]int64, n), make([]int64, n), make([]int64, n)
	name, reason, box, side, at := make([]string, n), make([]string, n), make([]bool, n), make([]int8, n), make([]int32, n)
	in, out, gross, net := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, r := range all {
		time[i], entry[i], exit[i] = r.Decision, r.Entry, r.Exit
		name[i], reason[i], box[i], side[i], at[i] = r.name, r.Reason, r.box, r.Side, int32(r.Row)
		in[i], out[i], gross[i], net[i] = r.EntryPx, r.ExitPx, r.TradeRow.Gross, r.TradeRow.Net
	}
	return &frame.Frame{Time: time, Columns: []frame.Column{
		frame.String("strategy", name), frame.Bool("lockbox", box), frame.Int32("row", at), frame.Int8("side", side),
		frame.Time("entry_time", entry), frame.Time("exit_time", exit), frame.Float64("entry_fill", in), frame.Float64("exit_fill", out),
		frame.Float64("gross", gross), frame.Float64("net", net), frame.String("exit", reason),
	}}
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func dailyFrame(o *factory.Outcome) *frame.Frame {
	type row struct {
		*part
		i int
	}
	var all []row
	ps := parts(o)
	for i := range ps {
		for j := range ps[i].Days {
			all = append(all, row{&ps[i], j})
		}
	}
	slices.SortStableFunc(all, func(a, b row) int { return compare(int64(a.Days[a.i]), int64(b.Days[b.i])) })
	time, name, box := make([]int64, len(all)), make([]string, len(all)), make([]bool, len(all))
	for k, r := range all {
		time[k], name[k], box[k] = int64(r.Days[r.i])*dayNS, r.name, r.box
	}
	f := &frame.Frame{Time: time, Columns: []frame.Column{frame.String("strategy", name), frame.Bool("lockbox", box)}}
	for _, c := range []struct {
		name string
		of   func(*factory.Record) []float64
	}{
		{"net", func(r *factory.Record) []float64 { return r.Net }}, {"gross", func(r *factory.Record) []float64 { return r.Gross }},
		{"net_at_cost_multiple", func(r *factory.Record) []float64 { return r.NetMultiple }},
		{"same_exposure", func(r *factory.Record) []float64 { return r.SameExposure }},
		{"buy_and_hold", func(r *factory.Record) []float64 { return r.BuyAndHold }},
		{"position", func(r *factory.Record) []float64 { return r.Position }}, {"exposure", func(r *factory.Record) []float64 { return r.Exposure }},
	} {
		x := make([]float64, len(all))
		for k, r := range all {
			x[k] = math.NaN()
			if v := c.of(r.Record); r.i < len(v) {
				x[k] = v[r.i]
			}
		}
		f.Columns = append(f.Columns, frame.Float64(c.name, x))
	}
	return f
}
