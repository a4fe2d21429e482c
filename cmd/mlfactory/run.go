package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mlfactory/mlfactory/command"
)

// requestFlags are the flags that say which recipe is meant.
type requestFlags struct {
	request command.Request
	seed    uint64
}

func (r *requestFlags) add(f *pflag.FlagSet) {
	r.addPart(f)
	f.BoolVar(&r.request.NoAudit, "no-audit", false, "leave out the leak check inside the run")
	f.BoolVar(&r.request.OpenLockbox, "open-lockbox", false, "judge the last part of time too, once; its rows are burnt by it")
}

// addPart adds those that matter to the first steps of a run too.
func (r *requestFlags) addPart(f *pflag.FlagSet) {
	f.StringVar(&r.request.Config, "config", "", "recipe file (see mlfactory config init)")
	sourceFlags(f, &r.request.Source)
	f.StringArrayVar(&r.request.Set, "set", nil, "set one value of the recipe, path=value; may be repeated")
	f.Uint64Var(&r.seed, "seed", 1, "seed of every random draw")
}

// sourceFlags are the flags that name a file of bars.
func sourceFlags(f *pflag.FlagSet, s *command.Source) {
	f.StringVar(&s.Data, "data", "", "file of bars: CSV (plain, .gz, .zst) or Parquet")
	f.StringVar(&s.Instrument, "instrument", "", "what the bars are prices of (see mlfactory data instruments)")
	f.StringVar(&s.Stamps, "stamps", "", "whether a stamp marks the begin or the end of its bar: begin, end, assume-begin, assume-end")
	f.StringVar(&s.Zone, "zone", "", "zone of stamps without an offset, such as UTC or America/New_York")
	f.StringVar(&s.Name, "name", "", "name of the market in tables and files (default: the instrument)")
	f.StringVar(&s.Timeframe, "timeframe", "", "length of the file's bars: auto, native (irregular bars) or 1m, 1h, …")
	f.BoolVar(&s.Sort, "sort", false, "sort the rows by stamp before the checks")
	f.StringVar(&s.Where, "where", "", "read only the rows in which a column has a value, column=value (for files with several contracts)")
	f.StringSliceVar(&s.Columns, "columns", nil, "names of columns, role=name: time=Date,clock=Time,open=…,high=…,low=…,close=…,volume=…")
	f.StringVar(&s.DateOrder, "date-order", "", "order of dates such as 03/04/2021: ymd, dmy or mdy")
}

// resolve finishes the request after parsing.
func (r *requestFlags) resolve(f *pflag.FlagSet) command.Request {
	if f.Changed("seed") {
		r.request.Seed = &r.seed
	}
	return r.request
}

func newRun(g *global) *cobra.Command {
	var req requestFlags
	var o command.RunOptions
	var plan, requirePass bool
	memory := bytesFlag(3 << 30)
	c := &cobra.Command{
		Use:   "run",
		Short: "Run a recipe to a verdict and a run folder",
		Long: "Reads bars, checks them, computes features and labels, walks forward with the models\n" +
			"of the recipe and their ensembles, trades net of cost and judges the result.\n\n" +
			"Without --data and --config it runs the embedded pair of generated markets. What was\n" +
			"computed before is taken from the store: a run that was interrupted goes on where it\n" +
			"was, and a changed value recomputes only what depends on it.",
		Example: "  mlfactory run\n" +
			"  mlfactory run --data btcusd_1m.parquet --instrument BTCUSD --stamps begin --zone UTC\n" +
			"  mlfactory run --config recipe.yaml --set label.horizon=30\n" +
			"  mlfactory run --config recipe.yaml --model xgboost,lstm",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			q := req.resolve(c.Flags())
			rec, err := p.Recipe(q)
			if err != nil {
				return err
			}
			o.Memory = int64(memory)
			limitMemory(o.Memory)
			if o.Out == "" {
				o.Out = filepath.Join("runs", q.Name())
			}
			prog := newProgress(g.err, g.quiet)
			defer prog.close()
			o.Progress, o.Width = prog.event, width(g.out)
			if plan {
				ps, err := p.Plan(c.Context(), rec, o)
				prog.close()
				if err != nil {
					return err
				}
				return g.print(ps, func(w io.Writer) error {
					for _, x := range ps {
						if _, err := io.WriteString(w, planText(x)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			o.Planned = prog.planned
			res, err := p.Run(c.Context(), rec, o)
			prog.close()
			if err != nil {
				return err
			}
			if err := g.print(res, func(w io.Writer) error { return runText(w, res) }); err != nil {
				return err
			}
			if requirePass {
				return res.RequirePass()
			}
			return nil
		},
	}
	req.add(c.Flags())
	f := c.Flags()
	f.StringSliceVar(&req.request.Models, "model", nil, "base models of the run in place of the recipe's: models of the recipe or learners, separated by commas")
	f.StringVarP(&o.Out, "out", "o", "", "run folder (default: runs/NAME)")
	f.Var((*countFlag)(&o.Workers), "workers", "goroutines that compute at once (default: one per processor); results do not depend on it")
	f.Var(&memory, "memory", "memory that the run plans with, such as 3GiB; 0: no limit")
	f.BoolVar(&plan, "plan", false, "print what would run (fits, memory, embargo and purge) and stop")
	f.BoolVar(&requirePass, "require-pass", false, "exit with code 3 unless every verdict is pass")
	return c
}

// countFlag is a whole number of at least 0.
type countFlag int

func (n *countFlag) Set(s string) error {
	v, err := strconv.Atoi(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a whole number of at least 0", s)
	}
	*n = countFlag(v)
	return nil
}

func (n *countFlag) String() string { return strconv.Itoa(int(*n)) }
func (n *countFlag) Type() string   { return "int" }

func runText(w io.Writer, r *command.RunResult) error {
	var b strings.Builder
	b.WriteString(r.Text)
	note := ""
	if !r.Written {
		note = " (as it was: nothing had changed)"
	}
	fmt.Fprintf(&b, "\n%d stages computed, %d taken from the store, %.1f s\n", r.Ran, r.Cached, r.Timing.Seconds)
	fmt.Fprintf(&b, "report: %s%s\n", filepath.Join(r.Folder, "report.html"), note)
	_, err := io.WriteString(w, b.String())
	return err
}
