package cost

import (
	"fmt"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/param"
)

// Config is what a user may change about the costs of an instrument. A field
// left out keeps the instrument's own figure.
type Config struct {
	Multiplier      float64  `yaml:"multiplier" doc:"scales all costs: 1 as stated, 0 none, 2 twice" min:"0" max:"100"`
	ProfitTake      string   `yaml:"profit_take" doc:"limit: a resting order that fills at its price once traded through by a tick; next_open: a market order at the open after the first touch" enum:"limit,next_open"`
	Order           float64  `yaml:"order" doc:"notional of one order in the instrument's currency, over which a least fee per order is spread" min:"1" max:"1000000000000"`
	HalfSpreadTicks *float64 `yaml:"half_spread_ticks,omitempty" doc:"half the bid-ask spread in ticks, instead of the instrument's" min:"0" max:"100000"`
	HalfSpreadBps   *float64 `yaml:"half_spread_bps,omitempty" doc:"half the bid-ask spread in basis points, instead of the instrument's" min:"0" max:"1000"`
	SlippageTicks   *float64 `yaml:"slippage_ticks,omitempty" doc:"further loss of a market order in ticks, instead of the instrument's" min:"0" max:"100000"`
	SlippageBps     *float64 `yaml:"slippage_bps,omitempty" doc:"further loss of a market order in basis points, instead of the instrument's" min:"0" max:"1000"`
	Commission      *float64 `yaml:"commission,omitempty" doc:"commission per contract and side in currency, instead of the instrument's" min:"0" max:"1000000"`
	FeeBps          *float64 `yaml:"fee_bps,omitempty" doc:"fee per side in basis points of the notional, instead of the instrument's" min:"0" max:"1000"`
	FeeMin          *float64 `yaml:"fee_min,omitempty" doc:"least that commission and fee come to for one order, in currency, instead of the instrument's" min:"0" max:"1000000"`
}

// Default is the instrument's own costs, once, limit profit-takes and orders of
// 100,000.
func Default() Config { return Config{Multiplier: 1, ProfitTake: "limit", Order: 100000} }

// Validate checks every field.
func (c Config) Validate() error { return param.Check(c) }

// New makes the model of an instrument, with the changes of cfg.
func New(i bar.Instrument, cfg Config) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("cost: %w", err)
	}
	m := &Model{
		Tick: i.TickSize, PointValue: i.PointValue,
		HalfSpreadTicks: i.HalfSpreadTicks, HalfSpreadBps: i.HalfSpreadBps,
		SlippageTicks: i.SlippageTicks, SlippageBps: i.SlippageBps,
		Commission: i.CommissionPerSide, FeeBps: i.FeeBps, FeeMin: i.FeeMin, Order: cfg.Order,
		Multiplier: cfg.Multiplier,
	}
	if cfg.ProfitTake == "next_open" {
		m.Take = NextOpen
	}
	for _, x := range []struct {
		own  *float64
		into *float64
	}{
		{cfg.HalfSpreadTicks, &m.HalfSpreadTicks}, {cfg.HalfSpreadBps, &m.HalfSpreadBps},
		{cfg.SlippageTicks, &m.SlippageTicks}, {cfg.SlippageBps, &m.SlippageBps},
		{cfg.Commission, &m.Commission}, {cfg.FeeBps, &m.FeeBps}, {cfg.FeeMin, &m.FeeMin},
	} {
		if x.own != nil {
			*x.into = *x.own
		}
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("cost: instrument %s: %w", i.Name, err)
	}
	return m, nil
}
