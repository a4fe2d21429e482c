package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/judge"
)

//go:embed assets
var assets embed.FS

func asset(name string) (string, error) {
	b, err := assets.ReadFile("assets/" + name)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	return string(b), nil
}

// page is what the template shows.
type page struct {
	Title   string
	CSS     template.CSS
	Scripts []template.JS
	Markets []*market
	Recipe  string
	Missing string
}

// table is any table of the page. The first column names the row.
type table struct {
	Caption, Note string
	Head          []string
	Rows          []row
	Text          int  // so many columns hold text, the others numbers
	Stack         bool // on a narrow screen rows become blocks, because reading across matters more than comparing down
}

// Label names the values of column i where a narrow screen has no head.
func (t *table) Label(i int) string {
	if !t.Stack || i >= len(t.Head) || t.Head[i] == "Result" {
		return ""
	}
	return t.Head[i]
}

// Numeric tells whether column i holds numbers, which are aligned to the right.
func (t *table) Numeric(i int) bool {
	return i >= t.Text && (len(t.Rows) == 0 || i >= len(t.Rows[0].Cells) || t.Rows[0].Cells[i].Class != "words")
}

type row struct {
	Cells  []cell
	Strong bool
}

type cell struct {
	value
	Class string
	HTML  template.HTML
}

func text(s string) cell { return cell{value: value{Text: s}} }
func textIf(s, otherwise string) cell {
	if s == "" {
		return cell{value: value{Text: Dash, Why: otherwise}}
	}
	return text(s)
}
func num(v value) cell             { return cell{value: v} }
func drawing(h template.HTML) cell { return cell{HTML: h} }

// signed colours a number by its sign; the sign itself is written, so nothing
// rests on the colour.
func signed(v value, x judge.Number) cell {
	c := cell{value: v}
	switch {
	case x > 0:
		c.Class = "pos"
	case x < 0:
		c.Class = "neg"
	}
	return c
}

// card is one headline number.
type card struct {
	Label string
	value
	Sub string
}

// chart is one interactive chart with its still picture for paper and for
// browsers without scripts.
type chart struct {
	ID, Kind, Title, Label, Note string
	Screen, Paper                string // what to say of the chart, and of the still picture
	Still                        template.HTML
	Data                         []template.HTML
	Keys                         []key
}

// key explains one colour.
type key struct{ Class, Text string }

// panel is one small picture with a title.
type panel struct {
	Title, Sub string
	Drawing    template.HTML
}

// market is one market of the page.
type market struct {
	ID, Name, Sub            string
	Status                   judge.Status
	Icon, Word, Sentence     string
	Refused                  string
	Caveats                  []string
	Cards                    []card
	Gates, Forest, Years     *table
	Bench, Skill, Strategies *table
	Random                   *panel
	Prices                   []*chart
	Equity                   *chart
	Folds                    template.HTML
	FoldsTable               *table
	Calibration              []panel
	Importance               []*table
	Labels, Data, Findings   *table
	DataNotes                []string
	Audit                    *audit
	Ledger                   *table
	Notes                    []string
}

type audit struct {
	OK       bool
	Sentence string
	Culprits *table
}

// HTML writes the page of a run: one file, with everything it needs in it. The
// same outcomes give the same bytes. Cost: a few passes over the bars of each
// market; the page is about 0.4 MB and 0.2 MB more per market.
func HTML(w io.Writer, outcomes []*factory.Outcome, recipe []byte) error {
	p := page{Title: "ML Factory report", Recipe: string(recipe), Missing: Dash}
	for _, name := range []string{"uPlot.min.css", "report.css"} {
		s, err := asset(name)
		if err != nil {
			return err
		}
		p.CSS += template.CSS(s)
	}
	for _, name := range []string{"uPlot.iife.min.js", "lightweight-charts.standalone.production.js", "report.js"} {
		s, err := asset(name)
		if err != nil {
			return err
		}
		p.Scripts = append(p.Scripts, template.JS(s))
	}
	for i, o := range outcomes {
		m, err := newMarket(i, o)
		if err != nil {
			return fmt.Errorf("report: %s: %w", o.Market, err)
		}
		p.Markets = append(p.Markets, m)
	}
	src, err := asset("page.tmpl")
	if err != nil {
		return err
	}
	t, err := template.New("page").Parse(src)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// word is a status for a person, with a sign that does not rest on colour.
func word(s judge.Status) (icon, text string) {
	switch s {
	case judge.Pass:
		return "✓", "Pass"
	case judge.Fail:
		return "✗", "Fail"
	}
	return "?", "Not enough evidence"
}
