package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/command"
)

// group is a command that only has subcommands.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(sub...)
	return grouped(c)
}

// grouped makes c show its help when it is called without a subcommand, and
// refuse an unknown one with the nearest known.
func grouped(c *cobra.Command) *cobra.Command {
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		c.SuggestionsMinimumDistance = 2
		hint := "see " + c.CommandPath() + " --help"
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			hint = fmt.Sprintf("did you mean %q?", near[0])
		}
		return command.Usage("%s has no command %q; %s", c.CommandPath(), args[0], hint)
	}
	return c
}

func newData(g *global) *cobra.Command {
	return group("data", "Look at, import, convert and generate bars",
		newInspect(g), newImport(g), newConvert(g), newInstruments(g), newSynth(g))
}

// fileFlags are the source flags without --data, which is an argument here.
func fileFlags(c *cobra.Command, s *command.Source) {
	sourceFlags(c.Flags(), s)
	_ = c.Flags().MarkHidden("data")
}

// fileArg takes the file as an argument; --data works too.
func fileArg(s *command.Source, after int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == after+1 && s.Data == "" {
			s.Data = args[0]
			return nil
		}
		if len(args) == after && s.Data != "" {
			return nil
		}
		return command.Usage("usage: %s", c.UseLine())
	}
}

func newInspect(g *global) *cobra.Command {
	var s command.Source
	list := -1
	c := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Check a file of bars and report on it; nothing is stored",
		Example: "  mlfactory data inspect es.csv.gz --instrument ES --stamps end --zone UTC\n" +
			"  mlfactory data inspect es.csv.gz --instrument ES --stamps end --zone UTC --findings 3",
		Args: fileArg(&s, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			if c.Flags().Changed("findings") && (list < 0 || list > 200) {
				return command.Usage("--findings %d: want a number from 0 to 200", list)
			}
			r, err := p.Inspect(c.Context(), s, list)
			if err != nil {
				return err
			}
			return g.print(r, func(w io.Writer) error { return dataText(w, r, list >= 0) })
		},
	}
	fileFlags(c, &s)
	c.Flags().IntVar(&list, "findings", -1, "list the first N rows of each kind of finding, with line and time (0 to 200); without it the first 20 in all, or with --json up to 200 of each kind")
	return c
}

// dataText is a report in words; with all set, every finding that it has.
func dataText(w io.Writer, r *ingest.Report, all bool) error {
	t := newTable("", "")
	t.row("rows", r.Rows)
	t.row("accepted", r.Accepted)
	t.row("first bar begins", r.First)
	t.row("last bar ends", r.Last)
	t.row("timeframe", r.Timeframe)
	side := r.Stamps
	if r.Assumed {
		side += " (assumed)"
	}
	t.row("stamps mark the", side)
	t.row("zone", r.Zone)
	t.row("rows with volume", r.Volume)
	t.row("bars without a trade", r.NoTrade)
	t.row("trading dates", r.Sessions)
	t.row("outages", r.Outages)
	t.row("rows outside scheduled hours", r.OffClock)
	for _, k := range r.Counts {
		t.row(k.Kind, k.N)
	}
	if err := t.write(w); err != nil {
		return err
	}
	for i, f := range r.Findings {
		if i == 20 && !all {
			if _, err := fmt.Fprintf(w, "… and %d more (--json lists them)\n", len(r.Findings)-i); err != nil {
				return err
			}
			break
		}
		if _, err := fmt.Fprintf(w, "line %d, %s: %s: %s\n", f.Line, f.Time, f.Kind, f.Text); err != nil {
			return err
		}
	}
	for _, n := range r.Notes {
		if _, err := fmt.Fprintf(w, "note: %s\n", n); err != nil {
			return err
		}
	}
	return nil
}

func newImport(g *global) *cobra.Command {
	var req command.Request
	c := &cobra.Command{
		Use:     "import FILE",
		Short:   "Read a file of bars into the store, where later runs find it",
		Example: "  mlfactory data import es.csv.gz --instrument ES --stamps end --zone UTC",
		Args:    fileArg(&req.Source, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			rec, err := p.Recipe(req)
			if err != nil {
				return err
			}
			prog := newProgress(g.err, g.quiet)
			defer prog.close()
			r, err := p.Import(c.Context(), rec, command.RunOptions{Progress: prog.event})
			prog.close()
			if err != nil {
				return err
			}
			return g.print(r, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d bars in the store, digest %s\n", r.Bars, r.Digest)
				return err
			})
		},
	}
	fileFlags(c, &req.Source)
	return c
}

func newConvert(g *global) *cobra.Command {
	var s command.Source
	c := &cobra.Command{
		Use:   "convert FILE OUT",
		Short: "Write bars anew as CSV or Parquet, in UTC and stamped with their ends",
		Long: "Reads and checks FILE and writes what was accepted to OUT, whose ending says the\n" +
			"format (.csv, .parquet). A Parquet file states its stamps and zone itself, so that\n" +
			"reading it needs no flags.",
		Example: "  mlfactory data convert es.csv es.parquet --instrument ES --stamps begin --zone America/Chicago",
		Args:    fileArg(&s, 1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			r, err := p.Convert(c.Context(), s, args[len(args)-1])
			if err != nil {
				return err
			}
			return g.print(r, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d bars written to %s (%s)\n", r.Bars, r.File, r.Format)
				return err
			})
		},
	}
	fileFlags(c, &s)
	return c
}

func newInstruments(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "instruments",
		Short: "List the known instruments with their costs",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			all := p.Instruments()
			return g.print(all, func(w io.Writer) error {
				t := newTable("name", "calendar", "tick", "point value", "commission a side", "fee bps", "half spread", "description")
				for _, i := range all {
					spread := fmt.Sprintf("%v ticks", i.HalfSpreadTicks)
					if i.HalfSpreadBps > 0 {
						spread = fmt.Sprintf("%v bps", i.HalfSpreadBps)
					}
					text := i.Description
					if i.Proxy != "" {
						text += " (proxy: " + i.Proxy + ")"
					}
					t.row(i.Name, i.Calendar, i.TickSize, fmt.Sprintf("%v %s", i.PointValue, i.Currency), i.CommissionPerSide, i.FeeBps, spread, text)
				}
				return t.write(w)
			})
		},
	}
}

func newSynth(g *global) *cobra.Command {
	var o command.SynthOptions
	var out string
	c := &cobra.Command{
		Use:     "synth",
		Short:   "Write a generated market to a file",
		Example: "  mlfactory data synth --out planted.csv --set sessions=250",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			r, err := p.Synth(c.Context(), o, out)
			if err != nil {
				return err
			}
			return g.print(r, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d bars written to %s (%s)\n", r.Bars, r.File, r.Format)
				return err
			})
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "file to write: .csv or .parquet (required)")
	c.Flags().BoolVar(&o.Null, "null", false, "leave the planted edge out")
	c.Flags().StringArrayVar(&o.Set, "set", nil, "set one value of the generator, key=value, such as sessions=250 or seed=7")
	return c
}
