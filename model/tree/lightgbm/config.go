package lightgbm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/param"
)

// The objectives, in LightGBM's words.
const (
	Multiclass   = "multiclass"    // K classes, softmax
	Binary       = "binary"        // two classes
	Regression   = "regression"    // a real target, squared error
	RegressionL1 = "regression_l1" // a real target, absolute error
	Huber        = "huber"         // a real target, squared error below alpha, absolute above
	Quantile     = "quantile"      // the alpha-quantile of a real target
)

// The values of boosting and data_sample_strategy.
const (
	GBDT    = "gbdt"
	DART    = "dart"
	Bagging = "bagging"
	GOSS    = "goss"
)

// Config holds the parameters of the "lightgbm" learner under LightGBM's names
// (yaml keys) and with LightGBM's defaults, except that objective and
// early_stopping_round, which LightGBM leaves to the caller, have values.
type Config struct {
	Objective          string  `yaml:"objective" doc:"loss: multiclass (K classes), binary (exactly two classes); only below the classifier: regression (squared error), regression_l1, huber, quantile" enum:"multiclass,binary,regression,regression_l1,huber,quantile"`
	Boosting           string  `yaml:"boosting" doc:"gbdt, or dart: every round leaves some earlier trees out and shrinks them (never stops early)" enum:"gbdt,dart"`
	NumIterations      int     `yaml:"num_iterations" doc:"most boosting rounds; early stopping may use fewer" min:"1" max:"100000"`
	EarlyStoppingRound int     `yaml:"early_stopping_round" doc:"stop after this many rounds without a lower loss on the stop rows and predict with the best round; 0, no stop rows or dart: all rounds" min:"0" max:"100000"`
	LearningRate       float64 `yaml:"learning_rate" doc:"factor on every leaf" min:"1e-6" max:"1" search:"log 0.01 0.3"`

	NumLeaves           int     `yaml:"num_leaves" doc:"most leaves of a tree; the leaf of highest gain is split first" min:"2" max:"65536" search:"int 7 127"`
	MaxDepth            int     `yaml:"max_depth" doc:"most levels of splits; 0 or less: no limit" min:"-1" max:"1000"`
	MinDataInLeaf       int     `yaml:"min_data_in_leaf" doc:"least rows of a leaf, as estimated from hessians" min:"0" max:"1000000000" search:"int 5 500"`
	MinSumHessianInLeaf float64 `yaml:"min_sum_hessian_in_leaf" doc:"least sum of hessians of a leaf" min:"0" max:"1e12" search:"log 1e-3 10"`
	LambdaL1            float64 `yaml:"lambda_l1" doc:"L1 penalty on leaf values" min:"0" max:"1e12" search:"log 1e-3 10"`
	LambdaL2            float64 `yaml:"lambda_l2" doc:"L2 penalty on leaf values" min:"0" max:"1e12" search:"log 1e-3 100"`
	MinGainToSplit      float64 `yaml:"min_gain_to_split" doc:"least gain of a split" min:"0" max:"1e12" search:"log 1e-3 10"`
	MaxDeltaStep        float64 `yaml:"max_delta_step" doc:"largest absolute leaf value before the learning rate; 0: no limit" min:"0" max:"1e12"`
	PathSmooth          float64 `yaml:"path_smooth" doc:"pulls the value of a leaf towards its parent's, the more the fewer rows it has" min:"0" max:"1e12"`
	ExtraTrees          bool    `yaml:"extra_trees" doc:"try one random threshold a column and leaf instead of all"`

	BaggingFraction       float64 `yaml:"bagging_fraction" doc:"probability that a row takes part, where bagging_freq > 0" min:"1e-3" max:"1" search:"lin 0.5 1"`
	PosBaggingFraction    float64 `yaml:"pos_bagging_fraction" doc:"the same for rows of the positive class; binary only, then instead of bagging_fraction" min:"1e-3" max:"1"`
	NegBaggingFraction    float64 `yaml:"neg_bagging_fraction" doc:"the same for rows of the negative class" min:"1e-3" max:"1"`
	BaggingFreq           int     `yaml:"bagging_freq" doc:"draw rows anew every so many rounds; 0: all rows always" min:"0" max:"100000"`
	FeatureFraction       float64 `yaml:"feature_fraction" doc:"share of the columns that a tree may use" min:"1e-4" max:"1" search:"lin 0.3 1"`
	FeatureFractionBynode float64 `yaml:"feature_fraction_bynode" doc:"share of the tree's columns that a split may use" min:"1e-4" max:"1"`
	DataSampleStrategy    string  `yaml:"data_sample_strategy" doc:"bagging, or goss: all rows of large gradients and a sample of the others, after the first 1/learning_rate rounds" enum:"bagging,goss"`
	TopRate               float64 `yaml:"top_rate" doc:"share of rows of large gradients that goss keeps" min:"1e-6" max:"1"`
	OtherRate             float64 `yaml:"other_rate" doc:"share of rows that goss draws from the others" min:"1e-6" max:"1"`

	DropRate        float64 `yaml:"drop_rate" doc:"dart: probability that an earlier round is left out" min:"0" max:"1"`
	MaxDrop         int     `yaml:"max_drop" doc:"dart: most rounds left out at once; 0 or less: no limit" min:"-1" max:"100000"`
	SkipDrop        float64 `yaml:"skip_drop" doc:"dart: probability that nothing is left out in a round" min:"0" max:"1"`
	UniformDrop     bool    `yaml:"uniform_drop" doc:"dart: leave rounds out with equal probability instead of in proportion to their weights"`
	XGBoostDartMode bool    `yaml:"xgboost_dart_mode" doc:"dart: shrink as XGBoost does"`

	MaxBin                int  `yaml:"max_bin" doc:"most bins of a column, the bin of missing values included" min:"2" max:"255" search:"int 31 255"`
	MinDataInBin          int  `yaml:"min_data_in_bin" doc:"least rows of a bin" min:"1" max:"1000000000"`
	BinConstructSampleCnt int  `yaml:"bin_construct_sample_cnt" doc:"most values of a column that bin edges are chosen from" min:"1" max:"268435456"`
	FeaturePreFilter      bool `yaml:"feature_pre_filter" doc:"leave out columns that no split with min_data_in_leaf rows on both sides can use"`
	UseMissing            bool `yaml:"use_missing" doc:"learn a direction for missing values; false: they count as 0"`
	ZeroAsMissing         bool `yaml:"zero_as_missing" doc:"zeros count as missing too"`

	CategoricalFeature []string `yaml:"categorical_feature" doc:"names of columns that hold categories (whole numbers from 0)"`
	CatL2              float64  `yaml:"cat_l2" doc:"more L2 penalty in splits by many categories" min:"0" max:"1e12"`
	CatSmooth          float64  `yaml:"cat_smooth" doc:"smooths the order of categories and leaves out those with fewer rows" min:"0" max:"1e12"`
	MaxCatThreshold    int      `yaml:"max_cat_threshold" doc:"most categories on one side of a split" min:"1" max:"255"`
	MaxCatToOnehot     int      `yaml:"max_cat_to_onehot" doc:"columns of at most this many bins are split one category against the rest" min:"1" max:"256"`
	MinDataPerGroup    int      `yaml:"min_data_per_group" doc:"least rows of a group of categories" min:"1" max:"1000000000"`

	MonotoneConstraints    map[string]int `yaml:"monotone_constraints" doc:"column: 1 where the score must not fall as the column rises, −1 where it must not rise (method basic)" min:"-1" max:"1"`
	InteractionConstraints [][]string     `yaml:"interaction_constraints" doc:"groups of columns that may meet on one path of a tree; empty: all may"`

	BoostFromAverage bool    `yaml:"boost_from_average" doc:"start from the best constant score instead of 0"`
	ScalePosWeight   float64 `yaml:"scale_pos_weight" doc:"factor on the weight of the positive class; binary only" min:"1e-6" max:"1e6"`
	IsUnbalance      bool    `yaml:"is_unbalance" doc:"weigh the rarer class up to the weight of the other; binary only"`
	Alpha            float64 `yaml:"alpha" doc:"the quantile, or where huber turns from square to line" min:"1e-9" max:"1e12"`
}

// Default is LightGBM's default for every parameter that LightGBM sets; the
// objective is multiclass, and training stops after 30 rounds without a better
// one where there are stop rows.
func Default() Config {
	return Config{
		Objective:             Multiclass,
		Boosting:              GBDT,
		NumIterations:         100,
		EarlyStoppingRound:    30,
		LearningRate:          0.1,
		NumLeaves:             31,
		MaxDepth:              -1,
		MinDataInLeaf:         20,
		MinSumHessianInLeaf:   1e-3,
		BaggingFraction:       1,
		PosBaggingFraction:    1,
		NegBaggingFraction:    1,
		FeatureFraction:       1,
		FeatureFractionBynode: 1,
		DataSampleStrategy:    Bagging,
		TopRate:               0.2,
		OtherRate:             0.1,
		DropRate:              0.1,
		MaxDrop:               50,
		SkipDrop:              0.5,
		MaxBin:                255,
		MinDataInBin:          3,
		BinConstructSampleCnt: 200000,
		FeaturePreFilter:      true,
		UseMissing:            true,
		CatL2:                 10,
		CatSmooth:             10,
		MaxCatThreshold:       32,
		MaxCatToOnehot:        4,
		MinDataPerGroup:       100,
		BoostFromAverage:      true,
		ScalePosWeight:        1,
		Alpha:                 0.9,
	}
}

// Validate reports every parameter outside its range, all problems at once.
func (c Config) Validate() error {
	errs := []error{param.Check(c)}
	bad := func(path, format string, a ...any) {
		errs = append(errs, &param.Error{Path: path, Problem: fmt.Sprintf(format, a...)})
	}
	if c.Objective != Binary {
		for path, set := range map[string]bool{"scale_pos_weight": c.ScalePosWeight != 1, "is_unbalance": c.IsUnbalance, "pos_bagging_fraction": c.PosBaggingFraction != 1, "neg_bagging_fraction": c.NegBaggingFraction != 1} {
			if set {
				bad(path, "has an effect with objective %s only; leave it at its default", Binary)
			}
		}
	}
	if c.IsUnbalance && c.ScalePosWeight != 1 {
		bad("is_unbalance", "and scale_pos_weight exclude each other")
	}
	if c.Objective == Quantile && c.Alpha >= 1 {
		bad("alpha", "%v is no quantile between 0 and 1", c.Alpha)
	}
	if c.DataSampleStrategy == GOSS {
		if c.TopRate+c.OtherRate > 1 {
			bad("top_rate", "and other_rate come to %v, more than all rows", c.TopRate+c.OtherRate)
		}
		if c.bags() {
			bad("bagging_freq", "has no effect with data_sample_strategy %s; set it to 0", GOSS)
		}
	}
	for _, name := range sorted(c.MonotoneConstraints) {
		if c.renews() && c.MonotoneConstraints[name] != 0 {
			bad("monotone_constraints."+name, "cannot be kept by objective %s, whose leaf values are quantiles", c.Objective)
		}
		if c.MonotoneConstraints[name] != 0 && slices.Contains(c.CategoricalFeature, name) {
			bad("monotone_constraints."+name, "is about a column of categories, which have no order")
		}
	}
	if c.ZeroAsMissing && !c.UseMissing {
		bad("zero_as_missing", "needs use_missing")
	}
	slices.SortStableFunc(errs[1:], func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// bags reports whether rows are drawn by bagging.
func (c *Config) bags() bool {
	return c.BaggingFreq > 0 && (c.BaggingFraction < 1 || c.PosBaggingFraction < 1 || c.NegBaggingFraction < 1)
}

// renews reports whether leaf values are quantiles of residuals.
func (c *Config) renews() bool { return c.Objective == Quantile || c.Objective == RegressionL1 }

// sorted lists the keys of a map in order.
func sorted(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
