package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"sort"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/factory"
)

// MaxBars is the most bars that one chart is given.
const MaxBars = 20_000

// packed is the data of one chart: columns of equal length, each of 4-byte
// little-endian numbers, one after another, gzip, base64.
type packed struct {
	cols []string
	body bytes.Buffer
	n    int
}

func (p *packed) floats(name string, x []float64) {
	p.cols, p.n = append(p.cols, name+":f"), len(x)
	for _, v := range x {
		p.word(math.Float32bits(float32(v)))
	}
}

// seconds adds instants as whole seconds since 1970, unsigned: exact until 2106.
func (p *packed) seconds(name string, t []int64) {
	p.cols, p.n = append(p.cols, name+":u"), len(t)
	for _, v := range t {
		p.word(uint32(min(math.MaxUint32, max(0, v/1e9))))
	}
}

func (p *packed) word(w uint32) { p.body.Write(binary.LittleEndian.AppendUint32(nil, w)) }

// element is a script element that holds the data. It is made by hand because
// html/template would escape the + of base64.
func (p *packed) element(id string) (template.HTML, error) {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(p.body.Bytes())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("report: pack chart: %w", err)
	}
	cols, err := json.Marshal(p.cols)
	if err != nil {
		return "", fmt.Errorf("report: pack chart: %w", err)
	}
	return template.HTML(fmt.Sprintf(`<script type="text/plain" id="%s" data-n="%d" data-cols="%s">%s</script>`,
		id, p.n, template.HTMLEscapeString(string(cols)), base64.StdEncoding.EncodeToString(z.Bytes()))), nil
}

// shorten resamples a series until it has at most MaxBars bars.
func shorten(s *bar.Series, inst *bar.Instrument) (*bar.Series, error) {
	if s.Len() <= MaxBars {
		return s, nil
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		return nil, err
	}
	const hour = bar.Timeframe(time.Hour)
	for _, tf := range []bar.Timeframe{5 * bar.Minute, 15 * bar.Minute, 30 * bar.Minute, hour, 4 * hour, bar.Session} {
		if tf != bar.Session && float64(s.Len())*float64(s.Timeframe)/float64(tf) > MaxBars || bar.CheckMultiple(s.Timeframe, tf) != nil {
			continue
		}
		out, err := bar.Resample(s, tf, cal)
		if err != nil {
			return nil, err
		}
		if out.Len() <= MaxBars {
			return out, nil
		}
	}
	return nil, fmt.Errorf("no timeframe makes %d bars of %s fewer than %d", s.Len(), s.Timeframe, MaxBars)
}

// marker is the trades that were entered in one bar.
type marker struct {
	bar         int
	long, short int
	net         float64
}

// markers gathers trades by the bar of their entry.
func markers(s *bar.Series, trades []factory.TradeRow) []marker {
	var out []marker
	for _, t := range trades {
		i := sort.Search(s.Len(), func(i int) bool { return s.End[i] > t.Entry })
		if i == s.Len() || i == 0 && t.Entry < s.Begin[0] {
			continue
		}
		if len(out) == 0 || out[len(out)-1].bar != i {
			out = append(out, marker{bar: i})
		}
		m := &out[len(out)-1]
		if t.Side > 0 {
			m.long++
		} else {
			m.short++
		}
		m.net += t.Net
	}
	return out
}

// between is the bars that end in (from, to].
func between(s *bar.Series, from, to int64) *bar.Series {
	lo := sort.Search(s.Len(), func(i int) bool { return s.End[i] > from })
	hi := sort.Search(s.Len(), func(i int) bool { return s.End[i] > to })
	return s.Slice(lo, max(lo, hi))
}

// cumulate is the running sum of returns in percent, with a 0 before the first.
func cumulate(returns []float64) []float64 {
	out := make([]float64, len(returns)+1)
	sum := 0.0
	for i, r := range returns {
		sum += r
		out[i+1] = 100 * sum
	}
	return out
}

// underwater is how far a running sum lies below its highest value so far.
func underwater(sum []float64) []float64 {
	out := make([]float64, len(sum))
	high := math.Inf(-1)
	for i, x := range sum {
		high = max(high, x)
		out[i] = x - high
	}
	return out
}

// timeLabels are round dates on a scale of instants in units of unit⁻¹ seconds.
func timeLabels(s scale, unit float64) []tick {
	from, to := time.Unix(int64(s.lo/unit), 0).UTC(), time.Unix(int64(s.hi/unit), 0).UTC()
	months := int(to.Sub(from).Hours()/24/30.4) + 1
	step, layout := 1, "Jan 2006"
	for _, c := range []int{1, 2, 3, 6, 12, 24, 60} {
		if step = c; months/c <= 6 {
			break
		}
	}
	if step >= 12 {
		layout = "2006"
	}
	if months <= 2 {
		layout = "2 Jan"
	}
	var out []tick
	add := func(t time.Time) {
		if x := s.at(float64(t.Unix()) * unit); !t.Before(from) && !t.After(to) {
			out = append(out, tick{x, t.Format(layout)})
		}
	}
	if months <= 2 {
		days := max(1, int(to.Sub(from).Hours()/24)/5)
		for t := from.Truncate(24 * time.Hour); !t.After(to); t = t.AddDate(0, 0, days) {
			add(t)
		}
		return out
	}
	start := time.Date(from.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	for t := start; !t.After(to); t = t.AddDate(0, step, 0) {
		add(t)
	}
	return out
}
