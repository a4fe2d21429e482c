package label

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/stat"
)

// Filter is [Width] and [Events] for bars that arrive: pushed with the bars of
// the decision clock, it keeps the same decisions, by the same code. It is not
// safe for concurrent use.
type Filter struct {
	events EventConfig
	width  *width
	cusum  cusum
}

// NewFilter makes the filter of a decision clock.
func NewFilter(clock bar.Timeframe, cfg Config, events EventConfig) (*Filter, error) {
	if err := errors.Join(cfg.Validate(), param.Check(events)); err != nil {
		return nil, fmt.Errorf("label: filter: %w", err)
	}
	return &Filter{events: events, width: newWidth(cfg, Stale(clock))}, nil
}

// Push takes the next bar of the decision clock, in order of End.
func (f *Filter) Push(b *bar.Bar) { f.width.push(b) }

// Keep tells whether the decision at an instant is one of the events. All bars
// that ended by then have been pushed, and every decision of the clock is asked,
// in order of time, because the filter counts from one to the next.
func (f *Filter) Keep(decision int64) bool {
	if f.events.Kind == AllDecisions {
		return true
	}
	x, segment := math.NaN(), int32(-1)
	if f.width.end != math.MinInt64 {
		x, segment = stat.Log(f.width.close), f.width.segment
	}
	return f.cusum.step(x, float64(f.events.Multiple*f.width.at(decision)), segment)
}

// State appends all that later decisions depend on to dst.
func (f *Filter) State(dst []byte) []byte {
	w, c := f.width, &f.cusum
	for _, x := range []float64{w.value, w.close, w.mean, w.sum, w.sq, w.w, w.w2, c.up, c.down, c.prev} {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	for _, x := range []int64{w.end, int64(w.session), int64(w.segment), int64(w.k), int64(c.segment), flag(w.seen), flag(c.seen)} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	return dst
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Restore reads what State of a filter with the same configuration wrote; an
// error leaves the filter as it was.
func (f *Filter) Restore(src []byte) error {
	if len(src) != 17*8 {
		return fmt.Errorf("label: filter: a state of %d bytes, want %d", len(src), 17*8)
	}
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(src[8*i:]) }
	float := func(i int) float64 { return math.Float64frombits(at(i)) }
	for i := 15; i < 17; i++ {
		if at(i) > 1 {
			return fmt.Errorf("label: filter: a state with the flag %d", at(i))
		}
	}
	w, c := f.width, &f.cusum
	w.value, w.close, w.mean, w.sum, w.sq, w.w, w.w2 = float(0), float(1), float(2), float(3), float(4), float(5), float(6)
	w.end, w.session, w.segment, w.k, w.seen = int64(at(10)), int32(at(11)), int32(at(12)), int(at(13)), at(15) == 1
	*c = cusum{up: float(7), down: float(8), prev: float(9), segment: int32(at(14)), seen: at(16) == 1}
	return nil
}
