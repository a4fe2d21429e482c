// Command ingest times bar/ingest for comparison with polars, pandas and DuckDB;
// see run.sh.
//
//	ingest -make FILE -rows 2000000     write generated bars as CSV
//	ingest -read FILE -runs 5           read it as Read does, checks and sessions included
//	ingest -read FILE -kernel generic   with the kernels in plain Go
//
// The second form prints one JSON object: the medians of wall and processor time
// in seconds, and the least processor time. The first run, which warms the page cache, does not count.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bar/ingest"
	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/rng"
)

func main() {
	makeFile := flag.String("make", "", "CSV file to write")
	rows := flag.Int("rows", 2_000_000, "number of bars to write")
	read := flag.String("read", "", "file to read")
	runs := flag.Int("runs", 5, "number of runs")
	profile := flag.String("cpuprofile", "", "write a profile of the runs here")
	kernel := flag.String("kernel", simd.Best().String(), "kernels to use: generic, avx2 or avx512")
	flag.Parse()
	err := func() error {
		path, err := simd.Parse(*kernel)
		if err != nil {
			return err
		}
		if err := simd.Use(path); err != nil {
			return err
		}
		if *makeFile != "" {
			return write(*makeFile, *rows)
		}
		if *profile != "" {
			f, err := os.Create(*profile)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		return measure(*read, *runs)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write makes a random walk of one-minute bars with two digits behind the point
// and volumes with four.
func write(path string, rows int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := w.WriteString("ts,open,high,low,close,volume\n"); err != nil {
		return err
	}
	r := rng.New(1).Stream("bench").Rand()
	start := time.Date(2016, 9, 1, 0, 0, 0, 0, time.UTC)
	p := 30000.0
	var line []byte
	for i := range rows {
		o := p
		p *= math.Exp(5e-4 * r.NormFloat64())
		h := max(o, p) * (1 + 2e-4*r.Float64())
		l := min(o, p) * (1 - 2e-4*r.Float64())
		line = start.Add(time.Duration(i)*time.Minute).AppendFormat(line[:0], time.RFC3339)
		for _, x := range [...]float64{o, h, l, p} {
			line = strconv.AppendFloat(append(line, ','), x, 'f', 2, 64)
		}
		line = strconv.AppendFloat(append(line, ','), 0.0001+20*r.ExpFloat64(), 'f', 4, 64)
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return w.Flush()
}

func measure(path string, runs int) error {
	cfg := ingest.Default()
	cfg.Stamps, cfg.Zone = "begin", "UTC"
	inst, err := bar.Find("BTCUSD")
	if err != nil {
		return err
	}
	var wall, cpu []float64
	for i := range runs + 1 {
		runtime.GC()
		c, t := processor(), time.Now()
		s, _, err := ingest.Read(context.Background(), path, cfg, inst)
		if err != nil {
			return err
		}
		if i > 0 {
			wall, cpu = append(wall, time.Since(t).Seconds()), append(cpu, processor()-c)
		}
		runtime.KeepAlive(s)
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"name": "mlfactory", "wall": wall[runs/2], "cpu": cpu[runs/2], "least": cpu[0], "mb": float64(st.Size()) / 1e6,
	})
}

// processor is the time that this process has spent on processors, in seconds.
func processor() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
