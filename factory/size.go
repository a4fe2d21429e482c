package factory

import (
	"math"
	"os"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/recipe"
)

// size is how large a market is, as far as the memory of its stages depends on
// it. The estimates are of heap at the peak of a stage; files that are mapped do
// not count. They are sums of row counts times the bytes that a row takes, the
// largest copies counted, plus a fixed part.
type size struct {
	base      bar.Timeframe
	bars      int64
	decisions int64 // at most: bars of the clock, until the labels are there
	columns   int64 // of the table
	values    int64 // of all feature matrices
	thinned   float64
}

const (
	fixedMemory = 16 << 20 // of any stage
	netMemory   = 64 << 20 // of a network at work on a mini-batch of windows
	barBytes    = 100      // of a bar in a bar.Series: nine numbers of 8 bytes, two of 4, flags, slack
	rowBytes    = 250      // of a decision in a label.Set with its spans and weights
)

// newSize measures base; columns are those of set.
func newSize(base *bar.Series, clock bar.Timeframe, set feature.Set, reg *feature.Registry) (size, error) {
	z := size{base: base.Timeframe, bars: int64(base.Len()), thinned: 1}
	z.decisions = z.in(clock)
	for _, f := range set.Frames {
		names, err := (feature.Set{Frames: []feature.Frame{f}}).Columns(reg)
		if err != nil {
			return z, err
		}
		z.columns += int64(len(names))
		z.values += z.in(f.Timeframe) * int64(len(names))
	}
	return z, nil
}

// in is the number of bars of a timeframe, at most.
func (z size) in(tf bar.Timeframe) int64 {
	if tf > z.base && z.base > 0 {
		return z.bars*int64(z.base)/int64(tf) + 1
	}
	return z.bars
}

// labelled takes what the labels tell: how many decisions there are, and what
// thinning to a mean concurrency leaves of the rows that train.
func (z *size) labelled(decisions int, concurrency, limit float64) {
	z.decisions = int64(decisions)
	if limit > 0 && concurrency > limit {
		z.thinned = limit / concurrency
	}
}

func (z size) labels() int64 { return fixedMemory + z.bars*barBytes + z.decisions*2*rowBytes }

// features holds the bars, the matrices, and the largest of them once more while
// it is written.
func (z size) features() int64 { return fixedMemory + z.bars*barBytes + z.values*4*3/2 }

func (z size) table() int64 { return fixedMemory + z.decisions*z.columns*4*2 + z.decisions*rowBytes }

// audit makes labels, features and table a second time.
func (z size) audit() int64 { return z.labels() + z.features() + z.table() }

func (z size) folds() int64 { return fixedMemory + z.decisions*2*rowBytes }

// fit gathers the rows that train, which the learner bins or scales into one
// more copy, and predicts a chunk at a time. Windows look into files that are
// mapped; the learner scales the bars of the rows that train, and of those that
// stop, once each.
func (z size) fit(in *bundle.Inputs) int64 {
	n, columns := int64(math.Ceil(float64(z.decisions)*z.thinned)), int64(len(in.Columns))
	m := fixedMemory + n*columns*(4+4) + n*rowBytes + chunk*columns*4 + z.decisions*100
	for _, s := range in.Streams {
		m += netMemory + 2*4*z.in(s.Timeframe)*int64(len(s.Channels)+1) + z.decisions*4
	}
	return m
}

func (z size) combine(bases int) int64 {
	return fixedMemory + z.decisions*int64(rowBytes+bases*100)
}

// skill measures several strategies at once, each with its own losses.
func (z size) skill(bases, strategies int) int64 {
	return fixedMemory + z.decisions*int64(rowBytes+bases*50+strategies*200)
}

func (z size) trades() int64 { return fixedMemory + z.bars*barBytes/2 + z.decisions*rowBytes }

// barsMemory estimates reading a market's bars before anything is known of them
// but the size of the file: text takes about the bytes of its rows twice over in
// numbers, packed files several times theirs.
func barsMemory(m recipe.Market, cal *calendar.Calendar) int64 {
	if m.Synth != nil {
		s := cal.Next(time.Date(2018, 1, 2, 0, 0, 0, 0, time.UTC).UnixNano()) // any session: they are alike
		return fixedMemory + int64(m.Synth.Sessions)*(s.Close-s.Open)/int64(bar.Minute)*(barBytes+50)
	}
	info, err := os.Stat(m.Data)
	if err != nil {
		return fixedMemory // reading it will say what is wrong
	}
	if strings.HasSuffix(strings.ToLower(m.Data), ".csv") {
		return 4*fixedMemory + 4*info.Size()
	}
	return 4*fixedMemory + 10*info.Size()
}
