package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// row is one line of a file before any judgement: a stamp and five numbers,
// NaN where the file has none.
type row struct {
	line                           int64 // line (CSV) or row (Parquet), from 1
	stamp                          int64
	open, high, low, close, volume float64
}

const (
	chunkSize = 1 << 20
	maxLine   = 1 << 16 // a longer line is not a bar
)

var errNoZone = errors.New("no zone")

// csvReader reads lines of separated values.
type csvReader struct {
	src     io.Reader
	buf     []byte
	lo, hi  int // unread bytes
	eof     bool
	line    int64 // lines handed out
	sep     byte
	cols    layout
	stamps  stamper
	byField [roles]int
	fields  [][]byte
	joined  []byte
}

// next returns the next line without its end; io.EOF after the last.
func (c *csvReader) next() ([]byte, error) {
	for {
		if i := bytes.IndexByte(c.buf[c.lo:c.hi], '\n'); i >= 0 {
			l := c.buf[c.lo : c.lo+i]
			c.lo += i + 1
			c.line++
			if n := len(l); n > 0 && l[n-1] == '\r' {
				l = l[:n-1]
			}
			if len(l) > maxLine {
				return nil, c.tooLong(len(l))
			}
			return l, nil
		}
		if c.hi-c.lo > maxLine {
			return nil, c.tooLong(c.hi - c.lo)
		}
		if c.eof {
			if c.lo == c.hi {
				return nil, io.EOF
			}
			l := bytes.TrimSuffix(c.buf[c.lo:c.hi], []byte{'\r'})
			c.lo = c.hi
			c.line++
			return l, nil
		}
		if c.buf == nil {
			c.buf = make([]byte, chunkSize)
		}
		copy(c.buf, c.buf[c.lo:c.hi])
		c.lo, c.hi = 0, c.hi-c.lo
		n, err := io.ReadAtLeast(c.src, c.buf[c.hi:], 1)
		c.hi += n
		switch {
		case err == io.EOF:
			c.eof = true
		case err != nil:
			return nil, fmt.Errorf("after line %d: the file is damaged or cut off: %w", c.line, err)
		}
	}
}

func (c *csvReader) tooLong(n int) error {
	return fmt.Errorf("line %d is longer than %d bytes (%d and more): this is not a file of bars", c.line+1, maxLine, n)
}

// open reads the header, finds the separator and maps the columns.
func (c *csvReader) open(want Columns) error {
	var head []byte
	for {
		l, err := c.next()
		if err == io.EOF {
			if c.line == 0 {
				return errors.New("the file is empty")
			}
			return errors.New("the file has only blank lines")
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(l)) > 0 && l[0] != '#' {
			head = append([]byte(nil), l...)
			break
		}
	}
	c.sep = ','
	best := 0
	for _, s := range []byte{',', ';', '\t', '|'} {
		if n := bytes.Count(head, []byte{s}); n > best {
			c.sep, best = s, n
		}
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return errors.New("the file is binary: neither CSV nor Parquet, gzip or zstd")
	}
	header := strings.Split(string(head), string(c.sep))
	numbers := 0
	for _, h := range header {
		if _, ok := parseFloat([]byte(strings.Trim(h, `" `))); ok {
			numbers++
		}
	}
	if numbers >= 4 {
		return fmt.Errorf("line %d looks like data (%s): the file has no header; put a first line such as time,open,high,low,close,volume", c.line, clip(head))
	}
	for i := range header {
		header[i] = strings.Trim(header[i], "\ufeff \"")
	}
	l, err := findColumns(header, want)
	if err != nil {
		return err
	}
	c.cols = l
	c.fields = make([][]byte, len(header))
	return nil
}

// row reads the next bar's line. A blank line is passed over.
func (c *csvReader) row(r *row) error {
	for {
		l, err := c.next()
		if err != nil {
			return err
		}
		if len(l) == 0 || len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		r.line = c.line
		return c.split(l, r)
	}
}

func (c *csvReader) split(l []byte, r *row) error {
	n, start := 0, 0
	for i := 0; i <= len(l); i++ {
		if i < len(l) && l[i] != c.sep {
			continue
		}
		if n < len(c.fields) {
			c.fields[n] = l[start:i]
		}
		n++
		start = i + 1
	}
	if n != len(c.fields) {
		return fmt.Errorf("line %d has %d fields, the header has %d: %s", c.line, n, len(c.fields), clip(l))
	}
	ts := bare(c.fields[c.cols.at[roleTime]])
	if k := c.cols.at[roleClock]; k >= 0 {
		c.joined = append(append(append(c.joined[:0], ts...), ' '), bare(c.fields[k])...)
		ts = c.joined
	}
	t, err := c.stamps.parse(ts)
	if err != nil {
		if errors.Is(err, errNoZone) {
			return err
		}
		return fmt.Errorf("line %d, column %q: %w", c.line, c.cols.names[c.cols.at[roleTime]], err)
	}
	r.stamp = t
	for q := roleOpen; q < roles; q++ {
		dst := r.value(q)
		k := c.cols.at[q]
		if k < 0 {
			*dst = math.NaN()
			continue
		}
		f := c.fields[k]
		v, ok := parseFloat(f)
		if !ok {
			if f = bare(f); missing(f) {
				v = math.NaN()
			} else if v, ok = parseFloat(f); !ok {
				return fmt.Errorf("line %d, column %q: %q is not a number", c.line, c.cols.names[k], clip(f))
			}
		}
		*dst = v
	}
	return nil
}

func (r *row) value(q role) *float64 {
	switch q {
	case roleOpen:
		return &r.open
	case roleHigh:
		return &r.high
	case roleLow:
		return &r.low
	case roleClose:
		return &r.close
	}
	return &r.volume
}

func bare(f []byte) []byte {
	f = bytes.TrimSpace(f)
	if len(f) >= 2 && f[0] == '"' && f[len(f)-1] == '"' {
		f = f[1 : len(f)-1]
	}
	return f
}

// each calls emit for every row, checking ctx now and then.
func (c *csvReader) each(ctx context.Context, emit func(*row) error) error {
	var r row
	for k := 0; ; k++ {
		if k&0xffff == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := c.row(&r); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		if err := emit(&r); err != nil {
			return err
		}
	}
}
