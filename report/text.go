package report

import (
	"io"
	"strings"

	pretty "github.com/jedib0t/go-pretty/v6/table"
	wide "github.com/jedib0t/go-pretty/v6/text"

	"github.com/mlfactory/mlfactory/factory"
)

// MinWidth is the least width that [Text] keeps to.
const MinWidth = 60

// Text writes the table that ends a run, one line per market, and below it
// every verdict in words. Lines are at most width columns wide, but never less
// than [MinWidth]; where that is narrow, the columns that matter least are left
// out, from the right. There are no colours and no control characters.
func Text(w io.Writer, outcomes []*factory.Outcome, width int) error {
	width = max(width, MinWidth)
	head := []string{"market", "verdict", "net Sharpe", "interval", "DSR", "trials", "bets", "net a year", "break-even", "paid", "buy and hold"}
	var rows [][]string
	sparse := false
	for _, o := range outcomes {
		v := &o.Verdict
		_, word := word(v.Status)
		r := []string{o.Market, strings.ToLower(word), number(v.SharpeAnnual.Value, 2, "", "").Text, bounds(v.SharpeAnnual, 2), Dash, Dash, Dash, Dash, Dash, Dash, number(v.HoldAnnual.Value, 2, "", "").Text}
		if v.Sparse {
			r[2], sparse = r[2]+"*", true
		}
		if v.DSR.Exists() {
			r[4], r[5] = probability(float64(v.DSR)), integer(v.Trials)
		}
		if c := candidate(o); c != nil {
			r[6] = integer(len(c.Record.Trades))
			r[7] = percent(float64(v.NetReturnAnnual), 1)
			r[8] = number(v.BreakEvenTicks, 2, "", "").Text
			r[9] = number(stat(c.Record, "CostTicks"), 2, "", "").Text
		}
		rows = append(rows, r)
	}
	keep := len(head)
	for keep > 2 && tableWidth(head[:keep], rows) > width {
		keep--
	}
	t := pretty.NewWriter()
	t.SetStyle(pretty.StyleLight)
	t.Style().Format.Header = wide.FormatDefault
	t.AppendHeader(cells(head[:keep]))
	for _, r := range rows {
		t.AppendRow(cells(r[:keep]))
	}
	var align []pretty.ColumnConfig
	for i := 3; i <= keep; i++ {
		align = append(align, pretty.ColumnConfig{Number: i, Align: wide.AlignRight, AlignHeader: wide.AlignRight})
	}
	t.SetColumnConfigs(align)

	var b strings.Builder
	b.WriteString(t.Render() + "\n")
	var units []string
	if sparse {
		units = append(units, "*: on too few active days, its interval is too narrow to trust")
	}
	if keep > 4 {
		units = append(units, "DSR: confidence (1 − p) that the Sharpe ratio exceeds what the best of that many trials without skill would show")
	}
	if keep > 7 {
		units = append(units, "net a year: of the entry notional")
	}
	if keep > 9 {
		units = append(units, "break-even and paid: cost a side in ticks")
	}
	if keep > 10 {
		units = append(units, "buy and hold: its Sharpe ratio")
	}
	if len(units) > 0 {
		b.WriteString(wrap(strings.Join(units, "; "), width, ""))
	}
	for _, o := range outcomes {
		icon, _ := word(o.Verdict.Status)
		b.WriteString("\n" + wrap(icon+" "+o.Market+": "+o.Verdict.Sentence, width, "  "))
		for _, c := range o.Verdict.Caveats {
			b.WriteString(wrap("  ! "+c, width, "    "))
		}
	}
	_, err := io.WriteString(w, strings.ReplaceAll(b.String(), "\u00a0", " "))
	return err
}

func cells(s []string) pretty.Row {
	out := make(pretty.Row, len(s))
	for i, x := range s {
		out[i] = x
	}
	return out
}

// tableWidth is the width of the table: each column as wide as its widest cell,
// with a space on both sides and a line between.
func tableWidth(head []string, rows [][]string) int {
	n := 1
	for i, h := range head {
		most := wide.StringWidth(h)
		for _, r := range rows {
			most = max(most, wide.StringWidth(r[i]))
		}
		n += most + 3
	}
	return n
}

// wrap breaks a line between words; later lines are indented.
func wrap(s string, width int, indent string) string {
	var b strings.Builder
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
			if b.Len() == 0 {
				line = s[:len(s)-len(strings.TrimLeft(s, " "))] + word
			}
		case wide.StringWidth(line)+1+wide.StringWidth(word) > width:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	b.WriteString(line + "\n")
	return b.String()
}
