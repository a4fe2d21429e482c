package report_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/frame"
	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/report"
	"github.com/mlfactory/mlfactory/store"
	"github.com/mlfactory/mlfactory/view"
)

var update = flag.Bool("update", false, "write docs/summary.md anew")

func folder(t *testing.T, dir string, files []store.File) map[string][]byte {
	t.Helper()
	if err := store.WriteRunFolder(dir, files); err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Name)))
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = b
	}
	return out
}

func TestFiles(t *testing.T) {
	outs := three(t)
	got := folder(t, t.TempDir(), report.Files(outs, []byte(recipeText)))
	want := []string{"recipe.yaml", "report.html", "summary.json", "edge/features.parquet", "edge/labels.parquet", "edge/unlabelled.parquet", "edge/predictions.parquet",
		"edge/trades.parquet", "edge/daily.parquet", "edge/data_report.json", "edge/ledger.json", "short/labels.parquet", "short/unlabelled.parquet", "short/data_report.json"}
	for _, name := range want {
		if len(got[name]) == 0 {
			t.Errorf("%s is missing or empty", name)
		}
	}
	for _, name := range []string{"short/trades.parquet", "short/features.parquet", "short/ledger.json", "timing.json"} {
		if _, ok := got[name]; ok {
			t.Errorf("%s should not be there", name)
		}
	}

	t.Run("deterministic", func(t *testing.T) {
		again := folder(t, t.TempDir(), report.Files(outs, []byte(recipeText)))
		for name, b := range got {
			if !bytes.Equal(b, again[name]) {
				t.Errorf("%s differs from one time to the next", name)
			}
		}
	})
	t.Run("digests", func(t *testing.T) {
		var s report.Summary
		if err := json.Unmarshal(got["summary.json"], &s); err != nil {
			t.Fatal(err)
		}
		if len(s.Files) != len(got)-1 {
			t.Errorf("%d files listed, want all %d but the summary itself", len(s.Files), len(got)-1)
		}
		for _, f := range s.Files {
			sum := sha256.Sum256(got[f.Name])
			if f.SHA256 != hex.EncodeToString(sum[:]) || f.Bytes != int64(len(got[f.Name])) {
				t.Errorf("%s: summary says %d bytes, %s", f.Name, f.Bytes, f.SHA256)
			}
		}
		// Written alone, the summary is the same.
		files := report.Files(outs, []byte(recipeText))
		var alone bytes.Buffer
		if err := files[len(files)-1].Write(&alone); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(alone.Bytes(), got["summary.json"]) {
			t.Error("summary.json depends on whether the other files were written first")
		}
	})
	t.Run("frames", func(t *testing.T) {
		o := outs[0]
		read := func(name string) *frame.Frame {
			f, err := frame.ReadParquet(bytes.NewReader(got[name]), int64(len(got[name])))
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		if f := read("edge/features.parquet"); f.Rows() != len(o.Decisions) || len(f.Columns) != o.Table.P || f.Time[5] != o.Decisions[5] || f.Columns[0].Float32[len(o.Decisions)/2+3] != o.Table.Col(0)[len(o.Decisions)/2+3] {
			t.Error("features differ from the table")
		}
		l, u := read("edge/labels.parquet"), read("edge/unlabelled.parquet")
		if l.Rows()+u.Rows() != o.Labels.Len() || u.Rows() == 0 {
			t.Errorf("%d + %d labels of %d decisions", l.Rows(), u.Rows(), o.Labels.Len())
		}
		for i, r := range l.Column("row").Int32 {
			if l.Column("class").Int8[i] != o.Labels.Class[r] || l.Column("long_net").Float64[i] != o.Labels.Long.Net[r] || l.Time[i] != o.Decisions[r] {
				t.Fatalf("label %d differs", i)
			}
		}
		p := read("edge/predictions.parquet")
		traded := 9*len(o.Decisions)/10 - len(o.Decisions)/2
		if p.Rows() != 2*(traded+100) {
			t.Errorf("%d predictions", p.Rows())
		}
		for i, scheme := range p.Column("scheme").String { // the k-fold's come first in time
			want := "walk_forward"
			if i < 200 {
				want = "kfold"
			}
			if e := p.Column("expected_net").Float64[i]; scheme != want || (e != e) != (scheme == "kfold") || scheme == "kfold" && p.Column("side").Int8[i] != 0 || p.Time[i] != o.Decisions[p.Column("row").Int32[i]] {
				t.Fatalf("prediction %d: %s, side %d, expected %v", i, scheme, p.Column("side").Int8[i], e)
			}
		}
		for i := 0; i < p.Rows(); i += 2 {
			if p.Column("strategy").String[i] != "logistic" || p.Column("strategy").String[i+1] != "stack" || p.Time[i] != p.Time[i+1] {
				t.Fatalf("predictions %d: not one per strategy and decision", i)
			}
		}
		net := map[string]float64{}
		tr := read("edge/trades.parquet")
		for i, x := range tr.Column("net").Float64 {
			net[tr.Column("strategy").String[i]] += x
		}
		d := read("edge/daily.parquet")
		for i, x := range d.Column("net").Float64 {
			net[d.Column("strategy").String[i]] -= x
		}
		for name, x := range net {
			if x > 1e-12 || x < -1e-12 {
				t.Errorf("%s: trades and days differ by %g", name, x)
			}
		}
		if tr.Rows() != len(o.Strategy[0].Record.Trades)+len(o.Strategy[1].Record.Trades) || len(net) != 2 {
			t.Errorf("%d trades of %d strategies", tr.Rows(), len(net))
		}
	})
}

func TestSummary(t *testing.T) {
	outs := three(t)
	b, err := report.Summarize(outs).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Schema string
		Runs   []struct {
			Market  string
			Verdict struct {
				Status  string
				Reasons []struct{ Gate, Text string }
			}
			Judge struct {
				DSR    *float64
				Trials int
				Ledger string
			}
			Sharpe struct{ Value, Low, High *float64 } `json:"net_sharpe_annual"`
			OOF    map[string]struct{ LogLoss, Skill float64 }
			Bets   int
		}
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	r := s.Runs[0]
	o := outs[0]
	switch {
	case s.Schema != "mlfactory.summary/1", len(s.Runs) != 3, r.Market != "edge":
		t.Errorf("schema %q, %d runs, first %q", s.Schema, len(s.Runs), r.Market)
	case r.Verdict.Status != string(o.Verdict.Status), len(r.Verdict.Reasons) != len(o.Verdict.Reasons), r.Judge.Trials != 2, r.Judge.Ledger != o.Ledger.Digest:
		t.Errorf("verdict %+v, judge %+v", r.Verdict, r.Judge)
	case *r.Judge.DSR != float64(o.Verdict.DSR), *r.Sharpe.Value != float64(o.Verdict.SharpeAnnual.Value), *r.Sharpe.Low >= *r.Sharpe.High, r.Bets != len(o.Strategy[1].Record.Trades):
		t.Errorf("numbers %+v", r)
	case r.OOF["stack"].LogLoss != 0.748, r.OOF["stack"].Skill != 0.002:
		t.Errorf("oof %+v", r.OOF)
	}
	if x := s.Runs[1]; x.Verdict.Status != "not_enough_evidence" || x.Sharpe.Value != nil || x.Judge.DSR != nil {
		t.Errorf("a refused run has numbers: %+v", x)
	}
	if strings.Contains(string(b), "NaN") || strings.Contains(string(b), `"reasons": null`) {
		t.Error("a list is null or a number NaN")
	}
}

// Every key of the JSON is in docs/summary.md, which is made from the code.
func TestSummaryPage(t *testing.T) {
	keys, err := report.Keys()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(`# summary.json

What a run found out, for programs. The file stands in the run folder (--out). Its layout is versioned by the key schema, now ` + "`" + report.Schema + "`" + `: under
one version keys may be added, but none is removed or given another meaning. Returns are fractions of the entry notional, Sharpe ratios annual, instants RFC 3339 in UTC.
A number that does not exist is null. [] stands for every element of a list, * for every key of a map.

<!-- made by go test ./report -run SummaryPage -update -->

| key | type | meaning |
|---|---|---|
`)
	for _, k := range keys {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Path, k.Type, k.Doc)
	}
	const file = "../docs/summary.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || string(have) != b.String() {
		t.Errorf("%s is stale (%v): run go test ./report -run SummaryPage -update", file, err)
	}

	known := map[string]bool{}
	for _, k := range keys {
		known[k.Path] = true
	}
	out, err := report.Summarize(three(t)).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatal(err)
	}
	// A map's keys are not known beforehand; its path ends with a star.
	var walk func(v any, path string)
	walk = func(v any, path string) {
		switch x := v.(type) {
		case map[string]any:
			for k, e := range x {
				p := path + "." + k
				if path == "" {
					p = k
				}
				if known[path+".*"] || known[strings.TrimSuffix(p, "."+k)+".*"] {
					p = strings.TrimSuffix(p, "."+k) + ".*"
				}
				if _, list := e.([]any); list {
					p += "[]"
				}
				if _, obj := e.(map[string]any); !known[p] && (!obj || !known[p+".*"]) {
					t.Errorf("%s is not documented", p)
				}
				walk(e, p)
			}
		case []any:
			for _, e := range x {
				walk(e, path)
			}
		}
	}
	walk(v, "")
}

func page(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, three(t), []byte(recipeText)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// visible is the page without scripts and styles, tags taken away.
func visible(html string) string {
	for _, tag := range []string{"script", "style"} {
		html = regexp.MustCompile(`(?s)<`+tag+`[ >].*?</`+tag+`>`).ReplaceAllString(html, "")
	}
	return regexp.MustCompile(`\s+`).ReplaceAllString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, " "), " ")
}

func TestHTML(t *testing.T) {
	html := page(t)
	text := visible(html)
	for _, want := range []string{"edge", "Refused", "Net Sharpe ratio, a year", "Smallest Sharpe this record can show", "Break-even cost", "paid:", "Bets", "effective n", "Turnover", "By year", "Buy and hold", "Same exposure",
		"Against random entries", "Skill against the class shares", "unopened", "Gates", "Walk-forward steps", "Calibration", "What logistic looks at", "Share of the rise in log-loss", "What idle looks at", "would have been no worse", "Labels", "Data report", "Findings in the bars", "zero volume", "No leak found", "Leak found", "peek@5m",
		"Ledger", "a note of the run", "Nothing was traded", "give more data or fewer folds", "the rule never found a trade"} {
		if want == "Refused" {
			continue
		}
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, bad := range []string{"NaN", "undefined", "Inf", "<nil>", "%!", "ZgotmplZ"} {
		if strings.Contains(text, bad) || bad == "ZgotmplZ" && strings.Contains(html, bad) {
			t.Errorf("the page says %q", bad)
		}
	}
	if strings.Contains(html, "<script>alert") || strings.Contains(html, "invented <costs>") {
		t.Error("text of the user is not escaped")
	}
	if !strings.Contains(text, "alert('no')") && !strings.Contains(text, "alert(&#39;no&#39;)") {
		t.Error("the recipe is missing")
	}
	// Nothing is loaded from anywhere, and the page forbids it.
	for _, m := range regexp.MustCompile(`(?i)\s(?:src|href|action|poster)="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if !strings.HasPrefix(m[1], "#") && m[1] != "https://www.tradingview.com/" {
			t.Errorf("the page refers to %q", m[1])
		}
	}
	if !strings.Contains(html, `content="default-src 'none';`) {
		t.Error("the page may load from the network")
	}
	// The structure holds what a screen reader needs.
	if n, m := strings.Count(html, "<table"), strings.Count(html, "<caption>"); n == 0 || n != m {
		t.Errorf("%d tables, %d captions", n, m)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("id %q twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if !ids[m[1]] {
			t.Errorf("link to #%s leads nowhere", m[1])
		}
	}
	if n := len(html); n > 2<<20 {
		t.Errorf("the page has %d bytes", n)
	}
}

// An opened lockbox is shown, and its record is in the files.
func TestLockbox(t *testing.T) {
	o := traded(t, "edge", 12, 0)
	c := &o.Strategy[1]
	box := *c.Record
	box.Days = nil
	for _, d := range c.Record.Days {
		box.Days = append(box.Days, d+100)
	}
	c.Box, o.Lockbox.Opened = &box, true
	o.Steps = append(o.Steps, factory.StepInfo{Step: 3, Train: 9, Test: 9, TrainTo: o.Lockbox.Start, TestFrom: o.Lockbox.Start, TestTo: o.Decisions[len(o.Decisions)-1], Box: true})
	o.Verdict.Lockbox, o.Verdict.LockboxAnnual = "opened", judge.Interval{Value: 1.25, Low: -0.5, High: 3, Confidence: 0.95}
	var b bytes.Buffer
	if err := report.HTML(&b, []*outcome{o}, nil); err != nil {
		t.Fatal(err)
	}
	s := visible(b.String())
	for _, want := range []string{"opened", "its rows are burnt", "Candidate in the lockbox, net", "3 (lockbox)"} {
		if !strings.Contains(s, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(s, "unopened") {
		t.Error("the page says unopened")
	}
	r := report.Summarize([]*outcome{o}).Runs[0]
	if r.Lockbox.State != "opened" || r.Strategies[1].Lockbox == nil || r.Strategies[1].Lockbox.Days != len(box.Days) || !r.Steps[2].Lockbox {
		t.Errorf("summary %+v %+v", r.Lockbox, r.Strategies[1].Lockbox)
	}
	got := folder(t, t.TempDir(), report.Files([]*outcome{o}, nil))["edge/daily.parquet"]
	f, err := frame.ReadParquet(bytes.NewReader(got), int64(len(got)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, x := range f.Column("lockbox").Bool {
		if x {
			n++
		}
	}
	if n != len(box.Days) || f.Rows() != 3*n {
		t.Errorf("%d of %d days are in the lockbox", n, f.Rows())
	}
}

func TestText(t *testing.T) {
	outs := three(t)
	for _, width := range []int{200, 100, 72, 10} {
		var b bytes.Buffer
		if err := report.Text(&b, outs, width); err != nil {
			t.Fatal(err)
		}
		s := b.String()
		for _, line := range strings.Split(s, "\n") {
			if n := len([]rune(line)); n > max(width, report.MinWidth) {
				t.Errorf("width %d: line of %d: %q", width, n, line)
			}
		}
		flat := strings.Join(strings.Fields(s), " ")
		for _, o := range outs {
			if !strings.Contains(flat, o.Verdict.Sentence) || !strings.Contains(flat, o.Market) {
				t.Errorf("width %d: the verdict on %s is missing in\n%s", width, o.Market, s)
			}
		}
		if strings.Contains(s, "NaN") || strings.Contains(s, "\x1b") {
			t.Errorf("width %d: NaN or control characters in\n%s", width, s)
		}
		if wide := strings.Contains(s, "break-even"); wide != (width >= 200) && width != 100 {
			t.Errorf("width %d: break-even shown: %v", width, wide)
		}
	}
}

// A Sharpe ratio on few active days is marked in the table at every width, and
// on the page and in the summary.
func TestSparse(t *testing.T) {
	outs := three(t)
	mark := func(width int) bool {
		var b bytes.Buffer
		if err := report.Text(&b, outs, width); err != nil {
			t.Fatal(err)
		}
		flat := strings.Join(strings.Fields(b.String()), " ")
		return strings.Contains(flat, "* │") && strings.Contains(flat, "*: on too few active days, its interval is too narrow to trust")
	}
	if mark(100) {
		t.Error("marked although there are enough days")
	}
	v := &outs[0].Verdict
	v.Sparse, v.ActiveDays = true, 8
	for _, width := range []int{60, 100, 200} {
		if !mark(width) {
			t.Errorf("width %d: not marked", width)
		}
	}
	var html bytes.Buffer
	if err := report.HTML(&html, outs, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(html.String(), "too narrow to trust, on 8 active days") {
		t.Error("the page does not say it")
	}
	if r := report.Summarize(outs).Runs[0]; !r.Sparse || r.ActiveDays != 8 {
		t.Errorf("summary: %v, %d", r.Sparse, r.ActiveDays)
	}
}

// The embedded files are the ones that DEPENDENCIES.md names.
func TestAssets(t *testing.T) {
	doc, err := os.ReadFile("../DEPENDENCIES.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"uPlot.iife.min.js", "uPlot.min.css", "uPlot.LICENSE", "lightweight-charts.standalone.production.js", "lightweight-charts.LICENSE"} {
		b, err := os.ReadFile(filepath.Join("assets", name))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		found := false
		for _, line := range strings.Split(string(doc), "\n") {
			found = found || strings.Contains(line, "`"+name+"`") && strings.Contains(line, hex.EncodeToString(sum[:]))
		}
		if !found {
			t.Errorf("DEPENDENCIES.md has no row for %s with SHA-256 %x", name, sum)
		}
		if strings.HasSuffix(name, ".js") && bytes.Contains(bytes.ToLower(b), []byte("</script")) {
			t.Errorf("%s would end its own script element", name)
		}
	}
	if b, err := os.ReadFile("assets/report.js"); err != nil || !bytes.Contains(b, []byte("attributionLogo: true")) {
		t.Errorf("the attribution that lightweight-charts asks for is gone (%v)", err)
	}
}

// chartBars is how many bars the page's first chart is given.
func chartBars(t *testing.T, html string) int {
	t.Helper()
	m := regexp.MustCompile(`id="m1-price-data" data-n="(\d+)"`).FindStringSubmatch(html)
	if m == nil {
		t.Fatal("there is no chart of prices")
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A long history is shown in few bars, and a wide table is written as it lies in memory.
func TestScale(t *testing.T) {
	o := traded(t, "edge", 160, 0.6)
	if o.Base.Len() <= report.MaxBars {
		t.Fatalf("%d bars do not need to be shortened", o.Base.Len())
	}
	var b bytes.Buffer
	if err := report.HTML(&b, []*outcome{o}, nil); err != nil {
		t.Fatal(err)
	}
	n := chartBars(t, b.String())
	if n < 1000 || n > report.MaxBars {
		t.Errorf("the chart has %d bars, want at most %d", n, report.MaxBars)
	}
	if !strings.Contains(visible(b.String()), " 5m bars and ") {
		t.Error("the chart does not say its timeframe")
	}
}

func BenchmarkFeatures(b *testing.B) {
	names := make([]string, 220)
	for j := range names {
		names[j] = fmt.Sprintf("feature_%d@5m", j)
	}
	const n = 386_000
	o := traded(b, "edge", 12, 0)
	o.Table = view.NewTable(n, names)
	for i := range o.Table.Data {
		o.Table.Data[i] = float32(i%9973) / 7
	}
	o.Decisions = make([]int64, n)
	for i := range o.Decisions {
		o.Decisions[i] = int64(i) * int64(5*bar.Minute)
	}
	for b.Loop() {
		for _, f := range report.Files([]*outcome{o}, nil) {
			if f.Name == "edge/features.parquet" {
				start := time.Now()
				if err := f.Write(discard{}); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(start).Seconds(), "s/file")
			}
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// The longest real file: 2.27 million minutes end up in one chart.
func TestScale_RealBars(t *testing.T) {
	inst, err := bar.Find("BTCUSD")
	if err != nil {
		t.Fatal(err)
	}
	cfg := ingest.Default()
	cfg.Stamps, cfg.Zone = "begin", "UTC"
	s, data, err := ingest.Read(context.Background(), filepath.Join(shareddata.Dir(t), "btcusd_bitfinex_1m_2016_2021.parquet"), cfg, inst)
	if err != nil {
		t.Fatal(err)
	}
	const day = int64(24 * time.Hour)
	r := &factory.Record{PerYear: 365, Stats: map[string]judge.Number{}}
	for d := s.End[0]/day + 400; d < s.End[s.Len()-1]/day; d++ {
		r.Days, r.Net = append(r.Days, int32(d)), append(r.Net, 0)
		r.Trades = append(r.Trades, factory.TradeRow{Side: 1, Entry: d * day, Exit: d*day + int64(time.Hour), Net: 0.001})
	}
	o := &outcome{Market: "btc", Clock: "5m", Instrument: inst, Base: s, Data: *data, Verdict: judge.Refuse("stack", inst.Name, "no run"), Strategy: []factory.Strategy{{Name: "stack", Record: r}}}
	start := time.Now()
	var b bytes.Buffer
	if err := report.HTML(&b, []*outcome{o}, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bars, page of %d bytes in %v", s.Len(), b.Len(), time.Since(start))
	n := chartBars(t, b.String())
	marks := regexp.MustCompile(`id="m1-price-marks" data-n="(\d+)"`).FindStringSubmatch(b.String())
	if n < 1000 || n > report.MaxBars || marks == nil || marks[1] != fmt.Sprint(len(r.Trades)) {
		t.Errorf("%d bars, marks %v of %d trades", n, marks, len(r.Trades))
	}
	if s := visible(b.String()); strings.Contains(s, "NaN") || !strings.Contains(s, "5m bars and 18 trades") {
		t.Error("the page says NaN, or has no close-up of the latest trades")
	}
}
