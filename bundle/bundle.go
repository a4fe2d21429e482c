// Package bundle is what a trained strategy needs to decide: bars in, decision
// out, without the data, the store or the recipe it was trained with.
//
// A [Bundle] is one strategy of one walk-forward step: which features on which
// timeframes, the decision clock, the fitted models with their columns, the
// combiner, the calibrator, what each class paid, and the rule. [Bundle.Encode]
// writes it as one file, [Decode] reads it. [Bundle.Open] makes a [Runtime], which
// is pushed with base bars and returns decisions.
//
// # Conventions
//
// There is one kernel for history and live: the runtime pushes the same features,
// ends bars by the same clock, and sees at each decision what the table of the
// run saw, so that its probabilities equal the run's bit for bit. It does nothing
// else: it knows no account, no position and no order.
//
// Models are in ascending order of their names, as the combiner expects them.
// Classes are −1, 0, +1 in that order; instants are nanoseconds UTC.
//
// # The file
//
// A header (JSON) and the fitted bytes, in the envelope of [model.WriteArtifact]:
// format version, length, SHA-256. It holds no instant of its making, no path and
// no name of a machine; equal bundles are equal bytes.
//
// # Refusals
//
// A damaged file, another format version, a model or feature that the program
// does not know, a model whose columns its features do not make, bars that come
// out of order or after the clock has passed them.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/trade"
)

const (
	kind    = "bundle"
	version = 1
)

// Model is one fitted base model.
type Model struct {
	Name   string `json:"name"` // in the recipe
	Use    string `json:"use"`  // registered learner
	Inputs        // what it looks at, in its order
	Body   []byte `json:"-"` // as its Encode wrote it
}

// Digest names a thing that the bundle came from by the digest of its content.
type Digest struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Bundle is one strategy of one walk-forward step, ready to decide.
type Bundle struct {
	Strategy   string            `json:"strategy"` // its name in the recipe
	Step       int               `json:"step"`     // walk-forward step, from 1
	Instrument bar.Instrument    `json:"instrument"`
	Base       bar.Timeframe     `json:"base"` // of the bars that are pushed
	Set        feature.Set       `json:"set"`
	Clock      bar.Timeframe     `json:"clock"` // decisions fall on the ends of its bars
	Events     label.EventConfig `json:"events"`
	Label      label.Config      `json:"label"` // what a trade of this strategy is
	Models     []Model           `json:"models"`
	Ensemble   string            `json:"ensemble"` // registered ensemble; "" for a single model
	Combiner   []byte            `json:"-"`
	Calibrator []byte            `json:"-"`
	Payoff     trade.Payoff      `json:"payoff"`
	Rule       trade.Rule        `json:"rule"`
	// Known is the instant by which everything fitted was known: decisions
	// before it are not out of sample.
	Known int64 `json:"known"`
	// Code is the version of the code that made it, Origin the digests of
	// what it was made from. They are for the reader; nothing depends on them.
	Code   string   `json:"code"`
	Origin []Digest `json:"origin"`
}

// header is the JSON part of the file: the bundle and the sizes of its bytes.
type header struct {
	*Bundle
	Sizes []int `json:"sizes"` // models in order, combiner, calibrator
}

// parts are the byte fields in the order of the file.
func (b *Bundle) parts() []*[]byte {
	var out []*[]byte
	for i := range b.Models {
		out = append(out, &b.Models[i].Body)
	}
	return append(out, &b.Combiner, &b.Calibrator)
}

// Validate reports what is missing or contradicts itself, all problems at once.
func (b *Bundle) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("bundle: "+format, args...)) }
	if len(b.Models) == 0 {
		bad("there is no model")
	}
	for i, m := range b.Models {
		switch {
		case m.Name == "" || m.Use == "" || len(m.Body) == 0:
			bad("model %d (%q) lacks a name, a learner or its fitted bytes", i, m.Name)
		case i > 0 && m.Name <= b.Models[i-1].Name:
			bad("model %q does not follow %q: models are in ascending order of their names", m.Name, b.Models[i-1].Name)
		}
		errs = append(errs, m.problems(m.Name)...)
	}
	if b.Ensemble == "" && (len(b.Models) != 1 || len(b.Combiner) > 0) {
		bad("%d models and %d bytes of a combiner, but no ensemble is named", len(b.Models), len(b.Combiner))
	}
	if b.Ensemble != "" && len(b.Combiner) == 0 {
		bad("the ensemble %q has no fitted bytes", b.Ensemble)
	}
	if len(b.Calibrator) == 0 {
		bad("there is no calibrator")
	}
	if _, err := label.NewFilter(b.Clock, b.Label, b.Events); err != nil {
		bad("the decision clock: %w", err)
	}
	if err := bar.CheckMultiple(b.Base, b.Clock); err != nil {
		bad("the decision clock: %w", err)
	}
	if err := b.Rule.Validate(); err != nil {
		bad("the rule: %w", err)
	}
	return errors.Join(errs...)
}

// Encode writes the bundle. It refuses one that is not valid.
func (b *Bundle) Encode(w io.Writer) error {
	if err := b.Validate(); err != nil {
		return err
	}
	h := header{Bundle: b}
	for _, p := range b.parts() {
		h.Sizes = append(h.Sizes, len(*p))
	}
	head, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	payload := append(head, '\n')
	for _, p := range b.parts() {
		payload = append(payload, *p...)
	}
	return model.WriteArtifact(w, kind, version, payload)
}

// Decode reads what [Bundle.Encode] wrote; damage is an error that wraps
// [model.ErrDamaged].
func Decode(r io.Reader) (*Bundle, error) {
	payload, err := model.ReadArtifact(r, kind, version)
	if err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) (*Bundle, error) {
		return nil, fmt.Errorf("bundle: %s: %w", fmt.Sprintf(format, args...), model.ErrDamaged)
	}
	head, rest, ok := bytes.Cut(payload, []byte{'\n'})
	if !ok {
		return fail("no header")
	}
	b := &Bundle{}
	h := header{Bundle: b}
	d := json.NewDecoder(bytes.NewReader(head))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return fail("header: %v", err)
	}
	parts := b.parts()
	if len(h.Sizes) != len(parts) {
		return fail("%d sizes for %d parts", len(h.Sizes), len(parts))
	}
	for i, p := range parts {
		n := h.Sizes[i]
		if n < 0 || n > len(rest) {
			return fail("part %d of %d bytes, %d are left", i, n, len(rest))
		}
		if n > 0 {
			*p = bytes.Clone(rest[:n])
		}
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return fail("%d bytes are left over", len(rest))
	}
	return b, b.Validate()
}

// Digest is the SHA-256 of the encoded bundle.
func (b *Bundle) Digest() (string, error) {
	h := sha256.New()
	if err := b.Encode(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
