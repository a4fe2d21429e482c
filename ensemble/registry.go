package ensemble

import (
	"context"
	"fmt"
	"io"

	"github.com/mlfactory/mlfactory/model"
)

// Method is a configured way to combine bases.
type Method interface {
	// Fit makes the combiner of the named bases (ascending). oof holds their
	// out-of-fold predictions and may be nil where the entry does not need
	// them; it must be for this use, else the error is a [*ProvenanceError].
	Fit(ctx context.Context, env model.Env, bases []string, oof *OOF, use Provenance) (Combiner, error)
}

// Combiner turns the bases' predictions into one. It is immutable and safe for
// concurrent use.
type Combiner interface {
	// Bases are the names of the bases, in the order that Apply expects.
	Bases() []string
	// Provenance is the use that the combiner was fitted for.
	Provenance() Provenance
	// Apply fills out, whose buffer is reused, from one prediction per base,
	// all of the same rows.
	Apply(ctx context.Context, base []*model.Prediction, out *model.Prediction) error
	// Encode writes the combiner; the entry's Decode reads it.
	Encode(w io.Writer) error
}

// Entry describes one method.
type Entry struct {
	Name     string
	Doc      string
	NeedsOOF bool       // Fit learns from out-of-fold predictions
	Default  func() any // pointer to a config with every default written out
	New      func(cfg any) (Method, error)
	Decode   func(r io.Reader) (Combiner, error)
}

// Registry lists entries in order of registration.
type Registry struct{ entries []Entry }

// Add registers an entry; a taken name or a missing part is an error.
func (r *Registry) Add(e Entry) error {
	if e.Name == "" || e.Default == nil || e.New == nil || e.Decode == nil {
		return fmt.Errorf("ensemble: entry %q lacks a name, Default, New or Decode", e.Name)
	}
	if _, ok := r.Entry(e.Name); ok {
		return fmt.Errorf("ensemble: %q is registered twice", e.Name)
	}
	r.entries = append(r.entries, e)
	return nil
}

// Entry finds an entry by name.
func (r *Registry) Entry(name string) (Entry, bool) {
	for _, e := range r.entries {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Entries are all entries in order of registration.
func (r *Registry) Entries() []Entry { return append([]Entry(nil), r.entries...) }

// Register adds "voting" and "stack_logistic".
func Register(r *Registry) error {
	for _, e := range []Entry{votingEntry(), stackEntry()} {
		if err := r.Add(e); err != nil {
			return err
		}
	}
	return nil
}

// checkApply checks the bases' predictions and returns the number of rows.
func checkApply(bases []string, p []*model.Prediction) (int, error) {
	if len(p) != len(bases) {
		return 0, fmt.Errorf("ensemble: %d predictions for bases %q", len(p), bases)
	}
	for b, q := range p {
		if q.K != model.K || q.N != p[0].N {
			return 0, fmt.Errorf("ensemble: base %q predicts %d×%d, base %q %d×%d", bases[b], q.N, q.K, bases[0], p[0].N, model.K)
		}
		if err := q.Check(); err != nil {
			return 0, fmt.Errorf("ensemble: base %q: %w", bases[b], err)
		}
	}
	return p[0].N, nil
}
