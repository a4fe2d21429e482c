package judge

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

// HaircutSims is the number of simulated sets of competing tests.
const HaircutSims = 2000

// Cut is a p-value adjusted for multiple tests and the annual Sharpe ratio (√12
// times the monthly one) that would have it as the only test; 0 for p = 1.
type Cut struct {
	P, SharpeAnnual float64
}

// Haircuts are the results of [Haircut].
type Haircuts struct {
	P                           float64 // two-sided p-value of the Sharpe ratio taken alone
	Bonferroni, Holm, BHY, Mean Cut     // Mean averages the three p-values
}

// hlzRow is a row of the structural model of Harvey, Liu and Zhu (2016), fitted
// to 316 published factors: with correlation rho among tests, a share p0 of
// them has no effect, the rest has monthly mean returns from an exponential law
// with mean lambda.
type hlzRow struct{ rho, p0, lambda float64 }

func hlzModel() []hlzRow {
	return []hlzRow{
		{0, 0.39660, 0.0054995}, {0.2, 0.44589, 0.0055508}, {0.4, 0.48604, 0.0055413}, {0.6, 0.59902, 0.0055512}, {0.8, 0.83901, 0.0055956},
	}
}

// Haircut shrinks an annual Sharpe ratio of monthly returns for the number of
// other strategies that were tried. The Sharpe ratio is first corrected for
// autocorrelation ac by Lo's (2002) factor for 12 months; its p-value is that
// of Student's t with months−1 degrees of freedom. Bonferroni multiplies it by
// tests (as the paper does, which leaves the record itself out). Holm and BHY need the other tests' p-values: these are drawn from the
// model of Harvey, Liu and Zhu with correlation rho in [0, 0.8] between tests,
// [HaircutSims] times, and the median of the adjusted p-values is taken.
// O(HaircutSims·tests·log tests). Source: Harvey and Liu (2015), "Backtesting".
func Haircut(sharpeAnnual float64, months, tests int, rho, ac float64, s rng.Stream) (Haircuts, error) {
	if !(sharpeAnnual > 0) || math.IsInf(sharpeAnnual, 0) || months < 3 || tests < 1 || !(rho >= 0 && rho <= 0.8) || !(math.Abs(ac) < 1) {
		return Haircuts{}, fmt.Errorf("judge: haircut of Sharpe %v over %d months, %d tests, correlation %v, autocorrelation %v: want a positive Sharpe, 3 months, 1 test, correlation within [0, 0.8], autocorrelation inside (−1, 1)",
			sharpeAnnual, months, tests, rho, ac)
	}
	const q = 12.0
	monthly := sharpeAnnual / math.Sqrt(q) / math.Sqrt(1+2*ac/(1-ac)*(1-(1-math.Pow(ac, q))/(q*(1-ac))))
	student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(months - 1)}
	p := 2 * student.CDF(-monthly*math.Sqrt(float64(months)))
	holm, bhy := make([]float64, HaircutSims), make([]float64, HaircutSims)
	row := interpolate(rho)
	// Monthly volatility is 15 % a year and a factor has 240 months.
	scale := 0.15 / math.Sqrt(12) / math.Sqrt(240)
	set, adj := make([]float64, tests+1), []float64(nil)
	for k := range HaircutSims {
		r := s.Stream("haircut", k).Rand()
		shared := math.Sqrt(rho) * r.NormFloat64()
		for j := range tests {
			t := shared + float64(math.Sqrt(1-rho)*r.NormFloat64())
			if r.Float64() > row.p0 {
				t += r.ExpFloat64() * row.lambda / scale
			}
			set[j] = 2 * stat.NormalCDF(-math.Abs(t))
		}
		set[tests] = p
		adj = stat.Holm(adj, set)
		holm[k] = adj[tests]
		adj = stat.BenjaminiYekutieli(adj, set)
		bhy[k] = adj[tests]
	}
	slices.Sort(holm)
	slices.Sort(bhy)
	cut := func(p float64) Cut {
		if p >= 1 {
			return Cut{P: 1}
		}
		return Cut{P: p, SharpeAnnual: student.Quantile(1-p/2) / math.Sqrt(float64(months)) * math.Sqrt(q)}
	}
	h := Haircuts{P: p, Bonferroni: cut(min(p*float64(tests), 1)), Holm: cut(stat.QuantileSorted(holm, .5)), BHY: cut(stat.QuantileSorted(bhy, .5))}
	h.Mean = cut((h.Bonferroni.P + h.Holm.P + h.BHY.P) / 3)
	return h, nil
}

// interpolate reads the model at a correlation between its rows.
func interpolate(rho float64) hlzRow {
	rows := hlzModel()
	i := 0
	for i+2 < len(rows) && rho > rows[i+1].rho {
		i++
	}
	a, b := rows[i], rows[i+1]
	w := (rho - a.rho) / (b.rho - a.rho)
	mix := func(x, y float64) float64 { return x + float64(w*(y-x)) }
	return hlzRow{rho: rho, p0: mix(a.p0, b.p0), lambda: mix(a.lambda, b.lambda)}
}
