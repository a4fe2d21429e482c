package judge

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/stat"
)

// Column names that ReadReturns understands, lower case, in order of
// preference.
const (
	dateNames      = "date day time timestamp datetime exit_time close_time period month"
	returnNames    = "net_return return returns ret rets net_ret daily_return daily_returns strategy_return pnl_pct pnl_percent return_pct pct_return pct_change"
	benchmarkNames = "benchmark benchmark_return benchmark_ret bench bench_return market market_return"
	priceNames     = "close price equity nav balance value portfolio adj_close open"
)

// maxRecordRows bounds a file of returns; a century of days is 36,525 rows.
const maxRecordRows = 5_000_000

// ReadReturns reads a track record from CSV (comma, semicolon or tab; a header
// row). It needs a date column (date, day, time, timestamp, …) and a return
// column (return, ret, pnl_pct, …), and takes a benchmark column if there is
// one; other columns are ignored. Dates are YYYY-MM-DD, YYYY/MM/DD, YYYYMMDD,
// RFC 3339, "YYYY-MM-DD hh:mm[:ss]" (UTC) or epoch seconds, milli-, micro- or
// nanoseconds. A return is a fraction, or per cent when it ends in %; a decimal
// comma is read where it cannot be a separator, that is, where semicolons, tabs
// or quotes divide the columns, and a note says so. An empty
// return in the first row (what pct_change leaves) is skipped. Several rows of
// one UTC date are added up, as returns on entry notional are; a note says so.
//
// Errors name the row (the header is row 1) and column. Refused: missing
// columns, dates that do not parse or ascend, cells that are not finite
// numbers, |return| > 1 (the error says whether the column looks like prices,
// per cent or money) and columns that look like prices or equity.
func ReadReturns(r io.Reader) (Record, error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(4096)
	if len(head) == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			return Record{}, errors.New("judge: the file of returns is empty: want a header row with a date and a return column")
		}
		return Record{}, fmt.Errorf("judge: read returns: %w", err)
	}
	if strings.HasPrefix(string(head), "\ufeff") {
		if _, err := br.Discard(3); err != nil {
			return Record{}, fmt.Errorf("judge: read returns: %w", err)
		}
	}
	cr := csv.NewReader(br)
	cr.FieldsPerRecord = -1
	cr.TrimLeadingSpace = true
	cr.ReuseRecord = true
	cr.Comma = delimiter(string(head))
	header, err := cr.Read()
	if err != nil {
		return Record{}, fmt.Errorf("judge: read returns: header: %w", err)
	}
	cols, err := findColumns(header)
	if err != nil {
		return Record{}, err
	}
	var rec Record
	merged, skipped, commas := 0, false, false
	for row := 2; ; row++ {
		line, err := cr.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Record{}, fmt.Errorf("judge: read returns: %w", err)
		}
		if row > maxRecordRows {
			return Record{}, fmt.Errorf("judge: more than %d rows of returns", maxRecordRows)
		}
		if len(line) != cols.width {
			hint := ""
			if cr.Comma == ',' && len(line) > cols.width {
				hint = "; if a comma marks decimals (0,012), write points or put semicolons between the columns"
			}
			return Record{}, fmt.Errorf("judge: row %d has %d columns, the header has %d%s", row, len(line), cols.width, hint)
		}
		day, err := parseDay(strings.TrimSpace(line[cols.date]))
		if err != nil {
			return Record{}, fmt.Errorf("judge: row %d, column %q: %w", row, cols.dateName, err)
		}
		cell := strings.TrimSpace(line[cols.ret])
		if row == 2 && (cell == "" || strings.EqualFold(cell, "nan")) {
			skipped = true
			continue
		}
		x, comma, err := parseReturn(cell)
		if errors.Is(err, errTooLarge) {
			err = fmt.Errorf("%w: %s", err, columnLooks(append(rec.Returns, x), cr, cols))
		}
		if err != nil {
			return Record{}, fmt.Errorf("judge: row %d, column %q: %w", row, cols.retName, err)
		}
		commas = commas || comma
		b := 0.0
		if cols.bench >= 0 {
			b, comma, err = parseReturn(strings.TrimSpace(line[cols.bench]))
			if commas = commas || comma; err != nil {
				return Record{}, fmt.Errorf("judge: row %d, column %q: %w", row, cols.benchName, err)
			}
		}
		n := len(rec.Days)
		switch {
		case n > 0 && day < rec.Days[n-1]:
			return Record{}, fmt.Errorf("judge: row %d: %s comes after %s: sort the rows by date", row, date(day), date(rec.Days[n-1]))
		case n > 0 && day == rec.Days[n-1]:
			rec.Returns[n-1] += x
			if cols.bench >= 0 {
				rec.Benchmark[n-1] += b
			}
			merged++
		default:
			rec.Days = append(rec.Days, day)
			rec.Returns = append(rec.Returns, x)
			if cols.bench >= 0 {
				rec.Benchmark = append(rec.Benchmark, b)
			}
		}
	}
	if len(rec.Days) == 0 {
		return Record{}, errors.New("judge: the file of returns has a header and no rows")
	}
	if err := refusePrices(cols.retName, rec.Returns); err != nil {
		return Record{}, err
	}
	if commas {
		rec.Notes = append(rec.Notes, "commas inside numbers were read as decimal points")
	}
	if skipped {
		rec.Notes = append(rec.Notes, "the first row has no return and was skipped")
	}
	if merged > 0 {
		rec.Notes = append(rec.Notes, fmt.Sprintf("%s on the same date as the row before were added to it; days without a row are missing, not flat", count(merged, "row")))
	}
	return rec, nil
}

// delimiter is the most frequent of comma, semicolon and tab in the first line.
func delimiter(head string) rune {
	line, _, _ := strings.Cut(head, "\n")
	best, most := ',', strings.Count(line, ",")
	for _, d := range ";\t" {
		if n := strings.Count(line, string(d)); n > most {
			best, most = d, n
		}
	}
	return best
}

// columns are the places of what ReadReturns needs; bench is −1 without one.
type columns struct {
	width, date, ret, bench      int
	dateName, retName, benchName string
}

func findColumns(header []string) (columns, error) {
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(h)), " ", "_"), "-", "_")
	}
	find := func(wanted string) (int, string) {
		for _, w := range strings.Fields(wanted) {
			if i := slices.Index(names, w); i >= 0 {
				return i, strings.TrimSpace(header[i])
			}
		}
		return -1, ""
	}
	c := columns{width: len(header)}
	c.date, c.dateName = find(dateNames)
	c.ret, c.retName = find(returnNames)
	c.bench, c.benchName = find(benchmarkNames)
	if c.ret < 0 {
		hint := "name one of them: " + strings.Join(strings.Fields(returnNames), ", ")
		if i, name := find(priceNames); i >= 0 {
			hint = fmt.Sprintf("%q holds prices or equity: turn it into returns (each value over the one before, minus 1) first", name)
		}
		return c, fmt.Errorf("judge: no return column among %q; %s", header, hint)
	}
	if c.date < 0 {
		return c, fmt.Errorf("judge: no date column among %q; name one of them: %s", header, strings.Join(strings.Fields(dateNames), ", "))
	}
	return c, nil
}

// parseDay reads a date as days since 1970-01-01 in UTC.
func parseDay(s string) (int32, error) {
	for _, layout := range []string{time.DateOnly, "2006/01/02", "20060102", time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04",
		"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05Z07:00", "2006-01"} {
		if t, err := time.Parse(layout, s); err == nil {
			return dayOf(t)
		}
	}
	// Epochs: 8 digits are a date (above), 9 or more count from 1970.
	if v, err := strconv.ParseInt(s, 10, 64); err == nil && v >= 1e8 {
		switch {
		case v < 1e11:
			return dayOf(time.Unix(v, 0))
		case v < 1e14:
			return dayOf(time.UnixMilli(v))
		case v < 1e17:
			return dayOf(time.UnixMicro(v))
		default:
			return dayOf(time.Unix(0, v))
		}
	}
	return 0, fmt.Errorf("%q is not a date: want YYYY-MM-DD, RFC 3339 or an epoch (day and month order is never guessed)", s)
}

func dayOf(t time.Time) (int32, error) {
	if y := t.UTC().Year(); y < 1900 || y > 2200 {
		return 0, fmt.Errorf("year %d is outside 1900 to 2200", y)
	}
	// Floor, so that instants before 1970 fall on their own day.
	sec := t.Unix()
	d := sec / 86400
	if sec%86400 < 0 {
		d--
	}
	return int32(d), nil
}

// errTooLarge is a return of more than 1.
var errTooLarge = errors.New("more than 100 % in one period")

// parseReturn reads a fraction, or per cent when it ends in %, and tells whether
// a comma marked the decimals. A number too large for a return comes with its
// error.
func parseReturn(s string) (x float64, comma bool, err error) {
	num, percent := strings.CutSuffix(s, "%")
	num = strings.TrimSpace(strings.Replace(num, "−", "-", 1))
	if strings.Count(num, ",") == 1 && !strings.Contains(num, ".") {
		num, comma = strings.Replace(num, ",", ".", 1), true
	}
	x, err = strconv.ParseFloat(num, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		hint := ""
		if strings.Contains(num, ",") {
			hint = "; write it without separators of thousands, with a point or one comma for the decimals"
		}
		return 0, comma, fmt.Errorf("%q is not a finite number%s", s, hint)
	}
	if percent {
		x /= 100
	}
	if math.Abs(x) > 1 {
		return x, comma, fmt.Errorf("%s is %w", s, errTooLarge)
	}
	return x, comma, nil
}

// columnLooks says what a column that holds a number too large for a return may
// be, and what to do, from the numbers up to that one and those that follow.
func columnLooks(x []float64, cr *csv.Reader, cols columns) string {
	for len(x) < 1000 {
		line, err := cr.Read()
		if err != nil || len(line) != cols.width {
			break
		}
		v, _, err := parseReturn(strings.TrimSpace(line[cols.ret]))
		if err != nil && !errors.Is(err, errTooLarge) {
			break
		}
		x = append(x, v)
	}
	fractions := "returns are fractions (0.012) or carry a sign (1.2%)"
	low, high := slices.Min(x), slices.Max(x)
	switch {
	case low > 0 && (len(x) == 1 || high < 100*low):
		return fmt.Sprintf("the column looks like prices or equity (%d values from %g to %g, all positive): turn it into returns, each value over the one before, minus 1; %s", len(x), low, high, fractions)
	case low < 0 && max(high, -low) <= 100:
		return fmt.Sprintf("the column looks like per cent (%d values from %g to %g): divide it by 100; %s", len(x), low, high, fractions)
	}
	return fmt.Sprintf("the column looks like money (%d values from %g to %g): divide it by the capital at risk; %s", len(x), low, high, fractions)
}

// refusePrices finds price or equity columns that stay below 1: all values
// positive and each close to the one before.
func refusePrices(name string, x []float64) error {
	if len(x) < 10 || slices.Min(x) <= 0 {
		return nil
	}
	if rho := stat.Autocorrelation(x, 1); rho > 0.7 || stat.StdDev(x) < 0.1*stat.Mean(x) {
		return fmt.Errorf("judge: column %q is positive in every row and hardly moves: it looks like prices or equity, not returns (each value over the one before, minus 1)", name)
	}
	return nil
}
