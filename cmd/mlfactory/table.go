package main

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// tableOut is a table for a person.
type tableOut struct{ t table.Writer }

// newTable makes a table; without any heading it has no head.
func newTable(head ...string) *tableOut {
	o := &tableOut{table.NewWriter()}
	o.t.SetStyle(table.StyleLight)
	s := o.t.Style()
	s.Format.Header = text.FormatDefault
	s.Options.DrawBorder, s.Options.SeparateColumns = false, false
	some := false
	row := make(table.Row, len(head))
	for i, h := range head {
		row[i] = h
		some = some || h != ""
	}
	if some {
		o.t.AppendHeader(row)
	}
	var cfg []table.ColumnConfig
	for i := range head {
		cfg = append(cfg, table.ColumnConfig{Number: i + 1, WidthMax: 72, WidthMaxEnforcer: text.WrapSoft})
	}
	o.t.SetColumnConfigs(cfg)
	return o
}

func (o *tableOut) row(cells ...any) {
	for i, c := range cells {
		if f, ok := c.(float64); ok {
			cells[i] = fmt.Sprint(f)
		}
	}
	o.t.AppendRow(cells)
}

func (o *tableOut) write(w io.Writer) error {
	_, err := fmt.Fprintln(w, o.t.Render())
	return err
}
