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
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/calendar"
)

// Config says how to read a file.
type Config struct {
	Stamps    string  `yaml:"stamps" doc:"whether a stamp marks the begin or the end of its bar; assume-begin and assume-end read on an assumption that the report shows; empty: only a file that states it is accepted" enum:",begin,end,assume-begin,assume-end"`
	Zone      string  `yaml:"zone" doc:"zone of stamps without an offset, such as UTC or America/New_York; empty: only files whose stamps carry one are accepted"`
	Timeframe string  `yaml:"timeframe" doc:"length of the file's bars: auto (the commonest distance of stamps), native (irregular bars, such as dollar bars; stamps must be ends) or 1m, 1h, …"`
	DateOrder string  `yaml:"date_order" doc:"order of dates such as 03/04/2021: ymd, dmy or mdy" enum:"ymd,dmy,mdy"`
	Sort      bool    `yaml:"sort" doc:"sort the rows by stamp before the checks (for files that run backwards)"`
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

// source is what both formats offer.
type source interface {
	each(ctx context.Context, emit func(*row) error) error
}

// Read reads the file at path as bars of the instrument. The error names the
// file, the line and the column. On an error no series is returned.
func Read(ctx context.Context, path string, cfg Config, inst bar.Instrument) (*bar.Series, *Report, error) {
	s, rep, err := read(ctx, path, cfg, inst)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, rep, nil
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
	stamps := stamper{order: map[string]dateOrder{"dmy": orderDMY, "mdy": orderMDY}[cfg.DateOrder]}
	if cfg.Zone != "" {
		if stamps.loc, err = time.LoadLocation(cfg.Zone); err != nil || cfg.Zone == "Local" {
			return nil, nil, fmt.Errorf("zone %q is not known; use a name such as UTC, America/Chicago or Asia/Kolkata", cfg.Zone)
		}
	}
	switch cfg.Stamps {
	case "", "begin", "end", "assume-begin", "assume-end":
	default:
		return nil, nil, fmt.Errorf("stamps %q is not one of begin, end, assume-begin, assume-end", cfg.Stamps)
	}
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err == io.EOF {
		return nil, nil, errors.New("the file is empty")
	}
	if err != nil && err != io.ErrUnexpectedEOF {
		return nil, nil, err
	}
	head = head[:n]
	rep := &Report{}
	var src source
	var meta map[string]string
	var cols *layout
	var kind *stamper
	if isParquet(head) {
		p, err := openParquet(f, cfg.Columns)
		if err != nil {
			return nil, nil, err
		}
		defer p.close()
		meta, rep.Source = p.meta, "parquet"
		if stamps.loc == nil && meta[MetaZone] != "" {
			if stamps.loc, err = time.LoadLocation(meta[MetaZone]); err != nil {
				return nil, nil, fmt.Errorf("the file states the zone %q, which is not known", meta[MetaZone])
			}
		}
		p.stamps = stamps
		src, cols, kind = p, &p.cols, &p.stamps
	} else {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, nil, err
		}
		r, form, closer, err := decompress(f, head)
		if err != nil {
			return nil, nil, err
		}
		defer closer()
		c := &csvReader{src: r, stamps: stamps}
		if err := c.open(cfg.Columns); err != nil {
			return nil, nil, err
		}
		rep.Source = form
		src, cols, kind = c, &c.cols, &c.stamps
	}
	side := cfg.Stamps
	if side == "" {
		side = meta[MetaStamps]
	}
	if side == "" {
		return nil, nil, ErrStamps
	}
	if cfg.Timeframe == "auto" && meta[MetaTimeframe] != "" {
		cfg.Timeframe = meta[MetaTimeframe]
	}
	rep.Assumed = side == "assume-begin" || side == "assume-end"
	begin := side == "begin" || side == "assume-begin"
	rep.Stamps = map[bool]string{true: "begin", false: "end"}[begin]
	if rep.Assumed {
		rep.Notes = append(rep.Notes, fmt.Sprintf("the side of the stamps is not known; %s is an assumption", rep.Stamps))
	}
	for r := role(0); r < roles; r++ {
		if cols.at[r] >= 0 {
			rep.Columns = append(rep.Columns, [2]string{r.String(), cols.names[cols.at[r]]})
		}
	}
	b := &builder{cfg: cfg, begin: begin, rep: rep, inst: inst, cal: cal}
	if err := src.each(ctx, b.row); err != nil {
		if errors.Is(err, errNoZone) {
			return nil, nil, ErrZone
		}
		return nil, nil, err
	}
	rep.Zone = "from the stamps"
	switch {
	case kind.kind == stampEpoch:
		rep.Zone = "UTC (epoch numbers)"
	case kind.kind == stampNaive:
		rep.Zone = kind.loc.String()
	}
	return b.finish()
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
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, "", nil, fmt.Errorf("the zstd file is damaged or cut off: %w", err)
		}
		return z, "csv (zstd)", z.Close, nil
	}
	return f, "csv", func() {}, nil
}

// probe is the number of rows from which the length of a bar is inferred.
const probe = 20000

// builder turns rows into checked bars. It holds back the first rows until the
// length of a bar is known.
type builder struct {
	cfg   Config
	begin bool
	rep   *Report
	inst  bar.Instrument
	cal   *calendar.Calendar

	waiting []row
	tf      bar.Timeframe
	known   bool
	check   *Checker
	out     *bar.Series
	prevEnd int64
}

func (b *builder) row(r *row) error {
	b.rep.Rows++
	if !b.known {
		b.waiting = append(b.waiting, *r)
		if len(b.waiting) < probe || b.cfg.Sort {
			return nil
		}
		return b.start()
	}
	return b.push(r)
}

// start infers the timeframe and pushes the rows that waited.
func (b *builder) start() error {
	b.known = true
	if b.cfg.Sort {
		slices.SortStableFunc(b.waiting, func(x, y row) int {
			switch {
			case x.stamp < y.stamp:
				return -1
			case x.stamp > y.stamp:
				return 1
			}
			return 0
		})
	}
	if err := b.timeframe(); err != nil {
		return err
	}
	b.rep.Timeframe = b.tf.String()
	b.out = bar.NewSeries(b.tf, len(b.waiting))
	b.check = NewChecker(b.cfg.Checks, b.inst, b.rep, func(x *bar.Bar) { b.out.Append(x) })
	for i := range b.waiting {
		if err := b.push(&b.waiting[i]); err != nil {
			return err
		}
	}
	b.waiting = nil
	return nil
}

func (b *builder) timeframe() error {
	if b.cfg.Timeframe != "auto" {
		tf, err := bar.ParseTimeframe(b.cfg.Timeframe)
		if err != nil {
			return err
		}
		b.tf = tf
		return b.native()
	}
	w := b.waiting
	if len(w) < 2 {
		return fmt.Errorf("%d row of data is too few to see how long a bar is; state timeframe: 1m (or --timeframe 1m)", len(w))
	}
	var diffs []int64
	back := 0
	for i := 1; i < len(w); i++ {
		switch d := w[i].stamp - w[i-1].stamp; {
		case d > 0:
			diffs = append(diffs, d)
		case d < 0:
			back++
		}
	}
	if back > len(w)/2 {
		return errors.New("the rows run backwards in time, newest first; read them with sort: true (or --sort)")
	}
	if len(diffs) == 0 {
		return errors.New("all rows have the same stamp")
	}
	slices.Sort(diffs)
	mode, most, run := diffs[0], 0, 0
	for i, d := range diffs {
		if i == 0 || d != diffs[i-1] {
			run = 0
		}
		if run++; run > most {
			mode, most = d, run
		}
	}
	if most*2 < len(diffs) || mode%int64(time.Second) != 0 {
		b.tf = bar.Native
		b.rep.Notes = append(b.rep.Notes, fmt.Sprintf("the distances of stamps have no common value (the commonest, %s, is %.0f %% of them): read as irregular bars", time.Duration(mode), 100*float64(most)/float64(len(diffs))))
		return b.native()
	}
	b.tf = bar.Timeframe(mode)
	return nil
}

func (b *builder) native() error {
	if b.tf == bar.Native && b.begin {
		return errors.New("irregular bars need end stamps: from begin stamps the end of a bar would only be known when the next one begins; say --stamps end, or state --timeframe if the bars are regular")
	}
	return nil
}

func (b *builder) push(r *row) error {
	x := bar.Bar{Open: r.open, High: r.high, Low: r.low, Close: r.close, Volume: r.volume}
	switch {
	case b.tf == bar.Native:
		x.End = r.stamp
		x.Begin = max(b.prevEnd, x.End-int64(b.cal.Typical()))
		if x.Begin >= x.End {
			x.Begin = x.End - 1
		}
	case b.begin:
		x.Begin, x.End = r.stamp, r.stamp+int64(b.tf)
	default:
		x.Begin, x.End = r.stamp-int64(b.tf), r.stamp
	}
	x.Known = x.End
	if !math.IsNaN(r.volume) {
		b.rep.Volume++
	}
	b.check.Push(x, r.line)
	if x.End > b.prevEnd {
		b.prevEnd = x.End
	}
	return nil
}

func (b *builder) finish() (*bar.Series, *Report, error) {
	rep := b.rep
	if rep.Rows == 0 {
		return nil, nil, errors.New("the file has a header and no rows")
	}
	if !b.known {
		if err := b.start(); err != nil {
			return nil, nil, err
		}
	}
	b.check.Close()
	rep.finish()
	share := func(k Kind) float64 { return float64(rep.N(k)) / float64(rep.Rows) }
	if s := share(OutOfOrder); s > b.cfg.Checks.OutOfOrder {
		return nil, nil, fmt.Errorf("%d of %d rows (%.1f %%) come out of order, the first at line %d; the limit is %.1f %%: sort the file (--sort) or raise checks.out_of_order",
			rep.N(OutOfOrder), rep.Rows, 100*s, rep.firstLine(OutOfOrder), 100*b.cfg.Checks.OutOfOrder)
	}
	if s := share(MissingPrice); s > b.cfg.Checks.MissingShare {
		return nil, nil, fmt.Errorf("%d of %d rows (%.1f %%) lack a price, the first at line %d; the limit is %.1f %%: repair the file or raise checks.missing_share",
			rep.N(MissingPrice), rep.Rows, 100*s, rep.firstLine(MissingPrice), 100*b.cfg.Checks.MissingShare)
	}
	s := b.out
	if s.Len() == 0 {
		return nil, nil, fmt.Errorf("none of %d rows passed the checks; the first finding: line %d: %s", rep.Rows, rep.Findings[0].Line, rep.Findings[0].Text)
	}
	// A bar that was released late may stand behind one that was accepted
	// before it was released; the series is in order of End by construction
	// because everything waits while a bar is held.
	bar.Assign(s, b.cal, b.inst.Limit(b.tf, b.cal))
	rep.First, rep.Last = stampText(s.Begin[0]), stampText(s.End[s.Len()-1])
	for i := range s.End {
		if i > 0 && s.Session[i] == s.Session[i-1] && s.Segment[i] == s.Segment[i-1] && b.tf > 0 {
			rep.NoTrade += (s.Begin[i] - s.End[i-1]) / int64(b.tf)
		}
		if i == 0 || s.Session[i] != s.Session[i-1] {
			rep.Sessions++
		}
		if _, in := b.cal.At(s.Begin[i]); !in {
			rep.OffClock++
		}
	}
	rep.Outages = int(s.Segment[s.Len()-1] - s.Segment[0])
	return s, rep, nil
}

func (r *Report) firstLine(k Kind) int64 {
	for _, f := range r.Findings {
		if f.Kind == k.String() {
			return f.Line
		}
	}
	return 0
}
