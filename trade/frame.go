package trade

import (
	"fmt"

	"github.com/mlfactory/mlfactory/frame"
)

// day is a day in nanoseconds.
const day = int64(86400e9)

// TradesFrame is the trades as a table: the index is the entry time; row, side,
// decision, exit_time, entry_ref and exit_ref (before costs), entry and exit (as
// filled), gross, net, reason.
func (r *Result) TradesFrame() (*frame.Frame, error) {
	n := len(r.Trades)
	at, decision, exitTime := make([]int64, n), make([]int64, n), make([]int64, n)
	row, side, reason := make([]int32, n), make([]int8, n), make([]string, n)
	var prices [6][]float64
	for k := range prices {
		prices[k] = make([]float64, n)
	}
	for i, t := range r.Trades {
		at[i], decision[i], exitTime[i] = t.EntryTime, t.Decision, t.ExitTime
		row[i], side[i], reason[i] = int32(t.Row), t.Side, t.Reason.String()
		for k, x := range [6]float64{t.EntryRef, t.ExitRef, t.Entry, t.Exit, t.Gross, t.Net} {
			prices[k][i] = x
		}
	}
	f, err := frame.New(at, frame.Int32("row", row), frame.Int8("side", side), frame.Time("decision", decision), frame.Time("exit_time", exitTime),
		frame.Float64("entry_ref", prices[0]), frame.Float64("exit_ref", prices[1]), frame.Float64("entry", prices[2]), frame.Float64("exit", prices[3]),
		frame.Float64("gross", prices[4]), frame.Float64("net", prices[5]), frame.String("reason", reason))
	if err != nil {
		return nil, fmt.Errorf("trade: trades: %w", err)
	}
	return f, nil
}

// DaysFrame is the daily record as a table: the index is midnight UTC of the
// trading date; net, gross, equity (the running sum of net), position, exposure,
// market, same_exposure.
func (r *Result) DaysFrame() (*frame.Frame, error) {
	at := make([]int64, len(r.Days))
	for i, d := range r.Days {
		at[i] = int64(d.ID) * day
	}
	f, err := frame.New(at, frame.Float64("net", r.Net()), frame.Float64("gross", r.Gross()), frame.Float64("equity", Equity(r.Net())),
		frame.Float64("position", r.column(func(d Day) float64 { return d.Position })), frame.Float64("exposure", r.column(func(d Day) float64 { return d.Exposure })),
		frame.Float64("market", r.BuyAndHold()), frame.Float64("same_exposure", r.SameExposure()))
	if err != nil {
		return nil, fmt.Errorf("trade: days: %w", err)
	}
	return f, nil
}
