package feature_test

import (
	"archive/zip"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/internal/floats"
	"github.com/mlfactory/mlfactory/internal/shareddata"
)

// member reads one file of a zip of reference values.
func member(t *testing.T, archive, name string) []byte {
	t.Helper()
	z, err := zip.OpenReader(shareddata.Path(t, archive))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// table reads comma-separated columns of numbers; an empty cell is NaN.
func table(t *testing.T, raw []byte) map[string][]float64 {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(string(raw))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float64{}
	for _, row := range rows[1:] {
		for j, cell := range row {
			x, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
			if err != nil {
				x = math.NaN()
			}
			name := strings.ToLower(strings.TrimSpace(rows[0][j]))
			out[name] = append(out[name], x)
		}
	}
	return out
}

func seriesOf(v map[string][]float64) *bar.Series {
	volume := v["volume"]
	if volume == nil {
		volume = make([]float64, len(v["close"]))
	}
	return daily(v["open"], v["high"], v["low"], v["close"], volume)
}

// TestValuesEqualSkender compares with the results that Stock.Indicators for
// .NET (Skender) publishes for 502 days of SPY.
func TestValuesEqualSkender(t *testing.T) {
	const archive = "ref_indicators_skender.zip"
	s := seriesOf(table(t, member(t, archive, "quotes/default.csv")))
	r := registry(t)
	for _, v := range []struct {
		file, field string
		spec        feature.Spec
		column      int
		skip        int // values after the first that are not compared
	}{
		{"rsi", "rsi", feature.Spec{Name: "rsi"}, 0, 0},
		{"sma", "sma", feature.Spec{Name: "sma"}, 0, 0},
		{"ema", "ema", feature.Spec{Name: "ema"}, 0, 0},
		{"bb", "percentB", feature.Spec{Name: "bollinger"}, 0, 0},
		{"bb", "width", feature.Spec{Name: "bollinger"}, 1, 0},
		{"mfi", "mfi", feature.Spec{Name: "mfi"}, 0, 0},
		{"cci", "cci", feature.Spec{Name: "cci"}, 0, 0},
		{"cmf", "cmf", feature.Spec{Name: "cmf"}, 0, 0},
		{"roc", "roc", feature.Spec{Name: "roc", Params: map[string]float64{"lag": 14}}, 0, 0},
		{"willr", "williamsR", feature.Spec{Name: "williams_r"}, 0, 0},
		{"atr", "atr", feature.Spec{Name: "atr"}, 0, 0},
		{"atr", "atrp", feature.Spec{Name: "atr_pct"}, 0, 0},
		{"keltner", "width", feature.Spec{Name: "keltner"}, 1, 0},
		{"stoch", "oscillator", feature.Spec{Name: "stoch"}, 1, 0}, // their %K is slowed by 3
		// Their MACD begins the fast mean with the first bars, ours and TA-Lib's
		// with the last before the slow mean: the difference has died after 200.
		{"macd", "macd", feature.Spec{Name: "macd_level"}, 0, 200},
		{"macd", "signal", feature.Spec{Name: "macd_level"}, 1, 200},
		{"macd", "histogram", feature.Spec{Name: "macd_level"}, 2, 200},
		// Their ADX begins one bar later than Wilder's and TA-Lib's.
		{"adx", "adx", feature.Spec{Name: "adx"}, 0, 440},
		{"adx", "pdi", feature.Spec{Name: "adx"}, 1, 440},
		{"adx", "mdi", feature.Spec{Name: "adx"}, 2, 440},
	} {
		t.Run(v.file+"."+v.field, func(t *testing.T) {
			var rows []map[string]any
			if err := json.Unmarshal(member(t, archive, "results/"+v.file+".standard.json"), &rows); err != nil {
				t.Fatal(err)
			}
			_, out := values(t, r, v.spec, s)
			seen := 0
			for i, row := range rows {
				want, ok := row[v.field].(float64)
				if !ok {
					continue
				}
				got := out[v.column][i]
				if seen++; seen > v.skip && got == got {
					// Both are double precision; 1e-9 leaves room for their running sums.
					floats.Check(t, got, want, floats.Rel(1e-9).Or(floats.Abs(1e-9)), "bar %d", i)
				}
			}
			if seen <= v.skip+20 {
				t.Fatalf("only %d values in the reference", seen)
			}
		})
	}
}

// TestValuesEqualLean compares with the files that QuantConnect LEAN tests its
// own indicators with; they were made by charting packages and TA-Lib and are
// rounded.
func TestValuesEqualLean(t *testing.T) {
	const archive = "ref_indicators_lean.zip"
	r := registry(t)
	w := func(n float64) map[string]float64 { return map[string]float64{"window": n} }
	for _, v := range []struct {
		file, field string
		spec        feature.Spec
		column      int
		tolerance   float64
	}{
		{"spy_natr.txt", "natr_5", feature.Spec{Name: "atr_pct", Params: w(5)}, 0, 1e-9},
		{"spy_with_williamsr14.txt", "williams %r 14", feature.Spec{Name: "williams_r"}, 0, 1e-3},
		{"spy_mfi.txt", "money flow index 20", feature.Spec{Name: "mfi", Params: w(20)}, 0, 1e-4},
		{"spy_with_stoch12k3.txt", "stochastics 12 %k 3", feature.Spec{Name: "stoch", Params: w(12)}, 1, 1e-4},
		{"spy_cmf.txt", "cmf_20", feature.Spec{Name: "cmf"}, 0, 1e-5},
		{"spy_aroon_oscillator.txt", "aroon oscillator 14", feature.Spec{Name: "aroon", Params: w(14)}, 0, 1e-4},
		{"spy_with_cci.txt", "commodity channel index (cci) 14", feature.Spec{Name: "cci", Params: w(14)}, 0, 1e-3},
		{"spy_bollinger_bands.txt", "%b", feature.Spec{Name: "bollinger"}, 0, 1e-3},
		{"spy_bollinger_bands.txt", "bollinger bands® 20 2 top", feature.Spec{Name: "bollinger_bands"}, 0, 1e-3},
		{"spy_with_indicators.txt", "rsi 14 wilder", feature.Spec{Name: "rsi"}, 0, 1e-4},
		{"spy_with_indicators.txt", "ema14", feature.Spec{Name: "ema", Params: w(14)}, 0, 1e-2},
	} {
		t.Run(v.file+" "+v.field, func(t *testing.T) {
			name := map[string]string{"spy_with_williamsr14.txt": "spy_with_williamsR14.txt"}[v.file]
			if name == "" {
				name = v.file
			}
			columns := table(t, member(t, archive, name))
			for _, price := range []string{"open", "high", "low"} {
				if columns[price] == nil {
					columns[price] = columns["close"]
				}
			}
			_, out := values(t, r, v.spec, seriesOf(columns))
			seen := 0
			for i, want := range columns[v.field] {
				if got := out[v.column][i]; want == want && got == got {
					seen++
					floats.Check(t, got, want, floats.Rel(v.tolerance).Or(floats.Abs(v.tolerance)), "bar %d", i)
				}
			}
			if seen < 50 {
				t.Fatalf("only %d values in the reference", seen)
			}
		})
	}
}

// TestVolatilityOnDollarBars_MlFinLab compares the mean of the estimators over
// the 1,000 sample dollar bars with the means of mlfinlab's. (Its Yang–Zhang
// takes ln(C_t/O_{t−1}) and no means off, and so is another estimator.)
func TestVolatilityOnDollarBars_MlFinLab(t *testing.T) {
	raw, err := os.ReadFile(shareddata.Path(t, "ref_afml/sample_dollar_bars.csv"))
	if err != nil {
		t.Fatal(err)
	}
	s := seriesOf(table(t, raw))
	r := registry(t)
	for _, v := range []struct {
		name string
		want float64
	}{{"garman_klass", .0014826110}, {"parkinson", .0014999747}} {
		_, out := values(t, r, feature.Spec{Name: v.name}, s)
		sum, n := 0.0, 0
		for _, x := range out[0] {
			if x == x {
				sum += x / math.Sqrt(365) // not annualised
				n++
			}
		}
		floats.Check(t, sum/float64(n), v.want, floats.Abs(1e-10), "%s over %d bars", v.name, n)
	}
}
