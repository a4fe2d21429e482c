// Package synth makes markets whose answer is known.
//
// A generated market is the product's own test. The planted market carries an
// edge that sits in an interaction; the null market differs from it in nothing
// but that coupling, and holds no edge at all. A factory that passes the first
// and refuses the second has shown on its own premises that it can tell the
// two apart.
//
// # The process
//
// Time runs in minutes of open market. The log of the mid price moves by
//
//	Δ log m_t = κ σ̄ a_t c_t + σ_t z_t − σ_t²/2,   z_t ~ N(0,1)
//	σ_t² = σ̄² · u(t)² · r(t) · g_t
//	g_t  = (1−α−β) + α g_{t−1} z_{t−1}² + β g_{t−1}
//
// where u is the intraday season (U-shaped, mean square 1), r a two-state
// Markov regime of variance (mean 1) and g a GARCH(1,1) of unit mean
// (Bollerslev 1986; the regimes after Hamilton & Susmel 1994, here
// multiplicative so that the unconditional variance stays σ̄²). Overnight the
// mid jumps by a normal gap with the same correction. With κ = 0 the mid is
// therefore a martingale given the past and every state.
//
// # The planted edge
//
// a_t is a persistent two-state chain that shows in volume, c_t is +1 in the
// first half of the session and −1 in the second, which shows in the clock.
// Each is fair by itself: E[a·c | a] = E[a·c | c] = 0 over a session of an even
// number of minutes, so a model that is linear in features of a and features of
// c sees nothing. Their product is the drift. (Features of past returns do see
// it once it has lasted: a is persistent.)
//
// # Trades
//
// Prints are the mid plus or minus the half-spread, the side drawn afresh at
// each print, rounded to the tick and never below one tick; open, high, low and
// close are the first, extreme and last of four prints at the begin and after
// each of the first three quarters of the minute. The side of a print does not
// depend on any state, so that trading at printed prices earns nothing either.
//
// # What is refused
//
// [Generate] refuses a config outside its limits, an instrument without a tick
// or a calendar, and one that has no session after the start. It reads no clock
// and draws from the config's seed alone.
package synth

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

// Config describes a generated market.
type Config struct {
	Seed      uint64  `yaml:"seed" doc:"seed of every draw"`
	Sessions  int     `yaml:"sessions" doc:"number of sessions" min:"1" max:"20000"`
	Start     string  `yaml:"start" doc:"first trading date, YYYY-MM-DD"`
	Coupling  float64 `yaml:"coupling" doc:"κ, the planted drift per minute in units of the mean minute deviation; 0 makes the null market" min:"0" max:"1"`
	Price     float64 `yaml:"price" doc:"first mid price" min:"1" max:"1000000"`
	Sigma     float64 `yaml:"sigma" doc:"σ̄, unconditional deviation of a minute's log return" min:"0.000001" max:"0.05"`
	Alpha     float64 `yaml:"alpha" doc:"GARCH reaction α" min:"0" max:"0.5"`
	Beta      float64 `yaml:"beta" doc:"GARCH persistence β" min:"0" max:"0.999"`
	Turbulent float64 `yaml:"turbulent" doc:"variance of the turbulent regime relative to the calm one" min:"1" max:"20"`
	Regime    float64 `yaml:"regime_minutes" doc:"mean length of a variance regime in minutes" min:"10" max:"1000000"`
	State     float64 `yaml:"state_minutes" doc:"mean length of a state of the volume chain a in minutes" min:"5" max:"100000"`
	Volume    float64 `yaml:"volume_contrast" doc:"log volume moves by ± this with the chain a" min:"0" max:"3"`
	Gap       float64 `yaml:"gap" doc:"deviation of the overnight log gap, in units of a session's deviation" min:"0" max:"2"`
	NoTrade   float64 `yaml:"no_trade" doc:"probability that a minute has no trade and so no bar" min:"0" max:"0.5"`
}

// Default is the planted market of the embedded pair.
func Default() Config {
	return Config{
		Seed: 1, Sessions: 750, Start: "2018-01-02", Coupling: 0.08, Price: 400, Sigma: 4e-4,
		Alpha: 0.05, Beta: 0.93, Turbulent: 3, Regime: 1200, State: 200, Volume: 0.8,
		Gap: 0.5, NoTrade: 0.004,
	}
}

// Null is c without its coupling: every draw is the same.
func (c Config) Null() Config { c.Coupling = 0; return c }

// Validate checks what the field limits cannot say.
func (c Config) Validate() error {
	var errs []error
	if c.Alpha+c.Beta >= 1 {
		errs = append(errs, &param.Error{Path: "beta", Problem: fmt.Sprintf("alpha + beta is %g; the variance is only finite below 1", c.Alpha+c.Beta)})
	}
	switch day, err := time.Parse(time.DateOnly, c.Start); {
	case err != nil:
		errs = append(errs, &param.Error{Path: "start", Problem: fmt.Sprintf("%q is not a date like 2018-01-02", c.Start)})
	case day.Year() < 1900 || day.Year() > 2200:
		errs = append(errs, &param.Error{Path: "start", Problem: fmt.Sprintf("%s lies outside the years 1900 to 2200 that instants of 64 bits are kept to", c.Start)})
	}
	return errors.Join(errs...)
}

// Market is a generated market with its truth.
type Market struct {
	Base  *bar.Series // one-minute bars of prints
	Truth Truth
}

// Truth is what a real market never shows, by minute of open market (also those
// without a trade).
type Truth struct {
	Time      []int64   // begin of the minute
	Mid       []float64 // mid price at the end of the minute
	State     []int8    // a_t·c_t, the sign of the planted drift in the minute
	Sigma     []float64 // σ_t
	Turbulent []bool    // the regime of r(t)
	Open      []float64 // mid price at the begin of the minute
	Sessions  int
}

const prints = 4 // prints in a minute with trades

// Generate draws the market. Instrument gives tick, half-spread and calendar;
// minutes are those of the calendar's sessions from the start on. The result
// depends on cfg and the instrument alone, and a longer market begins with the
// bars of a shorter one. Errors: see the package comment, and ctx's once a
// session.
func Generate(ctx context.Context, cfg Config, inst bar.Instrument) (*Market, error) {
	if err := param.Validate(&cfg); err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	if !(inst.TickSize > 0) {
		return nil, fmt.Errorf("synth: instrument %q has a tick of %g; prints need one above 0", inst.Name, inst.TickSize)
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	day, err := time.ParseInLocation(time.DateOnly, cfg.Start, time.UTC)
	if err != nil {
		return nil, fmt.Errorf("synth: %w", err)
	}
	g := newProcess(cfg, inst)
	m := &Market{Base: bar.NewSeries(bar.Minute, cfg.Sessions*390)}
	at := day.UnixNano()
	for d := range cfg.Sessions {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := cal.Next(at)
		if s.Close <= s.Open {
			return nil, fmt.Errorf("synth: the calendar %s has no session from %s on; session %d of %d cannot be drawn",
				cal.Name(), time.Unix(0, at).UTC().Format(time.DateOnly), d+1, cfg.Sessions)
		}
		g.session(d, s, m)
		at = s.Close
	}
	m.Truth.Sessions = cfg.Sessions
	bar.Assign(m.Base, cal, inst.Limit(bar.Minute, cal))
	return m, nil
}

// process is the running state of a market.
type process struct {
	cfg            Config
	inst           bar.Instrument
	tick           float64
	mid            float64
	garch          float64
	turbulent      bool
	state          int8
	calm, wild     float64 // variance multipliers with mean 1
	root           rng.Stream
	flip, switchTo float64 // hazards per minute
}

func newProcess(cfg Config, inst bar.Instrument) *process {
	p := &process{
		cfg: cfg, inst: inst, tick: inst.TickSize,
		mid: cfg.Price, garch: 1, state: 1,
		calm: 2 / (1 + cfg.Turbulent), wild: 2 * cfg.Turbulent / (1 + cfg.Turbulent),
		root: rng.New(cfg.Seed).Stream("synth"),
		flip: 1 / cfg.State, switchTo: 1 / cfg.Regime,
	}
	r := p.root.Stream("start").Rand()
	p.turbulent = r.IntN(2) == 1
	if r.IntN(2) == 1 {
		p.state = -1
	}
	return p
}

// season is the intraday factor of volatility at fraction x of the session:
// 1 + ¾·(2x−1)² scaled to mean square 1 over x in [0,1]:
// ∫(1+¾v²)² dv over v in [0,1] = 1 + ½ + 9/80 = 1.6125.
func season(x float64) float64 {
	v := float64(2*x) - 1
	return (1 + float64(0.75*v*v)) / math.Sqrt(1.6125)
}

func (p *process) session(d int, s calendar.Session, m *Market) {
	c := p.cfg
	r := p.root.Stream("session", d).Rand()
	minutes := int((s.Close - s.Open) / int64(bar.Minute))
	if d > 0 {
		gap := c.Gap * c.Sigma * math.Sqrt(float64(minutes))
		p.mid *= stat.Exp(float64(gap*r.NormFloat64()) - float64(gap*gap)/2)
	}
	for k := range minutes {
		begin := s.Open + int64(k)*int64(bar.Minute)
		if r.Float64() < p.flip {
			p.state = -p.state
		}
		if r.Float64() < p.switchTo {
			p.turbulent = !p.turbulent
		}
		x := (float64(k) + 0.5) / float64(minutes)
		clock := int8(1)
		if 2*k >= minutes {
			clock = -1
		}
		mult := p.calm
		if p.turbulent {
			mult = p.wild
		}
		sigma := c.Sigma * season(x) * math.Sqrt(mult*p.garch)
		drift := c.Coupling * c.Sigma * float64(p.state*clock)
		m.Truth.Time = append(m.Truth.Time, begin)
		m.Truth.Open = append(m.Truth.Open, p.mid)
		m.Truth.State = append(m.Truth.State, p.state*clock)
		m.Truth.Sigma = append(m.Truth.Sigma, sigma)
		m.Truth.Turbulent = append(m.Truth.Turbulent, p.turbulent)

		// The minute's move arrives in equal independent parts, one print
		// at the begin of the minute and one after each later part.
		var b bar.Bar
		part := sigma / math.Sqrt(prints)
		z := 0.0
		half := p.inst.HalfSpread(p.mid)
		trades := r.Float64() >= c.NoTrade
		for q := range prints {
			side := half
			if r.IntN(2) == 1 {
				side = -half
			}
			price := math.Max(p.tick, math.Round((p.mid+side)/p.tick)*p.tick)
			price = math.Round(price*1e8) / 1e8
			if q == 0 {
				b.Open, b.High, b.Low = price, price, price
			}
			b.High, b.Low, b.Close = math.Max(b.High, price), math.Min(b.Low, price), price
			e := r.NormFloat64()
			z += e
			p.mid *= stat.Exp(drift/prints + float64(part*e) - float64(part*part)/2)
		}
		z /= math.Sqrt(prints)
		p.garch = (1 - c.Alpha - c.Beta) + float64(c.Alpha*p.garch*z*z) + float64(c.Beta*p.garch)
		m.Truth.Mid = append(m.Truth.Mid, p.mid)

		level := stat.Log(1000) + float64(0.8*stat.Log(season(x))) + float64(c.Volume*float64(p.state)) + float64(0.35*r.NormFloat64())
		if !trades {
			continue
		}
		b.Begin, b.End = begin, begin+int64(bar.Minute)
		b.Known = b.End
		b.Volume = math.Ceil(stat.Exp(level))
		m.Base.Append(&b)
	}
}

// OracleSharpe is the annual net Sharpe ratio of a trader who knows a_t·c_t at
// the begin of each minute, holds that sign from open to close, and pays cost
// (a fraction of price) each time one unit changes hands. With n minutes in a
// session, daysPerYear sessions in a year and flip hazard q = 1/State, a
// session's return has
//
//	mean = n·κσ̄ − cost·(2 + 2F)
//	var  = n·σ̄²·ū² + (2·cost)²·V
//	F    = (n−2)·q + (1−q)      expected changes of sign
//	V    = (n−1)·q·(1−q)        their variance
//
// and the ratio is √daysPerYear·mean/√var. The trader starts and ends a session
// flat, which moves 2 units; each change of sign moves 2 more. There are n−1
// boundaries between minutes: at the middle one the clock c turns, so the sign
// changes unless a turns too (probability 1−q); at each of the n−2 others it
// changes if a does (q); all independent, and q(1−q) is the variance of either.
// Position times drift is constant, so it adds no variance; ū² is the season's
// mean square on the grid, 1 up to O(1/n²). Log and simple returns are taken as
// equal (relative error of the order of κσ̄). minutes is at least 2; O(minutes).
func (c Config) OracleSharpe(minutes int, cost, daysPerYear float64) float64 {
	mean, sd := c.oracle(minutes, cost)
	return math.Sqrt(daysPerYear) * mean / sd
}

// oracle is mean and deviation of the oracle's session return.
func (c Config) oracle(minutes int, cost float64) (mean, sd float64) {
	n, q := float64(minutes), 1/c.State
	flips := float64((n-2)*q) + (1 - q)
	varFlips := (n - 1) * q * (1 - q)
	mean = float64(n*c.Coupling*c.Sigma) - float64(cost*(2+float64(2*flips)))
	return mean, math.Sqrt(float64(n*c.Sigma*c.Sigma*meanSquareSeason(minutes)) + float64(4*cost*cost*varFlips))
}

// meanSquareSeason is 1 up to the grid's error.
func meanSquareSeason(minutes int) float64 {
	var s float64
	for k := range minutes {
		u := season((float64(k) + 0.5) / float64(minutes))
		s += float64(u * u)
	}
	return s / float64(minutes)
}
