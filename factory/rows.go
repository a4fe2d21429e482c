package factory

import (
	"encoding/json"
	"fmt"
	"sort"

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
		return fmt.Errorf("factory: a list of %d range bounds is odd", len(b))
	}
	*r = rows{}
	for i := 0; i < len(b); i += 2 {
		if b[i+1] <= b[i] || i > 0 && b[i] < b[i-1] {
			return fmt.Errorf("factory: range [%d, %d) is empty or out of order", b[i], b[i+1])
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

// folds is the division of a market's decisions.
type folds struct {
	Decisions int    `json:"decisions"`
	Labelled  int    `json:"labelled"`  // with a label
	Dev       int    `json:"dev"`       // labelled and before the lockbox
	BoxStart  int64  `json:"box_start"` // first instant of the lockbox
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

// divideRows makes all folds of a market. The lockbox starts at boxStart; with
// open set, a last step tests it. windows, if any, are the instants at which the
// steps begin.
func divideRows(cat *Catalogue, s *label.Set, cfg recipe.Split, m split.Market, boxStart int64, open bool, windows []int64) (*folds, error) {
	labelled := s.Rows()
	locked, err := split.Lockbox(spansOf(s, labelled), boxStart, cfg.WalkForward.Purging, m)
	if err != nil {
		return nil, err
	}
	dev := through(labelled, locked.Dev)
	out := &folds{Decisions: s.Len(), Labelled: len(labelled), Dev: len(dev), BoxStart: boxStart, BoxRows: len(locked.Box)}
	spans := spansOf(s, dev)
	wf := cfg.WalkForward
	wf.Market, wf.At = m, windows
	outer, err := cat.splitter(wf).Split(spans)
	if err != nil {
		return nil, err
	}
	first := sort.Search(s.Len(), func(i int) bool { return s.Spans[i].Decision >= boxStart })
	for w, f := range outer {
		st := step{fold: mapFold(dev, f), Hi: first}
		st.Lo = st.Test[0]
		if w+1 < len(outer) {
			st.Hi = dev[outer[w+1].Test[0]]
		}
		out.Steps = append(out.Steps, st)
	}
	if open {
		if len(locked.Box) == 0 {
			return nil, fmt.Errorf("factory: the lockbox from %s holds no labelled rows", stamp(boxStart))
		}
		// Everything before the box trains one more step, whose test block
		// is the box.
		before := len(labelled) - len(locked.Box)
		one := split.WalkForward{Steps: 1, Initial: (float64(before) + 0.5) / float64(len(labelled)), Purging: wf.Purging, Market: m}
		boxed, err := cat.splitter(one).Split(spansOf(s, labelled))
		if err != nil {
			return nil, fmt.Errorf("lockbox: %w", err)
		}
		st := step{fold: mapFold(labelled, boxed[0]), Lo: first, Hi: s.Len(), Box: true}
		out.Steps = append(out.Steps, st)
	}
	for w := range out.Steps {
		st := &out.Steps[w]
		inner := split.PurgedKFold{K: cfg.InnerFolds, Purging: cfg.KFold.Purging, Market: m}
		inner.Calib = 0
		fs, err := cat.splitter(inner).Split(spansOf(s, st.Train))
		if err != nil {
			return nil, fmt.Errorf("walk-forward step %d, inner folds: %w", w+1, err)
		}
		for _, f := range fs {
			st.Inner = append(st.Inner, mapFold(st.Train, f))
		}
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

// clockBar is the length of a bar of the decision clock in open time: for
// irregular bars the median distance of decisions.
func clockBar(tf bar.Timeframe, decisions []int64, cal *calendar.Calendar) int64 {
	if tf > 0 && tf < bar.Session {
		return int64(tf)
	}
	d := make([]int64, 0, len(decisions))
	for i := 1; i < len(decisions); i++ {
		d = append(d, int64(cal.OpenTime(decisions[i-1], decisions[i])))
	}
	if len(d) == 0 {
		return int64(bar.Hour)
	}
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	return max(1, d[len(d)/2])
}
