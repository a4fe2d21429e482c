package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mlfactory/mlfactory/command"
)

// newDocs writes the reference pages; it is hidden because only the project
// itself needs it.
func newDocs(g *global, root *cobra.Command) *cobra.Command {
	var dir string
	var check bool
	c := &cobra.Command{
		Use:    "docs",
		Short:  "Write the reference pages of commands, models and features",
		Hidden: true,
		Args:   noArgs,
		RunE: func(*cobra.Command, []string) error {
			p, err := g.project()
			if err != nil {
				return err
			}
			pages, err := p.Pages()
			if err != nil {
				return err
			}
			pages = append(pages, command.Page{Name: "cli.md", Text: []byte(cliPage(root))})
			return command.WritePages(dir, pages, check)
		},
	}
	c.Flags().StringVar(&dir, "dir", "docs", "folder of the pages")
	c.Flags().BoolVar(&check, "check", false, "write nothing; exit with code 3 if a page is stale")
	return c
}

const cliHead = `# Command line

<!-- Written by ` + "`go run ./cmd/mlfactory docs`" + `; do not edit. -->

Results go to standard output, progress and messages to standard error. Every command that shows something takes ` + "`--json`" + `.
Progress is a bar for each kind of stage on a terminal, a line for each elsewhere, and nothing with ` + "`--quiet`" + `.

## Exit codes

| code | meaning |
|---|---|
| 0 | done, whatever the verdict |
| 1 | an error: a folder that cannot be written, a full disk, a damaged store |
| 2 | usage: an unknown flag or command, a recipe or a value that is refused |
| 3 | a check found what it looks for: no pass with ` + "`--require-pass`" + `, a leak (` + "`audit`" + `), damage (` + "`store verify`" + `, ` + "`doctor`" + `) |
| 4 | the data were refused: a missing, empty or damaged file, a price that is no number, stamps whose side nobody states |
| 130 | interrupted; the same command goes on where it was |

`

// cliPage is docs/cli.md, from the commands themselves.
func cliPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(cliHead)
	b.WriteString("## Flags of every command\n\n")
	flagTable(&b, root.PersistentFlags())
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if c != root {
			fmt.Fprintf(&b, "\n## %s\n\n", c.CommandPath())
			long := c.Long
			if long == "" {
				long = c.Short + "."
			}
			fmt.Fprintf(&b, "%s\n", long)
			if !c.HasSubCommands() || c.LocalNonPersistentFlags().HasAvailableFlags() {
				fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.TrimSpace(c.UseLine()))
			}
			if c.Example != "" {
				fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.ReplaceAll(strings.TrimLeft(c.Example, " "), "\n  ", "\n"))
			}
			if c.LocalNonPersistentFlags().HasAvailableFlags() {
				b.WriteString("\n")
				flagTable(&b, c.LocalNonPersistentFlags())
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	b.WriteString("\n## mlfactory completion\n\nPrints a completion script for bash, zsh, fish or PowerShell; `mlfactory completion SHELL --help` says how to load it.\n")
	return b.String()
}

func flagTable(b *strings.Builder, fs *pflag.FlagSet) {
	b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if t := f.Value.Type(); t != "bool" {
			name += " " + strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(t, "Array"), "Slice"))
		}
		def := f.DefValue
		if def == "false" || def == "[]" || def == "" {
			def = ""
		} else {
			def = "`" + def + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, def, strings.ReplaceAll(f.Usage, "|", "\\|"))
	})
}
