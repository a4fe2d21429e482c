package docscheck_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/rng"
)

var update = flag.Bool("update", false, "write docs/examples/record.csv anew")

// docs/examples/record.csv, which the README judges, is invented: three years of weekdays with normal returns, mean 0.06 % and deviation
// 0.9 % a day, a true Sharpe ratio of 0.0006/0.009·√261 ≈ 1.08.
func TestExampleRecord(t *testing.T) {
	r := rng.New(1).Stream("docs/examples/record").Rand()
	var b strings.Builder
	b.WriteString("date,return\n")
	for day := time.Date(2021, 1, 4, 0, 0, 0, 0, time.UTC); day.Year() < 2024; day = day.AddDate(0, 0, 1) {
		if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
			continue
		}
		fmt.Fprintf(&b, "%s,%.5f\n", day.Format(time.DateOnly), 0.0006+0.009*r.NormFloat64())
	}
	path := filepath.Join(root(t), "docs", "examples", "record.csv")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is not what this test makes; run go test ./internal/docscheck -run ExampleRecord -update", path)
	}
}
