package bundle

import (
	"fmt"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/view"
)

// Inputs is what a model looks at: columns of a table, windows of one or several
// timeframes, and the scheduled future. Parts that it does not look at are empty.
type Inputs struct {
	Columns []string `json:"columns" yaml:"columns"` // of the table, in order
	Streams []Stream `json:"streams,omitempty" yaml:"streams"`
	Known   *Known   `json:"known,omitempty" yaml:"known"`
}

// Stream is windows of one timeframe.
type Stream struct {
	Timeframe bar.Timeframe `json:"timeframe" yaml:"timeframe"`
	Length    int           `json:"length" yaml:"length"`     // bars of a window
	Channels  []string      `json:"channels" yaml:"channels"` // full names of columns, in order
}

// Known is the scheduled bars to come: see [feature.Known].
type Known struct {
	Timeframe bar.Timeframe `json:"timeframe" yaml:"timeframe"`
	Bars      int           `json:"bars" yaml:"bars"`
}

// Reader fills the windows and the known future of a view from a growing store.
// It keeps the memory of what it filled and is not safe for concurrent use.
type Reader struct {
	streams []*feature.WindowReader
	windows []*view.Windows
	known   *Known
	future  *view.Windows
	cal     *calendar.Calendar
}

// NewReader looks the channels up in a store; one that it does not have is an
// error.
func (in *Inputs) NewReader(s *feature.Store, cal *calendar.Calendar) (*Reader, error) {
	r := &Reader{known: in.Known, cal: cal}
	for _, x := range in.Streams {
		w, err := feature.NewWindowReader(s, x.Timeframe, x.Channels, x.Length, cal)
		if err != nil {
			return nil, err
		}
		r.streams, r.windows = append(r.streams, w), append(r.windows, &view.Windows{})
	}
	if r.known != nil {
		r.future = &view.Windows{}
	}
	return r, nil
}

// Read sets Streams and Known of v to those of the given decisions. They share
// memory with s and r and are valid until the next Read, or until s changes.
func (r *Reader) Read(s *feature.Store, decisions []int64, v *view.View) error {
	v.Streams, v.Known = r.windows, r.future
	for k, w := range r.streams {
		if err := w.Read(s, decisions, r.windows[k]); err != nil {
			return err
		}
	}
	if r.known == nil {
		return nil
	}
	return feature.Known(decisions, r.known.Timeframe, r.known.Bars, r.cal, r.future)
}

// problems are what a model cannot look at.
func (in *Inputs) problems(model string) []error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("bundle: model %q "+format, append([]any{model}, args...)...))
	}
	if len(in.Columns) == 0 && len(in.Streams) == 0 {
		bad("looks at no column and no window")
	}
	for _, x := range in.Streams {
		if x.Length < 1 || len(x.Channels) == 0 {
			bad("looks at windows of %d bars and %d channels of %v", x.Length, len(x.Channels), x.Timeframe)
		}
	}
	if in.Known != nil && in.Known.Bars < 1 {
		bad("looks at %d bars to come", in.Known.Bars)
	}
	return errs
}
