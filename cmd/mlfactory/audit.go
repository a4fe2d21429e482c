package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mlfactory/mlfactory/command"
)

func newAudit(g *global) *cobra.Command {
	var req requestFlags
	var o command.AuditOptions
	memory := bytesFlag(3 << 30)
	c := &cobra.Command{
		Use:   "audit",
		Short: "Try to show that a recipe sees the future, from the raw file on",
		Long: "Runs the recipe on copies of the input whose future was replaced, with labels replaced\n" +
			"that a fold may not learn from, with 1, 2 and 4 workers and bar by bar, and compares\n" +
			"bit for bit. It takes as long as six runs. Nothing of it is counted as a trial.\n" +
			"A check that finds something names the culprit and ends with exit code 3.",
		Example: "  mlfactory audit --config recipe.yaml",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			rec, err := p.Recipe(req.resolve(c.Flags()))
			if err != nil {
				return err
			}
			o.Memory = int64(memory)
			limitMemory(o.Memory)
			o.Progress = func(market, check string, ok bool) {
				if !g.quiet {
					fmt.Fprintf(g.err, "%s %s: %s\n", market, check, map[bool]string{true: "ok", false: "FAILED"}[ok])
				}
			}
			reps, found := p.Audit(c.Context(), rec, o)
			if reps == nil && found != nil {
				return found
			}
			err = g.print(reps, func(w io.Writer) error {
				for _, r := range reps {
					t := newTable("market", "check", "found", "compared")
					for _, k := range r.Checks {
						word := "nothing"
						if !k.OK {
							word = "FAILED"
						}
						t.row(r.Market, k.Name, word, k.Compared)
					}
					if err := t.write(w); err != nil {
						return err
					}
					for _, k := range r.Checks {
						for _, x := range k.Culprits {
							if _, err := fmt.Fprintf(w, "%s, %s: %s %s: %s\n", r.Market, k.Name, x.Stage, x.Name, x.Detail); err != nil {
								return err
							}
						}
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			return found
		},
	}
	req.addPart(c.Flags())
	c.Flags().StringVar(&o.Dir, "dir", "", "folder for copies of the input, emptied again (default: beside the project folder)")
	c.Flags().Var(&memory, "memory", "memory that the runs plan with, such as 3GiB; 0: no limit")
	return c
}
