package bar

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/param"
)

// Instrument is what the bars are prices of, and what it costs to trade it.
//
// One unit is a contract, a share or a coin. Costs are per side, that is, for
// each unit bought or sold; where both ticks and basis points are given they add
// up. The figures of the built-in instruments are those of a small account at
// the date in FeesAsOf and are meant to be replaced by the user's own.
type Instrument struct {
	Name              string         `yaml:"name" doc:"short name, such as MES"`
	Description       string         `yaml:"description" doc:"what it is, for the reader"`
	Calendar          string         `yaml:"calendar" doc:"name of a built-in calendar; empty when hours are given"`
	Hours             *calendar.Spec `yaml:"hours,omitempty" doc:"a calendar of its own, instead of a built-in one"`
	TickSize          float64        `yaml:"tick_size" min:"0" doc:"smallest step of the price, in price units; more than 0"`
	PointValue        float64        `yaml:"point_value" min:"0" doc:"currency gained by one unit when the price rises by 1; more than 0"`
	Currency          string         `yaml:"currency" doc:"currency of point value and commission, such as USD"`
	CommissionPerSide float64        `yaml:"commission_per_side" min:"0" doc:"broker, exchange and regulator together, in currency per unit and side"`
	FeeBps            float64        `yaml:"fee_bps" min:"0" max:"1000" doc:"fee in basis points of the notional, per side"`
	FeeMin            float64        `yaml:"fee_min" min:"0" doc:"least that commission and fee together come to for one order, in currency"`
	FeesAsOf          string         `yaml:"fees_as_of" doc:"date of the fees and spreads, yyyy-mm-dd"`
	HalfSpreadTicks   float64        `yaml:"half_spread_ticks" min:"0" doc:"half of the usual bid-ask spread, in ticks"`
	HalfSpreadBps     float64        `yaml:"half_spread_bps" min:"0" max:"1000" doc:"half of the usual bid-ask spread, in basis points of the price"`
	SlippageTicks     float64        `yaml:"slippage_ticks" min:"0" doc:"further loss of a market order, in ticks"`
	SlippageBps       float64        `yaml:"slippage_bps" min:"0" max:"1000" doc:"further loss of a market order, in basis points of the price"`
	Proxy             string         `yaml:"proxy" doc:"empty if it can be traded; otherwise what it stands for and whose costs these are"`
	SignedPrices      bool           `yaml:"signed_prices" doc:"prices of zero and below are real (crude oil in April 2020)"`
	OutageLimit       param.Duration `yaml:"outage_limit" min:"0s" doc:"longest unscheduled absence, in open-market time, that does not end a segment; 0: by the size of the bars"`
}

// Tradable reports whether the instrument itself can be bought.
func (i *Instrument) Tradable() bool { return i.Proxy == "" }

// HalfSpread is half of the usual spread at a price, in price units:
// HalfSpreadTicks·TickSize + HalfSpreadBps·|price|/10⁴.
func (i *Instrument) HalfSpread(price float64) float64 {
	return float64(i.HalfSpreadTicks*i.TickSize) + float64(i.HalfSpreadBps*math.Abs(price))/1e4
}

// Slippage is the further loss of a market order at a price, in price units:
// SlippageTicks·TickSize + SlippageBps·|price|/10⁴.
func (i *Instrument) Slippage(price float64) float64 {
	return float64(i.SlippageTicks*i.TickSize) + float64(i.SlippageBps*math.Abs(price))/1e4
}

// Fee is what one order costs besides its price, in currency: the larger of
// FeeMin and units·(CommissionPerSide + FeeBps·|price|·PointValue/10⁴). units is
// the size of the order without its sign; 0 units cost nothing.
func (i *Instrument) Fee(units, price float64) float64 {
	if units == 0 {
		return 0
	}
	perUnit := i.CommissionPerSide + float64(float64(i.FeeBps*math.Abs(price))*i.PointValue)/1e4
	return max(i.FeeMin, math.Abs(units)*perUnit)
}

// NewCalendar makes the instrument's calendar: Hours if given, else the
// built-in one called Calendar. Keep it: making one costs some 10 ms.
func (i *Instrument) NewCalendar() (*calendar.Calendar, error) {
	if i.Hours != nil {
		return calendar.New(*i.Hours)
	}
	return calendar.ByName(i.Calendar)
}

// Limit is the outage limit for bars of a timeframe: OutageLimit if set, else
// the default of [OutageLimit].
func (i *Instrument) Limit(base Timeframe, cal *calendar.Calendar) time.Duration {
	if i.OutageLimit > 0 {
		return time.Duration(i.OutageLimit)
	}
	return OutageLimit(base, cal)
}

// Validate reports what is wrong beyond the ranges in the tags, all problems at
// once. [param.Validate] reports those too.
func (i *Instrument) Validate() error {
	var errs []error
	bad := func(path, format string, a ...any) {
		errs = append(errs, &param.Error{Path: path, Problem: fmt.Sprintf(format, a...)})
	}
	if i.Name == "" || strings.TrimSpace(i.Name) != i.Name {
		bad("name", "%q is empty or has spaces around it", i.Name)
	}
	if i.TickSize == 0 {
		bad("tick_size", "is 0; give the smallest step of the price")
	}
	if i.PointValue == 0 {
		bad("point_value", "is 0; give the currency gained by one unit when the price rises by 1")
	}
	if i.Currency == "" {
		bad("currency", "is empty")
	}
	if _, err := time.Parse(time.DateOnly, i.FeesAsOf); err != nil {
		bad("fees_as_of", "%q is not a date yyyy-mm-dd", i.FeesAsOf)
	}
	switch {
	case i.Hours != nil && i.Calendar != "":
		bad("calendar", "give either the name of a calendar or hours, not both")
	case i.Hours == nil && !slices.ContainsFunc(calendar.Names(), func(n string) bool { return strings.EqualFold(n, i.Calendar) }):
		hint := ""
		if near, ok := param.Nearest(i.Calendar, calendar.Names()); ok {
			hint = "; nearest is " + near
		}
		bad("calendar", "unknown calendar %q%s; there are %s", i.Calendar, hint, strings.Join(calendar.Names(), ", "))
	}
	return errors.Join(errs...)
}

// Instruments is a set of instruments by name, in the order of their addition.
type Instruments struct{ list []Instrument }

// NewInstruments holds the built-in instruments.
func NewInstruments() *Instruments { return &Instruments{list: builtin()} }

// Add puts an instrument in. It refuses one that is not valid and a name, in any
// case of letters, that is taken.
func (s *Instruments) Add(i Instrument) error {
	if err := param.Validate(&i); err != nil {
		return fmt.Errorf("bar: instrument %q: %w", i.Name, err)
	}
	for k := range s.list {
		if strings.EqualFold(s.list[k].Name, i.Name) {
			return fmt.Errorf("bar: instrument %q: the name is taken", i.Name)
		}
	}
	s.list = append(s.list, i)
	return nil
}

// Find is the instrument of that name, in any case of letters. The error for an
// unknown name gives the nearest one.
func (s *Instruments) Find(name string) (Instrument, error) {
	for _, i := range s.list {
		if strings.EqualFold(i.Name, name) {
			return i, nil
		}
	}
	hint := ""
	if near, ok := param.Nearest(name, s.Names()); ok {
		hint = "; nearest is " + near
	}
	return Instrument{}, fmt.Errorf("bar: unknown instrument %q%s; there are %s, or describe your own", name, hint, strings.Join(s.Names(), ", "))
}

// Names lists the instruments in order.
func (s *Instruments) Names() []string {
	out := make([]string, len(s.list))
	for k, i := range s.list {
		out[k] = i.Name
	}
	return out
}

// All lists the instruments in order.
func (s *Instruments) All() []Instrument { return slices.Clone(s.list) }

// Find is the built-in instrument of that name.
func Find(name string) (Instrument, error) { return NewInstruments().Find(name) }
