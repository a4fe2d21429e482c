package feature_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/feature/featuretest"
	"github.com/mlfactory/mlfactory/internal/floats"
)

// daily makes session bars of given prices, in one segment.
func daily(open, high, low, close, volume []float64) *bar.Series {
	s := bar.NewSeries(bar.Session, len(close))
	begin := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for i := range close {
		b := bar.Bar{Begin: begin, End: begin + int64(bar.Session), Open: open[i], High: high[i], Low: low[i], Close: close[i], Volume: volume[i],
			Session: int32(begin / int64(bar.Session)), Flags: bar.SessionStart | bar.SessionEnd}
		b.Known, begin = b.End, b.End
		s.Append(&b)
	}
	return s
}

// values runs one kernel over a series of session bars of a continuous market.
func values(t testing.TB, r *feature.Registry, spec feature.Spec, s *bar.Series) (feature.Kernel, [][]float64) {
	t.Helper()
	k, err := r.New(spec, feature.Env{Timeframe: s.Timeframe, Calendar: cal(t, calendar.Always)})
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, len(k.Names()))
	for j := range out {
		out[j] = make([]float64, s.Len())
	}
	k.PushBlock(s, 0, s.Len(), out)
	return k, out
}

func TestValuesEqualTALib(t *testing.T) {
	raw, err := os.ReadFile("testdata/golden/talib.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Bars   struct{ Open, High, Low, Close, Volume []float64 }
		Series []struct {
			Function, Entry string
			Params          map[string]float64
			Column          int
			Tolerance       float64
			Values          []*float64
		}
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	b := golden.Bars
	s := daily(b.Open, b.High, b.Low, b.Close, b.Volume)
	r := registry(t)
	for _, g := range golden.Series {
		t.Run(g.Function, func(t *testing.T) {
			k, out := values(t, r, feature.Spec{Name: g.Entry, Params: g.Params}, s)
			first := 0
			for i, want := range g.Values {
				if want == nil {
					first = i + 1
					continue
				}
				// TA-Lib's own error, chiefly of its running sums, is the bound.
				floats.Check(t, out[g.Column][i], *want, floats.Rel(g.Tolerance).Or(floats.Abs(g.Tolerance)), "bar %d", i)
			}
			if got := out[g.Column]; first > 0 && !math.IsNaN(got[first-1]) && g.Entry != "stoch" {
				// STOCHF holds %K back until %D is there; we do not.
				t.Errorf("the value at bar %d is %v, the reference has none", first-1, got[first-1])
			}
			if g.Column == 0 && g.Entry != "stoch" && k.First() != first+1 {
				t.Errorf("First is %d, the reference begins with bar %d", k.First(), first+1)
			}
		})
	}
}

// TestMACDInUnitsOfATR ties the scale-free feature to the tested levels.
func TestMACDInUnitsOfATR(t *testing.T) {
	r := registry(t)
	s, err := featuretestBars(t)
	if err != nil {
		t.Fatal(err)
	}
	_, units := values(t, r, feature.Spec{Name: "macd"}, s)
	_, level := values(t, r, feature.Spec{Name: "macd_level"}, s)
	_, atr := values(t, r, feature.Spec{Name: "atr"}, s)
	_, dist := values(t, r, feature.Spec{Name: "dist_sma"}, s)
	_, sma := values(t, r, feature.Spec{Name: "sma"}, s)
	_, ema := values(t, r, feature.Spec{Name: "ema", Params: map[string]float64{"window": 21}}, s)
	_, distE := values(t, r, feature.Spec{Name: "dist_ema"}, s)
	for i := 40; i < s.Len(); i++ {
		for j := range units {
			floats.Check(t, units[j][i]*atr[0][i], level[j][i], floats.Abs(1e-9), "macd %d bar %d", j, i)
		}
		floats.Check(t, dist[0][i]*atr[0][i], s.Close[i]-sma[0][i], floats.Abs(1e-9), "dist_sma bar %d", i)
		floats.Check(t, distE[0][i]*atr[0][i], s.Close[i]-ema[0][i], floats.Abs(1e-9), "dist_ema bar %d", i)
	}
}

// TestBollingerKeepsItsDigitsAt1e8 is the case where sums of x and x², the
// method of TA-Lib before 0.8, lose every digit of the deviation.
func TestBollingerKeepsItsDigitsAt1e8(t *testing.T) {
	r := registry(t)
	close := make([]float64, 200)
	for i := range close {
		close[i] = 1e8 + 5e-4*float64(1-2*(i%2))
	}
	s := daily(close, close, close, close, close)
	_, dev := values(t, r, feature.Spec{Name: "stddev"}, s)
	_, bands := values(t, r, feature.Spec{Name: "bollinger"}, s)
	step := close[0] - close[1] // what the prices really differ by, 1.3e-5 less than 1e-3
	var sum, squares float64
	for _, x := range close[:20] {
		sum += x
		squares += x * x
	}
	if naive := math.Sqrt(max(0, squares/20-sum/20*sum/20)); math.Abs(naive-5e-4) < 1e-4 {
		t.Errorf("sums of squares give %v, so this series proves nothing", naive)
	}
	for i := 19; i < len(close); i++ {
		floats.Check(t, dev[0][i], step/2, floats.Rel(1e-9), "deviation at bar %d", i)
		floats.Check(t, dev[0][i], 5e-4, floats.Rel(1e-4), "deviation at bar %d", i)
		floats.Check(t, bands[1][i], 4*step/2/1e8, floats.Rel(1e-9), "width at bar %d", i)
		floats.Check(t, bands[0][i], 0.5+0.25*float64(1-2*(i%2)), floats.Abs(1e-4), "position at bar %d", i)
	}
}

// featuretestBars are generated session bars of a continuous market.
func featuretestBars(t testing.TB) (*bar.Series, error) {
	return featuretest.Bars(3, 400, bar.Session, cal(t, calendar.Always))
}
