package command

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/param"
)

// JudgeOptions are what the owner of a track record says about it.
type JudgeOptions struct {
	Trials          int
	VarianceAnnual  *float64
	MeanCorrelation float64
	PeriodsPerYear  float64
	Set             []string  // key=value of judge.Config
	Stdin           io.Reader // read for the path "-"
}

// Judge judges the returns in a file.
func Judge(path string, o JudgeOptions) (judge.Verdict, error) {
	var none judge.Verdict
	if o.Trials < 1 {
		return none, Usage("--trials N is needed: how many strategies were tried before this one was shown, it included (1 if there was no other). " +
			"The best of many looks good by chance alone, and how many there were cannot be seen in the returns")
	}
	cfg := judge.Default()
	for _, kv := range o.Set {
		key, value, ok := strings.Cut(kv, "=")
		if !ok {
			return none, Usage("--set %s: want key=value", kv)
		}
		if err := param.Set(&cfg, key, value); err != nil {
			return none, mark(ErrUsage, fmt.Errorf("--set: %w", err))
		}
	}
	if err := param.Validate(&cfg); err != nil {
		return none, mark(ErrUsage, err)
	}
	var src []byte
	var err error
	if path == "-" {
		src, err = io.ReadAll(o.Stdin)
	} else {
		src, err = os.ReadFile(path)
	}
	if err != nil {
		return none, mark(ErrData, err)
	}
	rec, err := judge.ReadReturns(bytes.NewReader(src))
	if err != nil {
		return none, mark(ErrData, fmt.Errorf("%s: %w", path, err))
	}
	if rec.Name == "" {
		rec.Name = path
	}
	if o.PeriodsPerYear != 0 {
		rec.PeriodsPerYear = o.PeriodsPerYear
	}
	v, err := judge.FromReturns(cfg, rec, judge.Declared{Trials: o.Trials, VarianceAnnual: o.VarianceAnnual, MeanCorrelation: o.MeanCorrelation})
	return v, mark(ErrUsage, err)
}

// WriteVerdict writes a verdict for a person.
func WriteVerdict(w io.Writer, v judge.Verdict) error {
	var b strings.Builder
	// Only the sentence of one status begins with the status.
	head := strings.ReplaceAll(string(v.Status), "_", " ") + ": "
	fmt.Fprintf(&b, "%s%s\n\n", head, strings.TrimPrefix(v.Sentence, head))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-34s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("record", "%d returns, %s to %s, %.1f a year", v.Days, v.From, v.To, v.PeriodsPerYear)
	row("Sharpe ratio, annual", "%s", v.SharpeAnnual)
	if v.SharpeBootstrap.Value.Exists() {
		row("the same by bootstrap", "%s", v.SharpeBootstrap)
	}
	num := func(name string, n judge.Number, format string) {
		if n.Exists() {
			row(name, format, float64(n))
		} else {
			row(name, "–")
		}
	}
	num("PSR(0)", v.PSR, "%.4f")
	num("DSR, 2014 form", v.DSR, "%.4f")
	num("DSR, 2026 form", v.DSR2026, "%.4f")
	row("trials", "%d", v.Trials)
	num("expected best of them, annual", v.SR0Annual, "%.3f")
	num("minimum track record, years", v.MinTrackRecordYears, "%.2f")
	num("minimum detectable Sharpe, annual", v.MinDetectableAnnual, "%.2f")
	num("years to show a Sharpe ratio of 1", v.YearsForOne, "%.1f")
	num("skew", v.Skew, "%.3f")
	num("kurtosis (normal = 3)", v.Kurtosis, "%.3f")
	num("autocorrelation", v.Autocorrelation, "%.3f")
	b.WriteString("\n")
	for _, r := range v.Reasons {
		sign := "✗"
		switch {
		case r.OK:
			sign = "✓"
		case !r.Measured:
			sign = "?"
		}
		fmt.Fprintf(&b, "  %s %-14s %s\n", sign, r.Gate, r.Text)
	}
	for _, c := range v.Caveats {
		fmt.Fprintf(&b, "  ! %s\n", c)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
