package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mlfactory/mlfactory/command"
)

func newConfig(g *global) *cobra.Command {
	initial := &cobra.Command{
		Use:   "init",
		Short: "Print a recipe with every key, its default and what it means",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			b, err := p.ConfigInit()
			if err != nil {
				return err
			}
			return g.print(map[string]string{"recipe": string(b)}, func(w io.Writer) error {
				_, err := w.Write(b)
				return err
			})
		},
	}
	var set []string
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a recipe and print it with every value; data files are not opened",
		Args:  oneArg("a recipe file"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			r, err := p.ConfigCheck(command.Request{Config: args[0], Set: set})
			if err != nil {
				return err
			}
			return g.print(r, func(w io.Writer) error {
				_, err := io.WriteString(w, r.Recipe)
				return err
			})
		},
	}
	check.Flags().StringArrayVar(&set, "set", nil, "set one value before the checks, path=value; may be repeated")
	schema := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of recipes, for editors",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			b, err := p.ConfigSchema()
			if err != nil {
				return err
			}
			_, err = g.out.Write(b)
			return err
		},
	}
	explain := &cobra.Command{
		Use:     "explain [KEY]",
		Short:   "Explain a key of a recipe or of a model's config; without a key, all of them",
		Example: "  mlfactory config explain label.horizon\n  mlfactory config explain xgboost.eta",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			key := ""
			if len(args) == 1 {
				key = args[0]
			}
			ks, err := p.ConfigExplain(key)
			if err != nil {
				return err
			}
			return g.print(ks, func(w io.Writer) error { return command.WriteKeys(w, ks) })
		},
	}
	return group("config", "Write, check and explain recipes", initial, check, schema, explain)
}

func newDoctor(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look at everything that a run needs from this machine",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			fs, found := p.Doctor(c.Context())
			err = g.print(fs, func(w io.Writer) error {
				for _, f := range fs {
					sign := "✓"
					if !f.OK {
						sign = "✗"
					}
					if _, err := fmt.Fprintf(w, "%s %-11s %s\n", sign, f.Name, f.Text); err != nil {
						return err
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
}
