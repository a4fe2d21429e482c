package lightgbm_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/param"
)

// What LightGBM 4.7 writes into the parameters of a model file, but for the
// objective (LightGBM: regression) and early_stopping_round (0).
func TestDefaultsAreLightGBMs(t *testing.T) {
	want := map[string]any{
		"boosting": "gbdt", "num_iterations": 100, "learning_rate": 0.1, "num_leaves": 31, "max_depth": -1, "min_data_in_leaf": 20,
		"min_sum_hessian_in_leaf": 0.001, "bagging_fraction": 1.0, "pos_bagging_fraction": 1.0, "neg_bagging_fraction": 1.0, "bagging_freq": 0,
		"feature_fraction": 1.0, "feature_fraction_bynode": 1.0, "extra_trees": false, "max_delta_step": 0.0, "lambda_l1": 0.0, "lambda_l2": 0.0,
		"min_gain_to_split": 0.0, "drop_rate": 0.1, "max_drop": 50, "skip_drop": 0.5, "xgboost_dart_mode": false, "uniform_drop": false,
		"data_sample_strategy": "bagging", "top_rate": 0.2, "other_rate": 0.1, "min_data_per_group": 100, "max_cat_threshold": 32, "cat_l2": 10.0,
		"cat_smooth": 10.0, "max_cat_to_onehot": 4, "path_smooth": 0.0, "max_bin": 255, "min_data_in_bin": 3, "bin_construct_sample_cnt": 200000,
		"use_missing": true, "zero_as_missing": false, "feature_pre_filter": true, "is_unbalance": false, "scale_pos_weight": 1.0,
		"boost_from_average": true, "alpha": 0.9,
		"objective": "multiclass", "early_stopping_round": 30,
	}
	c := lightgbm.Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	fields, err := param.Fields(&c)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range fields {
		if strings.Contains(f.Path, "*") || f.Kind[0] == '[' || strings.HasPrefix(f.Kind, "map") {
			continue // lists, empty by default
		}
		seen++
		if w, ok := want[f.Path]; !ok || f.Default != w {
			t.Errorf("%s is %v (%T), want %v", f.Path, f.Default, f.Default, w)
		}
	}
	if seen != len(want) {
		t.Errorf("%d parameters, want %d", seen, len(want))
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(c *lightgbm.Config)
		want   []string
	}{
		{"ranges", func(c *lightgbm.Config) {
			c.Objective, c.LearningRate, c.NumLeaves, c.MaxBin, c.LambdaL1 = "lambdarank", math.NaN(), 1, 256, -1
		}, []string{"objective:", "learning_rate:", "num_leaves:", "max_bin:", "lambda_l1:"}},
		{"binary only", func(c *lightgbm.Config) {
			c.ScalePosWeight, c.IsUnbalance, c.PosBaggingFraction = 2, true, 0.5
		}, []string{"scale_pos_weight: has an effect with objective binary only", "is_unbalance: has", "pos_bagging_fraction:", "is_unbalance: and scale_pos_weight exclude"}},
		{"goss", func(c *lightgbm.Config) {
			c.DataSampleStrategy, c.TopRate, c.OtherRate, c.BaggingFraction, c.BaggingFreq = lightgbm.GOSS, 0.7, 0.7, 0.5, 1
		}, []string{"top_rate: and other_rate come to 1.4", "bagging_freq: has no effect"}},
		{"quantile", func(c *lightgbm.Config) {
			c.Objective, c.Alpha, c.MonotoneConstraints = lightgbm.Quantile, 1, map[string]int{"x": 1}
		}, []string{"alpha: 1 is no quantile", "monotone_constraints.x: cannot be kept"}},
		{"monotone", func(c *lightgbm.Config) {
			c.MonotoneConstraints, c.CategoricalFeature = map[string]int{"x": 1, "y": 2}, []string{"x"}
		}, []string{"monotone_constraints.x: is about a column of categories", "monotone_constraints.y:"}},
		{"missing", func(c *lightgbm.Config) { c.ZeroAsMissing, c.UseMissing = true, false }, []string{"zero_as_missing: needs use_missing"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := lightgbm.Default()
			tc.change(&c)
			err := c.Validate()
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in %v", w, err)
				}
			}
			if _, err := lightgbm.New(c); err == nil {
				t.Error("New took a configuration that Validate refuses")
			}
		})
	}
}
