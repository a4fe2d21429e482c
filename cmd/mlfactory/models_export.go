package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mlfactory/mlfactory/command"
)

func newModelsExport(g *global) *cobra.Command {
	var model, to, out string
	c := &cobra.Command{
		Use:   "export MODEL",
		Short: "Write a model for another library: XGBoost, LightGBM, CatBoost, ONNX or PyTorch",
		Long: "MODEL is a file that mlfactory models import wrote, a bundle (with --model where it\n" +
			"holds several), or RUN:NAME for a model of the project: the beginning of the run's id\n" +
			"and the model's name, for its last walk-forward step, or the name of the stage that\n" +
			"fitted it (see mlfactory runs show). Trees can be written in every format but\n" +
			"safetensors, networks as onnx or safetensors (weights with PyTorch's names and shapes).\n" +
			"What a format cannot say is refused.",
		Example: "  mlfactory models export 3fa9:xgboost --to xgboost-json --out model.json\n" +
			"  mlfactory models export 3fa9:es/fit/xgboost/wf2/final --to onnx --out model.onnx\n" +
			"  mlfactory models export imported.model --to lightgbm --out model.txt\n" +
			"  mlfactory models export 3fa9:mlp --to safetensors --out mlp.safetensors",
		Args: oneArg("a model file, a bundle or RUN:NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return command.Usage("say in which format: --to %s", strings.Join(command.ModelFormats(false), "|"))
			}
			p, err := g.project()
			if err != nil {
				return err
			}
			m, err := p.ExportModel(c.Context(), args[0], model, to, out)
			if err != nil {
				return err
			}
			return g.print(m, func(w io.Writer) error { return writeModelFile(w, m) })
		},
	}
	c.Flags().StringVar(&model, "model", "", "model of the bundle")
	c.Flags().StringVar(&to, "to", "", "format: "+strings.Join(command.ModelFormats(false), ", ")+" (required; --format is the same)")
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "format" {
			name = "to"
		}
		return pflag.NormalizedName(name)
	})
	c.Flags().StringVarP(&out, "out", "o", "", "file to write (required)")
	complete(c, "to", func() []string { return command.ModelFormats(false) })
	return c
}

func newModelsImport(g *global) *cobra.Command {
	var o command.ImportOptions
	var out string
	c := &cobra.Command{
		Use:   "import FILE",
		Short: "Read a model of XGBoost, LightGBM or CatBoost and write it as a model file",
		Long: "Reads a model that another library saved, says what it holds and writes it as a file\n" +
			"of mlfactory's own, which predicts the same scores. Class codes and the texts of\n" +
			"CatBoost's categories are not part of such files: --classes and --categories give them.",
		Example: "  mlfactory models import model.json --classes -1,0,1 --out imported.model",
		Args:    oneArg("a model file of another library"),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			m, err := p.ImportModel(args[0], out, o)
			if err != nil {
				return err
			}
			return g.print(m, func(w io.Writer) error { return writeModelFile(w, m) })
		},
	}
	c.Flags().StringVar(&o.From, "from", "", "format: "+strings.Join(command.ModelFormats(true), ", ")+" (default: what the file looks like)")
	c.Flags().StringSliceVar(&o.Columns, "columns", nil, "names of the columns, in place of the file's")
	c.Flags().IntSliceVar(&o.Classes, "classes", nil, "class codes that the probabilities stand for, in the file's order")
	c.Flags().StringVar(&o.Categories, "categories", "", "JSON file with the texts of CatBoost's categories by column (default: the numbers from 0)")
	c.Flags().BoolVar(&o.Best, "best", false, "keep the trees up to the best iteration of early stopping, where an XGBoost file names one")
	c.Flags().StringVarP(&out, "out", "o", "", "model file to write (required)")
	complete(c, "from", func() []string { return command.ModelFormats(true) })
	return c
}

func writeModelFile(w io.Writer, m *command.ModelFile) error {
	var b strings.Builder
	if t := m.TreeModel; t != nil {
		fmt.Fprintf(&b, "%s: %s %s", m.From, t.Style, t.Objective)
		if m.Version != "" {
			fmt.Fprintf(&b, " (%s, version %s)", m.Format, m.Version)
		}
		fmt.Fprintf(&b, "\n%d trees with %d nodes; scores of a row: %d", t.Trees, t.Nodes, t.Scores)
		if len(t.Classes) > 0 {
			fmt.Fprintf(&b, "; classes %s", strings.Trim(fmt.Sprint(t.Classes), "[]"))
		}
		fmt.Fprintf(&b, "\n%d columns: %s\n", len(t.Columns), shortList(t.Columns))
		if len(t.Categorical) > 0 {
			fmt.Fprintf(&b, "categories in: %s\n", shortList(t.Categorical))
		}
	}
	if n := m.NetworkModel; n != nil {
		fmt.Fprintf(&b, "%s: %s, %d parameters", m.From, n.Architecture, n.Parameters)
		if n.Seeds > 1 {
			fmt.Fprintf(&b, " in each of %d networks", n.Seeds)
		}
		b.WriteByte('\n')
		for _, in := range n.Inputs {
			if in.Length > 0 {
				fmt.Fprintf(&b, "%s: rows × %d bars of %s × %d channels: %s\n", in.Name, in.Length, in.Timeframe, len(in.Columns), shortList(in.Columns))
			} else {
				fmt.Fprintf(&b, "%s: rows × %d columns: %s\n", in.Name, len(in.Columns), shortList(in.Columns))
			}
		}
	}
	for _, n := range m.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	fmt.Fprintf(&b, "written to %s\n", m.File)
	_, err := io.WriteString(w, b.String())
	return err
}

// shortList names the first of many.
func shortList(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, " ")
	}
	return fmt.Sprintf("%s … and %d more", strings.Join(names[:most], " "), len(names)-most)
}
