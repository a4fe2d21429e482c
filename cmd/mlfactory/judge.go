package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/mlfactory/mlfactory/command"
)

func newJudge(g *global) *cobra.Command {
	var o command.JudgeOptions
	var variance float64
	c := &cobra.Command{
		Use:   "judge FILE",
		Short: "Judge a track record of returns; nothing is trained",
		Long: "Reads a CSV of dates and returns (a benchmark column is used if there is one) and says\n" +
			"what the record proves: probabilistic and deflated Sharpe ratio, intervals, power.",
		Example: "  mlfactory judge returns.csv --trials 40",
		Args:    oneArg("a file of returns (- for standard input)"),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("variance-annual") {
				o.VarianceAnnual = &variance
			}
			o.Stdin = c.InOrStdin()
			v, err := command.Judge(args[0], o)
			if err != nil {
				return err
			}
			return g.print(v, func(w io.Writer) error { return command.WriteVerdict(w, v) })
		},
	}
	f := c.Flags()
	f.IntVar(&o.Trials, "trials", 0, "how many strategies were tried before this one was shown, it included (required)")
	f.Float64Var(&variance, "variance-annual", 0, "variance of the trials' annual Sharpe ratios (default: that of trials without skill)")
	f.Float64Var(&o.MeanCorrelation, "mean-correlation", 0, "mean correlation of the trials' returns, 0 to 1")
	f.Float64Var(&o.PeriodsPerYear, "periods-per-year", 0, "returns in a year (default: inferred from the dates)")
	f.StringArrayVar(&o.Set, "set", nil, "set a threshold of the judge, key=value, such as min_days=60")
	return c
}
