package ingest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/mlfactory/mlfactory/bar/ingest"
)

// FuzzRead reads anything as a file of bars: an error or bars in order, never a
// panic. The kept corpus is in testdata/fuzz.
func FuzzRead(f *testing.F) {
	f.Add([]byte(join(lines(5))))
	f.Add([]byte("Date;Time;Open;High;Low;Close\n2021.01.02;10:00;1;2;1;2\n2021.01.02;10:01;1;2;1;2\n"))
	f.Add([]byte("\ufefft,o,h,l,c,v\n\"1609459200\",\"1\",2,1,,\n1609459260,1,2,1,2,1e3\n"))
	f.Add([]byte("bar_begin,bar_end,bar_known,open,high,low,close,volume\n2021-01-01T00:00:00Z,2021-01-01T00:01:00Z,2021-01-01T00:01:00Z,1,2,1,2,\n"))
	f.Add(gz(f, []byte(join(lines(5)))))
	f.Add(zst(f, []byte(join(lines(5)))))
	s, _ := mustRead(f, join(lines(30)), stated())
	var b bytes.Buffer
	if err := ingest.Write(&b, s, "parquet"); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	inst := find(f, "BTCUSD")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(dir, "f")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s, rep, err := ingest.Read(context.Background(), path, stated(), inst)
		if err != nil {
			return
		}
		if int64(s.Len()) != rep.Accepted || s.Len() == 0 {
			t.Fatal(s.Len(), rep.Accepted)
		}
		for i := range s.End {
			if i > 0 && s.End[i] <= s.End[i-1] || s.Begin[i] >= s.End[i] || s.Known[i] < s.End[i] ||
				!(s.Low[i] > 0 && s.Low[i] <= s.Open[i] && s.High[i] >= s.Close[i]) {
				t.Fatalf("bar %d of %q", i, content)
			}
		}
	})
}
