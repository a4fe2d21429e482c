package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/file"
)

// Keys of the file metadata that our own Parquet files carry, so that a file
// written by this program states its own stamps and zone.
const (
	MetaStamps    = "mlfactory.stamps"
	MetaZone      = "mlfactory.zone"
	MetaTimeframe = "mlfactory.timeframe"
)

// parquetRows is the largest number of rows that are read at once from every column.
const parquetRows = 1 << 13

// parquetReader reads the columns of a Parquet file, some rows of each at a time.
type parquetReader struct {
	file   *file.Reader
	cols   layout
	where  *where
	stamps stamper
	others [2]stamper // of begin and known
	meta   map[string]string
	rows   int   // rows of a read
	read   int64 // rows read
	of     []*parquetColumn
	filter *parquetColumn // of where
	keep   []bool         // the rows of this read that pass; nil: all
}

func openParquet(f *os.File, cfg *Config) (p *parquetReader, err error) {
	defer func() {
		// The reader panics on some damaged footers; a file must not.
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("the Parquet file is damaged or cut off: %v", r)
		}
	}()
	r, err := file.NewParquetReader(f)
	if err != nil {
		return nil, fmt.Errorf("the Parquet file is damaged or cut off: %w", err)
	}
	p = &parquetReader{file: r, meta: map[string]string{}, rows: int(min(parquetRows, max(1, r.NumRows())))}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
			p = nil
		}
	}()
	kv := r.MetaData().KeyValueMetadata()
	for i, k := range kv.Keys() {
		p.meta[k] = kv.Values()[i]
	}
	var names []string
	schema := r.MetaData().Schema
	for i := range schema.NumColumns() {
		names = append(names, schema.Column(i).Name())
	}
	if p.cols, err = findColumns(names, cfg.Columns); err != nil {
		return nil, err
	}
	if p.where, err = newWhere(cfg.Where, names); err != nil {
		return nil, err
	}
	if k := p.cols.at[roleClock]; k >= 0 {
		return nil, fmt.Errorf("column %q: a separate time of day is only read from CSV", names[k])
	}
	if tf := p.meta[MetaTimeframe]; tf != "" && (cfg.Timeframe == "auto" || cfg.Timeframe == "") {
		cfg.Timeframe = tf
	}
	for q, k := range p.cols.at {
		if k >= 0 {
			c, err := newParquetColumn(schema.Column(k), k, p.rows, role(q))
			if err != nil {
				return nil, err
			}
			p.of = append(p.of, c)
		}
	}
	if k := p.where.at; k >= 0 {
		if p.filter, err = newParquetColumn(schema.Column(k), k, p.rows, roles); err != nil {
			return nil, err
		}
		p.keep = make([]bool, p.rows)
	}
	return p, nil
}

func (p *parquetReader) close() error { return p.file.Close() }

// each calls emit for every block of rows. The next block is read while emit
// works on one.
func (p *parquetReader) each(ctx context.Context, emit func(*block) error) error {
	ctx, cancel := context.WithCancel(ctx)
	free, full := make(chan *block, 2), make(chan *block)
	for range cap(free) {
		b := newBlock(p.rows, p.cols.at[roleBegin] >= 0)
		if p.cols.at[roleVolume] < 0 {
			blank(b.v[4])
		}
		free <- b
	}
	var readErr error
	go func() {
		defer close(full)
		readErr = p.blocks(ctx, free, full)
	}()
	var err error
	for b := range full {
		if err == nil {
			if err = emit(b); err != nil {
				cancel()
			}
		}
		free <- b
	}
	cancel()
	if err != nil {
		return err
	}
	return readErr
}

// blocks reads the file into blocks.
func (p *parquetReader) blocks(ctx context.Context, free <-chan *block, full chan<- *block) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = p.damaged(fmt.Errorf("%v", r))
		}
	}()
	for g := range p.file.NumRowGroups() {
		group := p.file.RowGroup(g)
		for _, c := range p.of {
			if err = c.begin(group); err != nil {
				return p.damaged(err)
			}
		}
		if c := p.filter; c != nil {
			if err = c.begin(group); err != nil {
				return p.damaged(err)
			}
		}
		for left := group.NumRows(); left > 0; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n := int(min(left, int64(p.rows)))
			b := <-free
			if err := p.columns(b, n); err != nil {
				return err
			}
			left -= int64(n)
			select {
			case full <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	if want := p.file.NumRows(); p.read != want {
		return fmt.Errorf("the Parquet file states %d rows and holds %d", want, p.read)
	}
	return nil
}

// columns reads n rows of every column, side by side.
func (p *parquetReader) columns(b *block, n int) error {
	if p.filter != nil {
		if err := p.filter.read(b, n, p); err != nil {
			return err
		}
	}
	errs := make([]error, len(p.of))
	var wg sync.WaitGroup
	for i, c := range p.of {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					errs[i] = p.damaged(fmt.Errorf("%v", r))
				}
			}()
			errs[i] = c.read(b, n, p)
		})
	}
	wg.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	b.n = 0
	for i := range n {
		b.line[i] = p.read + int64(i) + 1
		if p.filter != nil {
			if !p.keep[i] {
				continue
			}
			b.move(b.n, i)
		}
		b.n++
	}
	p.read += int64(n)
	return nil
}

func (p *parquetReader) damaged(err error) error {
	return fmt.Errorf("after row %d: the Parquet file is damaged or cut off: %w", p.read, err)
}

// at is an error of one value.
func (p *parquetReader) at(i int, name string, err error) error {
	return fmt.Errorf("row %d, column %q: %w", p.read+int64(i)+1, name, err)
}

// isParquet tells a Parquet file by its first bytes.
func isParquet(head []byte) bool { return len(head) >= 4 && string(head[:4]) == "PAR1" }
