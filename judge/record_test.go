package judge_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/judge"
)

func TestReadReturns(t *testing.T) {
	for _, c := range []struct {
		name, text string
		days       []int32
		returns    []float64
		benchmark  []float64
		notes      int
	}{
		{"plain", "date,return\n1970-01-02,0.01\n1970-01-05,-0.02\n", []int32{1, 4}, []float64{.01, -.02}, nil, 0},
		{"no last newline, CRLF, BOM", "\ufeffDate,Return\r\n1970-01-02,0.01\r\n1970-01-05,-2e-2", []int32{1, 4}, []float64{.01, -.02}, nil, 0},
		{"semicolons, benchmark, other columns", "n;Day;pnl_pct;Benchmark Return\n7;1970/01/02;1.5%;0.1%\n8;19700103;−0.5 %;0\n", []int32{1, 2}, []float64{.015, -.005}, []float64{.001, 0}, 0},
		{"tabs and RFC 3339", "timestamp\tret\n1970-01-02T23:59:59Z\t0.5\n1970-01-03T01:00:00+02:00\t0.25\n", []int32{1}, []float64{.75}, nil, 1},
		{"epoch seconds", "time,returns\n1600000000,0.1\n1600086400,0.2\n", []int32{18518, 18519}, []float64{.1, .2}, nil, 0},
		{"epoch milliseconds", "time,returns\n1600000000000,0.1\n", []int32{18518}, []float64{.1}, nil, 0},
		{"epoch microseconds", "time,returns\n1600000000000000,0.1\n", []int32{18518}, []float64{.1}, nil, 0},
		{"epoch nanoseconds", "time,returns\n1600000000000000000,0.1\n", []int32{18518}, []float64{.1}, nil, 0},
		{"pct_change leaves the first row empty", "date,pct_change\n1970-01-02,\n1970-01-03,0.1\n", []int32{2}, []float64{.1}, nil, 1},
		{"decimal commas and semicolons", "date;return;benchmark\n1970-01-02;0,012;1\n1970-01-03;-0,5%;0,1\n", []int32{1, 2}, []float64{.012, -.005}, []float64{1, .1}, 1},
		{"decimal commas and tabs", "date\treturn\n1970-01-02\t-0,012\n", []int32{1}, []float64{-.012}, nil, 1},
		{"decimal commas in quotes", "date,return\n1970-01-02,\"0,012\"\n", []int32{1}, []float64{.012}, nil, 1},
		{"before 1970", "date,return\n1969-12-31,0.1\n", []int32{-1}, []float64{.1}, nil, 0},
		{"net beats gross", "date,return,net_return\n1970-01-02,0.2,0.1\n", []int32{1}, []float64{.1}, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := judge.ReadReturns(strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Days, c.days) || !slices.Equal(r.Returns, c.returns) || !slices.Equal(r.Benchmark, c.benchmark) || len(r.Notes) != c.notes {
				t.Errorf("got %v %v %v %q", r.Days, r.Returns, r.Benchmark, r.Notes)
			}
		})
	}
}

func TestReadReturnsRefuses(t *testing.T) {
	prices := "date,returns\n"
	for i := range 20 {
		prices += fmt.Sprintf("2020-01-%02d,%g\n", i+1, 0.91+0.001*float64(i))
	}
	for _, c := range []struct{ name, text, say string }{
		{"empty", "", "is empty"},
		{"header only", "date,return\n", "a header and no rows"},
		{"no date", "return\n0.1\n", "no date column"},
		{"no return", "date,foo\n1970-01-02,1\n", "no return column"},
		{"prices", "date,close\n1970-01-02,101\n", `"close" holds prices or equity`},
		{"equity", "date,Equity\n1970-01-02,101\n", `"Equity" holds prices or equity`},
		{"prices called returns", "date,return\n1970-01-02,101.5\n", `row 2, column "return": 101.5 is more than 100 %`},
		{"prices, many", "date,return\n1970-01-02,101.5\n1970-01-03,99\n1970-01-04,104\n", "looks like prices or equity (3 values from 99 to 104, all positive): turn it into returns, each value over the one before, minus 1"},
		{"prices after a start of 1", "date,return\n1970-01-02,1\n1970-01-03,1.01\n1970-01-04,1.2\n", "row 3, column \"return\": 1.01 is more than 100 % in one period: the column looks like prices or equity (3 values from 1 to 1.2"},
		{"per cent", "date,return\n1970-01-02,0.5\n1970-01-03,-1.2\n1970-01-04,2.5\n", "looks like per cent (3 values from -1.2 to 2.5): divide it by 100"},
		{"money", "date,pnl_pct\n1970-01-02,1250.5\n1970-01-03,-980\n", "looks like money (2 values from -980 to 1250.5): divide it by the capital"},
		{"thousands", "date;return\n1970-01-02;1.234,5\n", `"1.234,5" is not a finite number; write it without separators of thousands`},
		{"a comma for thousands", "date;return\n1970-01-02;1,234\n1970-01-03;1,250\n", "looks like prices or equity (2 values from 1.234 to 1.25"},
		{"decimal commas and commas", "date,return\n2020-01-02,0,012\n", "row 2 has 3 columns, the header has 2; if a comma marks decimals (0,012), write points or put semicolons between the columns"},
		{"small prices called returns", prices, "looks like prices"},
		{"text", "date,return\n1970-01-02,0.1\n1970-01-03,abc\n", `row 3, column "return": "abc" is not a finite number`},
		{"NaN", "date,return\n1970-01-02,0.1\n1970-01-03,NaN\n", `row 3`},
		{"infinite", "date,return\n1970-01-02,inf\n", `row 2`},
		{"empty cell later", "date,return\n1970-01-02,0.1\n1970-01-03,\n", `row 3`},
		{"American date", "date,return\n01/02/2020,0.1\n", "day and month order is never guessed"},
		{"bad date", "date,return\n2020-02-30,0.1\n", `row 2, column "date"`},
		{"small number as date", "date,return\n12345,0.1\n", "is not a date"},
		{"year 3000", "date,return\n3000-01-01,0.1\n", "outside 1900 to 2200"},
		{"unsorted", "date,return\n2020-01-02,0.1\n2020-01-01,0.1\n", "row 3: 2020-01-01 comes after 2020-01-02"},
		{"ragged", "date,return\n2020-01-02,0.1,7\n", "row 2 has 3 columns, the header has 2"},
		{"bad benchmark", "date,return,benchmark\n2020-01-02,0.1,x\n", `column "benchmark"`},
		{"bare quote", "date,return\n2020-01-02,0.1\"\n", "read returns"},
	} {
		_, err := judge.ReadReturns(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: error %v, want one saying %q", c.name, err, c.say)
		}
	}
}

// Whatever the bytes, the reader gives an error or a record that FromReturns
// can judge into plain JSON; it never panics.
func FuzzReadReturns(f *testing.F) {
	f.Add("date,return\n1970-01-02,0.01\n1970-01-05,-0.02\n")
	f.Add("Day;pnl_pct;Benchmark\n1970/01/02;1.5%;0.1%\n19700103;−0.5 %;0\n")
	f.Add("date;ret\n1970-01-02;0,01\n1970-01-05;-12,5\n1970-01-06;3\n")
	f.Add("time,ret\n1600000000,0\n1600000001,1e-320\n1600086400,0.5\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := judge.ReadReturns(strings.NewReader(text))
		if err != nil {
			return
		}
		c := judge.Default()
		c.BootstrapDraws = 5
		v, err := judge.FromReturns(c, r, judge.Declared{Trials: 3})
		if err != nil {
			return
		}
		if _, err := json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	})
}

func ownRecord(n int, sharpe float64) judge.Record {
	return judge.Record{Name: "mine", Days: days(n), Returns: series(n, sharpe, 0), PeriodsPerYear: 252}
}

func TestFromReturns(t *testing.T) {
	c := judge.Default()
	c.BootstrapDraws = 50
	run := func(r judge.Record, d judge.Declared) judge.Verdict {
		t.Helper()
		v, err := judge.FromReturns(c, r, d)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(v); err != nil || strings.Contains(string(b), "NaN") {
			t.Fatalf("%v %s", err, b)
		}
		return v
	}
	r := ownRecord(756, 2)
	one := run(r, judge.Declared{Trials: 1})
	if one.Status != judge.Pass || one.DSR != one.PSR {
		t.Errorf("Sharpe 2 over 3 years, one trial: %s, DSR %v, PSR %v", one.Status, one.DSR, one.PSR)
	}
	forty := run(r, judge.Declared{Trials: 40})
	s, err := judge.NewSample(r.Returns)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "DSR of 40 independent trials", float64(forty.DSR), num(t)(judge.DSR(s, 40, 1.0/756)), 1e-15)
	if forty.Status != judge.NotEnoughEvidence || !strings.Contains(strings.Join(forty.Caveats, "\n"), "assumed: independent trials without skill") {
		t.Errorf("40 trials: %s, caveats %q", forty.Status, forty.Caveats)
	}
	half := 0.5
	declared := run(r, judge.Declared{Trials: 40, VarianceAnnual: &half})
	near(t, "declared variance", float64(declared.DSR), num(t)(judge.DSR(s, 40, half/252)), 1e-15)
	corr := run(r, judge.Declared{Trials: 40, MeanCorrelation: .75})
	near(t, "declared correlation", float64(corr.DSR), num(t)(judge.DSR(s, 40, .25/756)), 1e-15)

	// With a benchmark the excess must show the edge, too.
	r.Benchmark = r.Returns
	if v := run(r, judge.Declared{Trials: 1}); v.Status != judge.Fail {
		t.Errorf("a record that is its benchmark: %s", v.Status)
	}
	r.Benchmark = series(756, 0, 4)
	r.Returns = series(756, 4, 0)
	if v := run(r, judge.Declared{Trials: 1}); v.Status != judge.Pass || !v.ExcessDSR.Exists() {
		t.Errorf("a record above its benchmark: %s", v.Sentence)
	}
	// Short, flat and tiny records.
	for n, want := range map[int]judge.Status{0: judge.NotEnoughEvidence, 1: judge.NotEnoughEvidence, 2: judge.NotEnoughEvidence, 60: judge.NotEnoughEvidence} {
		x := judge.Record{Days: days(n), Returns: make([]float64, n)}
		for i := range x.Returns {
			x.Returns[i] = .01 * float64(i%3)
		}
		if n == 1 {
			x.Returns[0] = .01
		}
		if v := run(x, judge.Declared{Trials: 5}); v.Status != want {
			t.Errorf("%d periods: %s: %s", n, v.Status, v.Sentence)
		}
	}
	// A monthly record has no days.
	m := judge.Record{Days: days(150), Returns: series(150, 2, 0), PeriodsPerYear: 12}
	if v := run(m, judge.Declared{Trials: 1}); reason(t, v, judge.GateDays).Text != "150 periods out of sample, 120 asked" ||
		reason(t, v, judge.GateTraded).Text != "150 of 150 periods have a return" {
		t.Errorf("a monthly record: %+v", v.Reasons)
	}
	if v := run(judge.Record{Days: days(300), Returns: make([]float64, 300)}, judge.Declared{Trials: 1}); v.Status != judge.Fail {
		t.Errorf("flat record: %s", v.Status)
	}
	for name, d := range map[string]judge.Declared{"no trials": {}, "correlation 2": {Trials: 2, MeanCorrelation: 2}, "negative variance": {Trials: 2, VarianceAnnual: func() *float64 { x := -1.0; return &x }()}} {
		if _, err := judge.FromReturns(c, r, d); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

func TestInferPeriods(t *testing.T) {
	near(t, "every day", judge.InferPeriods(days(1000)), 365.2425, 1e-9)
	var business, monthly []int32
	for d := int32(18000); d < 18000+7*52*4; d++ {
		if d%7 < 5 {
			business = append(business, d)
		}
		if d%30 == 0 {
			monthly = append(monthly, d)
		}
	}
	near(t, "five days a week", judge.InferPeriods(business), 260.9, .6)
	near(t, "monthly", judge.InferPeriods(monthly), 12.17, .01)
	if !math.IsNaN(judge.InferPeriods(days(1))) {
		t.Error("one date has no frequency")
	}
}
