package catboost

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/stat"
)

// The losses, in the library's words.
const (
	MultiClass = "MultiClass" // K classes, softmax
	Logloss    = "Logloss"    // two classes
	RMSE       = "RMSE"       // a real target, squared error
	MAE        = "MAE"        // a real target, absolute error
	Quantile   = "Quantile"   // a real target, pinball loss; "Quantile:alpha=0.9"
)

// The words that several parameters share, and those of single ones.
const (
	auto        = "auto"
	none        = "No"
	yes         = "true"
	no          = "false"
	bayesian    = "Bayesian"
	bernoulli   = "Bernoulli"
	mvs         = "MVS"
	plain       = "Plain"
	inOrder     = "Ordered"
	newton      = "Newton"
	gradient    = "Gradient"
	exact       = "Exact"
	improvement = "AnyImprovement"
	nanMin      = "Min"
	nanMax      = "Max"
	nanForbid   = "Forbidden"
	cosine      = "Cosine"
	l2          = "L2"
)

// Config holds the parameters of the "catboost" learner under CatBoost's names
// (yaml keys) and with CatBoost's defaults for the CPU, except that
// early_stopping_rounds, which CatBoost leaves off, has a value. min_data_in_leaf
// has no effect on symmetric trees, in CatBoost as here, and is left out.
type Config struct {
	Loss                string  `yaml:"loss_function" doc:"MultiClass (three classes), Logloss (exactly two classes); below the classifier also RMSE, MAE, Quantile:alpha=0.5"`
	Iterations          int     `yaml:"iterations" doc:"most trees; early stopping may use fewer" min:"1" max:"100000"`
	LearningRate        float64 `yaml:"learning_rate" doc:"factor on every leaf; 0: from the loss, the rows and the iterations by CatBoost's formula" min:"0" max:"1" search:"log 0.01 0.3"`
	EarlyStoppingRounds int     `yaml:"early_stopping_rounds" doc:"od_wait: stop after this many trees without a lower loss on the stop rows; 0: never" min:"0" max:"100000"`
	UseBestModel        bool    `yaml:"use_best_model" doc:"predict with the trees up to the lowest loss on the stop rows"`
	Depth               int     `yaml:"depth" doc:"most levels of a tree" min:"1" max:"16" search:"int 2 8"`
	L2LeafReg           float64 `yaml:"l2_leaf_reg" doc:"L2 penalty on leaf values, times the mean weight of the rows" min:"0" max:"1e12" search:"log 0.1 100"`
	RandomStrength      float64 `yaml:"random_strength" doc:"noise on the scores of splits, in root mean squares of the gradients; it fades as the model grows" min:"0" max:"1e6" search:"lin 0 2"`
	BootstrapType       string  `yaml:"bootstrap_type" doc:"weights of the rows for choosing splits: Bayesian, Bernoulli, MVS, No or auto: Bayesian for MultiClass, else MVS" enum:"auto,Bayesian,Bernoulli,MVS,No"`
	BaggingTemperature  float64 `yaml:"bagging_temperature" doc:"Bayesian: weights are exponential variates to this power; 0: all 1" min:"0" max:"1e3" search:"lin 0 2"`
	Subsample           float64 `yaml:"subsample" doc:"Bernoulli, MVS: share of the rows; 0: 0.66 for Bernoulli, 0.8 for MVS, 1 below 100 rows" min:"0" max:"1"`
	MVSReg              float64 `yaml:"mvs_reg" doc:"MVS: what is added to squared gradients before rows are drawn in proportion; -1: the squared mean leaf of the last tree" min:"-1" max:"1e12"`
	RSM                 float64 `yaml:"rsm" doc:"probability that a level of a tree may split a column" min:"1e-4" max:"1" search:"lin 0.3 1"`
	BorderCount         int     `yaml:"border_count" doc:"most borders of a column" min:"1" max:"254" search:"int 32 254"`
	FeatureBorderType   string  `yaml:"feature_border_type" doc:"how borders are chosen" enum:"GreedyLogSum,Median,Uniform"`
	NanMode             string  `yaml:"nan_mode" doc:"missing values are below all values, above all values or an error" enum:"Min,Max,Forbidden"`
	ScoreFunction       string  `yaml:"score_function" doc:"what a split maximises: the cosine of leaf values and gradients, or the drop of the squared error" enum:"Cosine,L2"`
	BoostingType        string  `yaml:"boosting_type" doc:"Plain, or Ordered: the gradient of a row comes from models that were fitted without it" enum:"Plain,Ordered"`
	HasTime             bool    `yaml:"has_time" doc:"keep the order of the rows for ordered boosting and target statistics instead of drawing permutations"`
	PermutationCount    int     `yaml:"permutation_count" doc:"permutations of ordered boosting and target statistics, one of which serves the final leaves" min:"1" max:"64"`
	FoldLenMultiplier   float64 `yaml:"fold_len_multiplier" doc:"Ordered: growth of the parts of a permutation" min:"1.05" max:"1e3"`
	LeafMethod          string  `yaml:"leaf_estimation_method" doc:"steps towards the leaf values; auto: Newton, or Exact for MAE and Quantile" enum:"auto,Newton,Gradient,Exact"`
	LeafIterations      int     `yaml:"leaf_estimation_iterations" doc:"steps towards the leaf values of a tree; 0: 10 for Logloss by Newton (40 by Gradient, 10 for MultiClass by Gradient), else 1; 1 below 200 iterations on fewer than 20 columns" min:"0" max:"1000"`
	LeafBacktracking    string  `yaml:"leaf_estimation_backtracking" doc:"with several steps, halve each until the loss falls" enum:"AnyImprovement,No"`
	BoostFromAverage    string  `yaml:"boost_from_average" doc:"begin with the best constant; auto: for RMSE, MAE and Quantile only" enum:"auto,true,false"`

	CatFeatures   []string `yaml:"cat_features" doc:"names of columns that hold categories (whole numbers from 0)"`
	OneHotMaxSize int      `yaml:"one_hot_max_size" doc:"most categories of a column that is split into one against the rest; columns of more have target statistics" min:"1" max:"255"`
	SimpleCTR     []string `yaml:"simple_ctr" doc:"target statistics of a category: Borders, Buckets, BinarizedTargetMeanValue, Counter, each with :CtrBorderCount=15 and :Prior=0:Prior=0.5:Prior=1 or others"`
	ModelSizeReg  float64  `yaml:"model_size_reg" doc:"what holds the first split on a target statistic back, the more so the more categories it has" min:"0" max:"1e6"`
}

// Default is CatBoost's default for every parameter that CatBoost sets, and a
// patience of 50 trees where there are stop rows.
func Default() Config {
	return Config{
		Loss:                MultiClass,
		Iterations:          1000,
		EarlyStoppingRounds: 50,
		UseBestModel:        true,
		Depth:               6,
		L2LeafReg:           3,
		RandomStrength:      1,
		BootstrapType:       auto,
		BaggingTemperature:  1,
		MVSReg:              -1,
		RSM:                 1,
		BorderCount:         254,
		FeatureBorderType:   borderGreedy,
		NanMode:             nanMin,
		ScoreFunction:       cosine,
		BoostingType:        plain,
		PermutationCount:    4,
		FoldLenMultiplier:   2,
		LeafMethod:          auto,
		LeafBacktracking:    improvement,
		BoostFromAverage:    auto,
		OneHotMaxSize:       2,
		SimpleCTR:           []string{ctrBorders, ctrCounter},
		ModelSizeReg:        0.5,
	}
}

// Validate reports every parameter outside its range, all problems at once.
func (c Config) Validate() error {
	errs := []error{param.Check(c)}
	bad := func(path, format string, a ...any) {
		errs = append(errs, &param.Error{Path: path, Problem: fmt.Sprintf(format, a...)})
	}
	l, err := newLoss(c.Loss, 3)
	if err != nil {
		bad("loss_function", "%v", err)
	}
	if c.BoostFromAverage == yes && l.name == MultiClass {
		bad("boost_from_average", "is not possible with %s", MultiClass)
	}
	quantile := l.name == MAE || l.name == Quantile
	if c.LeafMethod == exact && !quantile {
		bad("leaf_estimation_method", "%s is for %s and %s", exact, MAE, Quantile)
	}
	if c.LeafMethod == newton && quantile {
		bad("leaf_estimation_method", "%s has no second derivative; use %s or %s", l.name, exact, gradient)
	}
	if c.MVSReg < 0 && c.MVSReg != -1 {
		bad("mvs_reg", "is %v; it is at least 0, or -1 for the squared mean leaf of the last tree", c.MVSReg)
	}
	for i, text := range c.SimpleCTR {
		if _, err := parseCTR(text); err != nil {
			bad(fmt.Sprintf("simple_ctr.%d", i), "%v", err)
		}
	}
	for i, name := range c.CatFeatures {
		if slices.Contains(c.CatFeatures[:i], name) {
			bad(fmt.Sprintf("cat_features.%d", i), "names %q again", name)
		}
	}
	return errors.Join(errs...)
}

// resolve replaces everything automatic by what the library would take for n
// rows and p columns; stops says whether there are stop rows.
func (c Config) resolve(l *loss, n, p int, stops bool) Config {
	if c.BoostFromAverage == auto {
		c.BoostFromAverage = no
		if !l.classes() {
			c.BoostFromAverage = yes
		}
	}
	if c.LearningRate == 0 {
		c.LearningRate = 0.03
		if c.L2LeafReg == 3 && c.LeafMethod == auto && c.LeafIterations == 0 {
			c.LearningRate = learningRate(l.name, n, c.Iterations, stops && c.UseBestModel, c.BoostFromAverage == yes)
		}
	}
	c.LearningRate = float64(float32(c.LearningRate))
	if c.BootstrapType == auto {
		c.BootstrapType = mvs
		if l.k > 1 {
			c.BootstrapType = bayesian
		}
	}
	if c.Subsample == 0 {
		switch {
		case n < 100:
			c.Subsample = 1
		case c.BootstrapType == bernoulli:
			c.Subsample = 0.66
		default:
			c.Subsample = 0.8
		}
	}
	if c.LeafMethod == auto {
		c.LeafMethod = newton
		if l.name == MAE || l.name == Quantile {
			c.LeafMethod = exact
		}
	}
	if c.LeafIterations == 0 {
		c.LeafIterations = 1
		if !(c.Iterations < 200 && p < 20) {
			switch {
			case l.name == Logloss && c.LeafMethod == newton, l.name == MultiClass && c.LeafMethod == gradient:
				c.LeafIterations = 10
			case l.name == Logloss:
				c.LeafIterations = 40
			}
		}
	}
	if c.LeafMethod == exact {
		c.LeafIterations = 1
	}
	return c
}

// learningRate is CatBoost's guess: exp(a·ln n + b)·(iterations/1000)^c, at most
// 0.5, rounded to six digits, or 0.03 where it has no guess
// (options_helper.cpp of CatBoost 1.2).
func learningRate(loss string, n, iterations int, best, average bool) float64 {
	var a, b, c float64
	switch pick := func(x, y [3]float64) {
		if !best {
			x = y
		}
		a, b, c = x[0], x[1], x[2]
	}; {
	case loss == Logloss && average:
		pick([3]float64{0.246, -5.127, -0.451}, [3]float64{0.408, -7.299, -0.928})
	case loss == Logloss:
		pick([3]float64{0.247, -5.158, -0.435}, [3]float64{0.427, -7.525, -0.917})
	case loss == MultiClass:
		pick([3]float64{0.02, -2.364, -0.382}, [3]float64{0.051, -2.889, -0.845})
	case loss == RMSE && average:
		pick([3]float64{0.157, -4.062, -0.61}, [3]float64{0.158, -4.287, -0.813})
	case loss == RMSE:
		pick([3]float64{0.189, -4.383, -0.623}, [3]float64{0.178, -4.473, -0.76})
	default:
		return 0.03
	}
	r := stat.Exp(float64(a*stat.Log(float64(n))) + b + float64(c*stat.Log(float64(iterations)/1000)))
	return math.Round(min(r, 0.5)*1e6) / 1e6
}

// parseLoss splits "Quantile:alpha=0.9".
func parseLoss(s string) (name string, alpha float64, err error) {
	name, rest, given := strings.Cut(s, ":")
	switch name {
	case MultiClass, Logloss, RMSE, MAE, Quantile:
	default:
		return name, 0, fmt.Errorf("%q is none of %s, %s, %s, %s, %s", s, MultiClass, Logloss, RMSE, MAE, Quantile)
	}
	if !given {
		return name, 0.5, nil
	}
	v, ok := strings.CutPrefix(rest, "alpha=")
	if alpha, err = strconv.ParseFloat(v, 64); name != Quantile || !ok || err != nil || !(alpha > 0 && alpha < 1) {
		return name, 0, fmt.Errorf("%q: only %s takes a parameter, alpha strictly between 0 and 1", s, Quantile)
	}
	return name, alpha, nil
}
