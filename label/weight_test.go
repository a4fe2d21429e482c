package label_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mlfactory/mlfactory/internal/floats"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/view"
	"pgregory.net/rapid"
)

// hours is spans of whole hours that include their last hour.
func hours(begin []int64, length int64) []view.Span {
	out := make([]view.Span, len(begin))
	for i, b := range begin {
		out[i] = view.Span{Decision: b, Outcome: b + length + 1}
	}
	return out
}

// López de Prado (2018), §4.5.3: indicator columns 111000, 001100, 000011.
func TestUniqueness_AFMLExample(t *testing.T) {
	spans := []view.Span{{Decision: 0, Outcome: 3}, {Decision: 2, Outcome: 4}, {Decision: 4, Outcome: 6}}
	u := label.Uniqueness(spans)
	for i, want := range []float64{5.0 / 6, 3.0 / 4, 1} {
		if !floats.Close(u[i], want, floats.Abs(1e-15)) {
			t.Errorf("label %d: %v, want %v", i, u[i], want)
		}
	}
	pooled := (3*u[0] + 2*u[1] + 2*u[2]) / 7
	if !floats.Close(pooled, 6.0/7, floats.Abs(1e-15)) {
		t.Errorf("pooled average %v, want .857143 = 6/7", pooled)
	}
}

// Eight two-hour labels, ends included: the test case of mlfinpy's concurrency functions.
func TestUniqueness_EightTwoHourLabels(t *testing.T) {
	spans := hours([]int64{1, 2, 5, 7, 10, 11, 12, 20}, 2)
	u := label.Uniqueness(spans)
	for i, want := range map[int]float64{0: 2.0 / 3, 2: 5.0 / 6, 5: 4.0 / 9, 7: 1} {
		if !floats.Close(u[i], want, floats.Abs(1e-15)) {
			t.Errorf("label %d: %v, want %v", i, u[i], want)
		}
	}
	p := label.Concurrency(spans)
	counts := [4]int{}
	for h := int64(1); h <= 22; h++ {
		counts[p.At(h)]++
	}
	if d := cmp.Diff([4]int{5, 11, 5, 1}, counts); d != "" {
		t.Errorf("hours by concurrency: %s", d)
	}
	if p.At(0) != 0 || p.At(23) != 0 {
		t.Error("spans are alive outside their life")
	}
	if want := 24.0 / 17; !floats.Close(p.Mean(), want, floats.Abs(1e-15)) {
		t.Errorf("mean concurrency %v, want 24 hours in 17", p.Mean())
	}
}

// López de Prado (2018), snippet 4.11, on four unit weights.
func TestTimeDecay_UnitWeights(t *testing.T) {
	spans := hours([]int64{1, 2, 3, 4}, 0)
	for _, x := range []struct {
		last float64
		want []float64
	}{
		{1, []float64{1, 1, 1, 1}},
		{.5, []float64{.625, .75, .875, 1}},
		{0, []float64{.25, .5, .75, 1}},
		{-.5, []float64{0, 0, .5, 1}},
	} {
		got, err := label.TimeDecay(spans, []float64{1, 1, 1, 1}, x.last)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(x.want, got); d != "" {
			t.Errorf("decay to %v: %s", x.last, d)
		}
	}
	for _, last := range []float64{-1, 1.5, math.NaN()} {
		if _, err := label.TimeDecay(spans, []float64{1, 1, 1, 1}, last); err == nil {
			t.Errorf("decay to %v was accepted", last)
		}
	}
	if _, err := label.TimeDecay(spans, []float64{1, math.NaN(), 1, 1}, 1); err == nil {
		t.Error("a NaN weight was accepted")
	}
}

func drawSpans(t *rapid.T) []view.Span {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) view.Span {
		d := rapid.Int64Range(0, 60).Draw(t, "decision")
		return view.Span{Decision: d, Outcome: d + rapid.Int64Range(0, 20).Draw(t, "life")}
	}), 1, 40).Draw(t, "spans")
}

// The twin counts every unit of time of every span.
func TestUniqueness_BruteForceTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := drawSpans(t)
		alive := func(at int64) int {
			n := 0
			for _, s := range spans {
				if s.Decision <= at && at < s.Outcome {
					n++
				}
			}
			return n
		}
		p, u := label.Concurrency(spans), label.Uniqueness(spans)
		sum, total, union := 0.0, 0.0, 0.0
		for at := int64(-1); at < 90; at++ {
			if p.At(at) != alive(at) {
				t.Fatalf("concurrency at %d: %d, want %d", at, p.At(at), alive(at))
			}
			total += float64(alive(at))
			if alive(at) > 0 {
				union++
			}
		}
		if union > 0 && math.Abs(p.Mean()-total/union) > 1e-12 {
			t.Fatalf("mean concurrency %v, want %v", p.Mean(), total/union)
		}
		for i, s := range spans {
			want := 1.0
			if s.Outcome > s.Decision {
				want = 0
				for at := s.Decision; at < s.Outcome; at++ {
					want += 1 / float64(alive(at))
				}
				want /= float64(s.Outcome - s.Decision)
			}
			if math.Abs(u[i]-want) > 1e-12 {
				t.Fatalf("span %d: uniqueness %v, want %v", i, u[i], want)
			}
			sum += u[i]
		}
		if got := label.EffectiveN(u); math.Abs(got-sum) > 1e-12 {
			t.Fatalf("effective n %v, want %v", got, sum)
		}
	})
}

func TestThin_EveryKth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spans := drawSpans(t)
		limit := rapid.Float64Range(1, 6).Draw(t, "limit")
		rows, k, err := label.Thin(spans, limit)
		if err != nil {
			t.Fatal(err)
		}
		mean := func(k int) float64 {
			var kept []view.Span
			order := sortedByTime(spans)
			for i := 0; i < len(order); i += k {
				kept = append(kept, spans[order[i]])
			}
			if len(kept) == 1 {
				return 1
			}
			return label.Concurrency(kept).Mean()
		}
		if len(rows) != (len(spans)+k-1)/k {
			t.Fatalf("kept %d of %d rows at k = %d", len(rows), len(spans), k)
		}
		if mean(k) > limit {
			t.Fatalf("mean concurrency %v over the limit %v", mean(k), limit)
		}
		for j := 1; j < k; j++ {
			if mean(j) <= limit {
				t.Fatalf("k = %d, but %d gives %v already", k, j, mean(j))
			}
		}
	})
	if _, _, err := label.Thin(nil, 0.5); err == nil {
		t.Error("a limit below 1 was accepted")
	}
}

func sortedByTime(spans []view.Span) []int {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	less := func(a, b int) bool {
		x, y := spans[a], spans[b]
		return x.Decision < y.Decision || x.Decision == y.Decision && (x.Outcome < y.Outcome || x.Outcome == y.Outcome && a < b)
	}
	for i := range order {
		for j := i; j > 0 && less(order[j], order[j-1]); j-- {
			order[j], order[j-1] = order[j-1], order[j]
		}
	}
	return order
}

// By hand: the filter keeps the side that did not fire.
func TestCUSUM_ByHand(t *testing.T) {
	x := []float64{0, 1, 2, 3, 2, 1, 0, math.NaN(), 0, -1, -2}
	// S⁺: 1 2 3→mark 3, 0 …; S⁻: 0 0 0 −1 −2 −3→mark 6, 0; the steps at the NaN are skipped; −1 −2.
	got, err := label.CUSUM(x, []float64{2.5})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{3, 6}, got); d != "" {
		t.Error(d)
	}
	if _, err := label.CUSUM(x, []float64{1, 2}); err == nil {
		t.Error("two thresholds for eleven values were accepted")
	}
	if _, err := label.CUSUM(x, []float64{-1}); err == nil {
		t.Error("a negative threshold was accepted")
	}
}
