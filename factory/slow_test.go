//go:build slow

package factory_test

import (
	"math"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/param"
	"github.com/mlfactory/mlfactory/recipe"
)

// TestEveryLearnerOnRealBars measures every registered learner, fitted for a
// moment, by purged k-fold on a month of real minutes: its out-of-fold log-loss
// stands beside the class prior's and the logistic regression's. That no month and
// no moment of fitting shows an edge is logged, not asserted.
func TestEveryLearnerOnRealBars(t *testing.T) {
	data := shareddata.Path(t, "btcperp_1m_202201.csv.gz")
	cat := catalogue(t)
	s := openStore(t)
	for _, e := range cat.Models.Entries() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Default()
			for _, kv := range [][2]string{{"patience", "0"}, {"epochs", "1"}, {"rounds", "20"}, {"iterations", "20"}, {"n_estimators", "20"}} {
				_ = param.Set(cfg, kv[0], kv[1]) // where the learner has the key
			}
			r := factory.DefaultRecipe()
			m := recipe.Market{Instrument: "BTCUSD", Data: data, Read: ingest.Default()}
			m.Read.Stamps, m.Read.Zone = "assume-begin", "UTC"
			r.Markets = []recipe.Market{m}
			r.Split.KFold.K, r.Split.KFold.Embargo = 2, param.Duration(24*3600*1e9)
			r.Split.KFold.MaxLost, r.Split.WalkForward.MaxLost = 1, 1
			r.Models = r.Models[:1] // the logistic regression, with the recipe's penalty
			if e.Name != r.Models[0].Use {
				r.Models = append(r.Models, recipe.Model{Use: e.Name, Config: cfg})
			}
			r.Ensembles, r.Candidate, r.Audit = nil, e.Name, "off"
			begun := time.Now()
			res := run(t, s, complete(t, r), factory.Env{Until: factory.ToSkill})
			var own *factory.Skill
			for i, sk := range res.Outcomes[0].Skill {
				if sk.Name == e.Name {
					own = &res.Outcomes[0].Skill[i]
				}
			}
			if own == nil || own.Rows < 5000 {
				t.Fatalf("no skill, or of few rows: %+v", own)
			}
			for what, x := range map[string]float64{"log-loss": own.LogLoss, "its interval": own.LogLossHi - own.LogLossLow, "prior": own.Prior} {
				if !(x > 0) || math.IsInf(x, 0) {
					t.Errorf("%s is %v", what, x)
				}
			}
			if a := own.Against; (a == nil) != (e.Name == "logistic") {
				t.Errorf("compared with %+v", a)
			} else if a != nil {
				t.Logf("log-loss %.4f, prior %.4f (%+.4f to %+.4f), logistic %.4f (%+.4f to %+.4f), %.1f s", own.LogLoss, own.Prior, own.SkillLow, own.SkillHi, a.LogLoss, a.GainLow, a.GainHi, time.Since(begun).Seconds())
			}
		})
	}
}
