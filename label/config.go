package label

import (
	"errors"

	"github.com/mlfactory/mlfactory/param"
)

// Kinds of barrier width.
const (
	ATR   = "atr"
	Sigma = "sigma"
)

// Config is the parameters of the triple barrier.
type Config struct {
	Horizon    int            `yaml:"horizon" doc:"expiry: decision bars of session time after the decision" min:"1" max:"10000" search:"int 5 60"`
	Width      string         `yaml:"width" doc:"unit of the barriers: atr = Wilder's average true range, sigma = exponentially weighted standard deviation of log returns, both of one decision bar" enum:"atr,sigma"`
	Period     int            `yaml:"period" doc:"bars of the average: Wilder's period for atr, span for sigma" min:"2" max:"10000"`
	ProfitTake float64        `yaml:"profit_take" doc:"distance of the profit-take in widths; 0 = none" min:"0" max:"100" search:"float 1 5"`
	StopLoss   float64        `yaml:"stop_loss" doc:"distance of the stop in widths; 0 = none; must equal profit_take without a primary side" min:"0" max:"100" search:"float 1 5"`
	MinCosts   float64        `yaml:"min_costs" doc:"narrowest width as a multiple of the round-trip cost at the entry; narrower ones are widened to it; 0 = no floor" min:"0" max:"100"`
	Latency    param.Duration `yaml:"latency" doc:"time from the decision until an order can fill" min:"0s" max:"1h"`
	EntryLimit param.Duration `yaml:"entry_limit" doc:"longest wait from the decision to the bar of the entry; ready-made bars longer than a minute may always use the second bar that begins after the decision in its session" min:"0s" max:"7d"`
}

// Default is horizon 20, barriers at 2.5 ATR(14), latency 1 s, entry within 5
// minutes.
func Default() Config {
	return Config{
		Horizon: 20, Width: ATR, Period: 14, ProfitTake: 2.5, StopLoss: 2.5,
		Latency: param.Duration(1e9), EntryLimit: param.Duration(300e9),
	}
}

// Validate checks every field and that no latency reaches past the entry limit.
func (c Config) Validate() error {
	var errs []error
	if err := param.Check(c); err != nil {
		errs = append(errs, err)
	}
	if c.Latency > c.EntryLimit {
		errs = append(errs, &param.Error{Path: "entry_limit", Problem: "is shorter than the latency: no order could ever fill"})
	}
	return errors.Join(errs...)
}
