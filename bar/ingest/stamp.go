package ingest

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// stampKind is how the stamps of one file are written.
type stampKind uint8

const (
	stampUnknown stampKind = iota
	stampNaive             // date and time without a zone
	stampZoned             // date and time with Z or an offset
	stampEpoch             // integer or decimal seconds, ms, µs or ns since 1970
)

func (k stampKind) String() string {
	return [...]string{"unknown", "local date and time", "date and time with an offset", "epoch number"}[k]
}

// stamper reads stamps. Its first stamp fixes the kind of all.
type stamper struct {
	loc   *time.Location // zone of naive stamps; nil when none was stated
	kind  stampKind
	order dateOrder
	unit  int64 // nanoseconds per epoch unit

	dayText [10]byte // text of the last date
	dayLen  int
	day     int64 // seconds of that date since 1970, as if UTC

	hour     int64 // last local hour whose offset is known
	hourOK   bool
	off, alt int64 // offsets in seconds; alt differs where the hour happens twice
	gone     bool  // the hour does not exist
	last     int64 // last instant, to tell the two runs of a doubled hour apart
}

// dateOrder is the order of a numeric date with separators.
type dateOrder uint8

const (
	orderYMD dateOrder = iota
	orderDMY
	orderMDY
)

func days(y, m, d int) int64 {
	// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil.
	if m <= 2 {
		y--
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

func twoDigits(s []byte, i int) (int, bool) {
	if i+2 > len(s) || s[i]-'0' > 9 || s[i+1]-'0' > 9 {
		return 0, false
	}
	return int(s[i]-'0')*10 + int(s[i+1]-'0'), true
}

// date reads the date at the begin of s and returns its length.
func (st *stamper) date(s []byte) (int, bool) {
	if st.dayLen > 0 && len(s) >= st.dayLen && string(s[:st.dayLen]) == string(st.dayText[:st.dayLen]) &&
		(len(s) == st.dayLen || s[st.dayLen]-'0' > 9) {
		return st.dayLen, true
	}
	n := 0
	for n < len(s) && n < 11 && (s[n]-'0' <= 9 || s[n] == '-' || s[n] == '/' || s[n] == '.') {
		n++
	}
	if n > 8 && allDigits(s[:n]) {
		n = 8 // 20060102150405
	}
	var a, b, c int
	var ok bool
	switch {
	case n == 8 && allDigits(s[:8]):
		hi, _ := twoDigits(s, 0)
		lo, _ := twoDigits(s, 2)
		a = hi*100 + lo
		b, _ = twoDigits(s, 4)
		c, ok = twoDigits(s, 6)
	case n == 10 && allDigits(s[:4]) && !digit(s[4]) && s[4] == s[7]:
		hi, _ := twoDigits(s, 0)
		lo, _ := twoDigits(s, 2)
		a = hi*100 + lo
		var ok2 bool
		b, ok = twoDigits(s, 5)
		c, ok2 = twoDigits(s, 8)
		ok = ok && ok2
	case n >= 8 && n <= 10:
		x, y, z, fine := threeNumbers(s[:n])
		if !fine || st.order == orderYMD {
			return 0, false
		}
		if z < 100 {
			z += 2000
		}
		a, b, c, ok = z, y, x, true
		if st.order == orderMDY {
			b, c = x, y
		}
	}
	if !ok || b < 1 || b > 12 || c < 1 || c > daysIn(a, b) || a < 1900 || a > 2200 {
		return 0, false
	}
	st.day = days(a, b, c) * 86400
	st.dayLen = copy(st.dayText[:], s[:n])
	return n, true
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func digit(c byte) bool { return c-'0' <= 9 }

func allDigits(s []byte) bool {
	for _, c := range s {
		if !digit(c) {
			return false
		}
	}
	return len(s) > 0
}

func threeNumbers(s []byte) (a, b, c int, ok bool) {
	out := [3]int{}
	k, seen := 0, false
	for _, ch := range s {
		if digit(ch) {
			out[k] = out[k]*10 + int(ch-'0')
			seen = true
			continue
		}
		if !seen || k == 2 {
			return 0, 0, 0, false
		}
		k, seen = k+1, false
	}
	return out[0], out[1], out[2], k == 2 && seen
}

// clock reads hh:mm[:ss[.fraction]] or hhmm[ss] at the begin of s and returns
// nanoseconds and length.
func clock(s []byte) (int64, int, bool) {
	h, ok1 := twoDigits(s, 0)
	if !ok1 {
		// One-digit hours occur in broker files: 9:31.
		if len(s) >= 4 && digit(s[0]) && s[1] == ':' {
			var pad [20]byte
			pad[0] = '0'
			n := copy(pad[1:], s)
			ns, used, ok := clock(pad[:n+1])
			return ns, used - 1, ok
		}
		return 0, 0, false
	}
	i, sep := 2, false
	if i < len(s) && s[i] == ':' {
		i, sep = 3, true
	}
	m, ok2 := twoDigits(s, i)
	if !ok2 {
		return 0, 0, false
	}
	i += 2
	sec := 0
	if sep && i < len(s) && s[i] == ':' || !sep && i < len(s) && digit(s[i]) {
		if sep {
			i++
		}
		var ok bool
		if sec, ok = twoDigits(s, i); !ok {
			return 0, 0, false
		}
		i += 2
	}
	if h > 24 || m > 59 || sec > 59 || h == 24 && (m > 0 || sec > 0) {
		return 0, 0, false
	}
	ns := (int64(h)*3600 + int64(m)*60 + int64(sec)) * 1e9
	if i < len(s) && (s[i] == '.' || s[i] == ',') {
		i++
		unit, frac, start := int64(1e8), int64(0), i
		for i < len(s) && digit(s[i]) {
			frac += int64(s[i]-'0') * unit
			unit /= 10
			i++
		}
		if i == start {
			return 0, 0, false
		}
		ns += frac
	}
	return ns, i, true
}

// parse reads one stamp.
func (st *stamper) parse(s []byte) (int64, error) {
	if st.kind == stampUnknown {
		if err := st.detect(s); err != nil {
			return 0, err
		}
	}
	if st.kind == stampEpoch {
		return st.epoch(s)
	}
	n, ok := st.date(s)
	if !ok {
		return 0, fmt.Errorf("%q is not a date and time", clip(s))
	}
	rest := s[n:]
	var ns int64
	used := 0
	if len(rest) > 0 {
		if rest[0] == 'T' || rest[0] == ' ' || rest[0] == 't' || rest[0] == ';' || rest[0] == ',' {
			rest = rest[1:]
		}
		if ns, used, ok = clock(rest); !ok {
			return 0, fmt.Errorf("%q is not a date and time", clip(s))
		}
		rest = rest[used:]
	}
	for len(rest) > 0 && rest[0] == ' ' {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		if st.kind == stampZoned {
			return 0, fmt.Errorf("%q has no offset while earlier rows have one: zones are mixed; write every stamp with its offset, or none", clip(s))
		}
		return st.local(st.day, ns)
	}
	off, ok := offset(rest)
	if !ok {
		return 0, fmt.Errorf("%q ends with %q, which is not an offset like Z or +01:00", clip(s), clip(rest))
	}
	if st.kind == stampNaive {
		return 0, fmt.Errorf("%q has an offset while earlier rows have none: zones are mixed; write every stamp with its offset, or none", clip(s))
	}
	return (st.day-off)*1e9 + ns, nil
}

// offset reads Z, UTC, +hh, +hhmm or +hh:mm as seconds east.
func offset(s []byte) (int64, bool) {
	if len(s) == 1 && s[0]|32 == 'z' || strings.EqualFold(string(s), "utc") || strings.EqualFold(string(s), "gmt") {
		return 0, true
	}
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, ok := twoDigits(s, 1)
	m := 0
	switch {
	case !ok || h > 15:
		return 0, false
	case len(s) == 3:
	case len(s) == 5:
		m, ok = twoDigits(s, 3)
	case len(s) == 6 && s[3] == ':':
		m, ok = twoDigits(s, 4)
	default:
		return 0, false
	}
	if !ok || m > 59 {
		return 0, false
	}
	off := int64(h)*3600 + int64(m)*60
	if s[0] == '-' {
		off = -off
	}
	return off, true
}

// local turns a local date and time into an instant.
func (st *stamper) local(day, ns int64) (int64, error) {
	if st.loc == nil {
		return 0, errNoZone
	}
	sec := day + ns/1e9
	if hour := sec / 900; !st.hourOK || hour != st.hour {
		st.hour, st.hourOK = hour, true
		st.lookup(sec)
	}
	if st.gone {
		return 0, fmt.Errorf("%s does not exist in %s: the clocks went forward; is the zone right?",
			time.Unix(sec, 0).UTC().Format("2006-01-02 15:04:05"), st.loc)
	}
	t := (sec-st.off)*1e9 + ns%1e9
	if st.alt != st.off && t <= st.last {
		t = (sec-st.alt)*1e9 + ns%1e9
	}
	st.last = t
	return t, nil
}

// lookup finds the offsets that hold in the quarter hour around local second
// sec: two where the clocks went back over it (the earlier instant first), none
// where they went forward over it.
func (st *stamper) lookup(sec int64) {
	offs := [2]int64{}
	n := 0
	for _, probe := range [2]int64{sec - 86400, sec + 86400} {
		_, o := time.Unix(probe, 0).In(st.loc).Zone()
		if _, back := time.Unix(sec-int64(o), 0).In(st.loc).Zone(); back == o && (n == 0 || offs[0] != int64(o)) {
			offs[n] = int64(o)
			n++
		}
	}
	st.gone = n == 0
	st.off, st.alt = offs[0], offs[0]
	if n == 2 {
		// The larger offset is the earlier instant.
		st.off, st.alt = max(offs[0], offs[1]), min(offs[0], offs[1])
	}
}

// detect decides the kind from the first stamp.
func (st *stamper) detect(s []byte) error {
	if len(s) == 0 {
		return fmt.Errorf("the time is empty")
	}
	if f, ok := parseFloat(s); ok && !(len(s) == 8 && plausibleDate(s)) && len(s) != 14 && len(s) != 12 {
		st.kind = stampEpoch
		switch a := math.Abs(f); {
		case a < 1e11:
			st.unit = 1e9
		case a < 1e14:
			st.unit = 1e6
		case a < 1e17:
			st.unit = 1e3
		default:
			st.unit = 1
		}
		return nil
	}
	n, ok := st.date(s)
	if !ok {
		if x, y, _, fine := threeNumbers(datePart(s)); fine && st.order == orderYMD {
			return fmt.Errorf("%q can be day/month or month/day (%d and %d); state which with date_order: dmy or mdy", clip(s), x, y)
		}
		return fmt.Errorf("%q is not a date and time or an epoch number", clip(s))
	}
	st.kind = stampNaive
	rest := s[n:]
	if len(rest) > 0 && (rest[0] == 'T' || rest[0] == ' ' || rest[0] == 't' || rest[0] == ';' || rest[0] == ',') {
		rest = rest[1:]
	}
	if _, used, ok := clock(rest); ok {
		for used < len(rest) && rest[used] == ' ' {
			used++
		}
		if used < len(rest) {
			st.kind = stampZoned
		}
	}
	return nil
}

func datePart(s []byte) []byte {
	n := 0
	for n < len(s) && s[n] != ' ' && s[n] != 'T' {
		n++
	}
	return s[:n]
}

func plausibleDate(s []byte) bool {
	m, _ := twoDigits(s, 4)
	d, _ := twoDigits(s, 6)
	return allDigits(s) && (s[0] == '1' && s[1] == '9' || s[0] == '2' && s[1] == '0') && m >= 1 && m <= 12 && d >= 1 && d <= 31
}

func (st *stamper) epoch(s []byte) (int64, error) {
	neg, i := false, 0
	if len(s) > 0 && s[0] == '-' {
		neg, i = true, 1
	}
	var whole int64
	start := i
	for i < len(s) && digit(s[i]) && i-start < 19 {
		whole = whole*10 + int64(s[i]-'0')
		i++
	}
	ns := whole * st.unit
	bad := i == start || st.unit > 1 && whole > math.MaxInt64/st.unit
	if i < len(s) && s[i] == '.' {
		unit := st.unit / 10
		for i++; i < len(s) && digit(s[i]); i++ {
			ns += int64(s[i]-'0') * unit
			unit /= 10
		}
	}
	if bad || i != len(s) {
		return 0, fmt.Errorf("%q is not an epoch number like the rows before", clip(s))
	}
	if neg {
		ns = -ns
	}
	return ns, nil
}

// clip shortens text for an error message.
func clip(s []byte) string {
	if len(s) > 40 {
		return string(s[:40]) + "…"
	}
	return string(s)
}
