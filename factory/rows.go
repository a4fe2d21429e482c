package factory

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/recipe"
	"github.com/mlfactory/mlfactory/split"
	"github.com/mlfactory/mlfactory/view"
)

// rows is an ascending list of decisions. In files it is written as ranges
// [from, to), because most lists are long runs with few holes.
type rows []int

// MarshalJSON writes the list as a flat list of range bounds.
func (r rows) MarshalJSON() ([]byte, error) {
	var b []int
	for i := 0; i < len(r); {
		j := i + 1
		for j < len(r) && r[j] == r[j-1]+1 {
			j++
		}
		b = append(b, r[i], r[j-1]+1)
		i = j
	}
	if b == nil {
		b = []int{}
	}
	return json.Marshal(b)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *rows) UnmarshalJSON(src []byte) error {
	var b []int
	if err := json.Unmarshal(src, &b); err != nil {
		return err
	}
	if len(b)%2 != 0 {
		return fmt.Errorf("factory: stored rows have %d range bounds, want an even number", len(b))
	}
	*r = rows{}
	for i := 0; i < len(b); i += 2 {
		if b[i] < 0 || b[i+1] <= b[i] || i > 0 && b[i] < b[i-1] {
			return fmt.Errorf("factory: stored rows hold the range [%d, %d), which is empty, negative or out of order", b[i], b[i+1])
		}
		for x := b[i]; x < b[i+1]; x++ {
			*r = append(*r, x)
		}
	}
	return nil
}

// fold is a split.Fold in decisions.
type fold struct {
	Train rows `json:"train"`
	Stop  rows `json:"stop"`
	Calib rows `json:"calib"`
	Test  rows `json:"test"`
}

// step is one walk-forward step: everything fitted in it comes from rows whose
// outcome lies before the window.
type step struct {
	fold
	Inner []fold `json:"inner"` // purged folds of Train
	Lo    int    `json:"lo"`    // decisions Lo ≤ i < Hi are predicted and traded
	Hi    int    `json:"hi"`
	Box   bool   `json:"box"` // the window is the lockbox
}

// window lists the decisions that are predicted and traded.
func (s *step) window() rows {
	out := make(rows, 0, s.Hi-s.Lo)
	for d := s.Lo; d < s.Hi; d++ {
		out = append(out, d)
	}
	return out
}

// folds is the division of a market's decisions.
type folds struct {
	Decisions int    `json:"decisions"`
	Labelled  int    `json:"labelled"`  // with a label
	Dev       int    `json:"dev"`       // labelled and before the lockbox
	From      int64  `json:"from"`      // first instant of development
	BoxStart  int64  `json:"box_start"` // first instant of the lockbox
	BoxEnd    int64  `json:"box_end"`   // the first behind it
	BoxRows   int    `json:"box_rows"`
	Steps     []step `json:"steps"`
	KFold     []fold `json:"kfold"`
}

// spansOf are the spans of the given decisions.
func spansOf(s *label.Set, r []int) []view.Span {
	out := make([]view.Span, len(r))
	for i, d := range r {
		out[i] = s.Spans[d]
	}
	return out
}

// through maps positions in dev to decisions.
func through(dev []int, pos []int) rows {
	out := make(rows, len(pos))
	for i, p := range pos {
		out[i] = dev[p]
	}
	return out
}

func mapFold(dev []int, f split.Fold) fold {
	return fold{Train: through(dev, f.Train), Stop: through(dev, f.Stop), Calib: through(dev, f.Calib), Test: through(dev, f.Test)}
}

// divideRows makes all folds of a market's development rows: those decided at or
// after dev.from that end before the lockbox starts. The windows of the walk-forward follow one another without a gap.
// The last one ends where a position could come to see a price of the lockbox
// (see reach), irregular bars being counted. windows, if any, are the instants at
// which the steps begin, and the start of the lockbox is where the last one ends.
func divideRows(cat *Catalogue, s *label.Set, cfg recipe.Split, m split.Market, d development, horizon int, irregular bool, windows []int64) (*folds, error) {
	labelled, boxStart := d.rows(s), d.start
	locked, err := split.Lockbox(spansOf(s, labelled), boxStart, cfg.WalkForward.Purging, m)
	if err != nil {
		return nil, err
	}
	dev := through(labelled, locked.Dev)
	if len(dev) == 0 {
		return nil, fmt.Errorf("factory: no labelled row lies before the lockbox from %s; give more data", stamp(boxStart))
	}
	out := &folds{Decisions: s.Len(), Labelled: len(labelled), Dev: len(dev), From: d.from, BoxStart: boxStart, BoxEnd: d.end, BoxRows: len(locked.Box)}
	spans := spansOf(s, dev)
	wf := cfg.WalkForward
	wf.Market, wf.At = m, windows
	outer, err := cat.splitter(wf).Split(spans)
	if err != nil {
		return nil, err
	}
	end := reach(s, m, irregular, boxStart, max(wf.FloorBars, horizon))
	if windows != nil { // no lockbox: the caller says where the last window ends
		end = sort.Search(s.Len(), func(i int) bool { return s.Spans[i].Decision >= boxStart })
	}
	for w, f := range outer {
		st := step{fold: mapFold(dev, f), Hi: end}
		st.Lo = st.Test[0]
		if w+1 < len(outer) {
			st.Hi = dev[outer[w+1].Test[0]]
		}
		if st.Lo >= st.Hi {
			return nil, fmt.Errorf("factory: walk-forward step %d has no window before the lockbox; give more data or fewer steps", w+1)
		}
		if st.Inner, err = innerFolds(cat, s, cfg, m, st.Train); err != nil {
			return nil, fmt.Errorf("walk-forward step %d: %w", w+1, err)
		}
		out.Steps = append(out.Steps, st)
	}
	kf := cfg.KFold
	kf.Market, kf.Calib = m, 0
	fs, err := cat.splitter(kf).Split(spans)
	if err != nil {
		return nil, err
	}
	for _, f := range fs {
		out.KFold = append(out.KFold, mapFold(dev, f))
	}
	return out, nil
}

// reach is the first decision from which a position could live into the lockbox:
// less than bars of the decision clock, and two more to fill entry and exit, lie
// before it, in open time or, for irregular bars, in decisions. It is a matter of time and not of
// outcomes, because whether a decision is traded must not depend on what comes
// after it.
func reach(s *label.Set, m split.Market, irregular bool, boxStart int64, bars int) int {
	first := sort.Search(s.Len(), func(i int) bool { return s.Spans[i].Decision >= boxStart })
	if m.Clock == nil {
		return max(0, first-bars-2)
	}
	limit := m.Clock.AddOpenTime(boxStart, -time.Duration(bars+2)*m.Bar)
	at := sort.Search(s.Len(), func(i int) bool { return s.Spans[i].Decision > limit })
	if irregular {
		at = min(at, max(0, first-bars-2))
	}
	return at
}

// divideBox makes the one step that tests the lockbox: what came before it
// trains, as much of it as in a walk-forward step.
func divideBox(cat *Catalogue, s *label.Set, cfg recipe.Split, m split.Market, d development) (*folds, error) {
	labelled, boxStart := d.rows(s), d.start
	wf := cfg.WalkForward
	locked, err := split.Lockbox(spansOf(s, labelled), boxStart, wf.Purging, m)
	if err != nil {
		return nil, err
	}
	out := &folds{Decisions: s.Len(), Labelled: len(labelled), Dev: len(locked.Dev), From: d.from, BoxStart: boxStart, BoxEnd: d.end, BoxRows: len(locked.Box)}
	if len(locked.Box) == 0 {
		return nil, fmt.Errorf("factory: the lockbox from %s holds no labelled row; there is nothing to open", stamp(boxStart))
	}
	if wf.Rolling {
		before := len(labelled) - len(locked.Box)
		labelled = labelled[max(0, before-int(wf.Initial*float64(len(locked.Dev)))):]
	}
	wf.Steps, wf.At, wf.Rolling, wf.Market = 1, []int64{boxStart}, false, m
	fs, err := cat.splitter(wf).Split(spansOf(s, labelled))
	if err != nil {
		return nil, fmt.Errorf("lockbox: %w", err)
	}
	st := step{fold: mapFold(labelled, fs[0]), Hi: d.endRow(s), Box: true}
	st.Lo = st.Test[0]
	if st.Inner, err = innerFolds(cat, s, cfg, m, st.Train); err != nil {
		return nil, fmt.Errorf("lockbox: %w", err)
	}
	out.Steps = []step{st}
	return out, nil
}

// innerFolds divides a step's training rows for the inputs of the ensembles.
func innerFolds(cat *Catalogue, s *label.Set, cfg recipe.Split, m split.Market, train rows) ([]fold, error) {
	inner := split.PurgedKFold{K: cfg.InnerFolds, Purging: cfg.KFold.Purging, Market: m}
	inner.Calib = 0
	fs, err := cat.splitter(inner).Split(spansOf(s, train))
	if err != nil {
		return nil, fmt.Errorf("inner folds: %w", err)
	}
	var out []fold
	for _, f := range fs {
		out = append(out, mapFold(train, f))
	}
	return out, nil
}

// clockBar is the length of a bar of the decision clock in open time: for
// irregular bars the median distance of the first thousand decisions. Later ones
// are not asked, because the purge of early folds would depend on them.
func clockBar(tf bar.Timeframe, decisions []int64, cal *calendar.Calendar) int64 {
	if tf > 0 && tf < bar.Session {
		return int64(tf)
	}
	decisions = decisions[:min(len(decisions), 1001)]
	d := make([]int64, 0, len(decisions))
	for i := 1; i < len(decisions); i++ {
		d = append(d, int64(cal.OpenTime(decisions[i-1], decisions[i])))
	}
	if len(d) == 0 {
		return int64(bar.Hour)
	}
	slices.Sort(d)
	return max(1, d[len(d)/2])
}
