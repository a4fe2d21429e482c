package ingest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
)

// A file from a broker, with a bad print, read as bars of the E-mini S&P 500. The
// stamps mark the begin of a bar, in Chicago time.
func ExampleRead() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "es.csv")
	if err := os.WriteFile(path, []byte(`Date,Time,Open,High,Low,Close,Volume
2021.03.01,08:30,3842.00,3844.50,3841.25,3844.00,4180
2021.03.01,08:31,3844.00,3845.25,3843.00,3844.75,2240
2021.03.01,08:32,384.47,384.47,384.47,384.47,1
2021.03.01,08:33,3844.50,3846.00,3844.25,3846.00,1905
2021.03.01,08:34,3846.00,3847.50,3845.75,3847.25,2011
`), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	inst, err := bar.Find("ES")
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := ingest.Default()
	if _, _, err = ingest.Read(context.Background(), path, cfg, inst); err != nil {
		fmt.Println("refused, as nothing says which side of a bar the stamps mark")
	}
	cfg.Stamps, cfg.Zone = "begin", "America/Chicago"
	s, rep, err := ingest.Read(context.Background(), path, cfg, inst)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Len(), "bars of", rep.Timeframe, "from", rep.First, "to", rep.Last)
	for _, f := range rep.Findings {
		fmt.Printf("line %d: %s\n", f.Line, f.Text)
	}
	// Output:
	// refused, as nothing says which side of a bar the stamps mark
	// 4 bars of 1m from 2021-03-01T14:30:00Z to 2021-03-01T14:35:00Z
	// line 4: prices jump; held until later bars confirm it
	// line 4: later bars refuted the jump; dropped
}
