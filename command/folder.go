package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mlfactory/mlfactory/factory"
	"github.com/mlfactory/mlfactory/report"
	"github.com/mlfactory/mlfactory/store"
)

// Names in a run folder that are not reproducible.
const (
	TimingFile = "timing.json"
	LogFile    = "run.log"
)

const summaryFile = "summary.json"

// FolderStage is the name under which the run folder is kept in the store; it is
// not counted among a run's stages.
const FolderStage = "report"

// folder writes a run folder once: what it holds is a stage like any other,
// keyed by the results of all stages, the recipe and the code; its output is
// the summary, which names the other files with their digests.
type folder struct {
	store   *store.Store
	attempt *store.Attempt
	dir     string
	code    string
	began   time.Time
}

// write makes sure that the folder holds the files of res, and tells whether
// anything had to be written.
func (f *folder) write(ctx context.Context, res *factory.Result, recipe []byte) (sum report.Summary, written bool, err error) {
	// One process at a time in a folder: two runs with the same --out would
	// otherwise take each other's half-written files away.
	lock, err := f.store.Lock(ctx, "run folder "+f.dir)
	if err != nil {
		return sum, false, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	key := f.key(res, recipe)
	outs, ok, err := f.store.Ready(ctx, key)
	if err != nil {
		return sum, false, err
	}
	if ok && len(outs) == 1 {
		o, err := f.store.Object(outs[0])
		if err != nil {
			return sum, false, err
		}
		b, err := o.Bytes()
		if err != nil {
			return sum, false, err
		}
		if f.holds(ctx, b, &sum) {
			return sum, false, f.attempt.Use(ctx, []store.Use{{Name: FolderStage, Key: key, Status: store.StageCached}})
		}
		sum = report.Summary{}
	}
	if err := store.WriteRunFolder(f.dir, report.Files(res.Outcomes, recipe)); err != nil {
		return sum, false, err
	}
	b, err := os.ReadFile(filepath.Join(f.dir, summaryFile))
	if err != nil {
		return sum, false, err
	}
	if err := json.Unmarshal(b, &sum); err != nil {
		return sum, false, fmt.Errorf("%s: %w", summaryFile, err)
	}
	out, err := f.store.PutBytes(ctx, b)
	if err != nil {
		return sum, false, err
	}
	out.Name = summaryFile
	_, err = f.store.SaveResult(ctx, store.Result{Key: key, Name: FolderStage, Kind: FolderStage, Code: f.code, Params: `{"layout":"` + report.Schema + `"}`,
		Outputs: []store.Output{out}, Seconds: time.Since(f.began).Seconds()}, f.attempt)
	return sum, true, err
}

// key is the content key of the folder.
func (f *folder) key(res *factory.Result, recipe []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "mlfactory run folder 1\n%s\n%x\n", f.code, sha256.Sum256(recipe))
	for _, rep := range res.Reports {
		for _, n := range rep.Nodes {
			fmt.Fprintf(h, "%s %s\n", n.Name, n.Key)
			for _, o := range n.Outputs {
				fmt.Fprintf(h, " %s %s\n", o.Name, o.Identity())
			}
		}
	}
	for _, o := range res.Outcomes {
		fmt.Fprintf(h, "ledger %s %s\n", o.Market, o.Ledger.Digest)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// holds reports whether the folder holds exactly what the summary says.
func (f *folder) holds(ctx context.Context, summary []byte, sum *report.Summary) bool {
	have, err := os.ReadFile(filepath.Join(f.dir, summaryFile))
	if err != nil || !bytes.Equal(have, summary) || json.Unmarshal(summary, sum) != nil {
		return false
	}
	for _, x := range sum.Files {
		name := filepath.Join(f.dir, filepath.FromSlash(x.Name))
		if st, err := os.Stat(name); err != nil || st.Size() != x.Bytes || ctx.Err() != nil {
			return false
		}
		if d, err := factory.FileDigest(name); err != nil || d != x.SHA256 {
			return false
		}
	}
	return true
}

// log writes what is not reproducible.
func (f *folder) log(timing, log []byte) error {
	return store.WriteRunFolder(f.dir, []store.File{
		{Name: TimingFile, Write: writeBytes(timing)},
		{Name: LogFile, Write: writeBytes(log)},
	})
}

// tryPrefix begins the name of the file that writable writes.
const tryPrefix = ".try-"

// writable makes the run folder and tries to write in it, before hours of work
// end in a folder that takes nothing.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("run folder: %w; choose another with --out", err)
	}
	t, err := os.CreateTemp(dir, tryPrefix+"*")
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return fmt.Errorf("run folder %s cannot be written: %w; choose another with --out", dir, err)
	}
	err = errors.Join(t.Close(), removed(os.Remove(t.Name())))
	// A run that was killed at this very place left its file behind.
	list, readErr := os.ReadDir(dir)
	err = errors.Join(err, readErr)
	for _, f := range list {
		if strings.HasPrefix(f.Name(), tryPrefix) {
			err = errors.Join(err, removed(os.Remove(filepath.Join(dir, f.Name()))))
		}
	}
	return err
}

// removed is the error of a removal, unless the file is gone already: two runs
// may tidy up the same folder.
func removed(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
