package audit_test

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/audit"
	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/view"
)

// A table of two columns, one honest and one that reads the next close: the check
// names it, with the first row that moved.
func ExampleQuick() {
	cal, err := calendar.ByName(calendar.Always)
	if err != nil {
		fmt.Println(err)
		return
	}
	base := bar.NewSeries(bar.Minute, 100)
	for i := range int64(100) {
		begin := i * int64(bar.Minute)
		price := 100 + float64(i%7)
		base.Append(&bar.Bar{Begin: begin, End: begin + int64(bar.Minute), Known: begin + int64(bar.Minute),
			Open: price, High: price + 1, Low: price - 1, Close: price, Volume: 10})
	}
	remake := func(_ context.Context, b *bar.Series, _ int) (*label.Set, *view.Table, error) {
		n := b.Len() - 1
		s := &label.Set{Spans: make([]view.Span, n), Valid: make([]bool, n), Why: make([]string, n), Width: make([]float64, n)}
		t := view.NewTable(n, []string{"close@1m", "next_close@1m"})
		for i := range n {
			s.Spans[i].Decision, s.Why[i] = b.End[i], label.WhyNoWidth
			t.Col(0)[i], t.Col(1)[i] = float32(b.Close[i]), float32(b.Close[i+1])
		}
		return s, t, nil
	}
	labels, table, err := remake(context.Background(), base, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := audit.Quick(context.Background(), factory.Prepared{Base: base, Calendar: cal, Labels: labels, Table: table, Seed: 1, Remake: remake})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ok:", res.OK)
	for _, c := range res.Culprits {
		fmt.Printf("%s %s: %.43s…\n", c.Stage, c.Name, c.Detail)
	}
	// Output:
	// ok: false
	// features next_close@1m: row 49, decided 1970-01-01T00:50:00Z, was 1…
}
