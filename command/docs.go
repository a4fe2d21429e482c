package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Page is a generated page of the documentation.
type Page struct {
	Name string // of the file in docs/
	Text []byte
}

const generated = "<!-- Written by `go run ./cmd/mlfactory docs`; do not edit. -->\n\n"

// Pages makes the reference pages of models and features.
func (p *Project) Pages() ([]Page, error) {
	models, err := p.Models()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString("# Models\n\n" + generated)
	b.WriteString("Learners are named by `use` in the list `models` of a recipe, ensembles by `use` in `ensembles`; the keys of the tables stand\nunder `config`. `mlfactory models show NAME` prints the same as YAML. Some learners have presets, other sizes with a name: it stands\nwhere the learner's name may stand, and the table shows what differs from the defaults.\n\n" +
		"What a model sees is narrowed by its `route`. A learner of tables sees the latest value of each column. A learner of windows sees the last\n" +
		"`route.window` bars (60 if not stated) of one timeframe, the decision clock's unless `route.timeframes` names another; a learner of streams\n" +
		"those of several, all unless some are named. Where a table is taken beside the windows, it holds the latest values of the timeframes that the\n" +
		"windows do not show, or of those in `route.static`; a known future is the place in session and week of the next `route.ahead` bars of the\n" +
		"decision clock (`label.horizon` of them if not stated).\n")
	for _, kind := range []string{"learner", "ensemble"} {
		fmt.Fprintf(&b, "\n## %ss\n", strings.ToUpper(kind[:1])+kind[1:])
		for _, m := range models {
			if m.Kind != kind {
				continue
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", m.Name, m.Doc)
			if kind == "learner" {
				fmt.Fprintf(&b, "Family: %s. Input: %s. Weights: %s. Missing values: %s. Early stopping: %s.\n\n", m.Family, m.looksAt(), yesNo(m.Weights), yesNo(m.Missing), yesNo(m.Stops))
			}
			b.WriteString(paramTable(m.Params))
			for _, x := range m.Presets {
				fmt.Fprintf(&b, "\n`%s`: %s\n\n%s", x.Name, x.Doc, presetTable(x.Params))
			}
		}
	}
	pages := []Page{{"models.md", []byte(b.String())}}
	features, err := p.Features("")
	if err != nil {
		return nil, err
	}
	b.Reset()
	b.WriteString("# Features\n\n" + generated)
	b.WriteString("Every feature is computed on any timeframe; its columns are called `column@timeframe`. *First* is the number of bars until all of\nthem have a value with the default parameters (on a 5-minute timeframe). Features that are computed when a recipe asks for nothing\nelse are marked *default*.\n")
	family := ""
	for _, f := range features {
		if f.Family != family {
			family = f.Family
			fmt.Fprintf(&b, "\n## %s\n", family)
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", f.Name, f.Doc)
		fmt.Fprintf(&b, "Columns: `%s`. First: %d.", strings.Join(f.Columns, "`, `"), f.First)
		if f.Volume {
			b.WriteString(" Needs volume.")
		}
		if f.Default {
			b.WriteString(" *Default.*")
		}
		if f.Overnight != "" {
			fmt.Fprintf(&b, "\nOvernight: %s.", strings.TrimSuffix(f.Overnight, "."))
		}
		b.WriteString("\n")
		if len(f.Params) > 0 {
			b.WriteString("\n" + paramTable(f.Params))
		}
	}
	return append(pages, Page{"features.md", []byte(b.String())}), nil
}

// looksAt is what a learner takes, in words.
func (m Model) looksAt() string {
	out := m.Input
	if m.Static {
		out += ", a table beside them"
	}
	if m.Known {
		out += ", the known future"
	}
	return out
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func paramTable(fs []Parameter) string {
	if len(fs) == 0 {
		return "It has no parameters.\n"
	}
	var b strings.Builder
	b.WriteString("| key | default | allowed | meaning |\n|---|---|---|---|\n")
	for _, f := range fs {
		def := ""
		if len(f.Default) > 0 {
			def = "`" + text(f.Default) + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Path, cell(def), cell(limits(f)), cell(f.Doc))
	}
	return b.String()
}

// presetTable is the keys of a preset that differ from the default.
func presetTable(fs []Parameter) string {
	var b strings.Builder
	b.WriteString("| key | value |\n|---|---|\n")
	for _, f := range fs {
		fmt.Fprintf(&b, "| `%s` | `%s` |\n", f.Path, cell(text(f.Default)))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// WritePages writes pages into a folder. With check it writes nothing and a
// page that differs is an error of the kind ErrFound.
func WritePages(dir string, pages []Page, check bool) error {
	var stale []error
	for _, x := range pages {
		path := filepath.Join(dir, x.Name)
		if check {
			have, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(have, x.Text) {
				stale = append(stale, fmt.Errorf("%s is not what the program says; run: go run ./cmd/mlfactory docs", path))
			}
			continue
		}
		if err := writeFile(path, func(w io.Writer) error {
			_, err := w.Write(x.Text)
			return err
		}); err != nil {
			return err
		}
	}
	return mark(ErrFound, errors.Join(stale...))
}
