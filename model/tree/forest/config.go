package forest

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/param"
)

// Criteria.
const (
	Gini         = "gini"          // classes: 1 − Σp²
	Entropy      = "entropy"       // classes: −Σp·log₂p
	LogLoss      = "log_loss"      // the same as entropy, as in scikit-learn
	SquaredError = "squared_error" // a number: variance
)

// Class weights.
const (
	noClassWeight     = "none"
	balanced          = "balanced"
	balancedSubsample = "balanced_subsample"
)

// Sampling.
const (
	uniform    = "uniform"
	sequential = "sequential"
)

const (
	all        = "all"
	uniqueness = "uniqueness"
)

// Config holds the parameters of "random_forest" and "extra_trees" under
// scikit-learn's names and with its defaults. Where scikit-learn has None, a
// number has 0 and a text has "none" or "all". sampling, oob_purge and the
// value uniqueness of max_samples are not scikit-learn's.
type Config struct {
	Trees                 int            `yaml:"n_estimators" doc:"number of trees" min:"1" max:"100000" search:"int 50 500"`
	Criterion             string         `yaml:"criterion" doc:"impurity: gini, entropy or log_loss (the same) for classes, squared_error for a number (only below the classifier)" enum:"gini,entropy,log_loss,squared_error"`
	MaxDepth              int            `yaml:"max_depth" doc:"most levels of splits in a tree; 0: no limit" min:"0" max:"100000"`
	MinSamplesSplit       int            `yaml:"min_samples_split" doc:"least rows of a node that is split; a row drawn twice is one" min:"2" max:"1000000000"`
	MinSamplesLeaf        int            `yaml:"min_samples_leaf" doc:"least rows of a leaf; a row drawn twice is one" min:"1" max:"1000000000" search:"int 1 200"`
	MinWeightFractionLeaf float64        `yaml:"min_weight_fraction_leaf" doc:"least share of the weight of a tree's sample in a leaf" min:"0" max:"0.5"`
	MaxFeatures           string         `yaml:"max_features" doc:"columns tried in a node: sqrt, log2, all, a whole number, or a share with a decimal point (1.0 is all)"`
	MaxLeafNodes          int            `yaml:"max_leaf_nodes" doc:"most leaves of a tree, which then grows its best node first; 0: no limit" min:"0" max:"1000000000"`
	MinImpurityDecrease   float64        `yaml:"min_impurity_decrease" doc:"least decrease of impurity by a split, times the node's share of the weight" min:"0" max:"1e12"`
	MonotonicCst          map[string]int `yaml:"monotonic_cst" doc:"column: 1 where the predicted number, or the probability of the higher of two classes, must not fall as the column rises, −1 where it must not rise" min:"-1" max:"1"`
	CCPAlpha              float64        `yaml:"ccp_alpha" doc:"minimal cost-complexity pruning: impurity that a leaf must save; 0: no pruning" min:"0" max:"1e12"`
	ClassWeight           string         `yaml:"class_weight" doc:"none, balanced (n/(K·rows of the class)), or balanced_subsample (the same within each tree's sample)" enum:"none,balanced,balanced_subsample"`
	Bootstrap             bool           `yaml:"bootstrap" doc:"grow each tree on rows drawn with replacement; otherwise on all rows"`
	MaxSamples            string         `yaml:"max_samples" doc:"draws of a tree: all (as many as rows), a whole number, a share of the total weight with a decimal point, or uniqueness (rows times the mean uniqueness of their labels)"`
	Sampling              string         `yaml:"sampling" doc:"uniform: rows are drawn by weight; sequential: by weight times their uniqueness among the rows already drawn" enum:"uniform,sequential"`
	OOBScore              bool           `yaml:"oob_score" doc:"judge each row by the trees that did not draw it and keep the score with the model"`
	OOBPurge              bool           `yaml:"oob_purge" doc:"out of bag, leave out the trees that drew a row whose label overlaps"`
}

// Default is scikit-learn's RandomForestClassifier.
func Default() Config {
	return Config{
		Trees:           100,
		Criterion:       Gini,
		MinSamplesSplit: 2,
		MinSamplesLeaf:  1,
		MaxFeatures:     "sqrt",
		ClassWeight:     noClassWeight,
		Bootstrap:       true,
		MaxSamples:      all,
		Sampling:        uniform,
	}
}

// DefaultExtra is scikit-learn's ExtraTreesClassifier: all rows for each tree.
func DefaultExtra() Config {
	c := Default()
	c.Bootstrap = false
	return c
}

// DefaultRegression is scikit-learn's RandomForestRegressor.
func DefaultRegression() Config {
	c := Default()
	c.Criterion, c.MaxFeatures = SquaredError, all
	return c
}

// Validate reports every parameter outside its range and every option that
// would have no effect, all problems at once.
func (c Config) Validate() error {
	errs := []error{param.Check(c)}
	bad := func(path, format string, a ...any) {
		errs = append(errs, &param.Error{Path: path, Problem: fmt.Sprintf(format, a...)})
	}
	if _, err := c.features(1 << 20); err != nil {
		bad("max_features", "%v", err)
	}
	if _, err := c.samples(1, 1, 1); err != nil {
		bad("max_samples", "%v", err)
	}
	if !c.Bootstrap {
		for _, o := range []struct {
			set  bool
			path string
		}{{c.MaxSamples != all, "max_samples"}, {c.Sampling != uniform, "sampling"}, {c.OOBScore, "oob_score"}, {c.ClassWeight == balancedSubsample, "class_weight"}} {
			if o.set {
				bad(o.path, "has an effect with bootstrap only")
			}
		}
	}
	if c.OOBPurge && !c.OOBScore {
		bad("oob_purge", "has an effect with oob_score only")
	}
	if c.Criterion == SquaredError && c.ClassWeight != noClassWeight {
		bad("class_weight", "has no effect with %s", SquaredError)
	}
	if c.MaxLeafNodes == 1 {
		bad("max_leaf_nodes", "must be 0 (no limit) or at least 2")
	}
	return errors.Join(errs...)
}

// classifies reports whether the criterion is one for classes.
func (c Config) classifies() bool { return c.Criterion != SquaredError }

// needsSpans names the option that needs the spans of the labels, if any does.
func (c Config) needsSpans() string {
	switch {
	case c.Sampling == sequential:
		return "sampling: sequential"
	case c.MaxSamples == uniqueness:
		return "max_samples: uniqueness"
	case c.OOBPurge:
		return "oob_purge: true"
	}
	return ""
}

// features is the number of columns that a node of a table with p columns
// tries.
func (c Config) features(p int) (int, error) {
	switch c.MaxFeatures {
	case "sqrt":
		return max(1, int(math.Sqrt(float64(p)))), nil
	case "log2":
		return max(1, int(math.Log2(float64(p)))), nil
	case all:
		return p, nil
	}
	n, share, err := amount(c.MaxFeatures)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not sqrt, log2, all, a whole number or a share such as 0.3", c.MaxFeatures)
	case share && n > 1:
		return 0, fmt.Errorf("a share of %s is more than 1.0", c.MaxFeatures)
	case share:
		return max(1, int(n*float64(p))), nil
	case int(n) > p:
		return 0, fmt.Errorf("%s columns are wanted, there are %d", c.MaxFeatures, p)
	}
	return int(n), nil
}

// samples is the number of draws of a tree from n rows of the given total
// weight and mean uniqueness.
func (c Config) samples(n int, weight, mean float64) (int, error) {
	switch c.MaxSamples {
	case all:
		return n, nil
	case uniqueness:
		return max(1, int(float64(n)*mean)), nil
	}
	x, share, err := amount(c.MaxSamples)
	if err != nil {
		return 0, fmt.Errorf("%q is not all, uniqueness, a whole number or a share such as 0.3", c.MaxSamples)
	}
	if share {
		x = math.Max(1, math.Floor(x*weight))
	}
	if x > maxDraws {
		return 0, fmt.Errorf("%s comes to %g draws for a tree, the limit is %d", c.MaxSamples, x, maxDraws)
	}
	return int(x), nil
}

// maxDraws bounds the draws of a tree.
const maxDraws = 1 << 30

// amount reads a positive whole number, or a positive share, which has a
// decimal point or an exponent.
func amount(s string) (x float64, share bool, err error) {
	x, err = strconv.ParseFloat(s, 64)
	share = strings.ContainsAny(s, ".eE")
	if err == nil && (!(x > 0) || x > 1e12 || !share && x != math.Trunc(x)) {
		err = strconv.ErrRange
	}
	return x, share, err
}
