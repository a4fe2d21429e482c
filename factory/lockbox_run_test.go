package factory_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/recipe"
)

// writeBars writes bars as CSV with end stamps in UTC.
func writeBars(t *testing.T, path string, s *bar.Series) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "time,open,high,low,close,volume")
	for i := range s.Len() {
		fmt.Fprintf(w, "%s,%v,%v,%v,%v,%v\n", time.Unix(0, s.End[i]).UTC().Format(time.RFC3339), s.Open[i], s.High[i], s.Low[i], s.Close[i], s.Volume[i])
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLockboxOverFiles divides files of one instrument, one after the other and
// under several names: what the first has locked is in no fold of the others.
func TestLockboxOverFiles(t *testing.T) {
	r := tiny(t, "planted", 3, 150)
	all := run(t, openStore(t), r, factory.Env{Until: factory.ToBars}).Outcomes[0].Base
	s, dir := openStore(t), t.TempDir()
	day := all.Len() / 150
	plan := func(name string, from, to int) (*factory.Outcome, *factory.Folds, error) {
		path := filepath.Join(dir, name+".csv")
		writeBars(t, path, all.Slice(from*day, to*day))
		read := ingest.Default()
		read.Stamps, read.Zone = "end", "UTC"
		q := r
		q.Markets = []recipe.Market{{Name: name, Instrument: "SYNTH", Data: path, Read: read}}
		res, err := tryRun(t, s, q, factory.Env{Until: factory.ToPlan})
		if err != nil {
			return nil, nil, err
		}
		t.Cleanup(func() { res.Close() })
		fs, err := res.Folds(s, name)
		return res.Outcomes[0], fs, err
	}
	first, _, err := plan("a", 0, 80)
	if err != nil {
		t.Fatal(err)
	}
	locked := func(at int64) bool { return at >= first.Lockbox.Start && at < first.Lockbox.End }
	later, fs, err := plan("b", 74, 150)
	if err != nil {
		t.Fatal(err)
	}
	if later.Lockbox.From < first.Lockbox.End || len(later.Notes) == 0 || !strings.Contains(strings.Join(later.Notes, "; "), "development begins at") {
		t.Errorf("lockbox %+v, then %+v, notes %q", first.Lockbox, later.Lockbox, later.Notes)
	}
	n := 0
	check := func(d int) {
		n++
		if locked(later.Decisions[d]) {
			t.Fatalf("decision %d of the second file is locked by the first", d)
		}
	}
	for _, st := range fs.Steps {
		for _, r := range [][]int{st.Train, st.Stop, st.Calib, st.Test} {
			for _, d := range r {
				check(d)
			}
		}
		for d := st.Lo; d < st.Hi; d++ {
			check(d)
		}
	}
	for _, f := range fs.KFold {
		for _, d := range append(f.Train, f.Test...) {
			check(d)
		}
	}
	if n < 1000 {
		t.Errorf("only %d decisions were looked at", n)
	}
	if _, _, err := plan("c", 74, 80); err == nil || !strings.Contains(err.Error(), "lie in unopened lockboxes of SYNTH (from "+time.Unix(0, first.Lockbox.Start).UTC().Format(time.RFC3339)) {
		t.Errorf("a file inside the lockbox: %v", err)
	}
}
