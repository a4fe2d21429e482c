package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// program runs the test binary as the program in a folder of its own.
type program struct {
	t   *testing.T
	exe string
	dir string
}

func newProgram(t *testing.T) *program {
	exe, err := exec.LookPath("mlfactory") // put there by testscript.Main
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t, exe, t.TempDir()}
	b, err := os.ReadFile("testdata/recipes/tiny.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "tiny.yaml"), b, 0o666); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *program) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	var out bytes.Buffer
	c := exec.Command(p.exe, args...)
	c.Dir, c.Stdout, c.Stderr = p.dir, &out, &out
	return c, &out
}

func (p *program) run(args ...string) string {
	p.t.Helper()
	c, out := p.command(args...)
	if err := c.Run(); err != nil {
		p.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out.String()
}

// killAfter runs the program and kills it after a while, unless it ends before.
func (p *program) killAfter(d time.Duration, args ...string) (killed bool) {
	p.t.Helper()
	c, out := p.command(args...)
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			p.t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return false
	case <-time.After(d):
		if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			p.t.Fatal(err)
		}
		err := <-done
		var exit *exec.ExitError
		switch {
		case err == nil:
			return false // it ended just before
		case errors.As(err, &exit) && !exit.Exited():
			return true
		}
		p.t.Fatalf("%v: %v\n%s", args, err, out)
		return false
	}
}

// ledger is the keys of the trials of a project.
func (p *program) ledger() []string {
	p.t.Helper()
	var l struct{ Trials []struct{ Key string } }
	if err := json.Unmarshal([]byte(p.run("ledger", "--json")), &l); err != nil {
		p.t.Fatal(err)
	}
	var keys []string
	for _, t := range l.Trials {
		keys = append(keys, t.Key)
	}
	return keys
}

// kills kills n runs at random instants, all over the time that a run takes,
// and starts each again. Every file of the run folder must come out as an
// undisturbed run leaves it.
func kills(t *testing.T, n int) {
	calm := newProgram(t)
	began := time.Now()
	calm.run("run", "--config", "tiny.yaml", "--out", "out", "-q")
	whole := time.Since(began)
	want := calm.ledger()
	if len(want) != 4 {
		t.Fatalf("an undisturbed run counts %d trials, want 4", len(want))
	}
	draw := rand.New(rand.NewSource(1))
	hit := 0
	for i := range n {
		p := newProgram(t)
		// Several kills of one run in a row, at instants that cover all stages.
		at := time.Duration((float64(i) + draw.Float64()) / float64(n) * 1.1 * float64(whole))
		for range 1 + i%3 {
			if p.killAfter(at, "run", "--config", "tiny.yaml", "--out", "out", "-q") {
				hit++
			}
			at = time.Duration(draw.Float64() * float64(whole))
		}
		p.run("run", "--config", "tiny.yaml", "--out", "out", "-q")
		diff, err := diffFolders(filepath.Join(calm.dir, "out"), filepath.Join(p.dir, "out"))
		if err != nil {
			t.Fatal(err)
		}
		if diff != "" {
			t.Errorf("killed after %v: %s", at, diff)
		}
		if got := p.ledger(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("killed after %v: the ledger counts %d trials, an undisturbed run %d", at, len(got), len(want))
		}
		if out := p.run("run", "--config", "tiny.yaml", "--out", "out", "-q"); !strings.Contains(out, "\n0 stages computed") {
			t.Errorf("killed after %v: the run after the finished one computed again:\n%s", at, out)
		}
		if out := p.run("store", "verify"); !strings.Contains(out, "every object is what its name says") {
			t.Errorf("killed after %v: %s", at, out)
		}
	}
	if hit < n/2 {
		t.Errorf("only %d of %d kills came before the end of the run", hit, n)
	}
	t.Logf("%d kills", hit)
}

func TestKill(t *testing.T) { kills(t, 3) }

// TestTwoAtOnce runs the same run twice at the same time, in one project and
// one run folder.
func TestTwoAtOnce(t *testing.T) {
	calm := newProgram(t)
	calm.run("run", "--config", "tiny.yaml", "--out", "out", "-q")
	p := newProgram(t)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	outs := make([]*bytes.Buffer, 2)
	for i := range 2 {
		c, out := p.command("run", "--config", "tiny.yaml", "--out", "out", "-q")
		outs[i] = out
		wg.Go(func() { errs[i] = c.Run() })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%v\n%s", err, outs[i])
		}
	}
	diff, err := diffFolders(filepath.Join(calm.dir, "out"), filepath.Join(p.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	if diff != "" {
		t.Error(diff)
	}
	if got := p.ledger(); len(got) != 4 {
		t.Errorf("the ledger counts %d trials, want 4", len(got))
	}
}

// TestInterrupt sends what Ctrl-C sends, once the first stage is done.
func TestInterrupt(t *testing.T) {
	p := newProgram(t)
	c, _ := p.command("run", "--config", "tiny.yaml", "--out", "out")
	c.Stderr = nil
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lines := bufio.NewScanner(pipe)
	for sent := false; lines.Scan(); {
		out.WriteString(lines.Text() + "\n")
		if !sent && strings.Contains(lines.Text(), "labels: 1 done") {
			sent = true
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Wait(); err == nil {
		t.Skip("the run was over before the signal came")
	}
	if c.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(out.String(), "it goes on from here") {
		t.Errorf("exit code %d, output\n%s", c.ProcessState.ExitCode(), out.String())
	}
	p.run("run", "--config", "tiny.yaml", "--out", "out", "-q")
}
