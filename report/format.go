package report

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/judge"
)

// Dash stands for a number that does not exist, in pages and tables.
const Dash = "–"

// decimal writes x with that many decimals, thousands separated by commas and a
// true minus sign; −0 is 0. What is not finite is a dash.
func decimal(x float64, decimals int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return Dash
	}
	s := strconv.FormatFloat(math.Abs(x), 'f', decimals, 64)
	whole, frac, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if frac != "" {
		whole += "." + frac
	}
	if x < 0 && strings.Trim(s, "0.") != "" {
		return "−" + whole
	}
	return whole
}

func percent(x float64, decimals int) string {
	s := decimal(100*x, decimals)
	if s != Dash {
		s += "\u00a0%" // which does not break the line
	}
	return s
}

func integer[T int | int32 | int64](n T) string { return decimal(float64(n), 0) }

// probability never writes 0.00 or 1.00 for what is neither.
func probability(x float64) string {
	switch {
	case x > 0 && x < 0.005:
		return "<0.01"
	case x < 1 && x > 0.995:
		return ">0.99"
	}
	return decimal(x, 2)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return integer(n) + " " + what + "s"
}

func bounds(i judge.Interval, decimals int) string {
	if !i.Low.Exists() || !i.High.Exists() {
		return Dash
	}
	return decimal(float64(i.Low), decimals) + " to " + decimal(float64(i.High), decimals)
}

func day(d int32) string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

func date(t int64) string { return time.Unix(0, t).UTC().Format(time.DateOnly) }

// value is a number as it is shown: its text and unit, or a dash and why.
type value struct{ Text, Unit, Why string }

func number(x judge.Number, decimals int, unit, why string) value {
	if !x.Exists() {
		return value{Text: Dash, Why: why}
	}
	return value{Text: decimal(float64(x), decimals), Unit: unit}
}

func share(x judge.Number, decimals int, unit, why string) value {
	if !x.Exists() {
		return value{Text: Dash, Why: why}
	}
	if unit != "" {
		unit = " " + unit
	}
	return value{Text: decimal(100*float64(x), decimals), Unit: "%" + unit}
}
