package xgboost

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/param"
)

const (
	baseScoreAuto = "auto"
	depthwise     = "depthwise"
	lossguide     = "lossguide"
)

// Config holds the parameters of the "xgboost" learner under XGBoost's names
// (yaml keys) and with XGBoost's defaults, except that rounds and
// early_stopping_rounds, which XGBoost leaves to the caller, have values.
type Config struct {
	Objective           string  `yaml:"objective" doc:"loss: multi:softprob (K classes), binary:logistic (exactly two classes); below the classifier also reg:squarederror, reg:quantileerror (with leaves set to the quantile of their residuals) and reg:pseudohubererror" enum:"multi:softprob,binary:logistic,reg:squarederror,reg:quantileerror,reg:pseudohubererror"`
	Rounds              int     `yaml:"rounds" doc:"most boosting rounds (n_estimators); early stopping may use fewer" min:"1" max:"100000"`
	EarlyStoppingRounds int     `yaml:"early_stopping_rounds" doc:"stop after this many rounds without a lower loss on the stop rows and predict with the best round; 0 or no stop rows: all rounds" min:"0" max:"100000"`
	Eta                 float64 `yaml:"eta" doc:"learning rate: factor on every leaf" min:"1e-6" max:"1" search:"log 0.01 0.3"`
	MaxDepth            int     `yaml:"max_depth" doc:"most levels of splits in a tree; 0: no limit, which needs max_leaves" min:"0" max:"16" search:"int 2 8"`
	MaxLeaves           int     `yaml:"max_leaves" doc:"most leaves of a tree; 0: no limit" min:"0" max:"65536"`
	GrowPolicy          string  `yaml:"grow_policy" doc:"what is split first: depthwise, nodes near the root, or lossguide, the node of highest gain" enum:"depthwise,lossguide"`
	MinChildWeight      float64 `yaml:"min_child_weight" doc:"least sum of hessians in a child" min:"0" max:"1e12" search:"log 0.1 100"`
	Gamma               float64 `yaml:"gamma" doc:"least gain of a split; smaller ones are not made" min:"0" max:"1e12" search:"log 1e-3 10"`
	Lambda              float64 `yaml:"lambda" doc:"L2 penalty on leaf values" min:"0" max:"1e12" search:"log 0.1 100"`
	Alpha               float64 `yaml:"alpha" doc:"L1 penalty on leaf values" min:"0" max:"1e12" search:"log 1e-3 10"`
	MaxDeltaStep        float64 `yaml:"max_delta_step" doc:"largest absolute leaf value before eta; 0: no limit" min:"0" max:"1e12"`
	Subsample           float64 `yaml:"subsample" doc:"probability that a row takes part in a round" min:"1e-3" max:"1" search:"lin 0.5 1"`
	ColsampleByTree     float64 `yaml:"colsample_bytree" doc:"share of the columns that a tree may use (at least one)" min:"1e-4" max:"1" search:"lin 0.3 1"`
	ColsampleByLevel    float64 `yaml:"colsample_bylevel" doc:"share of the tree's columns that a level may use (at least one)" min:"1e-4" max:"1"`
	ColsampleByNode     float64 `yaml:"colsample_bynode" doc:"share of the level's columns that a node may use (at least one)" min:"1e-4" max:"1"`
	MaxBin              int     `yaml:"max_bin" doc:"most bins of a feature, the bin of missing values included" min:"3" max:"256" search:"int 32 256"`
	BaseScore           string  `yaml:"base_score" doc:"initial prediction (a probability for binary:logistic, a value for the regressions, a common score for multi:softprob) or auto: estimated from the training rows"`
	ScalePosWeight      float64 `yaml:"scale_pos_weight" doc:"factor on the weight of the positive class; binary:logistic only" min:"1e-6" max:"1e6"`
	QuantileAlpha       float64 `yaml:"quantile_alpha" doc:"which quantile reg:quantileerror estimates, strictly between 0 and 1" min:"1e-6" max:"0.999999"`
	HuberSlope          float64 `yaml:"huber_slope" doc:"residual at which reg:pseudohubererror turns from square to straight" min:"1e-6" max:"1e6"`

	MonotoneConstraints    map[string]int `yaml:"monotone_constraints" doc:"by column: 1 where the score must not fall as the column rises, -1 where it must not rise, 0 or absent: free" min:"-1" max:"1"`
	InteractionConstraints [][]string     `yaml:"interaction_constraints" doc:"groups of columns that may meet on one path of a tree; a column of no group meets none; no groups: all may meet"`
}

// Default is XGBoost's default for every parameter that XGBoost sets, and 300
// rounds with a patience of 30 where there are stop rows.
func Default() Config {
	return Config{
		Objective:           core.Softprob,
		Rounds:              300,
		EarlyStoppingRounds: 30,
		Eta:                 0.3,
		MaxDepth:            6,
		MaxLeaves:           0,
		GrowPolicy:          depthwise,
		MinChildWeight:      1,
		Gamma:               0,
		Lambda:              1,
		Alpha:               0,
		MaxDeltaStep:        0,
		Subsample:           1,
		ColsampleByTree:     1,
		ColsampleByLevel:    1,
		ColsampleByNode:     1,
		MaxBin:              256,
		BaseScore:           baseScoreAuto,
		ScalePosWeight:      1,
		QuantileAlpha:       0.5,
		HuberSlope:          1,
	}
}

// Validate reports every parameter outside its range, all problems at once.
func (c Config) Validate() error {
	errs := []error{param.Check(c)}
	bad := func(path, format string, a ...any) {
		errs = append(errs, &param.Error{Path: path, Problem: fmt.Sprintf(format, a...)})
	}
	if c.ScalePosWeight != 1 && c.Objective != core.Logistic {
		bad("scale_pos_weight", "has an effect with %s only; leave it at 1", core.Logistic)
	}
	if c.QuantileAlpha != 0.5 && c.Objective != core.Quantile {
		bad("quantile_alpha", "has an effect with %s only; leave it at 0.5", core.Quantile)
	}
	if c.HuberSlope != 1 && c.Objective != core.PseudoHuber {
		bad("huber_slope", "has an effect with %s only; leave it at 1", core.PseudoHuber)
	}
	if c.MaxDepth == 0 && c.MaxLeaves == 0 {
		bad("max_depth", "0 is no limit, which needs max_leaves")
	}
	if c.MaxLeaves == 1 {
		bad("max_leaves", "a tree of 1 leaf has no split; give 0 for no limit or at least 2")
	}
	if v, auto, err := c.baseScore(); err != nil {
		bad("base_score", "%v", err)
	} else if !auto && c.Objective == core.Logistic && !(v > 0 && v < 1) {
		bad("base_score", "%v is not a probability strictly between 0 and 1, which %s needs", v, core.Logistic)
	}
	return errors.Join(errs...)
}

// baseScore reads base_score.
func (c Config) baseScore() (v float64, auto bool, err error) {
	if c.BaseScore == baseScoreAuto {
		return 0, true, nil
	}
	v, err = strconv.ParseFloat(c.BaseScore, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 1e12 {
		return 0, false, fmt.Errorf("%q is neither %q nor a number of ordinary size", c.BaseScore, baseScoreAuto)
	}
	return v, false, nil
}

// loss is the objective.
func (c Config) loss() core.Loss {
	return core.Loss{Name: c.Objective, K: 1, PosWeight: float32(c.ScalePosWeight), Alpha: float32(c.QuantileAlpha), Slope: float32(c.HuberSlope)}
}
