// Package ingest reads bars from files and judges each one before anything is
// computed from it.
//
// # What the reader must be told
//
// A stamp can mark the begin or the end of its bar, and no file says which. A
// join that takes the one for the other moves every price by one bar, so that a
// model trained on it has seen one bar of the future. The reader therefore
// refuses a file until it is told: by Config.Stamps, or by the metadata of a
// file that this program wrote. The same goes for the zone of stamps without an
// offset. "assume-begin" and "assume-end" read the file on an assumption and
// put that into the report, where it becomes a caveat of the verdict.
//
// # Formats
//
// CSV with comma, semicolon, tab or bar; plain, gzip or zstd; and Parquet. The
// first line names the columns; common names are recognised (see Columns).
// Stamps are RFC 3339, ISO dates with or without seconds and fractions,
// 20060102 150405, 2006.01.02 15:04, dd/mm and mm/dd once DateOrder says which,
// a date and a time column, or epoch seconds, milliseconds, microseconds or
// nanoseconds. Numbers are read exactly (correctly rounded).
//
// # Checks
//
// Every row passes the online [Checker], which is the same for a live stream.
// A row that cannot be read (text in a price) is an error with its line and
// column; a row that can be read but not believed is dropped, repaired or held,
// counted and listed.
package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/mlfactory/mlfactory/bar"
)

// Config says how to read a file.
type Config struct {
	Stamps    string  `yaml:"stamps" doc:"whether a stamp marks the begin or the end of its bar; assume-begin and assume-end read on an assumption that the report shows; empty: only a file that states it is accepted" enum:",begin,end,assume-begin,assume-end"`
	Zone      string  `yaml:"zone" doc:"zone of stamps without an offset, such as UTC or America/New_York; empty: only files whose stamps carry one are accepted"`
	Timeframe string  `yaml:"timeframe" doc:"length of the file's bars: auto (the commonest distance of stamps), native (irregular bars, such as dollar bars; stamps must be ends) or 1m, 1h, …"`
	DateOrder string  `yaml:"date_order" doc:"order of dates such as 03/04/2021: ymd, dmy or mdy" enum:"ymd,dmy,mdy"`
	Sort      bool    `yaml:"sort" doc:"sort the rows by stamp before the checks (for files that run backwards)"`
	Where     string  `yaml:"where" doc:"read only the rows in which a column has a value, as column=value (for files with several contracts)"`
	Columns   Columns `yaml:"columns" doc:"names of the columns where the usual ones do not serve"`
	Checks    Checks  `yaml:"checks" doc:"limits of the online checks"`
}

// Default reads what states everything itself.
func Default() Config {
	return Config{Timeframe: "auto", DateOrder: "ymd", Checks: DefaultChecks()}
}

// ErrStamps is returned when nothing says which side of a bar a stamp marks.
var ErrStamps = errors.New("it is not stated whether a stamp marks the begin or the end of its bar. " +
	"Taken the wrong way, every bar moves by one and a model sees one bar of the future, " +
	"so there is no default: say --stamps begin or --stamps end (or stamps: in the recipe); " +
	"if nobody knows, --stamps assume-begin is the side that cannot leak, and the report will show it")

// ErrZone is returned when the stamps carry no offset and no zone is given.
var ErrZone = errors.New("the stamps carry no offset and no zone is stated: " +
	"say --zone UTC, or the zone the file was written in, such as --zone America/New_York")

// source is what both formats offer: rows in the order of the file.
type source interface {
	each(ctx context.Context, emit func(*block) error) error
}

// Read reads the file at path as bars of the instrument. The error names the
// file, the line and the column. On an error no series is returned. Reading a
// CSV file takes one core; a Parquet file is read by as many as there are, with
// the same result.
func Read(ctx context.Context, path string, cfg Config, inst bar.Instrument) (*bar.Series, *Report, error) {
	s, rep, err := read(ctx, path, cfg, inst)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, rep, nil
}

// opened is a file whose header has been read.
type opened struct {
	source
	cols   *layout
	where  *where
	stamps *stamper
	meta   map[string]string
	expect func() int64 // rows, about
	close  func()
}

func read(ctx context.Context, path string, cfg Config, inst bar.Instrument) (*bar.Series, *Report, error) {
	f, err := os.Open(path)
	if err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, nil, errors.New("is a folder; name one file of bars")
	}
	cal, err := inst.NewCalendar()
	if err != nil {
		return nil, nil, err
	}
	rep := &Report{}
	src, err := open(f, &cfg, rep)
	if err != nil {
		return nil, nil, err
	}
	defer src.close()
	b := &builder{cfg: cfg, rep: rep, inst: inst, cal: cal, expect: src.expect, trusted: src.cols.at[roleBegin] >= 0}
	if b.begin, err = side(cfg, src, rep); err != nil {
		return nil, nil, err
	}
	for r := role(0); r < roles; r++ {
		if src.cols.at[r] >= 0 {
			rep.Columns = append(rep.Columns, [2]string{r.String(), src.cols.names[src.cols.at[r]]})
		}
	}
	if err := src.each(ctx, b.block); err != nil {
		if errors.Is(err, errNoZone) {
			err = ErrZone
		}
		return nil, nil, err
	}
	if rep.Rows == 0 && src.where.at >= 0 && len(src.where.seen) > 0 {
		return nil, nil, src.where.none()
	}
	rep.Zone = "from the stamps"
	switch {
	case src.stamps.kind == stampEpoch:
		rep.Zone = "UTC (epoch numbers)"
	case src.stamps.kind == stampNaive:
		rep.Zone = src.stamps.loc.String()
	}
	return b.finish()
}

// open tells the format by the first bytes and reads the header.
func open(f *os.File, cfg *Config, rep *Report) (*opened, error) {
	order, ok := map[string]dateOrder{"": orderYMD, "ymd": orderYMD, "dmy": orderDMY, "mdy": orderMDY}[cfg.DateOrder]
	if !ok {
		return nil, fmt.Errorf("date_order %q is not one of ymd, dmy, mdy", cfg.DateOrder)
	}
	stamps := stamper{order: order}
	var err error
	if cfg.Zone != "" {
		if stamps.loc, err = time.LoadLocation(cfg.Zone); err != nil || cfg.Zone == "Local" {
			return nil, fmt.Errorf("zone %q is not known; use a name such as UTC, America/Chicago or Asia/Kolkata", cfg.Zone)
		}
	}
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err == io.EOF {
		return nil, errors.New("the file is empty")
	}
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	head = head[:n]
	if isParquet(head) {
		rep.Source = "parquet"
		p, err := openParquet(f, cfg)
		if err != nil {
			return nil, err
		}
		if zone := p.meta[MetaZone]; stamps.loc == nil && zone != "" {
			if stamps.loc, err = time.LoadLocation(zone); err != nil {
				return nil, errors.Join(fmt.Errorf("the file states the zone %q, which is not known", zone), p.close())
			}
		}
		p.stamps, p.others = stamps, [2]stamper{stamps, stamps}
		return &opened{p, &p.cols, p.where, &p.stamps, p.meta, p.file.NumRows, func() { p.close() }}, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	r, form, closer, err := decompress(f, head)
	if err != nil {
		return nil, err
	}
	rep.Source = form
	c := &csvReader{src: r, stamps: stamps, others: [2]stamper{stamps, stamps}}
	if err := c.open(cfg); err != nil {
		closer()
		return nil, err
	}
	expect := func() int64 {
		st, err := f.Stat()
		at, err2 := f.Seek(0, io.SeekCurrent)
		if err != nil || err2 != nil || form != "csv" || c.where.at >= 0 {
			return 0
		}
		done := at - int64(c.hi-c.lo) // bytes of the lines so far
		return int64(float64(st.Size())/float64(max(done, 1))*float64(c.line)*1.01) + 64
	}
	return &opened{c, &c.cols, c.where, &c.stamps, nil, expect, closer}, nil
}

// side says whether the stamps mark begins, from what is stated, and completes
// the report and the timeframe.
func side(cfg Config, src *opened, rep *Report) (begin bool, err error) {
	side := cfg.Stamps
	switch side {
	case "", "begin", "end", "assume-begin", "assume-end":
	default:
		return false, fmt.Errorf("stamps %q is not one of begin, end, assume-begin, assume-end", side)
	}
	if src.cols.at[roleBegin] >= 0 {
		rep.Stamps = "end"
		return false, nil
	}
	says := src.meta[MetaStamps]
	switch says {
	case "", "begin", "end":
	default:
		return false, fmt.Errorf("the file states that its stamps mark %q, which is neither begin nor end", says)
	}
	if side == "" {
		side = says
	}
	if side == "" {
		return false, ErrStamps
	}
	rep.Assumed = side == "assume-begin" || side == "assume-end"
	rep.Stamps = strings.TrimPrefix(side, "assume-")
	if says != "" && says != rep.Stamps {
		return false, fmt.Errorf("it is stated that the stamps mark the %s of a bar, and the file itself says that they mark the %s", rep.Stamps, says)
	}
	if err := src.cols.checkSide(rep.Stamps); err != nil {
		return false, err
	}
	if rep.Assumed {
		rep.Notes = append(rep.Notes, fmt.Sprintf("the side of the stamps is not known; %s is an assumption", rep.Stamps))
	}
	return rep.Stamps == "begin", nil
}

// decompress tells gzip and zstd by their first bytes.
func decompress(f *os.File, head []byte) (io.Reader, string, func(), error) {
	switch {
	case len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
		if err != nil {
			return nil, "", nil, fmt.Errorf("the gzip file is damaged or cut off: %w", err)
		}
		return z, "csv (gzip)", func() { z.Close() }, nil
	case len(head) >= 4 && head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd:
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, "", nil, fmt.Errorf("the zstd file is damaged or cut off: %w", err)
		}
		return z, "csv (zstd)", z.Close, nil
	}
	return f, "csv", func() {}, nil
}
