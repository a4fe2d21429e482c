package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/mlfactory/mlfactory/internal/simd"
	"github.com/mlfactory/mlfactory/store"
)

// Version says which program this is.
type Version struct {
	Version string `json:"version"`
	Code    string `json:"code"` // digest of the sources that a run depends on
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Kernel  string `json:"kernel"`
}

// Version tells the version of the program.
func (p *Project) Version() (Version, error) {
	code, err := p.Code()
	if err != nil {
		return Version{}, err
	}
	v := Version{Version: "(devel)", Code: code, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: simd.Current().String()}
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		v.Version = b.Main.Version
	}
	return v, nil
}

// Finding is one thing that the doctor looked at.
type Finding struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// Doctor looks at everything that a run needs from the machine. Something that
// is not as it should be is an error of the kind ErrFound, beside the findings.
func (p *Project) Doctor(ctx context.Context) ([]Finding, error) {
	var out []Finding
	bad := 0
	add := func(name string, err error, format string, args ...any) {
		f := Finding{Name: name, OK: err == nil, Text: fmt.Sprintf(format, args...)}
		if err != nil {
			f.Text = err.Error()
			bad++
		}
		out = append(out, f)
	}
	v, err := p.Version()
	add("program", err, "%s, code %.12s", v.Version, v.Code)
	add("go", nil, "%s, %s/%s", v.Go, v.OS, v.Arch)
	add("kernels", nil, "%s", simd.Describe())
	add("processors", nil, "%d, of which %d are used at once", runtime.NumCPU(), runtime.GOMAXPROCS(0))
	if n, ok := anonymous(); ok {
		add("memory", nil, "this process has %.1f MiB of its own; a run reports its peak in %s", float64(n)/(1<<20), TimingFile)
	} else {
		add("memory", nil, "this system does not tell; %s will lack the peak", TimingFile)
	}
	add("time zones", zones(), "the database is there")
	s, err := store.OpenExisting(p.Dir)
	if errors.Is(err, store.ErrNotFound) {
		add("project", probe(p.Dir), "none in %s yet; the folder can be written", p.Dir)
	} else if err != nil {
		add("project", err, "")
	} else {
		runs, err := s.Runs(ctx)
		add("project", err, "%s, %d runs", s.Dir(), len(runs))
		g, err := s.GC(ctx, true)
		if errors.Is(err, store.ErrInUse) {
			add("garbage", nil, "somebody works in the project; not counted")
		} else {
			add("garbage", err, "%d objects that no run uses, %.1f MiB; mlfactory store gc removes them", len(g.Objects), float64(g.Bytes)/(1<<20))
		}
		l, err := s.Lock(ctx, "doctor")
		if err == nil {
			err = l.Release()
		}
		add("locks", err, "the file system has them")
		if err := s.Close(); err != nil {
			return out, err
		}
	}
	if bad > 0 {
		return out, mark(ErrFound, fmt.Errorf("%d of %d checks failed", bad, len(out)))
	}
	return out, nil
}

// zones tries the zones that the built-in calendars need.
func zones() error {
	for _, z := range []string{"America/Chicago", "America/New_York", "Europe/Berlin", "Asia/Kolkata"} {
		if _, err := time.LoadLocation(z); err != nil {
			return err
		}
	}
	return nil
}

// probe tries to write where a project folder would be made.
func probe(dir string) error {
	t, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".try-*")
	if err != nil {
		return fmt.Errorf("the folder of %s cannot be written: %w", dir, err)
	}
	return os.Remove(t)
}
