package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	mlfactory "github.com/mlfactory/mlfactory"
	"github.com/mlfactory/mlfactory/command"
	"github.com/mlfactory/mlfactory/internal/simd"
)

// global is what all commands share.
type global struct {
	out, err io.Writer
	store    string
	kernel   string
	json     bool
	quiet    bool
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	g := &global{out: stdout, err: stderr}
	root := &cobra.Command{
		Use:   "mlfactory",
		Short: "From bars to models that a trader can trust",
		Long: "mlfactory turns bars into models, trades them out of sample net of cost, and says\n" +
			"whether that proves an edge. Without arguments, `mlfactory run` shows it at work on\n" +
			"two generated markets, one with a planted edge and one without.",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if g.kernel == "" {
				return nil
			}
			path, err := simd.Parse(g.kernel)
			if err == nil {
				err = simd.Use(path)
			}
			if err != nil {
				return command.Usage("--kernel: %w", err)
			}
			return nil
		},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return command.Usage("%w; see %s --help", err, c.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&g.store, "store", ".mlfactory", "project folder with everything computed so far")
	f.StringVar(&g.kernel, "kernel", "", "kernel path to use: generic, avx2 or avx512 (default: the best of this machine)")
	f.BoolVar(&g.json, "json", false, "print the result as JSON")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "no progress on standard error")
	root.AddCommand(newRun(g), newJudge(g), newData(g), newFeatures(g), newLabel(g), newCV(g), newModels(g), newAudit(g), newRuns(g), newReport(g), newLedger(g),
		newConfig(g), newStore(g), newDoctor(g), newVersion(g), newDocs(g, root))
	completions(g, root)
	return grouped(root)
}

// project is what a command works with.
func (g *global) project() (*command.Project, error) {
	return command.NewProject(g.store, mlfactory.Sources, simd.Current().String())
}

// print writes v as JSON when that was asked for, else what text writes.
func (g *global) print(v any, text func(w io.Writer) error) error {
	if !g.json {
		return text(g.out)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(g.out, "%s\n", b)
	return err
}

// limitMemory asks the garbage collector to stay within the limit.
func limitMemory(bytes int64) {
	if bytes > 0 {
		debug.SetMemoryLimit(bytes)
	}
}

// noArgs refuses arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return command.Usage("%s takes no argument, got %q", c.CommandPath(), args[0])
	}
	return nil
}

// oneArg wants one argument.
func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return command.Usage("%s wants %s, got %d arguments", c.CommandPath(), what, len(args))
		}
		return nil
	}
}
