package stat_test

import (
	"math"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"github.com/mlfactory/mlfactory/stat"
)

// Blocks: a step of +1 (mod n) continues one, anything else begins one. The
// stationary scheme begins one with probability 1/Mean, the circular one every
// Length rows; both visit every row equally often.
func TestSchemes(t *testing.T) {
	const n, draws = 50, 2000
	for name, c := range map[string]struct {
		scheme stat.Scheme
		block  float64
	}{
		"stationary": {stat.Stationary{Mean: 7}, 7}, "circular": {stat.Circular{Length: 7}, 7},
		"stationary 0": {stat.Stationary{}, 1}, "circular 0": {stat.Circular{}, 1},
	} {
		idx := make([]int, n)
		visits := make([]float64, n)
		starts, steps := 0.0, 0.0
		for d := range draws {
			c.scheme.Indices(idx, n, rng.New(3).Stream(name, d).Rand())
			for i, k := range idx {
				visits[k]++
				if i > 0 {
					steps++
					if k != (idx[i-1]+1)%n {
						starts++
					}
				}
			}
		}
		// A new block continues the old one by chance once in n; a circular
		// block also ends with the row n−1 of the sample.
		want := (1 / c.block) * (1 - 1.0/n)
		if name == "circular" {
			want = 7.0 / 49 * (1 - 1.0/n)
		}
		near(t, name+": share of block starts", starts/steps, want, 4*math.Sqrt(want*(1-want)/steps)+1e-12)
		for k, v := range visits {
			// Visits come in blocks: variance about block times the Poisson one.
			near(t, name+": visits of a row", v, draws, 5*math.Sqrt(draws*c.block))
			_ = k
		}
	}
}

func TestBootstrapDrawsAreAddressed(t *testing.T) {
	x := load(t).X
	a := stat.Bootstrap(x, 10, stat.Stationary{Mean: 5}, rng.New(1), stat.Mean)
	b := stat.Bootstrap(x, 25, stat.Stationary{Mean: 5}, rng.New(1), stat.Mean)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("draw %d depends on the number of draws", i)
		}
	}
	if stat.Bootstrap(nil, 3, stat.Circular{Length: 2}, rng.New(1), stat.Mean) != nil {
		t.Error("nothing to draw from: want nil")
	}
}

// The bootstrap standard error of the mean of an AR(1) series agrees with the
// long-run one and is far above the independent one.
func TestStationaryBootstrapSeesAutocorrelation(t *testing.T) {
	const n, rho = 2000, .5
	r := rng.New(9).Stream("ar").Rand()
	x := make([]float64, n)
	last := 0.0
	for i := range x {
		last = rho*last + r.NormFloat64()
		x[i] = last
	}
	// Sd of the mean of this process: 1/(1−ρ)/√n = .0447.
	want := 1 / (1 - rho) / math.Sqrt(n)
	boot := stat.StdDev(stat.Bootstrap(x, 1000, stat.Stationary{Mean: 30}, rng.New(1), stat.Mean))
	near(t, "bootstrap", boot/want, 1, .15)
	near(t, "newey-west", stat.MeanStdErr(x, stat.HACLag(x))/want, 1, .15)
	if naive := stat.MeanStdErr(x, 0); naive > .7*want {
		t.Errorf("naive error %g is not below %g: the test could not see", naive, .7*want)
	}
}

func TestHACLag(t *testing.T) {
	white := make([]float64, 1000)
	r := rng.New(4).Stream("white").Rand()
	for i := range white {
		white[i] = r.NormFloat64()
	}
	if lag := stat.HACLag(white); lag < 6 || lag > 12 {
		t.Errorf("lag of 1000 white values is %d, want about 6", lag)
	}
	walk := make([]float64, 1000)
	for i := 1; i < len(walk); i++ {
		walk[i] = walk[i-1] + white[i]
	}
	// ρ cut at .97: ⌈1.1447·(4·.97²/(1−.97²)²·1000)^⅓⌉ = 118.
	if lag := stat.HACLag(walk); lag != 118 {
		t.Errorf("lag of a random walk is %d, want 118", lag)
	}
	if lag := stat.HACLag(walk[500:560]); lag != 20 {
		t.Errorf("lag of 60 steps of a random walk is %d, want the ceiling 20", lag)
	}
	for n, want := range []int{0, 0, 0, 1} {
		if lag := stat.HACLag(white[:n]); lag > want {
			t.Errorf("lag of %d values is %d, want at most %d", n, lag, want)
		}
	}
}

func TestSpanBlock(t *testing.T) {
	// Brute force over random spans.
	for id := range 200 {
		r := rng.New(6).Stream("spans", id).Rand()
		n := 1 + r.IntN(40)
		begin, end := make([]int64, n), make([]int64, n)
		at, longest := int64(0), int64(0)
		for i := range begin {
			at += int64(r.IntN(4))
			begin[i], end[i] = at, at+int64(r.IntN(9))
			longest = max(longest, end[i]-begin[i])
		}
		want := 0
		for i := range begin {
			c := 0
			for j := range begin {
				if begin[j] >= begin[i] && begin[j]-begin[i] <= longest {
					c++
				}
			}
			want = max(want, c)
		}
		got, err := stat.SpanBlock(begin, end)
		if err != nil || got != want {
			t.Fatalf("case %d: block %d, %v; want %d", id, got, err, want)
		}
	}
	if _, err := stat.SpanBlock([]int64{1, 0}, []int64{2, 2}); err == nil {
		t.Error("unsorted rows: want an error")
	}
	if _, err := stat.SpanBlock([]int64{1}, []int64{0}); err == nil {
		t.Error("a row that ends before it begins: want an error")
	}
}

// Losses of rows whose outcomes overlap 10 deep are moving averages of 10: the
// 95 % interval must cover their mean, the one that ignores overlap does not.
func TestMeanIntervalCoverage(t *testing.T) {
	const sims, n, depth = 400, 3000, 10
	begin, end, short := make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range begin {
		begin[i], end[i], short[i] = int64(i), int64(i+depth-1), int64(i)
	}
	covered, naive := 0.0, 0.0
	for id := range sims {
		r := rng.New(8).Stream("overlap", id).Rand()
		e := make([]float64, n+depth)
		for i := range e {
			e[i] = r.NormFloat64()
		}
		loss := make([]float64, n)
		for i := range loss {
			loss[i] = 1 + stat.Mean(e[i:i+depth])
		}
		iv, err := stat.MeanInterval(loss, begin, end, 400, .95, rng.New(1))
		if err != nil {
			t.Fatal(err)
		}
		near(t, "value", iv.Value, stat.Mean(loss), 1e-12)
		if iv.Low <= 1 && 1 <= iv.High {
			covered += 1.0 / sims
		}
		if iv, err = stat.MeanInterval(loss, begin, short, 400, .95, rng.New(1)); err != nil {
			t.Fatal(err)
		}
		if iv.Low <= 1 && 1 <= iv.High {
			naive += 1.0 / sims
		}
	}
	// Blocks of three spans keep 8/9 of the variance, hence 93.5 % less a little for few blocks;
	// Monte Carlo error 1.2 %.
	near(t, "coverage", covered, .93, .03)
	if naive > .75 {
		t.Errorf("ignoring overlap covers %.3f: the test could not see", naive)
	}
}

func TestMeanIntervalRefuses(t *testing.T) {
	x, b := []float64{1, 2, 3, 4}, []int64{0, 1, 2, 3}
	for name, f := range map[string]func() error{
		"one block":    func() error { _, err := stat.MeanInterval(x, b, []int64{3, 3, 3, 3}, 9, .9, rng.New(1)); return err },
		"no draws":     func() error { _, err := stat.MeanInterval(x, b, b, 0, .9, rng.New(1)); return err },
		"confidence 1": func() error { _, err := stat.MeanInterval(x, b, b, 9, 1, rng.New(1)); return err },
		"NaN": func() error {
			_, err := stat.MeanInterval([]float64{1, 2, math.NaN(), 4}, b, b, 9, .9, rng.New(1))
			return err
		},
		"unsorted": func() error {
			_, err := stat.MeanInterval(x, []int64{3, 2, 1, 0}, []int64{9, 9, 9, 9}, 9, .9, rng.New(1))
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}
