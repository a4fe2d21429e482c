package xgboost_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/param"
)

func TestDefaultIsValidAndDocumented(t *testing.T) {
	c := xgboost.Default()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	fields, err := param.Fields(&c)
	if err != nil {
		t.Fatal(err)
	}
	if len(fields) != 23 {
		t.Errorf("%d fields", len(fields))
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	c := xgboost.Default()
	c.Objective, c.Eta, c.MaxDepth, c.Subsample, c.BaseScore = "rank:map", math.NaN(), 40, 0, "middling"
	c.ScalePosWeight = 2
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, key := range []string{"objective:", "eta:", "max_depth:", "subsample:", "base_score:", "scale_pos_weight:"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%q is not in %v", key, err)
		}
	}
	c = xgboost.Default()
	c.Objective, c.BaseScore = core.Logistic, "1"
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "base_score: 1 is not a probability") {
		t.Errorf("base score 1 for a probability: %v", err)
	}
	if _, err := xgboost.New(c); err == nil {
		t.Error("New took a configuration that Validate refuses")
	}
}
