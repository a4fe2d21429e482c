package ingest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/mlfactory/mlfactory/bar"
)

// Formats lists the formats of Write.
func Formats() []string { return []string{"csv", "csv.gz", "csv.zst", "parquet"} }

// FormatOf tells the format of Write from a file's name: .csv, .csv.gz, .csv.zst
// or .parquet.
func FormatOf(name string) (string, error) {
	for _, f := range Formats() {
		if strings.HasSuffix(strings.ToLower(name), "."+f) {
			return f, nil
		}
	}
	return "", fmt.Errorf("the name %q does not end with .%s, which would say the format", name, strings.Join(Formats(), ", ."))
}

// names are the columns of a written file.
//
// const
var names = [...]string{"bar_begin", "bar_end", "bar_known", "open", "high", "low", "close", "volume"}

// groupRows is the number of rows of a row group in written Parquet files.
const groupRows = 1 << 17

// Write writes the bars of s in one of [Formats], with the columns bar_begin,
// bar_end, bar_known, open, high, low, close and volume. Such a file says by
// itself what Read must know, and Read gives the same series, bit by bit and with
// a zero Config but for the limits of the checks, as long as the instrument is
// the same: bars are taken as accepted before, and none is held or its volume
// judged. Session, Segment and Flags are not written; Read finds them again.
//
// CSV has stamps in UTC (RFC 3339 with the fractions that are needed), the
// shortest digits that read back exactly, and an empty volume where it is missing.
// The length of the bars is not in it: Read infers it, as the length of every bar
// that is not cut short, and irregular otherwise; for session bars say it
// (Timeframe "1d"). Parquet has UTC nanoseconds, doubles (a missing volume is
// NaN) and the metadata keys of this package, compressed with zstd. The bytes
// depend on the series alone.
//
// A price that is absent or infinite, and bars that are not in order of End, are
// errors. It takes O(n) time and constant memory.
func Write(w io.Writer, s *bar.Series, format string) error {
	for i := range s.End {
		switch {
		case !finite(s.Open[i]) || !finite(s.High[i]) || !finite(s.Low[i]) || !finite(s.Close[i]) || math.IsInf(s.Volume[i], 0):
			return fmt.Errorf("ingest: write: bar %d at %s has a price that is absent or infinite", i, stampText(s.End[i]))
		case i > 0 && s.End[i] <= s.End[i-1]:
			return fmt.Errorf("ingest: write: bar %d at %s does not end after the one before", i, stampText(s.End[i]))
		}
	}
	var err error
	switch format {
	case "csv":
		err = writeCSV(w, s)
	case "csv.gz":
		z := gzip.NewWriter(w)
		err = errors.Join(writeCSV(z, s), z.Close())
	case "csv.zst":
		var z *zstd.Encoder
		if z, err = zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); err == nil {
			err = errors.Join(writeCSV(z, s), z.Close())
		}
	case "parquet":
		err = writeParquet(w, s)
	default:
		err = fmt.Errorf("format %q is not one of %s", format, strings.Join(Formats(), ", "))
	}
	if err != nil {
		return fmt.Errorf("ingest: write: %w", err)
	}
	return nil
}

func writeCSV(w io.Writer, s *bar.Series) error {
	b := bufio.NewWriterSize(w, 1<<16)
	line := []byte(strings.Join(names[:], ",") + "\n")
	if _, err := b.Write(line); err != nil {
		return err
	}
	for i := range s.End {
		line = line[:0]
		for _, t := range [...]int64{s.Begin[i], s.End[i], s.Known[i]} {
			line = append(time.Unix(0, t).UTC().AppendFormat(line, time.RFC3339Nano), ',')
		}
		for _, x := range [...]float64{s.Open[i], s.High[i], s.Low[i], s.Close[i]} {
			line = append(strconv.AppendFloat(line, x, 'f', -1, 64), ',')
		}
		if !math.IsNaN(s.Volume[i]) {
			line = strconv.AppendFloat(line, s.Volume[i], 'f', -1, 64)
		}
		if _, err := b.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return b.Flush()
}

func writeParquet(w io.Writer, s *bar.Series) (err error) {
	var fields schema.FieldList
	for i, name := range names {
		node := schema.NewFloat64Node(name, parquet.Repetitions.Required, -1)
		if i < 3 {
			if node, err = schema.NewPrimitiveNodeLogical(name, parquet.Repetitions.Required, schema.NewTimestampLogicalType(true, schema.TimeUnitNanos), parquet.Types.Int64, 0, -1); err != nil {
				return err
			}
		}
		fields = append(fields, node)
	}
	root, err := schema.NewGroupNode("bars", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return err
	}
	opts := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST), parquet.WithCreatedBy("mlfactory"), parquet.WithDictionaryDefault(false),
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithEncoding(parquet.Encodings.ByteStreamSplit),
	}
	for _, name := range names[:3] {
		opts = append(opts, parquet.WithEncodingFor(name, parquet.Encodings.DeltaBinaryPacked))
	}
	f, err := file.NewParquetWriterWithError(plainWriter{w}, root, file.WithWriterProps(parquet.NewWriterProperties(opts...)))
	if err != nil {
		return err
	}
	for _, kv := range [][2]string{{MetaStamps, "end"}, {MetaZone, "UTC"}, {MetaTimeframe, s.Timeframe.String()}} {
		if err := f.AppendKeyValueMetadata(kv[0], kv[1]); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	for lo := 0; lo < s.Len(); lo += groupRows {
		if err := writeGroup(f, s.Slice(lo, min(lo+groupRows, s.Len()))); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

func writeGroup(f *file.Writer, s *bar.Series) error {
	group, err := f.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	next := func() file.ColumnChunkWriter {
		var c file.ColumnChunkWriter
		if err == nil {
			c, err = group.NextColumn()
		}
		return c
	}
	for _, v := range [...][]int64{s.Begin, s.End, s.Known} {
		if c, ok := next().(*file.Int64ColumnChunkWriter); ok {
			if _, werr := c.WriteBatch(v, nil, nil); werr != nil {
				return werr
			}
			err = c.Close()
		}
	}
	for _, v := range [...][]float64{s.Open, s.High, s.Low, s.Close, s.Volume} {
		if c, ok := next().(*file.Float64ColumnChunkWriter); ok {
			if _, werr := c.WriteBatch(v, nil, nil); werr != nil {
				return werr
			}
			err = c.Close()
		}
	}
	return errors.Join(err, group.Close())
}

// plainWriter hides a Close method: the caller's file is not ours to close.
type plainWriter struct{ io.Writer }
