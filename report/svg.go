package report

import (
	"fmt"
	"html/template"
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/judge"
)

// The drawings place things by percentages of the width and by pixels of the
// height, so that text keeps its size on any screen. Colours are classes of the
// style sheet. Whatever a drawing shows is also in the text around it.

// svg collects the elements of one drawing.
type svg struct{ b strings.Builder }

func (s *svg) add(format string, args ...any) { fmt.Fprintf(&s.b, format, args...) }

func (s *svg) html(height int, label string) template.HTML {
	a := `aria-hidden="true"`
	if label != "" {
		a = `role="img" aria-label="` + template.HTMLEscapeString(label) + `"`
	}
	return template.HTML(fmt.Sprintf(`<svg class="d" width="100%%" height="%d" %s>%s</svg>`, height, a, s.b.String()))
}

// pc writes a share of the width.
func pc(x float64) string { return strconv.FormatFloat(100*x, 'f', 2, 64) + "%" }

func px(x float64) string { return strconv.FormatFloat(x, 'f', 1, 64) }

// scale maps values to [0, 1].
type scale struct{ lo, hi float64 }

func (s scale) at(x float64) float64 {
	if !(s.hi > s.lo) {
		return 0.5
	}
	return min(1, max(0, (x-s.lo)/(s.hi-s.lo)))
}

// span is the scale of some values, those that exist, with a margin.
func span(margin float64, xs ...float64) scale {
	s := scale{math.Inf(1), math.Inf(-1)}
	for _, x := range xs {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			s.lo, s.hi = min(s.lo, x), max(s.hi, x)
		}
	}
	if !(s.hi >= s.lo) {
		return scale{0, 1}
	}
	if s.hi == s.lo {
		s.lo, s.hi = s.lo-0.5, s.hi+0.5
	}
	d := margin * (s.hi - s.lo)
	return scale{s.lo - d, s.hi + d}
}

// ticks are round numbers within a scale, about n of them.
func (s scale) ticks(n int) []float64 {
	w := s.hi - s.lo
	if !(w > 0) || math.IsInf(w, 0) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(w/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if w/(step*m) <= float64(n) {
			step *= m
			break
		}
	}
	var out []float64
	for k := math.Ceil(s.lo / step); k*step <= s.hi; k++ {
		out = append(out, k*step)
	}
	return out
}

// whisker draws an interval on a common scale, with a line at 0.
func whisker(s scale, value, low, high float64, class string) template.HTML {
	var d svg
	if s.lo < 0 && s.hi > 0 {
		d.add(`<line class="zero" x1="%[1]s" x2="%[1]s" y1="0" y2="24"/>`, pc(s.at(0)))
	}
	if !math.IsNaN(low) && !math.IsNaN(high) {
		d.add(`<line class="range %s" x1="%s" x2="%s" y1="12" y2="12"/>`, class, pc(s.at(low)), pc(s.at(high)))
	}
	if !math.IsNaN(value) {
		d.add(`<circle class="dot %s" cx="%s" cy="12" r="4.5"/>`, class, pc(s.at(value)))
	}
	return d.html(24, "")
}

// stripe draws a share of the width.
func stripe(x float64) template.HTML {
	var d svg
	d.add(`<rect class="bar" x="0" y="3" width="%s" height="12" rx="2"/>`, pc(min(1, max(0, x))))
	return d.html(18, "")
}

// histogram draws draws with two marks: the candidate and the threshold.
func histogram(draws []float64, mark, threshold float64, label string) template.HTML {
	const bins, height = 40, 130
	s := span(0.03, append([]float64{mark, threshold}, draws...)...)
	var n [bins]int
	most := 1
	for _, x := range draws {
		k := min(bins-1, int(s.at(x)*bins))
		n[k]++
		most = max(most, n[k])
	}
	var d svg
	for k, c := range n {
		if c > 0 {
			h := 84 * float64(c) / float64(most)
			d.add(`<rect class="soft" x="%s" width="%s" y="%s" height="%s"/>`, pc(float64(k)/bins), pc(0.92/bins), px(104-h), px(h))
		}
	}
	d.add(`<line class="axis" x1="0" x2="100%%" y1="104" y2="104"/>`)
	for _, t := range s.ticks(6) {
		d.add(`<text class="t %s" x="%s" y="120">%s</text>`, anchor(s.at(t)), pc(s.at(t)), decimal(t, tickDecimals(s, 6)))
	}
	line := func(x float64, class, text string, y int) {
		if !math.IsNaN(x) {
			d.add(`<line class="mark %[1]s" x1="%[2]s" x2="%[2]s" y1="%[3]d" y2="104"/><text class="t %[1]s %[4]s" x="%[2]s" dx="%[5]d" y="%[6]d">%[7]s</text>`,
				class, pc(s.at(x)), y-8, side(s.at(x)), sideGap(s.at(x)), y, text)
		}
	}
	line(threshold, "warn", "asked", 26)
	line(mark, "accent", "candidate", 12)
	return d.html(height, label)
}

func tickDecimals(s scale, n int) int {
	t := s.ticks(n)
	if len(t) < 2 {
		return 1
	}
	return max(0, int(math.Ceil(-math.Log10(t[1]-t[0])-1e-9)))
}

// anchor keeps text at the edges inside the drawing.
func anchor(x float64) string {
	switch {
	case x < 0.06:
		return "start"
	case x > 0.94:
		return "end"
	}
	return "middle"
}

// side puts text beside a line, on the side with room.
func side(x float64) string {
	if x > 0.6 {
		return "end"
	}
	return "start"
}

func sideGap(x float64) int {
	if x > 0.6 {
		return -5
	}
	return 5
}

// curve is one line of a static chart.
type curve struct {
	class string
	y     []float64
}

// lines draws curves over a common x with labelled heights; fill shades the
// area between the first curve and 0.
func lines(x []float64, curves []curve, height int, unit string, xlabels func(scale) []tick, fill bool, name string) template.HTML {
	xs := span(0, x...)
	var all []float64
	for _, c := range curves {
		all = append(all, c.y...)
	}
	ys := span(0.04, append(all, 0)...)
	top, bottom := 6.0, float64(height-20)
	y := func(v float64) float64 { return bottom - ys.at(v)*(bottom-top) }
	var d svg
	dec := tickDecimals(ys, 4)
	for _, t := range ys.ticks(4) {
		class := "grid"
		if t == 0 {
			class = "zero"
		}
		d.add(`<line class="%s" x1="0" x2="100%%" y1="%[2]s" y2="%[2]s"/>`, class, px(y(t)))
	}
	d.add(`<svg x="0" y="0" width="100%%" height="%d" viewBox="0 0 1000 %d" preserveAspectRatio="none">`, height, height)
	for i, c := range curves {
		var p strings.Builder
		pen := "M"
		for k, v := range c.y {
			if math.IsNaN(v) {
				pen = "M"
				continue
			}
			p.WriteString(pen + px(1000*xs.at(x[k])) + " " + px(y(v)))
			pen = "L"
		}
		if fill && i == 0 && len(c.y) > 0 {
			d.add(`<path class="area" d="%sL%s %sL%s %sZ"/>`, p.String(), px(1000*xs.at(x[len(x)-1])), px(y(0)), px(1000*xs.at(x[0])), px(y(0)))
		}
		d.add(`<path class="line %s" d="%s"/>`, c.class, p.String())
	}
	d.add(`</svg>`)
	for _, t := range ys.ticks(4) {
		d.add(`<text class="t start halo" x="2" y="%s">%s</text>`, px(y(t)-3), decimal(t, dec)+unit)
	}
	for _, l := range xlabels(xs) {
		d.add(`<text class="t %s" x="%s" y="%d">%s</text>`, anchor(l.at), pc(l.at), height-4, l.text)
	}
	return d.html(height, name)
}

// tick is a text at a share of the width.
type tick struct {
	at   float64
	text string
}

// calibration draws the reliability curves of one model, a square from 0 to top.
func calibration(k *factory.Skill, top float64) template.HTML {
	const size, left, foot = 200.0, 34.0, 20.0
	var d svg
	at := func(p float64) float64 { return left + p/top*(size-left-12) }
	up := func(p float64) float64 { return size - foot - p/top*(size-foot-8) }
	d.add(`<svg viewBox="0 0 200 200" role="img" aria-label="%s">`, template.HTMLEscapeString("Calibration of "+k.Name+": predicted against observed share, by class"))
	for i, t := range []float64{0, top / 4, top / 2, 3 * top / 4, top} {
		d.add(`<line class="grid" x1="%s" x2="%s" y1="%[3]s" y2="%[3]s"/><line class="grid" x1="%[4]s" x2="%[4]s" y1="%[5]s" y2="%[6]s"/>`,
			px(at(0)), px(at(top)), px(up(t)), px(at(t)), px(up(0)), px(up(top)))
		if i%2 == 0 {
			d.add(`<text class="t end" x="%s" y="%s">%s</text><text class="t %s" x="%s" y="%s">%s</text>`, px(left-4), px(up(t)+3.5), percent(t, 0),
				[...]string{"start", "", "middle", "", "end"}[i], px(at(t)+[...]float64{0, 0, 0, 0, 10}[i]), px(size-6), percent(t, 0))
		}
	}
	d.add(`<line class="diagonal" x1="%s" y1="%s" x2="%s" y2="%s"/>`, px(at(0)), px(up(0)), px(at(top)), px(up(top)))
	classes := [...]string{"short", "none", "long"}
	for c, bins := range k.Curves[:min(len(k.Curves), len(classes))] {
		total := 0
		for _, b := range bins {
			total += b.N
		}
		var line, dots strings.Builder
		pen := "M"
		for _, b := range bins {
			if b.N == 0 || math.IsNaN(b.Predicted) || math.IsNaN(b.Happened) {
				continue
			}
			x, y := px(at(b.Predicted)), px(up(b.Happened))
			line.WriteString(pen + x + " " + y)
			pen = "L"
			fmt.Fprintf(&dots, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`, classes[c], x, y, px(1.5+3*math.Sqrt(float64(b.N)/float64(max(1, total)))))
		}
		d.add(`<path class="line %s" d="%s"/>%s`, classes[c], line.String(), dots.String())
	}
	d.add(`</svg>`)
	return template.HTML(d.b.String())
}

// reliabilityTop is a round upper end for the curves of all models.
func reliabilityTop(skill []factory.Skill) float64 {
	top := 0.0
	for _, k := range skill {
		for _, bins := range k.Curves {
			for _, b := range bins {
				if b.N > 0 {
					top = max(top, b.Predicted, b.Happened)
				}
			}
		}
	}
	if !(top > 0) {
		return 1
	}
	return min(1, math.Ceil(top*5)/5)
}

// folds draws the walk-forward: one band per step on the time axis.
func folds(o *factory.Outcome) template.HTML {
	if len(o.Steps) == 0 || len(o.Decisions) == 0 {
		return ""
	}
	first, last := float64(o.Decisions[0]), float64(o.Decisions[len(o.Decisions)-1])
	s := scale{first, last}
	const row = 26
	height := row*len(o.Steps) + 24
	var d svg
	if o.Lockbox.Start != 0 {
		x := s.at(float64(o.Lockbox.Start))
		d.add(`<rect class="box" x="%s" width="%s" y="0" height="%d"/>`, pc(x), pc(1-x), row*len(o.Steps))
	}
	for i, st := range o.Steps {
		y := row*i + 4
		test := "test"
		if st.Box {
			test = "boxtest"
		}
		d.add(`<rect class="train" x="0" width="%s" y="%d" height="18" rx="2"/>`, pc(s.at(float64(st.TrainTo))), y)
		a, b := s.at(float64(st.TestFrom)), s.at(float64(st.TestTo))
		d.add(`<rect class="%s" x="%s" width="%s" y="%d" height="18" rx="2"/>`, test, pc(a), pc(b-a), y)
		d.add(`<text class="t start on" x="6" y="%d">%d</text>`, y+13, st.Step)
	}
	for _, l := range timeLabels(s, 1e9) {
		d.add(`<text class="t %s" x="%s" y="%d">%s</text>`, anchor(l.at), pc(l.at), height-6, l.text)
	}
	text := fmt.Sprintf("Walk-forward in %s, each fitted on all that lies before it", plural(len(o.Steps), "step"))
	return d.html(height, text)
}

func forest(rows []forestRow) []forestRow {
	var xs []float64
	for _, r := range rows {
		xs = append(xs, float64(r.Low), float64(r.High), float64(r.Interval.Value))
	}
	s := span(0.05, append(xs, 0)...)
	for i := range rows {
		r := &rows[i]
		r.Drawing = whisker(s, float64(r.Interval.Value), float64(r.Low), float64(r.High), r.Class)
	}
	return rows
}

type forestRow struct {
	Name, Note, Class string
	judge.Interval
	Drawing template.HTML
}

// stillPrice is the closes as a line, about a thousand points, one bar beside
// the other without the nights between, with dots where trades were entered,
// and what to say of it. More than a thousand entries
// would hide the line: then only the latest are marked.
func stillPrice(s *bar.Series, entries []marker) (template.HTML, string) {
	const height, most = 240, 1000
	every := max(1, s.Len()/most)
	var x, y []float64
	for i := 0; i < s.Len(); i += every {
		x, y = append(x, float64(i)), append(y, s.Close[i])
	}
	xs, ys := scale{0, float64(max(1, s.Len()-1))}, span(0.04, y...)
	var d svg
	up := func(v float64) string { return px((1-ys.at(v))*(height-26) + 4) }
	for _, t := range ys.ticks(4) {
		d.add(`<line class="grid" x1="0" x2="100%%" y1="%[1]s" y2="%[1]s"/>`, up(t))
	}
	d.add(`<svg x="0" y="0" width="100%%" height="%d" viewBox="0 0 1000 %[1]d" preserveAspectRatio="none"><path class="line accent" d="`, height)
	pen := "M"
	for i := range x {
		d.add("%s%s %s", pen, px(1000*xs.at(x[i])), up(y[i]))
		pen = "L"
	}
	d.add(`"/></svg>`)
	text := "Each dot is an entry: green made money after costs, red lost."
	if n := len(entries); n > most {
		entries, text = entries[n-most:], "Dots mark the latest "+integer(most)+" entries: green made money after costs, red lost."
	}
	for _, m := range entries {
		class := "down"
		if m.net > 0 {
			class = "up"
		}
		d.add(`<circle class="%s" cx="%s" cy="%s" r="1.6"/>`, class, pc(xs.at(float64(m.bar))), up(s.Close[m.bar]))
	}
	for _, t := range ys.ticks(4) {
		d.add(`<text class="t start halo" x="2" y="%s">%s</text>`, px((1-ys.at(t))*(height-26)+1), decimal(t, tickDecimals(ys, 4)))
	}
	ends := scale{float64(s.End[0]), float64(s.End[s.Len()-1])}
	for _, l := range timeLabels(ends, 1e9) {
		t := ends.lo + l.at*(ends.hi-ends.lo)
		at := xs.at(float64(sort.Search(s.Len(), func(i int) bool { return float64(s.End[i]) >= t })))
		d.add(`<text class="t %s" x="%s" y="%d">%s</text>`, anchor(at), pc(at), height-4, l.text)
	}
	return d.html(height, ""), text
}
