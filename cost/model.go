// Package cost says what it costs to trade and at which price an order fills.
// The labels and the backtest call the same functions, so a trade and the label
// of its row cannot differ.
//
// # Prices
//
// A bar's prices are prices at which others traded. A market order at a bar's
// open pays half the spread and slippage on top of it, both given in ticks, in
// basis points of the price, or as the sum of the two. A profit-take is a
// resting limit: it fills at its own price, pays no spread, and only fills when
// the market traded through it by a tick. A stop fills at the worse of its own
// price and the minute's open, less slippage (the print that triggers it is
// already on the far side of the spread). Inside a bar a stop is taken to trade
// at its price even where the prints jumped over it, which no bar shows; its
// slippage has to stand for that. When profit-take and stop are both
// reached in one minute, the stop is taken. Commission and fees are charged per
// side on the filled price.
//
// Barrier levels are not rounded to the tick grid: back-adjusted prices have no
// grid, and a full tick of trade-through is never kinder than rounding.
//
// # Returns
//
// Gross is the simple return between the prices before costs, net the simple
// return on entry notional after all of them. A multiplier scales every cost
// and no fill rule: at 0 net equals gross up to rounding.
//
// # Refusals
//
// Bars released late from quarantine and prints outside of the scheduled sessions
// never fill anything ([NoFill]). No position crosses
// an outage: [Model.Walk] says so instead of giving an outcome. There is no
// market impact: positions are of one unit.
package cost

import (
	"errors"
	"fmt"
	"math"
)

// TakeMode says how a profit-take is executed.
type TakeMode uint8

// Ways to take a profit.
const (
	Limit    TakeMode = iota // resting limit: fills at its price once traded through by a tick
	NextOpen                 // market order at the open of the bar after the first touch
)

// Model is what one unit of an instrument costs to trade. The zero value costs
// nothing except that it must be given a point value; make one with [New] or
// fill every field and call [Model.Validate].
type Model struct {
	Tick       float64 // smallest price step, in price units; 0 if unknown
	PointValue float64 // currency per price unit and contract; 1 for spot and shares

	HalfSpreadTicks, HalfSpreadBps float64 // half the quoted spread: ticks plus basis points of the price
	SlippageTicks, SlippageBps     float64 // slippage of an aggressive fill, on top of the half-spread

	Commission float64 // currency per contract and side
	FeeBps     float64 // fee per side in basis points of notional
	FeeMin     float64 // least that commission and fee come to for one order, in currency
	Order      float64 // notional of one order in currency; what FeeMin is spread over

	Multiplier float64 // scales all costs: 1 as stated, 0 none, 2 twice
	Take       TakeMode
}

// Validate reports every field that cannot be right.
func (m *Model) Validate() error {
	var errs []error
	check := func(name string, v float64, positive bool) {
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			errs = append(errs, fmt.Errorf("cost: %s is %v, want a finite number", name, v))
		case v < 0:
			errs = append(errs, fmt.Errorf("cost: %s is %v, want at least 0", name, v))
		case positive && v == 0:
			errs = append(errs, fmt.Errorf("cost: %s is 0, want a positive number", name))
		}
	}
	check("tick", m.Tick, false)
	check("point value", m.PointValue, true)
	check("half-spread in ticks", m.HalfSpreadTicks, false)
	check("half-spread in bps", m.HalfSpreadBps, false)
	check("slippage in ticks", m.SlippageTicks, false)
	check("slippage in bps", m.SlippageBps, false)
	check("commission", m.Commission, false)
	check("fee in bps", m.FeeBps, false)
	check("least fee", m.FeeMin, false)
	check("order notional", m.Order, m.FeeMin > 0)
	check("multiplier", m.Multiplier, false)
	if m.Tick == 0 && (m.HalfSpreadTicks > 0 || m.SlippageTicks > 0) {
		errs = append(errs, errors.New("cost: costs are given in ticks but the tick size is 0; give the instrument's tick"))
	}
	return errors.Join(errs...)
}

// AtCost is the model with all costs scaled by mult instead of its own
// multiplier; the fill rules stay.
func (m *Model) AtCost(mult float64) *Model {
	c := *m
	c.Multiplier = mult
	return &c
}

// HalfSpread is half the spread in price units at a price:
// multiplier·(ticks·tick + bps·|price|/10⁴).
func (m *Model) HalfSpread(price float64) float64 {
	return float64(m.Multiplier * (float64(m.HalfSpreadTicks*m.Tick) + float64(m.HalfSpreadBps*1e-4*math.Abs(price))))
}

// Slippage of an aggressive fill in price units at a price, by the same formula.
func (m *Model) Slippage(price float64) float64 {
	return float64(m.Multiplier * (float64(m.SlippageTicks*m.Tick) + float64(m.SlippageBps*1e-4*math.Abs(price))))
}

// Fee is commission and fees of one side in currency per contract at a price:
//
//	multiplier·max(commission + bps·notional/10⁴, FeeMin·notional/Order)
//
// with notional = |price|·pointValue.
func (m *Model) Fee(price float64) float64 {
	notional := math.Abs(price) * m.PointValue
	fee := m.Commission + float64(m.FeeBps*1e-4*notional)
	if m.FeeMin > 0 {
		fee = max(fee, m.FeeMin*notional/m.Order)
	}
	return float64(m.Multiplier * fee)
}

// RoundTrip is the cost of entering and leaving by market orders at one price,
// as a fraction of notional:
//
//	2·(half-spread + slippage)/price + 2·fee/(price·pointValue).
func (m *Model) RoundTrip(price float64) float64 {
	return 2*(m.HalfSpread(price)+m.Slippage(price))/price + 2*m.Fee(price)/(price*m.PointValue)
}

// RoundTripTicks is [Model.RoundTrip] in ticks; NaN without a tick size.
func (m *Model) RoundTripTicks(price float64) float64 {
	if m.Tick == 0 {
		return math.NaN()
	}
	return m.RoundTrip(price) * price / m.Tick
}

// RoundTripCurrency is [Model.RoundTrip] in currency per contract.
func (m *Model) RoundTripCurrency(price float64) float64 {
	return m.RoundTrip(price) * price * m.PointValue
}

// Market is the price of a market order: dir +1 buys, −1 sells.
func (m *Model) Market(ref float64, dir int8) float64 {
	return ref + float64(float64(dir)*(m.HalfSpread(ref)+m.Slippage(ref)))
}

// Fills is the accounting of one position.
type Fills struct {
	Entry, Exit float64 // filled prices
	Gross       float64 // side·(exit/entry − 1) of the prices before costs
	Net         float64 // simple return on entry notional after all costs
}

// Account prices a position from its two prices before costs:
//
//	entry = Market(entryRef, side)
//	exit  = Market(exitRef, −side)                    market exits
//	      = exitRef                                   limit profit-take
//	      = exitRef − side·Slippage(exitRef)          stop
//	net   = side·(exit/entry − 1) − (Fee(entry)+Fee(exit))/(entry·pointValue)
//
// side is +1 or −1.
func (m *Model) Account(side int8, entryRef, exitRef float64, exit Exit) Fills {
	d := float64(side)
	f := Fills{Entry: m.Market(entryRef, side), Exit: exitRef, Gross: float64(d * (exitRef/entryRef - 1))}
	switch {
	case exit == StopLoss:
		f.Exit = exitRef - float64(d*m.Slippage(exitRef))
	case exit == ProfitTake && m.Take == Limit:
	default:
		f.Exit = m.Market(exitRef, -side)
	}
	f.Net = float64(d*(f.Exit/f.Entry-1)) - (m.Fee(f.Entry)+m.Fee(f.Exit))/(f.Entry*m.PointValue)
	return f
}
