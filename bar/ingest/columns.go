package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/param"
)

// role is what a column means.
type role uint8

const (
	roleTime role = iota
	roleClock
	roleOpen
	roleHigh
	roleLow
	roleClose
	roleVolume
	roleBegin // begin of the bar and the instant it was known, beside its end:
	roleKnown // only in files that give all three
	roles
)

func (r role) String() string {
	return [...]string{"time", "clock", "open", "high", "low", "close", "volume", "begin", "known"}[r]
}

// aliases are the names under which each column is commonly found, lower case,
// without brackets, spaces and underscores; the first match of a file wins, and
// two matches of one role are told apart by the order here.
func aliases(r role) []string {
	switch r {
	case roleTime:
		return []string{"ts", "timestamp", "time", "datetime", "dateandtime", "date", "opentime", "closetime", "unix", "timeutc", "barbegin", "barstart", "barend", "gmttime", "localtime", "index"}
	case roleClock:
		return []string{"time", "clock", "hour", "hhmm", "timeofday"}
	case roleOpen:
		return []string{"open", "o", "openprice", "first"}
	case roleHigh:
		return []string{"high", "h", "highprice", "max"}
	case roleLow:
		return []string{"low", "l", "lowprice", "min"}
	case roleClose:
		return []string{"close", "c", "closeprice", "last", "adjclose"}
	case roleVolume:
		return []string{"volume", "vol", "v", "realvolume", "tickvolume", "tickvol", "volumebtc", "basevolume", "cumvol"}
	}
	return nil
}

func plainName(s string) string {
	s = strings.ToLower(strings.Trim(s, " \t\"'<>()[]\ufeff"))
	return strings.NewReplacer("_", "", " ", "", ".", "", "-", "").Replace(s)
}

// Columns names the columns of a file where the usual names do not serve.
type Columns struct {
	Time   string `yaml:"time" doc:"column of the stamp (or of the date, with clock)"`
	Clock  string `yaml:"clock" doc:"column of the time of day where the stamp is two columns"`
	Open   string `yaml:"open" doc:"column of the first price"`
	High   string `yaml:"high" doc:"column of the highest price"`
	Low    string `yaml:"low" doc:"column of the lowest price"`
	Close  string `yaml:"close" doc:"column of the last price"`
	Volume string `yaml:"volume" doc:"column of the volume"`
}

func (c Columns) of(r role) string {
	return [...]string{c.Time, c.Clock, c.Open, c.High, c.Low, c.Close, c.Volume, "", ""}[r]
}

// layout maps roles to positions; −1 where there is none.
type layout struct {
	at    [roles]int
	names []string
}

// sides are names that say which side of a bar they mark.
//
// const
var sides = map[string]string{
	"opentime": "begin", "barbegin": "begin", "barstart": "begin",
	"closetime": "end", "barend": "end",
}

// findColumns maps a header. Time and the four prices are needed.
func findColumns(header []string, want Columns) (layout, error) {
	l := layout{names: header}
	for r := range l.at {
		l.at[r] = -1
	}
	plain := make([]string, len(header))
	for i, h := range header {
		plain[i] = plainName(h)
	}
	var errs []error
	// once finds a name and refuses one that occurs twice.
	once := func(names []string, name string, r role) int {
		i := slices.Index(names, name)
		if i >= 0 {
			if k := slices.Index(names[i+1:], name); k >= 0 {
				errs = append(errs, fmt.Errorf("column %q (for %s) occurs more than once, as columns %d and %d; rename one of them", header[i], r, i+1, i+k+2))
			}
		}
		return i
	}
	for r := role(0); r < roles; r++ {
		if name := want.of(r); name != "" {
			i := once(header, name, r)
			if i < 0 {
				i = once(plain, plainName(name), r)
			}
			if i < 0 {
				hint := ""
				if near, ok := param.Nearest(name, header); ok {
					hint = fmt.Sprintf("; did you mean %q?", near)
				}
				errs = append(errs, fmt.Errorf("column %q (for %s) is not in the file%s", name, r, hint))
			}
			l.at[r] = i
		}
	}
	for r := role(0); r < roleBegin; r++ {
		if l.at[r] >= 0 || r == roleClock || want.of(r) != "" {
			continue
		}
		for _, a := range aliases(r) {
			if i := once(plain, a, r); i >= 0 {
				l.at[r] = i
				break
			}
		}
	}
	if want.Time == "" && want.Clock == "" {
		if d, t := slices.Index(plain, "date"), slices.Index(plain, "time"); d >= 0 && t >= 0 && (l.at[roleTime] == d || l.at[roleTime] == t) {
			// A date column beside a time column: the stamp is both.
			l.at[roleTime], l.at[roleClock] = d, t
		}
		// The files that Write makes give all three instants.
		if b, e, k := slices.Index(plain, "barbegin"), slices.Index(plain, "barend"), slices.Index(plain, "barknown"); b >= 0 && e >= 0 && k >= 0 {
			l.at[roleTime], l.at[roleBegin], l.at[roleKnown] = e, b, k
		}
	}
	for _, r := range []role{roleTime, roleOpen, roleHigh, roleLow, roleClose} {
		if l.at[r] < 0 && want.of(r) == "" {
			errs = append(errs, fmt.Errorf("no column for %s (looked for %s)", r, strings.Join(aliases(r), ", ")))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, fmt.Errorf("the file has the columns %s; name the right ones with columns: in the recipe or --columns time=…,open=…", quoted(header)))
		return l, errors.Join(errs...)
	}
	return l, nil
}

// checkSide refuses a side of the stamps that the name of their column denies.
func (l *layout) checkSide(side string) error {
	name := l.names[l.at[roleTime]]
	if says := sides[plainName(name)]; says != "" && says != side && l.at[roleBegin] < 0 {
		return fmt.Errorf("the stamps are read from the column %q, which by its name marks the %s of a bar, and it is stated that they mark the %s: say --stamps %s, or name the right column with columns: time", name, says, side, says)
	}
	return nil
}

// where is a filter on the text of one column.
type where struct {
	at    int // position; −1: no filter
	name  string
	value string
	seen  []string // other values, for the error when nothing matches
}

// newWhere reads "column=value".
func newWhere(s string, header []string) (*where, error) {
	if s == "" {
		return &where{at: -1}, nil
	}
	name, value, ok := strings.Cut(s, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || name == "" || value == "" {
		return nil, fmt.Errorf("where %q is not of the form column=value", s)
	}
	i := slices.Index(header, name)
	if i < 0 {
		hint := ""
		if near, ok := param.Nearest(name, header); ok {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return nil, fmt.Errorf("where: column %q is not in the file%s; it has %s", name, hint, quoted(header))
	}
	return &where{at: i, name: name, value: value}, nil
}

// pass reports whether a row with this text is kept.
func (w *where) pass(text string) bool {
	if text == w.value {
		return true
	}
	if len(w.seen) < 20 && !slices.Contains(w.seen, text) {
		w.seen = append(w.seen, strings.Clone(text))
	}
	return false
}

// none is the error when no row passed.
func (w *where) none() error {
	return fmt.Errorf("no row has %s = %q; the column holds %s", w.name, w.value, quoted(w.seen))
}

func quoted(names []string) string {
	if len(names) > 20 {
		names = append(slices.Clone(names[:20]), "…")
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", clip([]byte(n)))
	}
	return strings.Join(out, ", ")
}
