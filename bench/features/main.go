// Command features times this project's kernels for comparison with TA-Lib; see
// run.sh.
//
//	features -rows 3500000 -data DIR -out ours.json
//
// It writes the bars it uses as raw float64 columns to DIR and, for each
// indicator, the shortest processor time of several runs over all bars in one
// block.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/rng"
)

// indicators are the kernels that have a twin in TA-Lib, by TA-Lib's name.
var indicators = []struct {
	name string
	spec feature.Spec
}{
	{"SMA", feature.Spec{Name: "sma"}},
	{"EMA", feature.Spec{Name: "ema"}},
	{"STDDEV", feature.Spec{Name: "stddev"}},
	{"BBANDS", feature.Spec{Name: "bollinger_bands"}},
	{"RSI", feature.Spec{Name: "rsi"}},
	{"MACD", feature.Spec{Name: "macd_level"}},
	{"STOCHF", feature.Spec{Name: "stoch"}},
	{"WILLR", feature.Spec{Name: "williams_r"}},
	{"CCI", feature.Spec{Name: "cci"}},
	{"MFI", feature.Spec{Name: "mfi"}},
	{"ROC", feature.Spec{Name: "roc"}},
	{"ADX", feature.Spec{Name: "adx"}},
	{"AROONOSC", feature.Spec{Name: "aroon"}},
	{"ATR", feature.Spec{Name: "atr"}},
	{"NATR", feature.Spec{Name: "atr_pct"}},
	{"OBV", feature.Spec{Name: "obv"}},
}

func main() {
	rows := flag.Int("rows", 3_500_000, "number of bars")
	runs := flag.Int("runs", 7, "runs of each kernel; the shortest counts")
	data := flag.String("data", "", "folder for the bars")
	out := flag.String("out", "", "file for the times")
	flag.Parse()
	if err := run(*rows, *runs, *data, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(rows, runs int, data, out string) error {
	s := bars(rows)
	for _, c := range []struct {
		name string
		v    []float64
	}{{"open", s.Open}, {"high", s.High}, {"low", s.Low}, {"close", s.Close}, {"volume", s.Volume}} {
		b := make([]byte, 0, 8*rows)
		for _, x := range c.v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
		if err := os.WriteFile(filepath.Join(data, c.name+".f64"), b, 0o644); err != nil {
			return err
		}
	}
	cal, err := calendar.ByName(calendar.Always)
	if err != nil {
		return err
	}
	r := &feature.Registry{}
	if err := feature.Register(r); err != nil {
		return err
	}
	debug.SetGCPercent(-1)          // no collector inside a timed run
	columns := make([][]float64, 3) // reused, as the C library's allocator does for the Python package
	for j := range columns {
		columns[j] = make([]float64, rows)
		for i := range columns[j] {
			columns[j][i] = 1 // the pages are there
		}
	}
	times := map[string]float64{}
	for _, v := range indicators {
		best := math.Inf(1)
		for range runs {
			k, err := r.New(v.spec, feature.Env{Timeframe: bar.Minute, Calendar: cal})
			if err != nil {
				return err
			}
			start, err := cpuSeconds()
			if err != nil {
				return err
			}
			k.PushBlock(s, 0, rows, columns[:len(k.Names())])
			end, err := cpuSeconds()
			if err != nil {
				return err
			}
			best = min(best, end-start)
		}
		times[v.name] = best
	}
	b, err := json.Marshal(times)
	if err != nil {
		return err
	}
	return os.WriteFile(out, b, 0o644)
}

// cpuSeconds is the processor time that this process has used; other work on
// the machine does not count.
func cpuSeconds() (float64, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6, nil
}

// bars is a random walk in ticks of 0.01.
func bars(n int) *bar.Series {
	r := rng.New(1).Stream("bench/features").Rand()
	s := bar.NewSeries(bar.Minute, n)
	price := 1000.0
	tick := func(x float64) float64 { return math.Round(x*100) / 100 }
	for i := range n {
		b := bar.Bar{Begin: int64(i) * int64(bar.Minute), Open: tick(price)}
		price *= math.Exp(4e-4 * r.NormFloat64())
		b.End, b.Close = b.Begin+int64(bar.Minute), tick(price)
		b.Known = b.End
		b.High = tick(max(b.Open, b.Close) * math.Exp(math.Abs(2e-4*r.NormFloat64())))
		b.Low = tick(min(b.Open, b.Close) * math.Exp(-math.Abs(2e-4*r.NormFloat64())))
		b.Volume = math.Ceil(100 * math.Exp(r.NormFloat64()))
		s.Append(&b)
	}
	return s
}
