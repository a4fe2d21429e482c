package bar

import (
	"fmt"
	"strings"
	"time"
)

// Ladder lists the timeframes that are built from one-minute bars by default:
// 5, 10, 15, 20, 25, 30 and 45 minutes, 1 and 4 hours, and the session.
func Ladder() []Timeframe {
	return []Timeframe{5 * Minute, 10 * Minute, 15 * Minute, 20 * Minute, 25 * Minute, 30 * Minute, 45 * Minute, Hour, 4 * Hour, Session}
}

// ParseTimeframe reads "native", "session", "1d" (the same), or a length in
// hours, minutes or seconds such as "1h", "5m", "1h30m", "30s". A length is at
// least a second and at most a day.
func ParseTimeframe(s string) (Timeframe, error) {
	switch t := strings.ToLower(strings.TrimSpace(s)); t {
	case "native":
		return Native, nil
	case "session", "1d":
		return Session, nil
	default:
		d, err := time.ParseDuration(t)
		if err != nil || d%time.Second != 0 || d < time.Second || d > 24*time.Hour {
			return 0, fmt.Errorf("bar: %q is not a timeframe; write a length such as 5m, 1h or 1d, or session, or native", s)
		}
		return Timeframe(d), nil
	}
}

// MarshalText writes the short form of String.
func (t Timeframe) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads what [ParseTimeframe] reads.
func (t *Timeframe) UnmarshalText(b []byte) error {
	x, err := ParseTimeframe(string(b))
	if err == nil {
		*t = x
	}
	return err
}

// CheckMultiple reports an error unless bars of tf can be built from bars of
// base: tf is a whole multiple of base, or the session, or base itself. From
// native bars (of no fixed length) every other timeframe can be built, and each
// bar then belongs to the interval in which it ended.
func CheckMultiple(base, tf Timeframe) error {
	switch {
	case base == tf:
		return nil
	case tf == Native:
		return fmt.Errorf("bar: native bars cannot be built from %v bars", base)
	case tf < 0 || base < 0 || tf > Session:
		return fmt.Errorf("bar: a timeframe is between 0 and one day; got %v from %v", tf, base)
	case base == Native || tf == Session:
		return nil
	case tf < base:
		return fmt.Errorf("bar: %v bars cannot be built from longer %v bars", tf, base)
	case tf%base != 0:
		return fmt.Errorf("bar: %v is not a whole multiple of the base of %v", tf, base)
	}
	return nil
}
