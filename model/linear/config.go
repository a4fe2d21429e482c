package linear

import (
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/param"
)

// Config sets the logistic learner.
type Config struct {
	C       float64 `yaml:"c" doc:"prior variance of a standardised coefficient; smaller is a stronger penalty" min:"1e-9" max:"1e9" search:"log 1e-5 1"`
	L1Ratio float64 `yaml:"l1_ratio" doc:"share of the absolute penalty: 0 is ridge, 1 is lasso" min:"0" max:"1" search:"lin 0 1"`
	Clip    float64 `yaml:"clip" doc:"standardised inputs are cut at plus and minus this; 0 cuts nothing" min:"0" max:"1000"`
	MaxIter int     `yaml:"max_iter" doc:"most passes of the optimiser" min:"1" max:"100000"`
	Tol     float64 `yaml:"tol" doc:"largest gradient of the mean loss at which it stops" min:"1e-12" max:"1"`
}

// DefaultConfig is a ridge penalty for weak signals: C = 0.01 says that a
// standardised coefficient beyond ±0.2 would be a surprise.
func DefaultConfig() *Config { return &Config{C: 0.01, Clip: 5, MaxIter: 500, Tol: 1e-6} }

// Validate reports every field outside the bounds of its tags.
func (c *Config) Validate() error { return param.Check(c) }

// Register adds "logistic" to the registry.
func Register(r *model.Registry) error {
	return r.Add(Entry())
}

// Entry describes the logistic learner.
func Entry() model.Entry {
	return model.Entry{
		Name:   "logistic",
		Family: "linear",
		Doc: "Multinomial logistic regression with a ridge, lasso or elastic-net penalty on inputs standardised inside the fit " +
			"(Zou & Hastie 2005; Friedman, Hastie & Tibshirani 2010).",
		Input:     model.InputTable,
		Abilities: model.Abilities{Weights: true, Missing: true},
		Default:   func() any { return DefaultConfig() },
		New: func(cfg any) (model.Learner, error) {
			c, ok := cfg.(*Config)
			if !ok || c == nil {
				return nil, fmt.Errorf("linear: config is a %T, want *linear.Config", cfg)
			}
			return New(*c)
		},
		Decode: decodeFitted,
	}
}

// New makes the learner.
func New(c Config) (model.Learner, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("linear: %w", err)
	}
	return learner{c}, nil
}
