package judge

import (
	"errors"
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/param"
)

// Config holds the thresholds of the gates.
type Config struct {
	MinDSR                float64 `yaml:"min_dsr" doc:"least deflated Sharpe ratio (2014), of net returns and of returns in excess of the same-exposure benchmark" min:"0.5" max:"0.9999"`
	MinWorthwhileSharpe   float64 `yaml:"min_worthwhile_sharpe" doc:"annual net Sharpe ratio below which an edge is not worth having; the verdict is fail when the interval's upper end lies below it" min:"0" max:"10"`
	MinBets               int     `yaml:"min_bets" doc:"least number of bets that do not overlap" min:"1" max:"1000000"`
	MinDays               int     `yaml:"min_days" doc:"least number of out-of-sample days" min:"2" max:"100000"`
	MinActiveDays         int     `yaml:"min_active_days" doc:"least number of days with a net return other than 0; on fewer the interval of the Sharpe ratio is too narrow to trust" min:"2" max:"100000"`
	RandomEntryPercentile float64 `yaml:"random_entry_percentile" doc:"quantile of the random entries' net Sharpe ratios that the candidate must exceed" min:"0.5" max:"0.9999"`
	CostMultiple          float64 `yaml:"cost_multiple" doc:"multiple of cost at which the record must still make money" min:"1" max:"10"`
	PBOWarn               float64 `yaml:"pbo_warn" doc:"probability of backtest overfitting from which the verdict carries a warning" min:"0" max:"1"`
	PBOBlock              float64 `yaml:"pbo_block" doc:"probability of backtest overfitting above which there is no pass" min:"0" max:"1"`
	PBOMinTrials          float64 `yaml:"pbo_min_trials" doc:"least effective number of configurations for which the probability of backtest overfitting is computed" min:"2" max:"1000000"`
	PBOBlocks             int     `yaml:"pbo_blocks" doc:"blocks of days that the symmetric cross-validation recombines; even" min:"2" max:"20"`
	Confidence            float64 `yaml:"confidence" doc:"confidence of intervals, of the minimum track record and of power statements" min:"0.51" max:"0.9999"`
	Power                 float64 `yaml:"power" doc:"probability of passing that power statements ask for" min:"0.5" max:"0.9999"`
	BootstrapDraws        int     `yaml:"bootstrap_draws" doc:"resamples of the bootstrap interval of the Sharpe ratio; 0 for none" min:"0" max:"1000000"`
	Seed                  uint64  `yaml:"seed" doc:"seed of the bootstrap"`
}

// Default returns the thresholds of the house.
func Default() Config {
	return Config{
		MinDSR: 0.95, MinWorthwhileSharpe: 0.5, MinBets: 200, MinDays: 120, MinActiveDays: 30, RandomEntryPercentile: 0.95, CostMultiple: 2,
		PBOWarn: 0.2, PBOBlock: 0.5, PBOMinTrials: 10, PBOBlocks: 16, Confidence: 0.95, Power: 0.8, BootstrapDraws: 1000, Seed: 1,
	}
}

// Validate reports what the tags cannot say, all problems at once; param.Validate
// checks the tags and this.
func (c Config) Validate() error {
	var errs []error
	if c.PBOWarn > c.PBOBlock {
		errs = append(errs, &param.Error{Path: "pbo_warn", Problem: fmt.Sprintf("%v exceeds pbo_block %v: the warning would come after the block", c.PBOWarn, c.PBOBlock)})
	}
	if c.PBOBlocks%2 != 0 {
		errs = append(errs, &param.Error{Path: "pbo_blocks", Problem: fmt.Sprintf("%d is odd: half of the blocks is in sample", c.PBOBlocks)})
	}
	return errors.Join(errs...)
}

// annual turns a number of periods a year into the factor of a per-period
// Sharpe ratio.
func annual(periodsPerYear float64) float64 { return math.Sqrt(periodsPerYear) }
