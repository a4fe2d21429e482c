package ingest

import (
	"math"

	"github.com/mlfactory/mlfactory/bar"
)

// Checks sets the limits of the online checks.
type Checks struct {
	Jump         float64 `yaml:"jump" doc:"a price further than this from the last accepted close, as an absolute log ratio, is held in quarantine until later bars confirm it (0.405 is a factor of 1.5)" min:"0.05" max:"10"`
	Confirm      int     `yaml:"confirm" doc:"further bars at the new level that confirm a jump" min:"1" max:"100"`
	Hold         int     `yaml:"hold" doc:"bars after which a quarantine that was neither confirmed nor refuted is released as it is" min:"1" max:"1000"`
	ZeroVolume   string  `yaml:"zero_volume" doc:"what a volume of 0 means: auto = the volume is not known where the price moved, and from there on until one is seen, and otherwise 0; keep = 0; missing = never known" enum:"auto,keep,missing"`
	OutOfOrder   float64 `yaml:"out_of_order" doc:"largest share of rows that may come out of order (each is dropped and counted); more is an error" min:"0" max:"1"`
	MissingShare float64 `yaml:"missing_share" doc:"largest share of rows without a price (each is dropped and counted); more is an error" min:"0" max:"1"`
	Duplicates   float64 `yaml:"duplicates" doc:"largest share of rows that may repeat the stamp of the row before (each is dropped and counted); more is an error" min:"0" max:"1"`
}

// DefaultChecks are the limits used when nothing is said.
func DefaultChecks() Checks {
	return Checks{Jump: 0.405, Confirm: 2, Hold: 30, ZeroVolume: "auto", OutOfOrder: 0.01, MissingShare: 0.05, Duplicates: 0.1}
}

// Checker judges bars one at a time, the same way for a file and for a live
// stream. It is pushed with bars in the order of arrival and emits the accepted
// ones, in order of End. A bar whose prices jump is held back until later bars
// decide: bars back at the old level refute it, and Checks.Confirm further bars
// near its own close confirm it. What is confirmed is emitted with Known set to
// the end of the bar that confirmed it, and with the flag Late. The very first
// bar has nothing before it and is held until another bar lies near it, so that
// a bad first print does not become the level.
//
// Rules, in order, each counted and listed in the report:
//
//	missing price       open, high, low or close absent or infinite: dropped
//	non-positive price  where the instrument forbids it: dropped
//	high below low      dropped, nothing can be known from it
//	duplicate           same stamp as the last usable row: the first stays
//	out of order        stamp before the last usable row's: dropped
//	high or low         does not contain open and close: widened to contain them
//	negative volume     volume becomes missing (as does an infinite one)
//	zero volume         see Checks.ZeroVolume
//	jump                held until confirmed; refuted bars are dropped
//
// Prices are near a level when the whole bar lies within exp(±Jump) of it. Where
// the instrument allows prices of zero and below a ratio says nothing, and near
// is a distance of (exp(Jump)−1) times the largest recent price without its sign
// (a maximum that fades by 1/10,000 a bar).
//
// Later bars change nothing about a bar that has been emitted. A Checker is not
// safe for concurrent use. Push costs some 10 ns and does not allocate but for
// findings.
type Checker struct {
	cfg    Checks
	signed bool
	rep    *Report
	emit   func(*bar.Bar)

	factor float64 // exp(Jump)
	last   float64 // last accepted close
	scale  float64 // signed prices: fading maximum of |close|
	begun  bool    // a bar has been accepted
	seen   bool
	end    int64 // End of the last usable row
	free   bool  // no bar is held
	dark   bool  // the last bar whose price moved had no volume
	held   []bar.Bar
	lines  []int64
	now    bar.Bar // the bar that is pushed
}

// fade is the part of the largest price that one bar leaves.
const fade = 1 - 1e-4

// NewChecker makes a checker for an instrument that emits accepted bars. The
// pointer given to emit is valid during the call only.
func NewChecker(cfg Checks, inst bar.Instrument, rep *Report, emit func(*bar.Bar)) *Checker {
	return &Checker{cfg: cfg, signed: inst.SignedPrices, rep: rep, emit: emit, factor: math.Exp(cfg.Jump)}
}

// Push judges the next bar; line is its place in the source.
func (c *Checker) Push(b bar.Bar, line int64) {
	c.now = b
	c.push(&c.now, line)
}

// clean accepts rows of x from row i on, for as long as there is nothing to see
// in them, as push would, but for emitting them: that is left to the caller. It
// gives the row behind the last. A stamp and shift make the End of a bar.
func (c *Checker) clean(x *block, i int, shift int64) int {
	if !c.begun || len(c.held) > 0 || c.signed || c.free {
		return i
	}
	open, high, low, closes, volume, stamp := x.v[0][:x.n], x.v[1][:x.n], x.v[2][:x.n], x.v[3][:x.n], x.v[4][:x.n], x.stamp[:x.n]
	start, factor, last, end := i, c.factor, c.last, c.end
	for ; i < x.n; i++ {
		o, h, l, p := open[i], high[i], low[i], closes[i]
		if !(l > 0 && l <= o && l <= p && h >= o && h >= p && volume[i] > 0 && volume[i] <= math.MaxFloat64 &&
			stamp[i]+shift > end && h <= last*factor && l*factor >= last) {
			break
		}
		if h > l || p != last {
			c.dark = false
		}
		last, end = p, stamp[i]+shift
	}
	c.last, c.end = last, end
	c.rep.Accepted += int64(i - start)
	return i
}

func (c *Checker) push(b *bar.Bar, line int64) {
	// Nothing to see for nearly every bar: all of it in one breath. A NaN fails
	// each comparison.
	if b.Low > 0 && b.Low <= b.Open && b.Low <= b.Close && b.High >= b.Open && b.High >= b.Close &&
		b.Volume > 0 && b.Volume <= math.MaxFloat64 && b.End > c.end && c.begun && len(c.held) == 0 &&
		!c.signed && (b.High <= c.last*c.factor && b.Low*c.factor >= c.last || c.free) {
		c.end = b.End
		if b.High > b.Low || b.Close != c.last {
			c.dark = false
		}
		c.accept(b)
		return
	}
	switch {
	case !finite(b.Open) || !finite(b.High) || !finite(b.Low) || !finite(b.Close):
		c.rep.note(MissingPrice, b, line, "open, high, low or close is absent; dropped")
		return
	case !c.signed && (b.Open <= 0 || b.High <= 0 || b.Low <= 0 || b.Close <= 0):
		c.rep.note(NonPositive, b, line, "a price of 0 or below, which the instrument forbids; dropped")
		return
	case b.High < b.Low:
		c.rep.note(HighBelowLow, b, line, "high below low; dropped")
		return
	case c.seen && b.End == c.end:
		c.rep.note(Duplicate, b, line, "same stamp as the row before; the first stays")
		return
	case c.seen && b.End < c.end:
		c.rep.note(OutOfOrder, b, line, "earlier than the row before; dropped")
		return
	}
	c.seen, c.end = true, b.End
	if hi, lo := max(b.Open, b.Close), min(b.Open, b.Close); b.High < hi || b.Low > lo {
		c.rep.note(Inconsistent, b, line, "high and low did not contain open and close; widened")
		b.High, b.Low = max(b.High, hi), min(b.Low, lo)
	}
	c.volume(b, line)
	c.judge(b, line)
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

// volume decides what a volume means.
func (c *Checker) volume(b *bar.Bar, line int64) {
	moved := b.High > b.Low || c.begun && b.Close != c.last
	switch {
	case math.IsNaN(b.Volume):
	case b.Volume < 0 || !finite(b.Volume):
		c.rep.note(NegativeVolume, b, line, "negative volume; now missing")
		b.Volume = math.NaN()
	case b.Volume > 0:
		if moved {
			c.dark = false
		}
	case c.free:
	case c.cfg.ZeroVolume == "missing" || c.cfg.ZeroVolume == "auto" && (moved || c.dark):
		c.dark = c.dark || moved
		c.rep.note(ZeroVolume, b, line, "volume 0; now missing")
		b.Volume = math.NaN()
	default:
		c.rep.note(ZeroVolume, b, line, "volume 0; kept")
	}
}

// near reports whether all of a bar's prices lie within the jump limit of a
// level.
func (c *Checker) near(b *bar.Bar, level float64) bool {
	if c.signed {
		limit := (c.factor - 1) * max(c.scale, math.Abs(level))
		return b.High-level <= limit && level-b.Low <= limit
	}
	return b.High <= level*c.factor && b.Low*c.factor >= level
}

func (c *Checker) judge(b *bar.Bar, line int64) {
	if c.free || c.begun && c.near(b, c.last) {
		// At the old level: what was held were bad prints.
		c.refute()
		c.accept(b)
		return
	}
	if c.begun && len(c.held) == 0 {
		c.rep.note(Jump, b, line, "prices jump; held until later bars confirm it")
	}
	agree, need := 0, c.cfg.Confirm
	if !c.begun {
		need = 1
	}
	for i := range c.held {
		if c.near(b, c.held[i].Close) {
			agree++
		}
	}
	c.held, c.lines = append(c.held, *b), append(c.lines, line)
	switch {
	case agree >= need:
		c.confirm()
	case len(c.held) > c.cfg.Hold:
		c.giveUp()
	}
}

// refute drops what is held.
func (c *Checker) refute() {
	for i := range c.held {
		c.rep.note(BadPrint, &c.held[i], c.lines[i], "later bars refuted the jump; dropped")
	}
	c.clear()
}

// confirm emits the newest held bar and those near it, and drops the others.
func (c *Checker) confirm() {
	n := len(c.held) - 1
	b := c.held[n]
	for i := range c.held[:n] {
		if h := &c.held[i]; c.near(&b, h.Close) {
			c.late(h, c.lines[i], b.End)
		} else {
			c.rep.note(BadPrint, h, c.lines[i], "later bars refuted the jump; dropped")
		}
	}
	c.accept(&b)
	c.clear()
}

// giveUp emits all that is held.
func (c *Checker) giveUp() {
	known := c.held[len(c.held)-1].End
	for i := range c.held {
		c.late(&c.held[i], c.lines[i], known)
	}
	c.clear()
}

// late emits a held bar as known at an instant.
func (c *Checker) late(h *bar.Bar, line, known int64) {
	if h.End < known {
		if c.begun { // the very first bars were held for no fault of theirs
			c.rep.note(Released, h, line, "later bars confirmed the jump; released")
		}
		h.Known = known
		h.Flags |= bar.Late
	}
	c.accept(h)
}

func (c *Checker) clear() { c.held, c.lines = c.held[:0], c.lines[:0] }

func (c *Checker) accept(b *bar.Bar) {
	c.last, c.begun = b.Close, true
	if c.signed {
		c.scale = max(math.Abs(b.Close), c.scale*fade)
	}
	c.rep.Accepted++
	c.emit(b)
}

// Close ends the stream: bars still in quarantine were never confirmed and are
// dropped.
func (c *Checker) Close() {
	for i := range c.held {
		c.rep.note(Unconfirmed, &c.held[i], c.lines[i], "the data ended before later bars confirmed it; dropped")
	}
	c.clear()
}

// trust makes the checker take bars that were accepted before as they are, but
// for what no bar may be.
func (c *Checker) trust() { c.free = true }
