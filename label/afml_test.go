package label_test

import (
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/cost"
	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/view"
)

// table reads a CSV file, gzipped or not, into columns.
func table(t *testing.T, name string) map[string][]string {
	t.Helper()
	f, err := os.Open(shareddata.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for j, name := range rows[0] {
		for _, row := range rows[1:] {
			out[name] = append(out[name], row[j])
		}
	}
	return out
}

func instant(t *testing.T, text string) int64 {
	t.Helper()
	x, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return x.UnixNano()
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// prints turns a column of closes into a series of prints: each a bar of one nanosecond with one price, which is how the
// reference sees the market (close to close).
func prints(t *testing.T, stamps, closes []string) *bar.Series {
	t.Helper()
	s := bar.NewSeries(bar.Native, len(stamps))
	for i := range stamps {
		at, c := instant(t, stamps[i]), number(t, closes[i])
		s.Append(&bar.Bar{Begin: at, End: at + 1, Known: at + 1, Open: c, High: c, Low: c, Close: c})
	}
	return s
}

type reference struct {
	name                 string
	bars, events, filter string
	threshold            float64
}

func references() []reference {
	return []reference{
		{"sample", "ref_afml/sample_dollar_bars.csv", "ref_afml/sample_events.csv", "ref_afml/sample_cusum_events.csv", 0.02},
		{"es", "es_dollar_bars_2015_2016.csv.gz", "ref_afml/es_events.csv.gz", "ref_afml/es_cusum_events.csv", 0.005},
	}
}

func TestCUSUM_Mlfinpy(t *testing.T) {
	for _, x := range references() {
		b := table(t, x.bars)
		want := table(t, x.filter)["t"]
		logs := make([]float64, len(b["close"]))
		for i, c := range b["close"] {
			logs[i] = math.Log(number(t, c))
		}
		got, err := label.CUSUM(logs, []float64{x.threshold})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %d events, want %d", x.name, len(got), len(want))
		}
		for k, i := range got {
			if instant(t, b["date_time"][i]) != instant(t, want[k]) {
				t.Fatalf("%s: event %d is at %s, want %s", x.name, k, b["date_time"][i], want[k])
			}
		}
	}
}

// The reference enters and leaves at closes and pays nothing. Over prints, without latency, cost and tick, our stop and
// expiry fill at the same closes; our profit-take is a limit and fills at its own level instead of the next close. So the
// returns are compared through the side that is stopped or expires, and the ends of all labels exactly.
func TestTriple_Mlfinpy(t *testing.T) {
	for _, x := range references() {
		b, e := table(t, x.bars), table(t, x.events)
		in := label.Input{Base: prints(t, b["date_time"], b["close"]), Clock: always{}, Timeframe: bar.Hour,
			Cost: &cost.Model{PointValue: 1, Multiplier: 1}}
		for i := range e["t0"] {
			in.Decisions = append(in.Decisions, instant(t, e["t0"][i]))
			in.Width = append(in.Width, number(t, e["trgt"][i]))
		}
		cfg := config()
		cfg.Horizon, cfg.Latency, cfg.EntryLimit = 24, 0, 0
		set := triple(t, in, cfg, 1)
		compared, expired := 0, 0
		for i := range in.Decisions {
			if e["t1"][i] == "" {
				if set.Valid[i] {
					t.Errorf("%s row %d: the reference finds no end, ours is valid", x.name, i)
				}
				continue
			}
			if !set.Valid[i] {
				t.Fatalf("%s row %d: %s", x.name, i, set.Why[i])
			}
			end := max(set.Long.ExitTime[i], set.Short.ExitTime[i])
			ret, gross := number(t, e["ret"][i]), set.Long.Gross[i]
			if set.Long.Exit[i] == label.ProfitTake {
				gross = -set.Short.Gross[i]
			}
			if set.Long.Exit[i] != label.Expiry {
				end-- // fills inside a bar are stamped with its End
			} else {
				expired++
			}
			if want := instant(t, e["t1"][i]); end != want {
				t.Fatalf("%s row %d at %s: ended at %s, want %s", x.name, i, e["t0"][i], time.Unix(0, end).UTC(), e["t1"][i])
			}
			if math.Abs(gross-ret) > 1e-12 {
				t.Fatalf("%s row %d: return %v, want %v", x.name, i, gross, ret)
			}
			class := 0.0
			if math.Abs(ret) > in.Width[i] { // the reference: 0 when the vertical barrier came first
				class = math.Copysign(1, ret)
			}
			if want := number(t, e["bin"][i]); class != want {
				t.Fatalf("%s row %d: class %v, want %v", x.name, i, class, want)
			}
			compared++
		}
		t.Logf("%s: %d labels equal, %d of them at the vertical barrier", x.name, compared, expired)
		if compared < 6 || expired == 0 || compared == expired {
			t.Errorf("%s: %d labels compared, %d expired: the comparison is thin", x.name, compared, expired)
		}
	}
}

// The reference counts bars, both ends included: a label over positions a..b is alive on [a, b+1).
func TestUniqueness_Mlfinpy(t *testing.T) {
	for _, x := range references() {
		b, e := table(t, x.bars), table(t, x.events)
		at := map[int64]int64{}
		for i, s := range b["date_time"] {
			at[instant(t, s)] = int64(i)
		}
		var spans []view.Span
		var want []float64
		for i := range e["t0"] {
			if e["t1"][i] == "" || e["uniqueness"][i] == "" {
				continue
			}
			spans = append(spans, view.Span{Decision: at[instant(t, e["t0"][i])], Outcome: at[instant(t, e["t1"][i])] + 1})
			want = append(want, number(t, e["uniqueness"][i]))
		}
		u := label.Uniqueness(spans)
		for i := range want {
			if math.Abs(u[i]-want[i]) > 1e-12 {
				t.Fatalf("%s row %d: uniqueness %v, want %v", x.name, i, u[i], want[i])
			}
		}
		decay, err := label.TimeDecay(spans, u, 0.5)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := 0, 0; i < len(e["t0"]); i++ {
			if e["t1"][i] == "" || e["uniqueness"][i] == "" {
				continue
			}
			if w := number(t, e["w_decay_0.5"][i]); math.Abs(decay[k]-w) > 1e-12 {
				t.Fatalf("%s row %d: decay %v, want %v", x.name, i, decay[k], w)
			}
			k++
		}
		t.Logf("%s: %d values equal", x.name, len(want))
	}
}
