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
	Progress func(done, total int, note string) // may be nil; called from one goroutine
}

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

// Prediction is n×k probabilities, row-major, classes in the order −1, 0, +1.
type Prediction struct {
	N, K int
	Prob []float64
}

// Resize makes room for n×k values, reusing the buffer.
func (p *Prediction) Resize(n, k int) {
	p.N, p.K = n, k
	if cap(p.Prob) < n*k {
		p.Prob = make([]float64, n*k)
	}
	p.Prob = p.Prob[:n*k]
}

// Row is the probabilities of row i.
func (p *Prediction) Row(i int) []float64 { return p.Prob[i*p.K : (i+1)*p.K : (i+1)*p.K] }

// Check reports the first row that is not a distribution: a value outside
// [0, 1], not finite, or a sum further than 1e-6 from 1.
func (p *Prediction) Check() error {
	for i := range p.N {
		sum := 0.0
		for c, x := range p.Row(i) {
			if math.IsNaN(x) || x < 0 || x > 1 {
				return fmt.Errorf("model: prediction row %d class %d is %v, not a probability", i, c, x)
			}
			sum += x
		}
		if math.Abs(sum-1) > 1e-6 {
			return fmt.Errorf("model: prediction row %d sums to %v, not 1", i, sum)
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
	if _, ok := r.byName[e.Name]; ok {
		return fmt.Errorf("model: %q is registered twice", e.Name)
	}
	if r.byName == nil {
		r.byName = map[string]int{}
	}
	r.byName[e.Name] = len(r.entries)
	r.entries = append(r.entries, e)
	return nil
}

// Entry finds an entry by name.
func (r *Registry) Entry(name string) (Entry, bool) {
	i, ok := r.byName[name]
	if !ok {
		return Entry{}, false
	}
	return r.entries[i], true
}

// Entries are all entries in order of registration.
func (r *Registry) Entries() []Entry { return append([]Entry(nil), r.entries...) }
