package feature

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/view"
)

// Windows is, for each decision, the last length bars of a timeframe that were
// known by then: channel j is columns[j] (full names such as "rsi_14@5m", all of
// tf). The bar a window ends with is [AsOf]'s, so that a decision which sees
// nothing of the timeframe has no window; bars before the first of the store, or
// of another segment, are missing. Windows hold bars, not clock time: an interval
// without a trade has no bar, and a window reaches over a session break.
//
// No value is copied: the windows look into the matrix of the store. Cost as
// [AsOf]. Use a [WindowReader] to read the same channels again and again.
func Windows(s *Store, decisions []int64, tf bar.Timeframe, columns []string, length int, cal *calendar.Calendar) (*view.Windows, error) {
	r, err := NewWindowReader(s, tf, columns, length, cal)
	if err != nil {
		return nil, err
	}
	w := &view.Windows{}
	return w, r.Read(s, decisions, w)
}

// WindowReader reads windows of the same channels from a growing store; it looks
// the channels up once. It is not safe for concurrent use.
type WindowReader struct {
	tf        bar.Timeframe
	timeframe string
	names     []string
	positions []int32
	length    int
	width     int // of the matrix
	cal       *calendar.Calendar
}

// NewWindowReader looks the columns up in s. A column that s does not have, or of
// another timeframe, is an error.
func NewWindowReader(s *Store, tf bar.Timeframe, columns []string, length int, cal *calendar.Calendar) (*WindowReader, error) {
	m := s.Matrix(tf)
	switch {
	case cal == nil:
		return nil, errors.New("feature: a reader needs a calendar")
	case m == nil:
		return nil, fmt.Errorf("feature: the store has no timeframe %v", tf)
	case length < 1:
		return nil, fmt.Errorf("feature: a window of %d bars; it has at least 1", length)
	}
	r := &WindowReader{tf: tf, timeframe: tf.String(), names: slices.Clone(columns), length: length, width: len(m.Names), cal: cal}
	for _, name := range columns {
		k, position, err := s.find(name)
		if err != nil {
			return nil, err
		}
		if s.Matrices[k] != m {
			return nil, fmt.Errorf("feature: column %q is not of %v, the timeframe of the windows", name, tf)
		}
		r.positions = append(r.positions, int32(position)) // #nosec G115 -- columns are few
	}
	return r, nil
}

// Length is the number of bars of a window.
func (r *WindowReader) Length() int { return r.length }

// Read does what [Windows] does. s is the store of NewWindowReader, or a later or
// earlier state of it, or one of the same set; another layout is an error. dst
// shares memory with s and is valid as long as s is; its own buffers are reused.
func (r *WindowReader) Read(s *Store, decisions []int64, dst *view.Windows) error {
	m := s.Matrix(r.tf)
	if m == nil || len(m.Names) != r.width {
		return fmt.Errorf("feature: the store does not have the %d columns of %v that the reader was made for", r.width, r.tf)
	}
	dst.Timeframe, dst.Length, dst.Names = r.timeframe, r.length, r.names
	dst.Data, dst.Width, dst.Columns, dst.Segment = m.Data, r.width, r.positions, m.Segment
	dst.Last = AsOf(s, m, decisions, r.cal, dst.Last[:0])
	return nil
}
