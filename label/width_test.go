package label_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/label"
)

// The twins compute each width anew from the bars of its segment.
func plainATR(s *bar.Series, upTo, n int) float64 {
	var tr []float64
	prev := -1
	for j := 0; j <= upTo; j++ {
		if s.Flags[j]&bar.Late != 0 || s.Segment[j] != s.Segment[upTo] {
			continue
		}
		x := s.High[j] - s.Low[j]
		if prev >= 0 && s.Session[prev] == s.Session[j] {
			x = max(x, math.Abs(s.High[j]-s.Close[prev]), math.Abs(s.Low[j]-s.Close[prev]))
		}
		tr, prev = append(tr, x), j
	}
	if len(tr) < n {
		return math.NaN()
	}
	a := 0.0
	for _, x := range tr[:n] {
		a += x / float64(n)
	}
	for _, x := range tr[n:] {
		a = (a*float64(n-1) + x) / float64(n)
	}
	return a / s.Close[upTo]
}

func plainSigma(s *bar.Series, upTo, n int) float64 {
	var r []float64
	prev := -1
	for j := 0; j <= upTo; j++ {
		if s.Flags[j]&bar.Late != 0 || s.Segment[j] != s.Segment[upTo] {
			continue
		}
		if prev >= 0 && s.Session[prev] == s.Session[j] {
			r = append(r, math.Log(s.Close[j])-math.Log(s.Close[prev]))
		}
		prev = j
	}
	if len(r) < n {
		return math.NaN()
	}
	alpha := 2 / float64(n+1)
	var w, w2, m, v float64
	for i, x := range r {
		g := math.Pow(1-alpha, float64(len(r)-1-i))
		w, w2, m = w+g, w2+g*g, m+g*x
	}
	m /= w
	for i, x := range r {
		v += math.Pow(1-alpha, float64(len(r)-1-i)) * (x - m) * (x - m)
	}
	return math.Sqrt(v / w * w * w / (w*w - w2))
}

func TestWidth_Twins(t *testing.T) {
	s := market(11, 700, 250)
	for j := range s.End { // gaps between sessions far beyond a bar's range
		f := 1 + 0.2*float64(s.Session[j]%3)
		for _, x := range []*float64{&s.Open[j], &s.High[j], &s.Low[j], &s.Close[j]} {
			*x *= f
		}
	}
	for kind, plain := range map[string]func(*bar.Series, int, int) float64{label.ATR: plainATR, label.Sigma: plainSigma} {
		cfg := label.Default()
		cfg.Width, cfg.Period = kind, 10
		var decisions []int64
		for j := range s.Len() {
			decisions = append(decisions, s.End[j])
		}
		got, err := label.Width(s, decisions, cfg, 0)
		if err != nil {
			t.Fatal(err)
		}
		compared, missing := 0, 0
		last := -1
		for j := range s.Len() {
			if s.Flags[j]&bar.Late == 0 {
				last = j
			}
			want := math.NaN()
			if last >= 0 {
				want = plain(s, last, cfg.Period)
			}
			if math.IsNaN(want) != math.IsNaN(got[j]) || math.Abs(got[j]-want) > 1e-9*want {
				t.Fatalf("%s at bar %d: %v, want %v", kind, j, got[j], want)
			}
			if math.IsNaN(want) {
				missing++
			} else {
				compared++
			}
		}
		if compared < 500 || missing < 20 {
			t.Errorf("%s: %d values and %d missing: the comparison is thin", kind, compared, missing)
		}
	}
}

func TestWidth_CausalStaleAndFlat(t *testing.T) {
	s := market(12, 300, 0)
	cfg := label.Default()
	cfg.Period = 5
	decisions := []int64{s.End[100], s.End[150] + minute/2, s.End[150] + 40*60*minute}
	a, err := label.Width(s, decisions, cfg, 10*minute)
	if err != nil {
		t.Fatal(err)
	}
	if !(a[0] > 0) || !(a[1] > 0) {
		t.Fatalf("widths %v", a)
	}
	b, err := label.Width(s.Slice(0, 101), decisions[:1], cfg, 10*minute)
	if err != nil || a[0] != b[0] {
		t.Errorf("without the future: %v, with it %v (%v)", b, a[0], err)
	}
	if c, _ := label.Width(s.Slice(0, 151), decisions, cfg, 10*minute); !math.IsNaN(c[2]) {
		t.Errorf("a width 40 hours old: %v, want NaN", c[2])
	}
	if c, _ := label.Width(s.Slice(0, 151), decisions, cfg, 0); math.IsNaN(c[2]) {
		t.Error("without a limit an old width is still one")
	}
	flat, err := label.Width(straight(100, 0), []int64{90 * minute}, cfg, 0)
	if err != nil || !math.IsNaN(flat[0]) {
		t.Errorf("width of a constant price: %v, %v; want NaN", flat, err)
	}
	if _, err := label.Width(s, []int64{2, 1}, cfg, 0); err == nil || !strings.Contains(err.Error(), "order of time") {
		t.Errorf("unsorted decisions: %v", err)
	}
}
