package model_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/view"
)

func TestPredictionCheckNamesWhatIsWrong(t *testing.T) {
	classes := func(change func(p *model.Prediction)) *model.Prediction {
		p := &model.Prediction{}
		p.Resize(2, 3)
		copy(p.Prob, []float64{0.2, 0.3, 0.5, 1, 0, 0})
		change(p)
		return p
	}
	mean := func(change func(p *model.Prediction)) *model.Prediction {
		p := &model.Prediction{}
		p.ResizeTargets(2, nil)
		copy(p.Mean, []float64{-3, 4})
		change(p)
		return p
	}
	quantiles := func(change func(p *model.Prediction)) *model.Prediction {
		p := &model.Prediction{}
		p.ResizeTargets(2, []float64{0.1, 0.9})
		copy(p.Quantiles, []float64{1, 2, 3, 3})
		change(p)
		return p
	}
	same := func(*model.Prediction) {}
	for _, c := range []struct {
		p    *model.Prediction
		want string
	}{
		{classes(same), ""},
		{mean(same), ""},
		{quantiles(same), ""},
		{&model.Prediction{}, ""},
		{&model.Prediction{N: 3}, "empty"},
		{classes(func(p *model.Prediction) { p.Prob[1] = 0.4 }), "row 0 sums"},
		{classes(func(p *model.Prediction) { p.Prob[3] = math.NaN() }), "row 1 class 0"},
		{classes(func(p *model.Prediction) { p.Prob = p.Prob[:5] }), "5 probabilities"},
		{mean(func(p *model.Prediction) { p.Mean[1] = math.Inf(1) }), "row 1 has mean"},
		{mean(func(p *model.Prediction) { p.Mean = p.Mean[:1] }), "1 means"},
		{quantiles(func(p *model.Prediction) { p.Quantiles[0] = 2.5 }), "row 0: the quantile at level 0.1 is above"},
		{quantiles(func(p *model.Prediction) { p.Quantiles[3] = math.NaN() }), "row 1 has quantile"},
		{quantiles(func(p *model.Prediction) { p.Levels = []float64{0.9, 0.1} }), "levels ascend"},
	} {
		err := c.p.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.p, err, c.want)
		}
	}
	p := quantiles(same)
	p.Resize(1, 3)
	if len(p.Quantiles)+len(p.Mean)+len(p.Levels) != 0 {
		t.Errorf("a classifier's prediction keeps what a regression left: %+v", p)
	}
}

func TestCheckTargets(t *testing.T) {
	v := func(change func(v *view.View)) view.View {
		v := view.View{Table: view.NewTable(3, []string{"a"}), Target: []float64{1, 2, math.NaN()}, Weight: []float64{1, 2, 0}}
		change(&v)
		return v
	}
	rows, err := model.CheckTargets(v(func(*view.View) {}), false)
	if err != nil || len(rows) != 2 {
		t.Errorf("rows %v, %v: a target is not needed where there is no weight", rows, err)
	}
	for want, change := range map[string]func(v *view.View){
		"no targets":        func(v *view.View) { v.Target = nil },
		"row 2 has target":  func(v *view.View) { v.Weight = nil },
		"row 1 has weight":  func(v *view.View) { v.Weight[1] = -1 },
		"target has 2 rows": func(v *view.View) { v.Target = v.Target[:2] },
		"no training row":   func(v *view.View) { clear(v.Weight) },
		"missing":           func(v *view.View) { v.Table.Data[0] = float32(math.NaN()) },
	} {
		if _, err := model.CheckTargets(v(change), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := model.CheckTargets(v(func(v *view.View) { v.Target[1] = 1 }), false); !errors.Is(err, model.ErrOneTarget) {
		t.Errorf("one target: %v", err)
	}
}
