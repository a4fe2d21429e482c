package bundle_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/internal/shareddata"
	"github.com/mlfactory/mlfactory/recipe"
)

// TestStreamEqualsBatchOnRealBars streams seven weeks of real minutes with their
// holes, into which an outage and a jump that is held in quarantine are put.
func TestStreamEqualsBatchOnRealBars(t *testing.T) {
	path := shareddata.Path(t, "btcusd_bitfinex_1m_2016_2021.parquet")
	inst, err := bar.Find("BTCUSD")
	if err != nil {
		t.Fatal(err)
	}
	read := ingest.Default()
	read.Stamps, read.Zone = "begin", "UTC"
	all, _, err := ingest.Read(t.Context(), path, read, inst)
	if err != nil {
		t.Fatal(err)
	}
	s := all.Slice(900_000, 970_000)
	file := filepath.Join(t.TempDir(), "bars.csv")
	w, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	buf := bufio.NewWriter(w)
	fmt.Fprintln(buf, "time,open,high,low,close,volume")
	for i := range s.Len() {
		scale := 1.0
		switch {
		case i > 40_000 && i < 40_200:
			continue
		case i >= 62_000:
			scale = 1.6
		}
		fmt.Fprintf(buf, "%s,%v,%v,%v,%v,%v\n", time.Unix(0, s.Begin[i]).UTC().Format(time.RFC3339),
			s.Open[i]*scale, s.High[i]*scale, s.Low[i]*scale, s.Close[i]*scale, s.Volume[i])
	}
	if err := buf.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tr := run(t, t.TempDir(), smallRecipe(recipe.Market{Name: "real", Instrument: "BTCUSD", Data: file, Read: read}))
	o := tr.res.Outcomes[0]
	late, segments := 0, o.Base.Segment[o.Base.Len()-1]+1
	for _, f := range o.Base.Flags {
		if f&bar.Late != 0 {
			late++
		}
	}
	if late == 0 || segments < 2 {
		t.Errorf("%d late bars and %d segments: the test does not see what it is for", late, segments)
	}
	parity(t, tr, "stack", func(int) bool { return true })
	parity(t, tr, "xgboost", func(i int) bool { return i%11 == 0 })
}
