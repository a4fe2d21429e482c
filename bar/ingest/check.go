package ingest

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
)

// Checks sets the limits of the online checks.
type Checks struct {
	Jump         float64 `yaml:"jump" doc:"a price further than this from the last accepted close, as an absolute log ratio, is held in quarantine until later bars confirm it (0.405 is a factor of 1.5)" min:"0.05" max:"10"`
	Confirm      int     `yaml:"confirm" doc:"bars at the new level that confirm a jump" min:"1" max:"100"`
	Hold         int     `yaml:"hold" doc:"bars after which a quarantine that was neither confirmed nor refuted is released as the new level" min:"1" max:"1000"`
	ZeroVolume   string  `yaml:"zero_volume" doc:"what a volume of 0 means: auto = no volume is known where the price moved and 0 where it did not, keep = 0, missing = never known" enum:"auto,keep,missing"`
	OutOfOrder   float64 `yaml:"out_of_order" doc:"largest share of rows that may come out of order (each is dropped and counted); more is an error" min:"0" max:"1"`
	MissingShare float64 `yaml:"missing_share" doc:"largest share of rows without a price (each is dropped and counted); more is an error" min:"0" max:"1"`
}

// DefaultChecks are the limits used when nothing is said.
func DefaultChecks() Checks {
	return Checks{Jump: 0.405, Confirm: 1, Hold: 30, ZeroVolume: "auto", OutOfOrder: 0.01, MissingShare: 0.05}
}

// Checker judges bars one at a time, the same way for a file and for a live
// stream. It is pushed with bars in the order of arrival and emits the accepted
// ones; a suspicious bar is held back, and everything after it is judged
// against both the level before it and its own, until later bars decide. A bar
// that is confirmed is emitted with Known set to the end of the bar that
// confirmed it.
//
// Rules, in order, each counted and listed in the report:
//
//	missing price       open, high, low or close absent: dropped
//	non-positive price  where the instrument forbids it: dropped
//	duplicate           same stamp as the last row: the first stays
//	out of order        stamp before the last row's: dropped
//	high below low      dropped, nothing can be known from it
//	high or low         does not contain open and close: widened to contain them
//	negative volume     volume becomes missing
//	zero volume         see Checks.ZeroVolume
//	jump                held until confirmed; refuted bars are dropped
type Checker struct {
	cfg           Checks
	allowNegative bool
	rep           *Report
	emit          func(*bar.Bar)

	factor float64 // exp(Jump)
	last   float64 // last accepted close
	seen   bool
	end    int64 // stamp order
	held   []bar.Bar
	lines  []int64
}

// NewChecker makes a checker for an instrument that emits accepted bars.
func NewChecker(cfg Checks, inst bar.Instrument, rep *Report, emit func(*bar.Bar)) *Checker {
	return &Checker{cfg: cfg, allowNegative: inst.SignedPrices, rep: rep, emit: emit, factor: math.Exp(cfg.Jump)}
}

// Push judges the next bar; line is its place in the source.
func (c *Checker) Push(b bar.Bar, line int64) {
	switch {
	case math.IsNaN(b.Open) || math.IsNaN(b.High) || math.IsNaN(b.Low) || math.IsNaN(b.Close):
		c.rep.note(MissingPrice, &b, line, "open, high, low or close is absent; dropped")
		return
	case !c.allowNegative && (b.Open <= 0 || b.High <= 0 || b.Low <= 0 || b.Close <= 0):
		c.rep.note(NonPositive, &b, line, "a price of 0 or below, which the instrument forbids; dropped")
		return
	case c.seen && b.End == c.end:
		c.rep.note(Duplicate, &b, line, "same stamp as the row before; the first stays")
		return
	case c.seen && b.End < c.end:
		c.rep.note(OutOfOrder, &b, line, "earlier than the row before; dropped")
		return
	}
	c.seen, c.end = true, b.End
	if b.High < b.Low {
		c.rep.note(HighBelowLow, &b, line, "high below low; dropped")
		return
	}
	if hi, lo := math.Max(b.Open, b.Close), math.Min(b.Open, b.Close); b.High < hi || b.Low > lo {
		c.rep.note(Inconsistent, &b, line, "high and low did not contain open and close; widened")
		b.High, b.Low = math.Max(b.High, hi), math.Min(b.Low, lo)
	}
	switch {
	case b.Volume < 0:
		c.rep.note(NegativeVolume, &b, line, "negative volume; now missing")
		b.Volume = math.NaN()
	case b.Volume == 0:
		moved := b.High > b.Low
		if c.cfg.ZeroVolume == "missing" || c.cfg.ZeroVolume == "auto" && moved {
			c.rep.note(ZeroVolume, &b, line, "volume 0; now missing")
			b.Volume = math.NaN()
		} else {
			c.rep.note(ZeroVolume, &b, line, "volume 0; kept")
		}
	}
	c.judge(b, line)
}

// near reports whether all of a bar's prices lie within the jump limit of a
// level. At or below zero ratios say nothing and every bar is near.
func (c *Checker) near(b *bar.Bar, level float64) bool {
	if level <= 0 || b.Low <= 0 {
		return true
	}
	return b.High <= level*c.factor && b.Low*c.factor >= level
}

func (c *Checker) judge(b bar.Bar, line int64) {
	if c.last == 0 && len(c.held) == 0 {
		c.accept(&b)
		return
	}
	ok := c.near(&b, c.last)
	if len(c.held) == 0 {
		if ok {
			c.accept(&b)
			return
		}
		c.rep.note(Jump, &b, line, "prices jump; held until later bars confirm it")
		c.held, c.lines = append(c.held, b), append(c.lines, line)
		return
	}
	if ok {
		// Back at the old level: what was held were bad prints.
		for i := range c.held {
			c.rep.note(BadPrint, &c.held[i], c.lines[i], "later bars refuted the jump; dropped")
		}
		c.clear()
		c.accept(&b)
		return
	}
	c.held, c.lines = append(c.held, b), append(c.lines, line)
	level := c.held[0].Close
	agree := 0
	for i := 1; i < len(c.held); i++ {
		if c.near(&c.held[i], level) {
			agree++
		}
	}
	if agree >= c.cfg.Confirm || len(c.held) > c.cfg.Hold {
		c.release(b.End)
	}
}

// release emits the held bars, known now.
func (c *Checker) release(now int64) {
	for i := range c.held {
		h := &c.held[i]
		if h.End < now {
			h.Known = now
			h.Flags |= bar.Late
			c.rep.note(Released, h, c.lines[i], "later bars confirmed the jump; released")
		}
		c.accept(h)
	}
	c.clear()
}

func (c *Checker) clear() { c.held, c.lines = c.held[:0], c.lines[:0] }

func (c *Checker) accept(b *bar.Bar) {
	c.last = b.Close
	c.rep.Accepted++
	c.emit(b)
}

// Close ends the stream: bars still in quarantine were never confirmed and are
// dropped.
func (c *Checker) Close() {
	for i := range c.held {
		c.rep.note(Unconfirmed, &c.held[i], c.lines[i], "the data ended before the jump was confirmed; dropped")
	}
	c.clear()
}
