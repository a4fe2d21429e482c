package flow_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/flow"
	"github.com/mlfactory/mlfactory/store"
)

func child(dir string, pause time.Duration) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+dir, pauseVar+"="+pause.String())
	return cmd
}

// tree returns path and digest of every file below dir, in order.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all = append(all, fmt.Sprintf("%s %x", rel, sha256.Sum256(b)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// undisturbed returns the run folder of a run that nobody kills, and how long
// it takes.
func undisturbed(t *testing.T, pause time.Duration) ([]string, time.Duration) {
	t.Helper()
	dir := t.TempDir()
	start := time.Now()
	if out, err := child(dir, pause).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return tree(t, filepath.Join(dir, "run")), time.Since(start)
}

// killAndFinish kills runs in one folder, each after a random part of half the
// time that an undisturbed run takes, then lets one finish and compares. Where
// the first one finishes unharmed, the machine has become faster than it was
// when that time was taken: it starts over in a fresh folder with half of it.
func killAndFinish(t *testing.T, want []string, whole time.Duration, seed uint64, kills int, pause time.Duration) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, seed))
	dir, latest := t.TempDir(), whole/2
	killed := 0
	for n := 0; n < kills || killed == 0; n++ {
		cmd := child(dir, pause)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.Int64N(int64(latest) + 1)))
		if err := cmd.Process.Kill(); err != nil {
			t.Logf("kill: %v", err)
		}
		switch ended := cmd.Wait() == nil; {
		case !ended:
			killed++
		case killed == 0:
			dir, latest = t.TempDir(), latest/2
		}
	}
	if out, err := child(dir, 0).CombinedOutput(); err != nil {
		t.Fatalf("after %d kills: %v: %s", killed, err, out)
	}
	if got := tree(t, filepath.Join(dir, "run")); !slices.Equal(got, want) {
		t.Errorf("after %d kills the run folder differs:\n%v\nwant\n%v", killed, got, want)
	}
	s := open(t, filepath.Join(dir, store.FolderName))
	trials, err := s.Trials(t.Context())
	if err != nil || len(trials) != 3 {
		t.Errorf("%d trials, %v; want 3", len(trials), err)
	}
	if problems, err := s.Verify(t.Context(), false); err != nil || len(problems) != 0 {
		t.Errorf("verify: %v, %v", problems, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, store.FolderName, "tmp", "*")); err != nil || len(left) != 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
	rep, err := runSample(t.Context(), dir, 0)
	if err != nil || rep.Ran() != 0 {
		t.Errorf("a further run computed %d stages: %v", rep.Ran(), err)
	}
}

func TestKill(t *testing.T) {
	const pause = 4 * time.Millisecond
	want, whole := undisturbed(t, pause)
	killAndFinish(t, want, whole, 0, 8, pause)
}

func TestTwoProcesses(t *testing.T) {
	want, _ := undisturbed(t, 4*time.Millisecond)
	dir := t.TempDir()
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if out, err := child(dir, 4*time.Millisecond).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wait.Wait()
	if got := tree(t, filepath.Join(dir, "run")); !slices.Equal(got, want) {
		t.Errorf("the run folder differs:\n%v\nwant\n%v", got, want)
	}
	s := open(t, filepath.Join(dir, store.FolderName))
	run, err := s.Run(context.Background(), "sample")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, a := range run.Attempts {
		for _, u := range a.Stages {
			if u.Status == store.StageRan {
				ran++
			}
		}
		if a.Status != store.Done || len(a.Stages) != 21 {
			t.Errorf("attempt %d: %s with %d stages", a.Number, a.Status, len(a.Stages))
		}
	}
	if len(run.Attempts) != 2 || ran != 21 {
		t.Errorf("%d attempts computed %d stages, want each of the 21 once", len(run.Attempts), ran)
	}
}

// TestWaiterTakesOver: who waits for a stage that another process computes
// computes it when that process dies.
func TestWaiterTakesOver(t *testing.T) {
	dir := t.TempDir()
	cmd := child(dir, time.Minute)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it says that it was killed
	})
	defer kill()
	project := filepath.Join(dir, store.FolderName)
	for { // until it holds its attempt and its first stage
		held, err := filepath.Glob(filepath.Join(project, "locks", "k-*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(held) == 2 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s := open(t, project)
	waited := false
	r := mustRun(t, s, flow.Options{Workers: 2, Progress: func(e flow.Event) {
		if e.State == flow.Waiting {
			waited = true
			go kill()
		}
	}}, sample(s, 0)...)
	kill()
	if !waited || r.Ran() != len(r.Nodes) {
		t.Errorf("waited: %v, computed %d of %d", waited, r.Ran(), len(r.Nodes))
	}
}
