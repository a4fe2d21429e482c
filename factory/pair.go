package factory

import (
	"github.com/mlfactory/mlfactory/bar/synth"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/recipe"
)

// Pair is the recipe of the embedded pair: two generated markets that differ in
// nothing but the coupling that plants an edge. A factory that works passes
// "planted" and does not pass "null".
func Pair() recipe.Recipe {
	r := DefaultRecipe()
	planted := synth.Default()
	planted.Seed = 2
	null := planted.Null()
	r.Markets = []recipe.Market{
		{Name: "planted", Instrument: "SYNTH", Synth: &planted},
		{Name: "null", Instrument: "SYNTH", Synth: &null},
	}
	// What moves the price hides in volume and clock. Features with the sign of
	// past returns are left out: once the drift has lasted they see it, and a
	// linear model would too.
	r.Features.Families = []string{"volatility", "volume", "session"}
	r.Features.Drop = []string{"mfi", "cmf", "volume_balance", "obv_slope", "bollinger", "keltner", "down_share", "return_moments", "session"}
	return r
}

// SmallPair is the pair in the size of a test: half the sessions, few features,
// few folds. seed chooses the draws of both markets.
func SmallPair(seed uint64) recipe.Recipe {
	r := Pair()
	r.Seed = seed
	for i := range r.Markets {
		r.Markets[i].Synth.Seed = seed
		r.Markets[i].Synth.Sessions = 600
	}
	r.Features.Timeframes = []string{"15m"}
	r.Features.Families = []string{"volume", "session"}
	r.Features.Drop = []string{"mfi", "cmf", "volume_balance", "obv_slope", "session"}
	r.Split.WalkForward.Steps = 2
	r.Split.InnerFolds = 2
	r.Split.KFold.K = 2
	r.Random = 300
	r.Judge.BootstrapDraws = 200
	for i := range r.Models {
		if c, ok := r.Models[i].Config.(*xgboost.Config); ok {
			c.Rounds, c.Eta, c.EarlyStoppingRounds = 120, 0.1, 12
		}
	}
	return r
}

// BoostConfig is the boosting of the default recipe: shallower and slower than
// the library's default, because labels of overlapping spans hold little
// information per row.
func BoostConfig() *xgboost.Config {
	c := xgboost.Default()
	c.Eta, c.MaxDepth, c.MinChildWeight = 0.05, 4, 20
	c.Rounds, c.EarlyStoppingRounds = 200, 20
	c.Subsample, c.ColsampleByTree, c.MaxBin = 0.7, 0.5, 64
	c.Lambda = 10
	return &c
}

// DefaultRecipe is the recipe of a run on a file, with the default models
// configured for markets.
func DefaultRecipe() recipe.Recipe {
	r := recipe.Default()
	configure(&r)
	return r
}

func configure(r *recipe.Recipe) {
	for i := range r.Models {
		switch r.Models[i].Use {
		case "xgboost":
			r.Models[i].Config = BoostConfig()
		case "logistic":
			c := linear.DefaultConfig()
			c.C = 1e-4 // a few thousand effective rows against two hundred columns
			r.Models[i].Config = c
		}
	}
}
