package report

import (
	"fmt"
	"html/template"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/factory"
)

// charts makes the charts of bars and of returns.
func (m *market) charts(o *factory.Outcome, c *factory.Strategy) error {
	r := c.Record
	if o.Base != nil && o.Base.Len() > 0 && len(r.Days) > 0 {
		if err := m.priceCharts(o, c); err != nil {
			return err
		}
	}
	if len(r.Days) == 0 {
		return nil
	}
	x := make([]int64, len(r.Days)+1)
	for i, d := range r.Days {
		x[i+1] = int64(d) * dayNS
	}
	x[0] = x[1] - dayNS
	xf := make([]float64, len(x))
	for i, t := range x {
		xf[i] = float64(t)
	}
	net := cumulate(r.Net)
	under := underwater(net)
	var p packed
	p.seconds("time", x)
	p.floats("net", net)
	var curves []curve
	keys := []key{{"accent", "net"}}
	for _, s := range []struct {
		name, class, text string
		x                 []float64
	}{{"gross", "gross", "before costs", r.Gross}, {"hold", "hold", "buy and hold", r.BuyAndHold}, {"same", "same", "same exposure", r.SameExposure}} {
		if len(s.x) != len(r.Days) {
			continue
		}
		y := cumulate(s.x)
		p.floats(s.name, y)
		curves, keys = append(curves, curve{s.class, y}), append(keys, key{s.class, s.text})
	}
	curves = append(curves, curve{"accent", net})
	p.floats("drawdown", under)
	data, err := p.element(m.ID + "-equity-data")
	if err != nil {
		return err
	}
	at := func(s scale) []tick { return timeLabels(s, 1e9) }
	note := fmt.Sprintf("Running sums of daily returns in percent of the entry notional, not compounded; below, how far the net sum lies under its highest value so far. Net result %s, deepest drawdown %s.",
		percent(net[len(net)-1]/100, 1), percent(float64(stat(r, "MaxDrawdown")), 1))
	m.Equity = &chart{ID: m.ID + "-equity", Kind: "equity", Title: "Equity and drawdown", Label: note, Note: note, Data: []template.HTML{data}, Keys: keys,
		Still: lines(xf, curves, 230, " %", at, false, "") + lines(xf, []curve{{"neg", under}}, 110, " %", at, true, "")}
	return nil
}

func (m *market) priceCharts(o *factory.Outcome, c *factory.Strategy) error {
	r := c.Record
	all := between(o.Base, int64(r.Days[0]-3)*dayNS, int64(r.Days[len(r.Days)-1]+2)*dayNS)
	s, err := shorten(all, &o.Instrument)
	if err != nil || s.Len() == 0 {
		return err
	}
	whole, err := priceChart(m.ID+"-price", "Prices and trades", s, r.Trades)
	if err != nil {
		return err
	}
	m.Prices = append(m.Prices, whole)
	clock, err := bar.ParseTimeframe(o.Clock)
	if err != nil || clock <= 0 || s.Timeframe <= clock || len(r.Trades) == 0 {
		return nil // the bars are as fine as the decisions, or these have no timeframe
	}
	// The whole record is too coarse to show single trades: show the latest at the pace of the decisions.
	last := r.Trades[len(r.Trades)-1]
	first := r.Trades[max(0, len(r.Trades)-closeTrades)]
	from := max(first.Entry, last.Exit-closeBars*int64(clock)) - 50*int64(clock)
	near := between(all, from, last.Exit+20*int64(clock))
	if near.Timeframe < clock {
		cal, err := o.Instrument.NewCalendar()
		if err != nil {
			return err
		}
		if near, err = bar.Resample(near, clock, cal); err != nil {
			return err
		}
	}
	if near.Len() == 0 {
		return nil
	}
	latest, err := priceChart(m.ID+"-close", "The latest trades, close up", near, r.Trades)
	if err != nil {
		return err
	}
	m.Prices = append(m.Prices, latest)
	return nil
}

// A close-up shows so many trades and, before its first bar, so many bars at most.
const closeTrades, closeBars = 200, 5000

func priceChart(id, title string, s *bar.Series, trades []factory.TradeRow) (*chart, error) {
	var p packed
	p.seconds("time", s.End)
	p.floats("open", s.Open)
	p.floats("high", s.High)
	p.floats("low", s.Low)
	p.floats("close", s.Close)
	bars, err := p.element(id + "-data")
	if err != nil {
		return nil, err
	}
	ms := markers(s, trades)
	at, long, brief, net := make([]int64, len(ms)), make([]float64, len(ms)), make([]float64, len(ms)), make([]float64, len(ms))
	entries := 0
	for i, k := range ms {
		at[i], long[i], brief[i], net[i] = s.End[k.bar], float64(k.long), float64(k.short), 100*k.net
		entries += k.long + k.short
	}
	var q packed
	q.seconds("time", at)
	q.floats("long", long)
	q.floats("short", brief)
	q.floats("net", net)
	marks, err := q.element(id + "-marks")
	if err != nil {
		return nil, err
	}
	c := &chart{ID: id, Kind: "price", Title: title, Label: fmt.Sprintf("Prices with %s", plural(entries, "trade")),
		Note:   fmt.Sprintf("%s and %s, stamped at the end of the bar, UTC.", plural(s.Len(), s.Timeframe.String()+" bar"), plural(entries, "trade")),
		Screen: "Arrows mark entries: up = long, down = short; green = the trades entered in that bar made money after costs, red = they lost. A number counts several entries in one bar.",
		Data:   []template.HTML{bars, marks}}
	c.Still, c.Paper = stillPrice(s, ms)
	return c, nil
}
