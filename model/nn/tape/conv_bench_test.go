//go:build linux

package tape

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/mlfactory/mlfactory/rng"
	"golang.org/x/sys/unix"
)

// Sizes of the networks here: 32 windows of 60 bars.
func BenchmarkConv(b *testing.B) {
	for _, c := range []convCase{
		{"", 32, 60, 64, 64, 3, 1, 1, 1, 2, 0, 1},
		{"", 32, 60, 64, 64, 3, 1, 4, 1, 8, 0, 1},
		{"", 32, 60, 64, 64, 3, 1, 16, 1, 32, 0, 1},
		{"", 32, 60, 32, 32, 39, 1, 1, 1, 19, 19, 0},
		{"", 32, 60, 32, 32, 9, 1, 1, 1, 4, 4, 0},
		{"", 32, 60, 128, 32, 1, 1, 1, 1, 0, 0, 0},
		{"", 32, 30, 1280, 1280, 13, 1, 1, 1280, 6, 6, 1},
		{"", 32, 60, 128, 128, 8, 1, 1, 1, 3, 4, 0},
	} {
		for _, backward := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d-%d_kernel%d_dilation%d_groups%d_back%v", c.in, c.out, c.kernel, c.dilation, c.groups, backward), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 1))
				p := []*Param{NewParam("w", c.out, c.in/c.groups, c.kernel), NewParam("b", c.out)}
				for _, q := range p {
					copy(q.Value, draw(r, len(q.Value), 0.1))
					q.Shards(1)
				}
				tp, data := New(0), draw(r, c.samples*c.steps*c.in, 1)
				start := cpuTime(b)
				for b.Loop() {
					tp.Reset(true, rng.New(1))
					x := tp.tensor(c.samples*c.steps, c.in, data)
					y := tp.Conv(x, c.steps, c.conv(p), ReLU)
					if backward {
						g, _ := tp.gradOf(y)
						copy(g, y.Value)
						tp.Backward()
						p[0].Forget()
						p[1].Forget()
					}
				}
				flops := 2 * float64(c.samples*c.steps*c.out*c.in/c.groups*c.kernel)
				if backward {
					flops *= 3
				}
				b.ReportMetric(flops*float64(b.N)/(cpuTime(b)-start)/1e9, "GF/cpu-s")
			})
		}
	}
}

// cpuTime is the time that this process has used of all processors, in seconds:
// benchmarks of one goroutine by it are steady on a busy machine.
func cpuTime(b *testing.B) float64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	seconds := func(v unix.Timeval) float64 { return float64(v.Sec) + float64(v.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}
