package param

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"
)

// Duration is a span of clock time that is written as text: "1h30m", "5d", "250ms". A day is always 24 hours.
//
// The canonical text uses the units d, h, m, s, ms, us, ns in that order, each at most once and with an integer: one value, one text.
type Duration time.Duration

// Day is 24 hours of clock time.
const Day = Duration(24 * time.Hour)

// Std returns the same span as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Nanos returns the span in nanoseconds, the unit of every time in this project.
func (d Duration) Nanos() int64 { return int64(d) }

// Seconds returns the span in seconds.
func (d Duration) Seconds() float64 { return time.Duration(d).Seconds() }

type durationUnit struct {
	name  string
	nanos uint64
}

func durationUnits() [7]durationUnit {
	return [7]durationUnit{{"d", 86400e9}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}}
}

// String returns the canonical text, "0s" for zero.
func (d Duration) String() string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	left := uint64(d)
	if d < 0 {
		b.WriteByte('-')
		left = -left
	}
	for _, u := range durationUnits() {
		if n := left / u.nanos; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			left %= u.nanos
		}
	}
	return b.String()
}

// MarshalText returns the canonical text.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [ParseDuration] reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// ParseDuration reads a span such as "90s", "1h30m", "1.5d" or "-2m": numbers with the units d, h, m, s, ms, us (µs), ns, added up.
// Fractions must come to whole nanoseconds. A number without a unit is refused (except 0), and so is a span beyond ±292 years.
func ParseDuration(s string) (Duration, error) {
	bad := func(why string) (Duration, error) {
		return 0, fmt.Errorf("duration %q: %s; write it like 1h30m, 5d or 250ms", s, why)
	}
	rest := strings.TrimSpace(s)
	negative := strings.HasPrefix(rest, "-")
	rest = strings.TrimLeft(rest, "+-")
	if len(strings.TrimSpace(s))-len(rest) > 1 {
		return bad("more than one sign")
	}
	if rest == "" {
		return bad("empty")
	}
	if rest == "0" {
		return 0, nil
	}
	var total uint64
	for rest != "" {
		n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n < 0 {
			return bad("the last number has no unit")
		}
		number := rest[:n]
		rest = rest[n:]
		n = strings.IndexFunc(rest, func(r rune) bool { return (r >= '0' && r <= '9') || r == '.' })
		if n < 0 {
			n = len(rest)
		}
		unit := rest[:n]
		rest = rest[n:]
		if unit == "µs" || unit == "μs" {
			unit = "us"
		}
		var nanos uint64
		for _, u := range durationUnits() {
			if u.name == unit {
				nanos = u.nanos
			}
		}
		if nanos == 0 {
			return bad(fmt.Sprintf("unknown unit %q", unit))
		}
		v, problem := scaleDecimal(number, nanos)
		if problem != "" {
			return bad(problem)
		}
		sum, carry := bits.Add64(total, v, 0)
		if carry != 0 || sum > math.MaxInt64 {
			return bad("too long")
		}
		total = sum
	}
	if negative {
		return Duration(-int64(total)), nil
	}
	return Duration(int64(total)), nil
}

// scaleDecimal returns the decimal number times unit in exact integer arithmetic.
func scaleDecimal(number string, unit uint64) (uint64, string) {
	whole, fraction, _ := strings.Cut(number, ".")
	if whole == "" && fraction == "" || strings.Contains(fraction, ".") {
		return 0, fmt.Sprintf("%q is not a number", number)
	}
	var v uint64
	for _, c := range whole {
		hi, lo := bits.Mul64(v, 10)
		sum, carry := bits.Add64(lo, uint64(c-'0'), 0)
		if hi != 0 || carry != 0 {
			return 0, "too long"
		}
		v = sum
	}
	hi, v := bits.Mul64(v, unit)
	if hi != 0 || v > math.MaxInt64 {
		return 0, "too long"
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > 18 {
		return 0, fmt.Sprintf("%s has more digits than a nanosecond needs", number)
	}
	digits, scale := uint64(0), uint64(1)
	for _, c := range fraction {
		digits, scale = digits*10+uint64(c-'0'), scale*10
	}
	hi, lo := bits.Mul64(digits, unit) // hi < scale because digits < scale
	part, rest := bits.Div64(hi, lo, scale)
	if rest != 0 {
		return 0, fmt.Sprintf("%s is not a whole number of nanoseconds", number)
	}
	return v + part, ""
}
