package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/mlfactory/mlfactory/command"
	"github.com/mlfactory/mlfactory/flow"
)

// progress shows how far a run is: one bar per kind of stage on a terminal, one
// line per kind and market elsewhere, nothing when quiet.
type progress struct {
	mu     sync.Mutex
	w      io.Writer
	quiet  bool
	bars   *mpb.Progress // nil unless w is a terminal
	bar    map[string]*mpb.Bar
	total  map[string]int
	order  []string // kinds in order of their first event
	done   map[string]*tally
	closed bool
}

// tally counts the stages of one kind.
type tally struct {
	ran, cached int
	seconds     float64
	shown       bool
}

func newProgress(w io.Writer, quiet bool) *progress {
	p := &progress{w: w, quiet: quiet, bar: map[string]*mpb.Bar{}, total: map[string]int{}, done: map[string]*tally{}}
	if f, ok := w.(*os.File); ok && !quiet && terminal(f) {
		p.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(32), mpb.WithRefreshRate(150*time.Millisecond))
	}
	return p
}

// terminal reports whether f is one.
func terminal(f *os.File) bool {
	n, _, err := cwriter.GetSize(int(f.Fd()))
	return err == nil && n > 0 && cwriter.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// width is the number of columns to print to.
func width(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := w.(*os.File); ok && terminal(f) {
		if n, _, err := cwriter.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 100
}

// event takes one event at a time.
func (p *progress) event(e flow.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet || p.closed {
		return
	}
	market, _, _ := strings.Cut(e.Node, "/")
	kind := market + " " + e.Kind
	if p.bars == nil {
		p.line(kind, e)
		return
	}
	switch e.State {
	case flow.Started, flow.Cached, flow.Waiting:
		b, ok := p.bar[kind]
		if !ok {
			b = p.bars.AddBar(int64(max(1, p.total[kind])), mpb.BarFillerClearOnComplete(),
				mpb.PrependDecorators(decor.Name(kind, decor.WCSyncSpaceR)),
				mpb.AppendDecorators(decor.CountersNoUnit("%d/%d", decor.WCSyncSpace), decor.OnComplete(decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace), " done")))
			p.bar[kind] = b
		}
		if e.State == flow.Cached {
			b.Increment()
		}
	case flow.Ran:
		if b, ok := p.bar[kind]; ok {
			b.Increment()
		}
	}
}

// line counts, and prints a kind's line when all of it is done.
func (p *progress) line(kind string, e flow.Event) {
	if e.State != flow.Ran && e.State != flow.Cached {
		return
	}
	t, ok := p.done[kind]
	if !ok {
		t = &tally{}
		p.done[kind] = t
		p.order = append(p.order, kind)
	}
	if e.State == flow.Cached {
		t.cached++
	} else {
		t.ran++
		t.seconds += e.Seconds
	}
	if t.ran+t.cached >= max(1, p.total[kind]) {
		p.show(kind)
	}
}

// show prints the line of a kind that ran anything, once.
func (p *progress) show(kind string) {
	t := p.done[kind]
	if t.shown || t.ran == 0 {
		return
	}
	t.shown = true
	fmt.Fprintf(p.w, "%s: %d done in %.1f s", kind, t.ran, t.seconds)
	if t.cached > 0 {
		fmt.Fprintf(p.w, ", %d in the store", t.cached)
	}
	fmt.Fprintln(p.w)
}

// planned shows the plan before the first fit.
func (p *progress) planned(x command.Planned) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet || p.closed {
		return
	}
	for _, k := range x.Kinds {
		p.total[x.Market+" "+k.Kind] = k.Run + k.Depends + k.Cached
	}
	text := planText(x)
	if p.bars != nil {
		_, _ = p.bars.Write([]byte(text))
		return
	}
	fmt.Fprint(p.w, text)
}

// close ends the display; a second call does nothing.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	if p.bars == nil {
		for _, kind := range p.order {
			p.show(kind)
		}
		return
	}
	for _, b := range p.bar {
		b.Abort(false) // does nothing to a bar that is complete
	}
	p.bars.Wait()
}

// planText is what will run, in words.
func planText(x command.Planned) string {
	if x.Refused != "" {
		return fmt.Sprintf("%s: nothing can be fitted: %s\n", x.Market, x.Refused)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d bars, %d decisions, %d labelled, %d columns\n", x.Market, x.Bars, x.Rows, x.Labelled, x.Columns)
	fmt.Fprintf(&b, "  %d fits to run, %d in the store; about %s of memory\n", x.Fits, x.Cached, bytesText(x.Memory))
	fmt.Fprintf(&b, "  embargo %s after each test block of the k-fold; purge of at least %d × %s of open time\n", x.Embargo, x.Purge, x.ClockBar)
	for _, n := range x.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	return b.String()
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

// bytesFlag is a flag such as 3GiB.
type bytesFlag int64

func (b *bytesFlag) String() string {
	n := int64(*b)
	for _, u := range []struct {
		name string
		size int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n > 0 && n%u.size == 0 {
			return fmt.Sprintf("%d%s", n/u.size, u.name)
		}
	}
	return strconv.FormatInt(n, 10)
}

func (b *bytesFlag) Set(s string) error {
	unit := float64(1)
	num := strings.TrimSpace(s)
	for _, u := range []struct {
		name string
		size float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"G", 1 << 30}, {"M", 1 << 20}} {
		if rest, ok := strings.CutSuffix(num, u.name); ok {
			num, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	x, err := strconv.ParseFloat(num, 64)
	if err != nil || !(x >= 0) || x*unit > 1<<60 {
		return fmt.Errorf("%q is no amount of memory; write 3GiB, 500MiB or a number of bytes", s)
	}
	*b = bytesFlag(x * unit)
	return nil
}

func (b *bytesFlag) Type() string { return "size" }
