package catboost

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/view"
)

// Five rows of two categories in the order 0…4, by hand: (good + prior)/(total
// + 1) of the earlier rows of the category, times 15.
func TestStatisticsByHand(t *testing.T) {
	x := view.NewTable(5, []string{"c"})
	copy(x.Data, []float32{7, 7, 3, 7, 3})
	c, err := newCategory(x, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	class := []uint8{1, 0, 1, 1, 0}
	perm := []uint32{0, 1, 2, 3, 4}
	for _, k := range []struct {
		spec, online, final string
		other               uint8
	}{
		// Category 7: 0/0, 1/1, 1/2; category 3: 0/0, 1/1.
		{"Borders:Prior=0.5", "[7 11 7 7 11]", "[7 9]", 7}, // 15·(0.5, 0.75, 0.5, 0.5, 0.75); all rows: 3: 1/2, 7: 2/3
		{"Borders:Prior=0", "[0 7 0 5 7]", "[5 7]", 0},
		{"Borders:Prior=1", "[15 15 15 10 15]", "[10 11]", 15},
		{"Counter", "[11 11 7 11 7]", "[7 11]", 0}, // 3 and 2 of 3, each over 3+1
		{"Counter:CtrBorderCount=4", "[3 3 2 3 2]", "[2 3]", 0},
		{"BinarizedTargetMeanValue:Prior=0", "[0 7 0 5 7]", "[5 7]", 0},
	} {
		spec, err := parseCTR(k.spec)
		if err != nil {
			t.Fatal(err)
		}
		s := newStatistics(c, 1, []ctrSpec{spec}, class, 2)[0]
		if got := fmt.Sprint(s.column(perm, class, 2)); got != k.online {
			t.Errorf("%s: online %s, want %s", k.spec, got, k.online)
		}
		if got := fmt.Sprint(s.final); got != k.final || s.other != k.other {
			t.Errorf("%s: finished %s and %d for others, want %s and %d", k.spec, got, s.other, k.final, k.other)
		}
	}
}

// TestStatisticsDoNotSeeTheRow: changing the class of the rows from place p of a
// permutation on changes no statistic up to and including place p.
func TestStatisticsDoNotSeeTheRow(t *testing.T) {
	const n = 300
	x, r := view.NewTable(n, []string{"c"}), rng.New(3).Rand()
	class := make([]uint8, n)
	for i := range n {
		x.Data[i], class[i] = float32(r.IntN(12)), uint8(r.IntN(3))
	}
	c, err := newCategory(x, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	perm := make([]uint32, n)
	for i, p := range r.Perm(n) {
		perm[i] = uint32(p)
	}
	moved := 0
	for _, text := range []string{"Borders", "Buckets", "BinarizedTargetMeanValue"} {
		spec, err := parseCTR(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range newStatistics(c, 2, []ctrSpec{spec}, class, 3) {
			base := s.column(perm, class, 3)
			for _, p := range []int{0, 1, 50, 299} {
				other := append([]uint8(nil), class...)
				for _, row := range perm[p:] {
					other[row] = (other[row] + 1) % 3
				}
				got := s.column(perm, other, 3)
				for i, row := range perm {
					switch {
					case got[row] == base[row]:
					case i <= p:
						t.Fatalf("%s: the class of place %d moves the statistic of place %d", text, p, i)
					default:
						moved++
					}
				}
			}
		}
	}
	if moved == 0 {
		t.Error("no statistic depends on a class")
	}
}

func TestCategories(t *testing.T) {
	nan := float32(math.NaN())
	x := view.NewTable(6, []string{"c"})
	copy(x.Data, []float32{5, nan, 0, 5, 100, nan})
	c, err := newCategory(x, 0, []int{0, 1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(c.values, c.count(), c.id); got != "[0 5] 3 [1 2 0 1]" {
		t.Errorf("categories %s", got)
	}
	for v, want := range map[float32]int{0: 0, 5: 1, 100: -1} {
		if got := c.find(v); got != want {
			t.Errorf("%v is category %d, want %d", v, got, want)
		}
	}
	if c.find(nan) != 2 {
		t.Errorf("missing is category %d", c.find(nan))
	}
	if c, _ = newCategory(x, 0, []int{0, 2}); c.find(nan) != -1 {
		t.Errorf("missing is category %d of rows without one", c.find(nan))
	}
	for _, bad := range []float32{-1, 0.5, 1 << 24, float32(math.Inf(1))} {
		x.Data[3] = bad
		if _, err := newCategory(x, 0, nil); err == nil || !strings.Contains(err.Error(), `column "c" row 3`) {
			t.Errorf("%v: error %v", bad, err)
		}
	}
	for _, bad := range []string{"Border", "Borders:Prior", "Counter:CtrBorderCount=0", "Borders:TargetBorderCount=2", "Borders:Prior=NaN"} {
		if _, err := parseCTR(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// A real target is divided where the halves are most even.
func TestClassesOfARealTarget(t *testing.T) {
	l, err := newLoss(RMSE, 0)
	if err != nil {
		t.Fatal(err)
	}
	class, k := classesOf(l, &core.Targets{Y: []float32{3, 1, 1, 1, 9, 4, 1}})
	if got := fmt.Sprint(class, k); got != "[1 0 0 0 1 1 0] 2" {
		t.Errorf("classes %s", got)
	}
}
