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

const (
	chunkSize = 1 << 17
	padding   = 32      // bytes before and behind a chunk that may be read and mean nothing
	maxLine   = 1 << 16 // a longer line is not a bar
)

// csvReader reads lines of separated values. Ordinary lines are read by columnar;
// whatever that does not understand comes here.
type csvReader struct {
	src    io.Reader
	buf    []byte
	lo, hi int // unread bytes
	eof    bool
	line   int64 // lines handed out
	sep    byte
	header int // number of columns
	named  int // number of columns up to the last that has a name
	cols   layout
	where  *where
	stamps stamper
	others [2]stamper // of begin and known
	fast   *columnar  // nil: no fast way
	fields [][]byte
	joined []byte
}

// refill moves what is unread to the front and reads more.
func (c *csvReader) refill() error {
	if c.buf == nil {
		c.buf = make([]byte, padding+chunkSize+padding)
		c.lo, c.hi = padding, padding
	}
	c.hi = padding + copy(c.buf[padding:], c.buf[c.lo:c.hi])
	c.lo = padding
	if c.fast != nil {
		c.fast.safe = 0
	}
	n, err := io.ReadAtLeast(c.src, c.buf[c.hi:padding+chunkSize], 1)
	c.hi += n
	switch {
	case err == io.EOF:
		c.eof = true
	case err != nil:
		return fmt.Errorf("after line %d: the file is damaged or cut off: %w", c.line, err)
	}
	return nil
}

// next returns the next line without its end; io.EOF after the last.
func (c *csvReader) next() ([]byte, error) {
	for {
		n := bytes.IndexByte(c.buf[c.lo:c.hi], '\n')
		if n < 0 && c.eof {
			if c.lo == c.hi {
				return nil, io.EOF
			}
			n = c.hi - c.lo
		}
		if n > maxLine || n < 0 && c.hi-c.lo > maxLine {
			return nil, fmt.Errorf("line %d is longer than %d bytes: this is not a file of bars", c.line+1, maxLine)
		}
		if n >= 0 {
			l := c.buf[c.lo : c.lo+n]
			c.lo = min(c.lo+n+1, c.hi)
			c.line++
			return bytes.TrimSuffix(l, []byte{'\r'}), nil
		}
		if err := c.refill(); err != nil {
			return nil, err
		}
	}
}

// open reads the header, finds the separator and maps the columns.
func (c *csvReader) open(cfg *Config) error {
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
		l = bytes.TrimPrefix(l, []byte("\ufeff"))
		if len(bytes.TrimSpace(l)) > 0 && l[0] != '#' {
			head = bytes.Clone(l)
			break
		}
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return errors.New("the file is binary: neither CSV nor Parquet, gzip or zstd")
	}
	if bytes.IndexByte(head, '\r') >= 0 {
		return errors.New("the lines end with a lone carriage return (old Mac form); convert them to line feeds")
	}
	c.sep = ','
	best := 0
	for _, s := range []byte{',', ';', '\t', '|'} {
		if n := bytes.Count(head, []byte{s}); n > best {
			c.sep, best = s, n
		}
	}
	fields, err := c.split(head)
	if err != nil {
		return err
	}
	var header []string
	numbers := 0
	for i, f := range fields {
		header = append(header, strings.TrimSpace(string(bare(f))))
		if header[i] != "" {
			c.named = i + 1
		}
		if _, ok := parseFloat(bare(f)); ok {
			numbers++
		}
	}
	if numbers >= 4 {
		return fmt.Errorf("line %d looks like data (%s): the file has no header; put a first line such as time,open,high,low,close,volume", c.line, clip(head))
	}
	c.header = len(header)
	if c.cols, err = findColumns(header, cfg.Columns); err != nil {
		return err
	}
	if c.where, err = newWhere(cfg.Where, header); err != nil {
		return err
	}
	c.plan()
	return nil
}

// split cuts a line into fields. A field may stand in double quotes, with the
// separator and doubled quotes inside; the quotes stay, for bare to take.
func (c *csvReader) split(l []byte) ([][]byte, error) {
	out := c.fields[:0]
	quotes := bytes.IndexByte(l, '"') >= 0
	for {
		i := 0
		if lead := len(l) - len(bytes.TrimLeft(l, " \t")); quotes && lead < len(l) && l[lead] == '"' && (c.sep != '\t' || lead == 0) {
			for i = lead + 1; ; i += 2 {
				k := bytes.IndexByte(l[i:], '"')
				if k < 0 {
					return nil, fmt.Errorf("line %d: a quote is not closed: %s", c.line, clip(l))
				}
				if i += k; i+1 >= len(l) || l[i+1] != '"' {
					break
				}
			}
		}
		k := bytes.IndexByte(l[i:], c.sep)
		if k < 0 {
			c.fields = append(out, l)
			return c.fields, nil
		}
		out = append(out, l[:i+k])
		l = l[i+k+1:]
	}
}

// bare is a field without spaces and quotes around it.
func bare(f []byte) []byte {
	f = bytes.TrimSpace(f)
	if len(f) >= 2 && f[0] == '"' && f[len(f)-1] == '"' {
		f = bytes.TrimSpace(f[1 : len(f)-1])
		if bytes.IndexByte(f, '"') >= 0 {
			f = bytes.ReplaceAll(f, []byte(`""`), []byte(`"`))
		}
	}
	return f
}

// slow reads one line into the block, if it holds a bar that is asked for.
func (c *csvReader) slow(b *block) error {
	l, err := c.next()
	if err != nil {
		return err
	}
	if len(l) == 0 || len(bytes.TrimSpace(l)) == 0 {
		return nil
	}
	fields, err := c.split(l)
	if err != nil {
		return err
	}
	// Fields beyond the header, and columns without a name at its end, may be
	// there or not, as long as they say nothing.
	for n := len(fields); n > c.header && len(bytes.TrimSpace(fields[n-1])) == 0; n-- {
		fields = fields[:n-1]
	}
	if len(fields) > c.header || len(fields) < c.named {
		return fmt.Errorf("line %d has %d fields, the header has %d: %s", c.line, len(fields), c.named, clip(l))
	}
	if c.where.at >= 0 && !c.where.pass(string(bare(fields[c.where.at]))) {
		return nil
	}
	i := b.n
	b.line[i] = c.line
	at := c.cols.at
	ts := bare(fields[at[roleTime]])
	if k := at[roleClock]; k >= 0 {
		c.joined = append(append(append(c.joined[:0], ts...), ' '), bare(fields[k])...)
		ts = c.joined
	}
	if b.stamp[i], err = c.stamps.parse(ts); err != nil {
		return c.badStamp(roleTime, err)
	}
	for r := roleBegin; r <= roleKnown && at[r] >= 0; r++ {
		if b.instants(r)[i], err = c.others[r-roleBegin].parse(bare(fields[at[r]])); err != nil {
			return c.badStamp(r, err)
		}
	}
	for q := roleOpen; q <= roleVolume; q++ {
		dst := &b.v[q-roleOpen][i]
		k := at[q]
		if k < 0 {
			*dst = math.NaN()
			continue
		}
		var ok bool
		if *dst, ok = number(fields[k]); !ok {
			return fmt.Errorf("line %d, column %q: %q is not a number", c.line, c.cols.names[k], clip(bare(fields[k])))
		}
	}
	b.n++
	return nil
}

func (c *csvReader) badStamp(r role, err error) error {
	if errors.Is(err, errNoZone) {
		return err
	}
	return fmt.Errorf("line %d, column %q: %w", c.line, c.cols.names[c.cols.at[r]], err)
}

// each calls emit for every block of rows.
func (c *csvReader) each(ctx context.Context, emit func(*block) error) error {
	b := newBlock(rowsPerBlock, c.cols.at[roleBegin] >= 0)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.n = 0
		err := c.fill(b)
		if err != nil && err != io.EOF {
			return err
		}
		if err := emit(b); err != nil {
			return err
		}
		if err != nil {
			return nil
		}
	}
}

// fill reads until the block is full; io.EOF after the last line.
func (c *csvReader) fill(b *block) error {
	for b.n < rowsPerBlock {
		if c.fast != nil {
			if c.columns(b); b.n == rowsPerBlock {
				break
			}
		}
		if err := c.slow(b); err != nil {
			return err
		}
	}
	return nil
}
