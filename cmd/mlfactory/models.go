package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlfactory/mlfactory/command"
)

func newFeatures(g *global) *cobra.Command {
	return group("features", "List features and compute them", newFeaturesList(g), newFeaturesCompute(g))
}

func newFeaturesList(g *global) *cobra.Command {
	var family string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the features with what they need",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			fs, err := p.Features(family)
			if err != nil {
				return err
			}
			return g.print(fs, func(w io.Writer) error {
				t := newTable("name", "family", "default", "volume", "first bar", "columns")
				for _, f := range fs {
					t.row(f.Name, f.Family, yes(f.Default), yes(f.Volume), f.First, strings.Join(f.Columns, " "))
				}
				return t.write(w)
			})
		},
	}
	c.Flags().StringVar(&family, "family", "", "only this family")
	return c
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// tableCommand is the shape of features compute and label.
func tableCommand(g *global, c *cobra.Command, run func(c *cobra.Command, p *command.Project, req command.Request, out string, o command.RunOptions) (*command.Table, error)) *cobra.Command {
	var req requestFlags
	var o command.RunOptions
	var out string
	c.Args = noArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		p, err := g.project()
		if err != nil {
			return err
		}
		prog := newProgress(g.err, g.quiet)
		defer prog.close()
		o.Progress = prog.event
		t, err := run(c, p, req.resolve(c.Flags()), out, o)
		prog.close()
		if err != nil {
			return err
		}
		return g.print(t, func(w io.Writer) error {
			var b strings.Builder
			fmt.Fprintf(&b, "%s: %d decisions on the %s clock", t.Market, t.Decisions, t.Clock)
			if t.Columns != nil {
				fmt.Fprintf(&b, ", %d columns", len(t.Columns))
			}
			b.WriteString("\n")
			if l := t.Labels; l != nil {
				fmt.Fprintf(&b, "%d labelled: %d short, %d none, %d long; effective n %.0f, mean concurrency %.1f\n", l.Labelled, l.Short, l.None, l.Long, l.EffectiveN, l.Concurrency)
			}
			for _, n := range t.Notes {
				fmt.Fprintf(&b, "note: %s\n", n)
			}
			if t.File != "" {
				fmt.Fprintf(&b, "written to %s\n", t.File)
			}
			_, err := io.WriteString(w, b.String())
			return err
		})
	}
	req.addPart(c.Flags())
	c.Flags().StringVarP(&out, "out", "o", "", "Parquet file to write")
	c.Flags().Var((*countFlag)(&o.Workers), "workers", "goroutines that compute at once (default: one per processor)")
	return c
}

func newFeaturesCompute(g *global) *cobra.Command {
	return tableCommand(g, &cobra.Command{
		Use:     "compute",
		Short:   "Write a market's features, one row a decision, to a Parquet file",
		Example: "  mlfactory features compute --data es.csv --instrument ES --stamps end --zone UTC --out features.parquet",
	}, func(c *cobra.Command, p *command.Project, q command.Request, out string, o command.RunOptions) (*command.Table, error) {
		rec, err := p.Recipe(q)
		if err != nil {
			return nil, err
		}
		return p.ComputeFeatures(c.Context(), rec, out, o)
	})
}

func newLabel(g *global) *cobra.Command {
	return tableCommand(g, &cobra.Command{
		Use:     "label",
		Short:   "Count a market's triple-barrier labels, and write them to a Parquet file",
		Example: "  mlfactory label --data es.csv --instrument ES --stamps end --zone UTC --set label.horizon=40 --out labels.parquet",
	}, func(c *cobra.Command, p *command.Project, q command.Request, out string, o command.RunOptions) (*command.Table, error) {
		rec, err := p.Recipe(q)
		if err != nil {
			return nil, err
		}
		return p.Label(c.Context(), rec, out, o)
	})
}

func newCV(g *global) *cobra.Command {
	var req requestFlags
	var o command.RunOptions
	var model string
	c := &cobra.Command{
		Use:   "cv --model NAME",
		Short: "Measure one model by purged k-fold; nothing is traded and no trial is counted",
		Long: "Fits one model of the recipe (or a learner with its defaults) on each fold of the\n" +
			"purged k-fold and compares its probabilities with the class shares, and with those of\n" +
			"a logistic regression that is fitted beside it. Values of the model are those of\n" +
			"models.0: --set models.0.config.epochs=20.",
		Example: "  mlfactory cv --model xgboost --data es.csv --instrument ES --stamps end --zone UTC\n" +
			"  mlfactory cv --model lstm --set models.0.route.window=40 --set models.0.config.hidden=32",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if model == "" {
				return command.Usage("say which model: --model NAME (see mlfactory models list)")
			}
			p, err := g.project()
			if err != nil {
				return err
			}
			q := req.resolve(c.Flags())
			q.Models = []string{model, command.Baseline}
			rec, err := p.Recipe(q)
			if err != nil {
				return err
			}
			prog := newProgress(g.err, g.quiet)
			defer prog.close()
			o.Progress, o.Planned = prog.event, prog.planned
			skills, err := p.CrossValidate(c.Context(), rec, model, o)
			prog.close()
			if err != nil {
				return err
			}
			return g.print(skills, func(w io.Writer) error {
				t := newTable("market", "model", "rows", "log-loss", "prior", "skill", "95 % interval", "gain", "95 % interval", "ECE")
				for _, s := range skills {
					gain, interval := "", ""
					if a := s.Against; a != nil {
						gain, interval = fmt.Sprintf("%+.5f", a.Gain), fmt.Sprintf("%+.5f to %+.5f", a.GainLow, a.GainHi)
					}
					t.row(s.Market, s.Name, s.Rows, fmt.Sprintf("%.5f", s.LogLoss), fmt.Sprintf("%.5f", s.Prior), fmt.Sprintf("%+.5f", s.Skill.Skill),
						fmt.Sprintf("%+.5f to %+.5f", s.SkillLow, s.SkillHi), gain, interval, fmt.Sprintf("%.4f", s.ECE))
				}
				if err := t.write(w); err != nil {
					return err
				}
				_, err := fmt.Fprintln(w, "skill: prior − log-loss in nats; above 0 is better than the class shares\n"+
					"gain: log-loss of the logistic regression − log-loss, in nats, on the same rows; intervals are block bootstraps")
				return err
			})
		},
	}
	req.addPart(c.Flags())
	c.Flags().StringVar(&model, "model", "", "model of the recipe, or learner (required)")
	c.Flags().Var((*countFlag)(&o.Workers), "workers", "goroutines that compute at once (default: one per processor)")
	return c
}

func newModels(g *global) *cobra.Command {
	list := &cobra.Command{
		Use:   "list",
		Short: "List learners and ensembles",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			ms, err := p.Models()
			if err != nil {
				return err
			}
			return g.print(ms, func(w io.Writer) error {
				t := newTable("name", "kind", "family", "input", "weights", "missing values", "early stop", "doc")
				for _, m := range ms {
					first, _, _ := strings.Cut(m.Doc, ". ")
					t.row(m.Name, m.Kind, m.Family, m.Input, yes(m.Weights), yes(m.Missing), yes(m.Stops), strings.TrimSuffix(first, "."))
				}
				return t.write(w)
			})
		},
	}
	show := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a model's parameters with their defaults, as it stands in a recipe",
		Args:  oneArg("the name of a model"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			m, err := p.Model(args[0])
			if err != nil {
				return err
			}
			return g.print(m, func(w io.Writer) error {
				b, err := m.Config()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(w, "%s (%s)\n%s\n\n%s", m.Name, strings.TrimSpace(m.Kind+" "+m.Family), m.Doc, b)
				return err
			})
		},
	}
	return group("models", "List learners and ensembles, show their parameters, exchange fitted models with other libraries", list, show, newModelsExport(g), newModelsImport(g))
}
