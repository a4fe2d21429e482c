package main

import (
	"github.com/spf13/cobra"

	"github.com/mlfactory/mlfactory/command"
	"github.com/mlfactory/mlfactory/internal/simd"
)

// complete offers words for the value of a flag on Tab.
func complete(c *cobra.Command, flag string, words func() []string) {
	_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return words(), cobra.ShellCompDirectiveNoFileComp
	}) // fails only for a flag that does not exist or has one already, which a test would see
}

// completeArg offers words for the first argument.
func completeArg(c *cobra.Command, words func() []string) {
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(), cobra.ShellCompDirectiveNoFileComp
	}
}

func fixed(words ...string) func() []string { return func() []string { return words } }

// ask gets words from the project, none if there is none.
func (g *global) ask(get func(p *command.Project) []string) func() []string {
	return func() []string {
		p, err := g.project()
		if err != nil {
			return nil
		}
		return get(p)
	}
}

func instruments(p *command.Project) (out []string) {
	for _, i := range p.Instruments() {
		out = append(out, i.Name)
	}
	return out
}

func models(p *command.Project) (out []string) {
	ms, err := p.Models()
	if err != nil {
		return nil
	}
	for _, m := range ms {
		out = append(out, m.Name)
	}
	return out
}

func families(p *command.Project) (out []string) {
	fs, err := p.Features("")
	if err != nil {
		return nil
	}
	for _, f := range fs {
		if len(out) == 0 || out[len(out)-1] != f.Family {
			out = append(out, f.Family)
		}
	}
	return out
}

func keys(p *command.Project) (out []string) {
	ks, err := p.ConfigExplain("")
	if err != nil {
		return nil
	}
	for _, k := range ks {
		out = append(out, k.Path)
	}
	return out
}

// completions puts words behind every flag and argument that has a list.
func completions(g *global, root *cobra.Command) {
	complete(root, "kernel", func() (out []string) {
		for _, p := range simd.Supported() {
			out = append(out, p.String())
		}
		return out
	})
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for flag, words := range map[string]func() []string{
			"instrument": g.ask(instruments),
			"stamps":     fixed("begin", "end", "assume-begin", "assume-end"),
			"date-order": fixed("ymd", "dmy", "mdy"),
			"timeframe":  fixed("auto", "native", "1m", "5m", "1h", "1d"),
			"family":     g.ask(families),
			"model":      g.ask(models),
		} {
			if c.Flags().Lookup(flag) != nil {
				complete(c, flag, words)
			}
		}
		switch c.CommandPath() {
		case "mlfactory models show":
			completeArg(c, g.ask(models))
		case "mlfactory config explain":
			completeArg(c, g.ask(keys))
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}
