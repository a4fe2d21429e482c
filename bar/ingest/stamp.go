package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// stampKind is how the stamps of one file are written.
type stampKind uint8

const (
	stampUnknown stampKind = iota
	stampNaive             // date and time without a zone
	stampZoned             // date and time with Z or an offset
	stampEpoch             // integer or decimal seconds, ms, µs or ns since 1970
)

// stamper reads stamps. Its first stamp fixes the kind of all.
type stamper struct {
	zone
	kind  stampKind
	order dateOrder
	unit  int64 // nanoseconds per epoch unit

	dayText [10]byte // text of the last date
	dayLen  int
	day     int64  // seconds of that date since 1970, as if UTC
	day8    uint64 // the text as words, where it has ten characters
	day2    uint16
}

// dateOrder is the order of a numeric date with separators.
type dateOrder uint8

const (
	orderYMD dateOrder = iota
	orderDMY
	orderMDY
)

// dayNumber is the number of days from 1970-01-01 to a date of the Gregorian
// calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
// days_from_civil).
func dayNumber(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
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

func twoDigits(s []byte, i int) (int, bool) {
	if i+2 > len(s) || !digit(s[i]) || !digit(s[i+1]) {
		return 0, false
	}
	return int(s[i]-'0')*10 + int(s[i+1]-'0'), true
}

// threeNumbers reads 1/2/2006 and the like at the begin of s: three numbers of at
// most four digits with one and the same separator. It gives the digits of the
// first and the last number and the length of all.
func threeNumbers(s []byte) (x [3]int, first, last, n int, ok bool) {
	var sep byte
	for k := range x {
		start := n
		for n < len(s) && digit(s[n]) {
			if n-start == 4 {
				return x, 0, 0, 0, false
			}
			x[k] = x[k]*10 + int(s[n]-'0')
			n++
		}
		switch last = n - start; {
		case last == 0:
			return x, 0, 0, 0, false
		case k == 0:
			first = last
		}
		if k == 2 {
			break
		}
		if n >= len(s) || s[n] != '-' && s[n] != '/' && s[n] != '.' || k == 1 && s[n] != sep {
			return x, 0, 0, 0, false
		}
		sep = s[n]
		n++
	}
	return x, first, last, n, true
}

// date reads the date at the begin of s into st.day and gives its length.
func (st *stamper) date(s []byte) (int, bool) {
	if n := st.dayLen; n > 0 && len(s) >= n && string(s[:n]) == string(st.dayText[:n]) && (len(s) == n || n == 8 && digit(st.dayText[1]) && digit(st.dayText[4]) || !digit(s[n])) {
		return n, true
	}
	var y, m, d, n int
	if len(s) >= 8 && allDigits(s[:8]) {
		a, _ := twoDigits(s, 0)
		b, _ := twoDigits(s, 2)
		y, n = a*100+b, 8
		m, _ = twoDigits(s, 4)
		d, _ = twoDigits(s, 6)
	} else {
		x, first, last, used, ok := threeNumbers(s)
		n = used
		switch {
		case !ok:
			return 0, false
		case first == 4 && last <= 2:
			y, m, d = x[0], x[1], x[2]
		case first > 2 || last == 1 || last == 3 || st.order == orderYMD:
			return 0, false
		case st.order == orderDMY:
			d, m, y = x[0], x[1], x[2]
		default:
			m, d, y = x[0], x[1], x[2]
		}
		if first != 4 && last == 2 {
			y += 2000
		}
	}
	if m < 1 || m > 12 || y < 1900 || y > 2200 || d < 1 || d > daysIn(y, m) {
		return 0, false
	}
	st.day = dayNumber(y, m, d) * 86400
	st.dayLen = copy(st.dayText[:], s[:n])
	st.day8, st.day2 = 0, 0
	if n == 10 {
		st.day8, st.day2 = binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint16(s[8:])
	}
	return n, true
}

// clock reads hh:mm[:ss[.fraction]] or hhmm[ss], with or without AM or PM, at the
// begin of s and gives nanoseconds since midnight and length. The hour can have
// one digit before a colon. 24:00 is the end of the day.
func clock(s []byte) (ns int64, n int, ok bool) {
	h, ok := twoDigits(s, 0)
	i := 2
	if !ok {
		if len(s) < 4 || !digit(s[0]) || s[1] != ':' {
			return 0, 0, false
		}
		h, i = int(s[0]-'0'), 1
	}
	sep := i < len(s) && s[i] == ':'
	if sep {
		i++
	}
	m, ok := twoDigits(s, i)
	if !ok {
		return 0, 0, false
	}
	i += 2
	sec := 0
	if i < len(s) && (sep && s[i] == ':' || !sep && digit(s[i])) {
		if sep {
			i++
		}
		if sec, ok = twoDigits(s, i); !ok {
			return 0, 0, false
		}
		i += 2
	}
	frac := int64(0)
	if i+1 < len(s) && (s[i] == '.' || s[i] == ',') && digit(s[i+1]) {
		unit := int64(1e8)
		for i++; i < len(s) && digit(s[i]); i++ {
			frac += int64(s[i]-'0') * unit
			unit /= 10
		}
	}
	j := i
	if j < len(s) && s[j] == ' ' {
		j++
	}
	if j+2 <= len(s) && s[j+1]|32 == 'm' && (s[j]|32 == 'a' || s[j]|32 == 'p') {
		if h < 1 || h > 12 {
			return 0, 0, false
		}
		h %= 12
		if s[j]|32 == 'p' {
			h += 12
		}
		i = j + 2
	}
	if h > 24 || m > 59 || sec > 59 || h == 24 && (m > 0 || sec > 0 || frac > 0) {
		return 0, 0, false
	}
	return (int64(h)*3600+int64(m)*60+int64(sec))*1e9 + frac, i, true
}

// gap passes over what stands between date and time: T, a comma, a semicolon, a
// dash after a compact date, and spaces.
func (st *stamper) gap(rest []byte) []byte {
	if len(rest) > 0 && (rest[0]|32 == 't' || rest[0] == ',' || rest[0] == ';' || rest[0] == '-' && st.dayLen == 8) {
		rest = rest[1:]
	}
	return spaces(rest)
}

func spaces(s []byte) []byte {
	for len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	return s
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
		return 0, fmt.Errorf("%q is not a date and time like the rows before", clip(s))
	}
	rest := s[n:]
	var ns int64
	if len(rest) > 0 && rest[0]|32 != 'z' && rest[0] != '+' {
		used := 0
		rest = st.gap(rest)
		if ns, used, ok = clock(rest); !ok {
			return 0, fmt.Errorf("%q is not a date and time", clip(s))
		}
		rest = spaces(rest[used:])
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

// offset reads Z, UTC, +hh, +hhmm or +hh:mm, and the latter behind UTC or GMT, as
// seconds east.
func offset(s []byte) (int64, bool) {
	if len(s) == 1 && s[0]|32 == 'z' {
		return 0, true
	}
	if len(s) >= 3 && (strings.EqualFold(string(s[:3]), "utc") || strings.EqualFold(string(s[:3]), "gmt")) {
		if s = s[3:]; len(s) == 0 {
			return 0, true
		}
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

// detect decides the kind from the first stamp.
func (st *stamper) detect(s []byte) error {
	if len(s) == 0 {
		return errors.New("the time is empty")
	}
	compact := allDigits(s) && (len(s) == 8 || len(s) == 12 || len(s) == 14)
	n, ok := st.date(s)
	if f, isNumber := parseFloat(s); isNumber && !(compact && ok) {
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
	if !ok {
		if x, first, _, _, fine := threeNumbers(s); fine && first <= 2 && st.order == orderYMD {
			return fmt.Errorf("%q can be day/month or month/day (%d and %d); state which with date_order: dmy or mdy (--date-order)", clip(s), x[0], x[1])
		}
		return fmt.Errorf("%q is not a date and time or an epoch number", clip(s))
	}
	st.kind = stampNaive
	rest := s[n:]
	if len(rest) > 0 && (rest[0]|32 == 'z' || rest[0] == '+') {
		st.kind = stampZoned
		return nil
	}
	rest = st.gap(rest)
	if _, used, ok := clock(rest); ok && len(spaces(rest[used:])) > 0 {
		st.kind = stampZoned
	}
	return nil
}

// epoch reads an epoch number in the file's unit.
func (st *stamper) epoch(s []byte) (int64, error) {
	i, neg := 0, false
	if len(s) > 0 && s[0] == '-' {
		neg, i = true, 1
	}
	var whole uint64
	start := i
	for i < len(s) && digit(s[i]) && i-start < 19 {
		whole = whole*10 + uint64(s[i]-'0')
		i++
	}
	bad := i == start || whole > uint64(maxInstant/st.unit)
	ns := int64(whole) * st.unit
	if i+1 < len(s) && s[i] == '.' {
		unit := st.unit / 10
		for i++; i < len(s) && digit(s[i]); i++ {
			ns += int64(s[i]-'0') * unit
			unit /= 10
		}
	}
	if bad || i != len(s) || ns < 0 {
		return 0, fmt.Errorf("%q is not an epoch number like the rows before", clip(s))
	}
	if neg {
		ns = -ns
	}
	return ns, nil
}

// maxInstant is the last instant that is read, in the year 2262, with room for a
// bar.
const maxInstant = math.MaxInt64 - 3*86400e9

// scaled is v·unit, or false where that is out of range.
func scaled(v, unit int64) (int64, bool) {
	if v > maxInstant/unit || v < -maxInstant/unit {
		return 0, false
	}
	return v * unit, true
}

// clip shortens text for an error message.
func clip(s []byte) string {
	if len(s) > 40 {
		return string(s[:40]) + "…"
	}
	return string(s)
}
