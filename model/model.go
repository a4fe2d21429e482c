// Package model is the contract between learners and everything that uses
// them, and the registry that lists the learners.
//
// # From a config to a prediction
//
// An [Entry] describes one kind of learner: its name, what it is able to do and
// its Config with defaults. Entry.New turns a config into a [Learner];
// [Learner.Fit] turns training rows into a [Fitted]; Fitted.Predict fills a
// [Prediction] for other rows; Fitted.Encode and Entry.Decode are the way to a
// file and back. A [Registry] is a value that its maker fills: nothing registers
// itself.
//
// # Conventions
//
// Rows come as a [view.View]. Classes are −1, 0 and +1 in that order, by
// position and never by what the labels at hand happen to be ([ClassIndex]); a
// [Prediction] is row-major. A weight of 0 is a row that is not there; weights
// are used as they are, because their sum is the effective number of rows.
// Missing inputs are NaN, for learners that claim to take them.
//
// A learner trains on train, ends early by stop and nothing else, and never sees
// the rows it will be judged on. The same rows, config and stream give the same
// bytes, whatever the number of workers. What [Env] holds changes no result but
// for the stream. A Fitted is safe for concurrent use.
//
// Package modeltest holds every entry to that.
//
// # Refusals
//
// [CheckFit], [CheckValues] and [CheckColumns] are what every learner refuses in
// the same words: no row with weight ([ErrNoRows]), one class only
// ([ErrOneClass]), infinite inputs, negative weights, columns that are not those
// of the fit. [ReadArtifact] refuses every file that is not, byte for byte, what
// [WriteArtifact] wrote ([ErrDamaged]). A prediction that is no distribution is
// refused by [Prediction.Check].
package model

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// K is the number of classes of the default task: −1, 0 and +1, in that order.
const K = 3

// ClassIndex maps −1, 0, +1 to 0, 1, 2.
func ClassIndex(c int8) int { return int(c) + 1 }

// Env is what does not change a result.
type Env struct {
	Stream   rng.Stream                         // randomness of this fit
	Workers  int                                // goroutines it may use; results do not depend on it
	Progress func(done, total int, note string) // may be nil; calls do not overlap
	// Checkpoint, if set, is where learners that can be resumed keep the state of
	// an unfinished fit: a fit that finds its own state there goes on from it and
	// ends with the bytes of one that was never interrupted.
	Checkpoint Checkpoint
	// CheckpointEpochs is the number of epochs between two states; 0 is 1.
	CheckpointEpochs int
}

// Checkpoint keeps states of unfinished fits by name. One name is used by one
// goroutine at a time, several names at once. The caller empties it after the fit.
type Checkpoint interface {
	// Load returns the last state of the name, nil if there is none.
	Load(name string) ([]byte, error)
	// Save replaces it, as a whole or not at all.
	Save(name string, state []byte) error
}

// Epoch is what a fit in epochs tells of one.
type Epoch struct {
	Train    float64  `json:"train"`          // mean loss of the training rows while they were learnt
	Stop     *float64 `json:"stop,omitempty"` // loss of the stop rows after it, nil without them
	Rate     float64  `json:"rate"`           // learning rate of its last step
	GradNorm float64  `json:"grad_norm"`      // mean length of the gradient before clipping
}

// Curve is how one network of a fit learnt.
type Curve struct {
	Epochs []Epoch `json:"epochs"`
	Best   int     `json:"best"`           // the epoch, from 1, whose weights were kept
	Note   string  `json:"note,omitempty"` // what a user should know
}

// Learnt is implemented by what was fitted in epochs: one curve for each network
// that it holds.
type Learnt interface{ Curves() []Curve }

// Learner fits.
type Learner interface {
	// Fit trains on train; stop may be empty (Len 0) and is used for early
	// stopping only. It checks ctx once per unit of work (tree, epoch, step).
	Fit(ctx context.Context, env Env, train, stop view.View) (Fitted, error)
}

// Fitted predicts. It is safe for concurrent use.
type Fitted interface {
	// Predict fills out for the rows of v; out's buffers are reused. The
	// columns of v must be those of the fit, by name and order.
	Predict(ctx context.Context, v view.View, out *Prediction) error
	// Encode writes the model; the registry entry's Decode reads it.
	Encode(w io.Writer) error
}

// Prediction is what a Fitted says of n rows. A classifier gives n×k
// probabilities, row-major, classes in the order −1, 0, +1. What learns a target
// instead (k = 0) gives its mean, or its quantiles at stated levels.
type Prediction struct {
	N, K      int
	Prob      []float64 // N×K; empty for a regression
	Mean      []float64 // N, empty for a classifier
	Levels    []float64 // of the quantiles, ascending, nil for a classifier
	Quantiles []float64 // N×len(Levels), row-major, ascending in each row
}

// Resize makes room for n×k probabilities and nothing else, reusing the buffer.
func (p *Prediction) Resize(n, k int) {
	p.N, p.K = n, k
	p.Prob = room(p.Prob, n*k)
	p.Mean, p.Levels, p.Quantiles = p.Mean[:0], nil, p.Quantiles[:0]
}

// ResizeTargets makes room for n means, or for n quantiles at each of the given
// levels, if there are any, and for no probabilities.
func (p *Prediction) ResizeTargets(n int, levels []float64) {
	p.Resize(n, 0)
	if p.N, p.Levels = n, levels; len(levels) > 0 {
		p.Quantiles = room(p.Quantiles, n*len(levels))
	} else {
		p.Mean = room(p.Mean, n)
	}
}

// room is n values in the memory of v, if it has that much.
func room(v []float64, n int) []float64 {
	if cap(v) < n {
		return make([]float64, n)
	}
	return v[:n]
}

// Row is the probabilities of row i.
func (p *Prediction) Row(i int) []float64 { return p.Prob[i*p.K : (i+1)*p.K : (i+1)*p.K] }

// QuantilesRow is the quantiles of row i.
func (p *Prediction) QuantilesRow(i int) []float64 {
	k := len(p.Levels)
	return p.Quantiles[i*k : (i+1)*k : (i+1)*k]
}

// Check reports the first row that is not a distribution: a probability outside
// [0, 1], not finite, or a sum further than 1e-6 from 1; a mean or quantile that is
// not finite, or quantiles that cross. Parts of a wrong length and a prediction
// without any part are errors too.
func (p *Prediction) Check() error {
	k := len(p.Levels)
	switch {
	case len(p.Prob) != p.N*p.K || len(p.Quantiles) != p.N*k || len(p.Mean) != 0 && len(p.Mean) != p.N:
		return fmt.Errorf("model: a prediction of %d rows has %d probabilities of %d classes, %d means and %d quantiles at %d levels", p.N, len(p.Prob), p.K, len(p.Mean), len(p.Quantiles), k)
	case p.N > 0 && p.K == 0 && k == 0 && len(p.Mean) == 0:
		return fmt.Errorf("model: a prediction of %d rows is empty", p.N)
	}
	for i := range p.N {
		sum := 0.0
		for c, x := range p.Row(i) {
			if math.IsNaN(x) || x < 0 || x > 1 {
				return fmt.Errorf("model: prediction row %d class %d is %v, not a probability", i, c, x)
			}
			sum += x
		}
		if p.K > 0 && math.Abs(sum-1) > 1e-6 {
			return fmt.Errorf("model: prediction row %d sums to %v, not 1", i, sum)
		}
	}
	for i, x := range p.Mean {
		if x-x != 0 {
			return fmt.Errorf("model: prediction row %d has mean %v", i, x)
		}
	}
	for j, level := range p.Levels {
		if !(level > 0 && level < 1) || j > 0 && level <= p.Levels[j-1] {
			return fmt.Errorf("model: prediction has quantiles at %v; levels ascend between 0 and 1", p.Levels)
		}
	}
	for i := range p.N {
		for j, x := range p.QuantilesRow(i) {
			if x-x != 0 {
				return fmt.Errorf("model: prediction row %d has quantile %v at level %v", i, x, p.Levels[j])
			}
			if j > 0 && x < p.QuantilesRow(i)[j-1] {
				return fmt.Errorf("model: prediction row %d: the quantile at level %v is above that at level %v", i, p.Levels[j-1], p.Levels[j])
			}
		}
	}
	return nil
}

// Input is the shape that a learner takes.
type Input uint8

// Input shapes.
const (
	InputTable   Input = iota // view.Table
	InputWindows              // one of view.Streams
	InputStreams              // one or more of view.Streams
)

// Abilities that an entry claims; the conformance suite tests each claim.
type Abilities struct {
	Weights bool // uses View.Weight: weight 0 equals a removed row
	Missing bool // takes NaN inputs
	Stops   bool // uses the stop view
	Static  bool // beside windows, uses view.Table where there is one
	Known   bool // beside windows, uses view.Known where there is one
}

// Entry describes one learner: data plus constructors.
type Entry struct {
	Name      string
	Family    string // "linear", "boosting", …
	Doc       string // one paragraph with the source (author, year)
	Input     Input
	Abilities Abilities
	// Default returns a pointer to a config with every default written out.
	Default func() any
	// New checks a config (as Default returns) and makes the learner.
	New func(cfg any) (Learner, error)
	// Decode reads what Fitted.Encode wrote.
	Decode func(r io.Reader) (Fitted, error)
	// Presets are further configurations with names of their own.
	Presets []Preset
}

// Preset is a configuration of a learner beside its default. NAME-PRESET names the
// learner with this configuration wherever a learner is named.
type Preset struct {
	Name   string
	Doc    string     // one sentence with the source
	Config func() any // as Entry.Default, every key written out
}

// Registry lists entries in order of registration. It is built once and then
// only read.
type Registry struct {
	entries []Entry
	byName  map[string]int
}

// Add registers an entry; a taken name or a missing part is an error.
func (r *Registry) Add(e Entry) error {
	if e.Name == "" || e.Default == nil || e.New == nil || e.Decode == nil {
		return fmt.Errorf("model: entry %q lacks a name, Default, New or Decode", e.Name)
	}
	names := []string{e.Name}
	for _, p := range e.Presets {
		if p.Name == "" || p.Config == nil {
			return fmt.Errorf("model: a preset of entry %q lacks a name or Config", e.Name)
		}
		names = append(names, e.Name+"-"+p.Name)
	}
	for i, name := range names {
		if _, ok := r.Entry(name); ok || slices.Contains(names[:i], name) {
			return fmt.Errorf("model: %q is registered twice", name)
		}
	}
	if r.byName == nil {
		r.byName = map[string]int{}
	}
	r.byName[e.Name] = len(r.entries)
	r.entries = append(r.entries, e)
	return nil
}

// Entry finds an entry by name. NAME-PRESET is the entry NAME whose default is that
// preset.
func (r *Registry) Entry(name string) (Entry, bool) {
	if i, ok := r.byName[name]; ok {
		return r.entries[i], true
	}
	for i := range name {
		if name[i] != '-' {
			continue
		}
		k, ok := r.byName[name[:i]]
		if !ok {
			continue
		}
		for _, p := range r.entries[k].Presets {
			if p.Name == name[i+1:] {
				e := r.entries[k]
				e.Default = p.Config
				return e, true
			}
		}
	}
	return Entry{}, false
}

// Names are all names that [Registry.Entry] finds, an entry before its presets.
func (r *Registry) Names() []string {
	var names []string
	for _, e := range r.entries {
		names = append(names, e.Name)
		for _, p := range e.Presets {
			names = append(names, e.Name+"-"+p.Name)
		}
	}
	return names
}

// Entries are all entries in order of registration.
func (r *Registry) Entries() []Entry { return append([]Entry(nil), r.entries...) }
