package audit

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/view"
)

// maxCulprits is how many culprits one result lists; the last entry says how
// many more there are.
const maxCulprits = 20

// culprits collects what moved; of each stage and name only the first find.
type culprits struct {
	found []factory.AuditCulprit
	seen  map[[2]string]bool
}

func (c *culprits) add(stage, name, detail string) {
	if c.seen == nil {
		c.seen = map[[2]string]bool{}
	}
	key := [2]string{stage, name}
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	c.found = append(c.found, factory.AuditCulprit{Stage: stage, Name: name, Detail: detail})
}

func (c *culprits) list() []factory.AuditCulprit {
	if len(c.found) <= maxCulprits {
		return c.found
	}
	more := len(c.found) - maxCulprits + 1
	return append(c.found[:maxCulprits-1:maxCulprits-1], factory.AuditCulprit{
		Stage: c.found[maxCulprits-1].Stage, Name: "…", Detail: fmt.Sprintf("and %d more", more)})
}

func stamp(t int64) string { return time.Unix(0, t).UTC().Format("2006-01-02T15:04:05.999999999Z") }

// worlds are labels and table as they are, and as they were made again. Row i of
// the second is row from+i of the first.
type worlds struct {
	was, now     *label.Set
	table, again *view.Table
	from         int
	cut          int64
	at           string // what was changed, for the reader
	list         *culprits
}

// compare looks at everything that was known at the cut in both worlds and
// returns the number of things compared: the decisions, each column, the labels.
func (w *worlds) compare() int {
	n, k := decidedBy(w.was, w.cut)-w.from, decidedBy(w.now, w.cut)
	if k != n {
		w.list.add("decisions", "clock", fmt.Sprintf("%d decisions by then were %d %s", n, k, w.at))
		return 1
	}
	for i := range n {
		if a, b := w.was.Spans[w.from+i].Decision, w.now.Spans[i].Decision; a != b {
			w.list.add("decisions", "clock", fmt.Sprintf("decision %d moved from %s to %s %s", w.from+i, stamp(a), stamp(b), w.at))
			return 1
		}
	}
	checks := 1
	if w.again.P != w.table.P {
		w.list.add("features", "table", fmt.Sprintf("%d columns became %d %s", w.table.P, w.again.P, w.at))
	} else {
		for j := range w.table.P {
			checks++
			w.column(j, n)
		}
	}
	return checks + w.labels(n)
}

// decidedBy is the number of decisions up to and including t.
func decidedBy(s *label.Set, t int64) int {
	lo, hi := 0, s.Len()
	for lo < hi {
		m := (lo + hi) / 2
		if s.Spans[m].Decision <= t {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// column compares one column of the first n rows.
func (w *worlds) column(j, n int) {
	a, b := w.table.Col(j)[w.from:w.from+n], w.again.Col(j)[:n]
	first, moved := -1, 0
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			if first < 0 {
				first = i
			}
			moved++
		}
	}
	if first >= 0 {
		w.list.add("features", w.table.Names[j], fmt.Sprintf("row %d, decided %s, was %v and is %v %s (%d of %d rows moved)",
			w.from+first, stamp(w.now.Spans[first].Decision), a[first], b[first], w.at, moved, n))
	}
}

// labelField is one column of a label set; get returns what a row holds, as
// bits that are equal exactly when the values are.
type labelField struct {
	name string
	get  func(s *label.Set, i int) uint64
}

func labelFields() []labelField {
	number := func(x float64) uint64 {
		if x != x {
			return math.Float64bits(math.NaN())
		}
		return math.Float64bits(x)
	}
	fields := []labelField{
		{"valid", func(s *label.Set, i int) uint64 {
			if s.Valid[i] {
				return 1
			}
			return 0
		}},
		{"class", func(s *label.Set, i int) uint64 { return uint64(uint8(s.Class[i])) }},
		{"entry", func(s *label.Set, i int) uint64 { return uint64(s.Spans[i].Entry) }},
		{"outcome", func(s *label.Set, i int) uint64 { return uint64(s.Spans[i].Outcome) }},
		{"entry_price", func(s *label.Set, i int) uint64 { return number(s.EntryPrice[i]) }},
		{"width", func(s *label.Set, i int) uint64 { return number(s.Width[i]) }},
	}
	for _, side := range []int8{1, -1} {
		name := "long_"
		if side < 0 {
			name = "short_"
		}
		fields = append(fields,
			labelField{name + "exit", func(s *label.Set, i int) uint64 { return uint64(s.Of(side).Exit[i]) }},
			labelField{name + "exit_time", func(s *label.Set, i int) uint64 { return uint64(s.Of(side).ExitTime[i]) }},
			labelField{name + "price", func(s *label.Set, i int) uint64 { return number(s.Of(side).Price[i]) }},
			labelField{name + "gross", func(s *label.Set, i int) uint64 { return number(s.Of(side).Gross[i]) }},
			labelField{name + "net", func(s *label.Set, i int) uint64 { return number(s.Of(side).Net[i]) }},
		)
	}
	return fields
}

// labels compares every row that has an outcome by the cut in either world, and
// what is known at the decision itself of all n rows.
func (w *worlds) labels(n int) int {
	was, now := w.was, w.now
	fields := labelFields()
	first := make([]int, len(fields))
	moved := make([]int, len(fields))
	width, widths, without := -1, 0, -1
	for k := range n {
		i := w.from + k
		// The floor of the width depends on the price at the entry; without a
		// floor it is known at the decision.
		if a, b := was.Width[i], now.Width[k]; was.Config.MinCosts == 0 && was.Valid[i] && now.Valid[k] && a != b {
			if width < 0 {
				width = k
			}
			widths++
		}
		if (was.Why[i] == label.WhyNoWidth) != (now.Why[k] == label.WhyNoWidth) && without < 0 {
			without = k
		}
		if !(was.Valid[i] && was.Spans[i].Outcome <= w.cut || now.Valid[k] && now.Spans[k].Outcome <= w.cut) {
			continue
		}
		for f := range fields {
			if fields[f].get(was, i) != fields[f].get(now, k) {
				if moved[f] == 0 {
					first[f] = k
				}
				moved[f]++
			}
		}
	}
	row := func(k int) string {
		return fmt.Sprintf("row %d, decided %s,", w.from+k, stamp(now.Spans[k].Decision))
	}
	if k := width; k >= 0 {
		w.list.add("labels", "width", fmt.Sprintf("%s was %v and is %v %s (%d rows moved)", row(k), was.Width[w.from+k], now.Width[k], w.at, widths))
	}
	if k := without; k >= 0 {
		w.list.add("labels", "why", fmt.Sprintf("%s was %q and is %q %s", row(k), was.Why[w.from+k], now.Why[k], w.at))
	}
	for f := range fields {
		if moved[f] > 0 {
			k, name := first[f], fields[f].name
			w.list.add("labels", name, fmt.Sprintf("%s was %s and is %s %s (%d rows moved)",
				row(k), describe(name, was, w.from+k), describe(name, now, k), w.at, moved[f]))
		}
	}
	return 2 + len(fields)
}

// describe writes one field of one row for a reader.
func describe(field string, s *label.Set, i int) string {
	if !s.Valid[i] {
		return fmt.Sprintf("without a label (%s)", s.Why[i])
	}
	side := func(o *label.Side, f string) string {
		switch f {
		case "exit":
			return o.Exit[i].String()
		case "exit_time":
			return stamp(o.ExitTime[i])
		case "price":
			return fmt.Sprint(o.Price[i])
		case "gross":
			return fmt.Sprint(o.Gross[i])
		}
		return fmt.Sprint(o.Net[i])
	}
	switch field {
	case "valid":
		return "labelled"
	case "class":
		return fmt.Sprint(s.Class[i])
	case "entry":
		return stamp(s.Spans[i].Entry)
	case "outcome":
		return stamp(s.Spans[i].Outcome)
	case "entry_price":
		return fmt.Sprint(s.EntryPrice[i])
	case "width":
		return fmt.Sprint(s.Width[i])
	}
	if f, ok := strings.CutPrefix(field, "long_"); ok {
		return side(&s.Long, f)
	}
	f, _ := strings.CutPrefix(field, "short_")
	return side(&s.Short, f)
}
