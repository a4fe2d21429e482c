package calibrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/stat"
)

// Methods of calibration. Identity is also what the others fall back to.
const (
	Identity    = "identity"
	Temperature = "temperature"
	Vector      = "vector"
	Platt       = "platt"
)

// Bounds of the temperature.
const (
	MinTemperature = 0.05
	MaxTemperature = 20
)

// Config sets the calibration.
type Config struct {
	Method        string  `yaml:"method" doc:"map from raw to calibrated probabilities" enum:"identity,temperature,vector,platt"`
	MinRows       float64 `yaml:"min_rows" doc:"fewest effective calibration rows (sum of weights, at most the row count); with fewer nothing is changed" min:"0" max:"1e9"`
	VectorMinRows float64 `yaml:"vector_min_rows" doc:"fewest effective rows for vector scaling; with fewer it is temperature scaling" min:"0" max:"1e9"`
	PriorSD       float64 `yaml:"prior_sd" doc:"standard deviation of the prior that holds the map near the identity; 0 is no prior" min:"0" max:"100"`
}

// DefaultConfig is temperature scaling from 100 effective rows on.
func DefaultConfig() *Config {
	return &Config{Method: Temperature, MinRows: 100, VectorMinRows: 500, PriorSD: 0.5}
}

// Validate reports every field outside the bounds of its tags.
func (c *Config) Validate() error { return param.Check(c) }

// Calibrator is a fitted map of probabilities. It is immutable and safe for
// concurrent use; the zero value is not valid.
type Calibrator struct {
	s state
}

type state struct {
	Method        string           `json:"method"`
	Reason        string           `json:"reason,omitempty"` // why it is not the method asked for
	Scale         [model.K]float64 `json:"scale"`            // a_c; 1/T for temperature
	Shift         [model.K]float64 `json:"shift"`            // b_c
	A             float64          `json:"a"`                // Platt
	B             float64          `json:"b"`
	Low           int              `json:"low"` // Platt: the two classes, by index
	High          int              `json:"high"`
	Rows          int              `json:"rows"`
	EffectiveRows float64          `json:"effective_rows"`
	LossBefore    float64          `json:"loss_before"` // on the calibration rows
	LossAfter     float64          `json:"loss_after"`
}

// Fit fits the map to predictions of calibration rows by weighted log-loss.
// weight may be nil (all 1). Rows of weight 0 do not count. The effective
// number of rows is the sum of weights, at most the number of rows. O(n) per
// trial map, about a hundred of them.
func Fit(cfg Config, p *model.Prediction, class []int8, weight []float64) (*Calibrator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	d, err := collect(p, class, weight)
	if err != nil {
		return nil, err
	}
	c := &Calibrator{state{
		Method: cfg.Method, Scale: [model.K]float64{1, 1, 1}, A: -1, High: model.K - 1,
		Rows: d.rows, EffectiveRows: math.Min(d.total, float64(d.rows)),
	}}
	identity := func(format string, args ...any) {
		c.s.Method, c.s.Reason = Identity, fmt.Sprintf(format, args...)
	}
	if n := c.s.EffectiveRows; c.s.Method != Identity && n < cfg.MinRows {
		identity("%.1f effective calibration rows, %g are needed", n, cfg.MinRows)
	} else if c.s.Method == Vector && n < cfg.VectorMinRows {
		c.s.Method = Temperature
		c.s.Reason = fmt.Sprintf("%.1f effective calibration rows, vector scaling needs %g", n, cfg.VectorMinRows)
	}
	if c.s.Method != Identity && len(d.class) == 0 {
		identity("no calibration row whose class the model thinks possible")
	}
	prior := 0.0
	if cfg.PriorSD > 0 {
		prior = 1 / (cfg.PriorSD * cfg.PriorSD)
	}
	switch c.s.Method {
	case Temperature:
		b := fitTemperature(d, prior)
		c.s.Scale = [model.K]float64{b, b, b}
	case Vector:
		c.s.Scale, c.s.Shift = fitVector(d, prior)
	case Platt:
		if err := c.fitPlatt(d); err != nil {
			return nil, err
		}
	}
	if c.s.LossBefore, err = model.LogLoss(p, class, weight); err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	q := &model.Prediction{}
	q.Resize(p.N, p.K)
	copy(q.Prob, p.Prob)
	if err := c.Apply(q); err != nil {
		return nil, err
	}
	if c.s.LossAfter, err = model.LogLoss(q, class, weight); err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	return c, nil
}

// Method is the map in use, and why it is not the one that was asked for
// (empty if it is).
func (c *Calibrator) Method() (method, reason string) { return c.s.Method, c.s.Reason }

// Temperature is T; 1 for the identity, NaN for the other maps.
func (c *Calibrator) Temperature() float64 {
	switch c.s.Method {
	case Identity:
		return 1
	case Temperature:
		return 1 / c.s.Scale[0]
	}
	return math.NaN()
}

// Map is the scale a_c and shift b_c of each class's log-probability.
func (c *Calibrator) Map() (scale, shift [model.K]float64) { return c.s.Scale, c.s.Shift }

// Sigmoid is A and B of Platt's map, and the class whose probability it gives.
func (c *Calibrator) Sigmoid() (a, b float64, class int8) {
	return c.s.A, c.s.B, int8(c.s.High - 1)
}

// Evidence is what the fit rested on: calibration rows, effective rows, and the
// log-loss on those same rows before and after (an in-sample figure).
func (c *Calibrator) Evidence() (rows int, effective, lossBefore, lossAfter float64) {
	return c.s.Rows, c.s.EffectiveRows, c.s.LossBefore, c.s.LossAfter
}

// Apply maps the probabilities of p in place. It refuses a p that does not have
// the three classes or is no distribution. O(n), no allocation.
func (c *Calibrator) Apply(p *model.Prediction) error {
	if p.K != model.K {
		return fmt.Errorf("calibrate: prediction has %d classes, want %d", p.K, model.K)
	}
	if err := p.Check(); err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	if c.s.Method == Identity {
		return nil
	}
	for i := range p.N {
		row := p.Row(i)
		if c.s.Method == Platt {
			for k := range row {
				if k != c.s.Low && k != c.s.High && row[k] != 0 {
					return fmt.Errorf("calibrate: row %d gives class %d a probability, Platt's map knows two classes only", i, k-1)
				}
			}
			q := sigmoid(-(float64(c.s.A*logOdds(stat.Log(row[c.s.High]), stat.Log(row[c.s.Low]))) + c.s.B))
			row[c.s.High], row[c.s.Low] = q, 1-q
			continue
		}
		for k, x := range row {
			row[k] = float64(c.s.Scale[k]*stat.Log(x)) + c.s.Shift[k]
			if x == 0 {
				row[k] = math.Inf(-1)
			}
		}
		model.Softmax(row, row)
	}
	return nil
}

const (
	kind    = "calibrator"
	version = 1
)

// Encode writes the calibrator.
func (c *Calibrator) Encode(w io.Writer) error {
	payload, err := json.Marshal(&c.s)
	if err != nil {
		return fmt.Errorf("calibrate: encoding: %w", err)
	}
	return model.WriteArtifact(w, kind, version, payload)
}

// Decode reads what Encode wrote.
func Decode(r io.Reader) (*Calibrator, error) {
	payload, err := model.ReadArtifact(r, kind, version)
	if err != nil {
		return nil, err
	}
	c := &Calibrator{}
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c.s); err != nil {
		return nil, fmt.Errorf("calibrate: decoding: %w", err)
	}
	switch s := &c.s; {
	case s.Method != Identity && s.Method != Temperature && s.Method != Vector && s.Method != Platt,
		s.Low < 0, s.Low >= model.K, s.High < 0, s.High >= model.K, s.Low == s.High:
		return nil, fmt.Errorf("calibrate: decoding: method %q with classes %d and %d", s.Method, s.Low, s.High)
	}
	return c, nil
}
