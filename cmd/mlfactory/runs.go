package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlfactory/mlfactory/command"
	"github.com/mlfactory/mlfactory/store"
)

func newRuns(g *global) *cobra.Command {
	return group("runs", "List, show, compare and remove recorded runs", newRunsList(g), newRunsShow(g), newRunsDiff(g), newRunsRemove(g))
}

func labelOf(r store.Run, name string) string {
	for _, l := range r.Labels {
		if l.Name == name {
			return l.Value
		}
	}
	return ""
}

func newRunsList(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the runs of the project",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			runs, err := p.Runs(c.Context())
			if err != nil {
				return err
			}
			if runs == nil {
				runs = []store.Run{}
			}
			return g.print(runs, func(w io.Writer) error {
				t := newTable("id", "command", "markets", "attempts", "last", "started")
				for _, r := range runs {
					last := r.Last()
					t.row(r.ID[:12], labelOf(r, "command"), labelOf(r, "markets"), len(r.Attempts), last.Status, last.Started)
				}
				return t.write(w)
			})
		},
	}
}

func newRunsShow(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a run: its recipe, its attempts and what each computed or found in the store",
		Args:  oneArg("the beginning of a run's id (see mlfactory runs list)"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			r, err := p.ShowRun(c.Context(), args[0])
			if err != nil {
				return err
			}
			return g.print(r, func(w io.Writer) error {
				var b strings.Builder
				fmt.Fprintf(&b, "run %s\ncommand %s, markets %s\n\n", r.ID, labelOf(r.Run, "command"), labelOf(r.Run, "markets"))
				for _, a := range r.Attempts {
					ran, cached := 0, 0
					for _, u := range a.Stages {
						// Writing the run folder is kept like a stage and is
						// none: the run did not count it either.
						switch {
						case u.Name == command.FolderStage:
						case u.Status == store.StageRan:
							ran++
						default:
							cached++
						}
					}
					fmt.Fprintf(&b, "attempt %d: %s, started %s; %d stages computed, %d taken from the store\n", a.Number, a.Status, a.Started, ran, cached)
					if a.Error != "" {
						fmt.Fprintf(&b, "  %s\n", a.Error)
					}
					for _, u := range a.Stages {
						if u.Name == command.FolderStage {
							continue
						}
						if u.Status == store.StageRan {
							fmt.Fprintf(&b, "  computed %-40s %8.2f s  %s\n", u.Name, u.Seconds, u.Key[:12])
						}
					}
				}
				fmt.Fprintf(&b, "\n%s", r.Recipe)
				_, err := io.WriteString(w, b.String())
				return err
			})
		},
	}
}

func newRunsDiff(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "diff ID ID",
		Short: "Compare two runs stage by stage",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return command.Usage("%s wants two run ids, got %d", c.CommandPath(), len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			d, err := p.DiffRuns(c.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return g.print(d, func(w io.Writer) error {
				var b strings.Builder
				fmt.Fprintf(&b, "%d stages are the same, %d differ\n", d.Same, len(d.Stages))
				for _, s := range d.Stages {
					why := []string{}
					switch {
					case s.KeyA == "":
						why = append(why, "only in the second")
					case s.KeyB == "":
						why = append(why, "only in the first")
					default:
						if s.CodeChanged {
							why = append(why, "code")
						}
						if s.ParamsA != s.ParamsB {
							why = append(why, "parameters")
						}
						if len(why) == 0 {
							why = append(why, "inputs")
						}
						if s.SameOutputs {
							why = append(why, "with the same outputs")
						}
					}
					fmt.Fprintf(&b, "  %s: %s\n", s.Name, strings.Join(why, ", "))
				}
				_, err := io.WriteString(w, b.String())
				return err
			})
		},
	}
}

func newRunsRemove(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "rm ID",
		Short: "Remove the record of a run; its trials stay counted, mlfactory store gc frees the space",
		Args:  oneArg("the beginning of a run's id"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			id, err := p.RemoveRun(c.Context(), args[0])
			if err != nil {
				return err
			}
			return g.print(map[string]string{"removed": id}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "removed run %s\n", id[:12])
				return err
			})
		},
	}
}

func newReport(g *global) *cobra.Command {
	var o command.RunOptions
	var data []string
	c := &cobra.Command{
		Use:   "report ID",
		Short: "Write the folder of a recorded run again, from the store",
		Long: "Writes report.html, summary.json and the tables of a run again. The verdict is that of\n" +
			"the ledger as it is now. The data file is needed only for stages that are no longer\n" +
			"in the store (after an update of the program, or store gc).",
		Args: oneArg("the beginning of a run's id (see mlfactory runs list)"),
		RunE: func(c *cobra.Command, args []string) error {
			if o.Out == "" {
				return command.Usage("say where the folder is to be written: --out DIR")
			}
			p, err := g.project()
			if err != nil {
				return err
			}
			prog := newProgress(g.err, g.quiet)
			defer prog.close()
			o.Progress, o.Width = prog.event, width(g.out)
			r, err := p.Report(c.Context(), args[0], data, o)
			prog.close()
			if err != nil {
				return err
			}
			return g.print(r, func(w io.Writer) error { return runText(w, r) })
		},
	}
	c.Flags().StringVarP(&o.Out, "out", "o", "", "run folder (required)")
	c.Flags().StringArrayVar(&data, "data", nil, "file of bars of the run's market; once for each market, in order")
	return c
}

func newLedger(g *global) *cobra.Command {
	var instrument string
	c := &cobra.Command{
		Use:   "ledger",
		Short: "List every trial that was counted, and the lockboxes",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			l, err := p.Ledger(c.Context(), instrument)
			if err != nil {
				return err
			}
			return g.print(l, func(w io.Writer) error {
				t := newTable("trial", "name", "instrument", "from", "to", "days", "counted")
				for _, x := range l.Trials {
					t.row(x.Key[:12], x.Name, x.Instrument, x.From, x.To, x.Days, yes(!x.Inner))
				}
				if err := t.write(w); err != nil {
					return err
				}
				for _, b := range l.Boxes {
					state := "unopened"
					if b.Opened != "" {
						state = "opened by " + b.Opened[:min(12, len(b.Opened))]
					}
					to := ""
					if b.End != "" {
						to = " to " + b.End
					}
					if _, err := fmt.Fprintf(w, "lockbox %s from %s%s: %s\n", b.Key, b.Start, to, state); err != nil {
						return err
					}
				}
				_, err := fmt.Fprintf(w, "%d trials, digest %s\n", len(l.Trials), l.Digest)
				return err
			})
		},
	}
	c.Flags().StringVar(&instrument, "instrument", "", "only trials on this instrument")
	merge := &cobra.Command{
		Use:   "merge DIR",
		Short: "Count the trials of another project folder here too",
		Args:  oneArg("the other project folder"),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			n, err := p.MergeLedger(c.Context(), args[0])
			if err != nil {
				return err
			}
			return g.print(map[string]int{"added": n}, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d trials added\n", n)
				return err
			})
		},
	}
	c.AddCommand(merge)
	return c
}

func newStore(g *global) *cobra.Command {
	var forget, dry bool
	verify := &cobra.Command{
		Use:   "verify",
		Short: "Read every object of the store and check its digest",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			v, found := p.Verify(c.Context(), forget)
			if found != nil && len(v.Problems) == 0 {
				return found
			}
			err = g.print(v, func(w io.Writer) error {
				if len(v.Problems) == 0 {
					_, err := fmt.Fprintln(w, "every object is what its name says")
					return err
				}
				t := newTable("object", "problem", "made by")
				for _, x := range v.Problems {
					t.row(x.Digest[:12], x.Kind, strings.Join(x.Stages, " "))
				}
				return t.write(w)
			})
			if err != nil {
				return err
			}
			return found
		},
	}
	verify.Flags().BoolVar(&forget, "forget", false, "remove what is damaged, so that the next run computes it again")
	gc := &cobra.Command{
		Use:   "gc",
		Short: "Remove what no recorded run uses",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			x, err := p.Collect(c.Context(), dry)
			if err != nil {
				return err
			}
			return g.print(x, func(w io.Writer) error {
				verb := "removed"
				if dry {
					verb = "would remove"
				}
				_, err := fmt.Fprintf(w, "%s %d stages and %d objects, %.1f MiB\n", verb, x.Stages, len(x.Objects), float64(x.Bytes)/(1<<20))
				return err
			})
		},
	}
	gc.Flags().BoolVar(&dry, "dry-run", false, "only count")
	return group("store", "Check and clean the project folder", verify, gc)
}
