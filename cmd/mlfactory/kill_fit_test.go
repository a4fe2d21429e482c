package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mlfactory/mlfactory/model"
)

// netRecipe has two long fits of two networks each.
const netRecipe = `
markets:
  - {name: planted, instrument: SYNTH, synth: {sessions: 70}}
features: {timeframes: [15m], families: [session, volume]}
models:
  - {name: net, use: gru, route: {window: 24}, config: {hidden: 16, epochs: 60, patience: 0, seeds: 2, batch: 64, dropout: 0.2, ema: 0.9}}
ensembles: []
candidate: net
split:
  walk_forward: {steps: 2, floor_bars: 20, max_lost: 1}
  inner_folds: 2
  kfold: {folds: 2, floor_bars: 20, max_lost: 1, embargo: 1d}
`

// keptEpochs is the epochs of each state that unfinished fits have kept.
func (p *program) keptEpochs() map[string]int {
	p.t.Helper()
	names, err := filepath.Glob(filepath.Join(p.dir, ".mlfactory", "states", "[0-9a-f]*")) // others are being written
	if err != nil {
		p.t.Fatal(err)
	}
	epochs := map[string]int{}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // its stage has just succeeded
		}
		body, err := model.ReadArtifact(bytes.NewReader(raw), "network-fit", 1)
		if err != nil {
			p.t.Fatalf("%s: %v", name, err)
		}
		var head struct {
			Curve model.Curve `json:"curve"`
		}
		if err := json.Unmarshal(body[8:8+binary.LittleEndian.Uint64(body)], &head); err != nil {
			p.t.Fatalf("%s: %v", name, err)
		}
		epochs[filepath.Base(name)] = len(head.Curve.Epochs)
	}
	return epochs
}

// killAfterState runs the program until a fit has kept a state with more epochs than
// before, waits a little and kills it. It says what was kept in the end, or that the
// program ended before.
func (p *program) killAfterState(before map[string]int, wait time.Duration, args ...string) (kept map[string]int, killed bool) {
	p.t.Helper()
	c, out := p.command(args...)
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				p.t.Fatalf("%v: %v\n%s", args, err, out)
			}
			return nil, false
		case <-time.After(2 * time.Millisecond):
		}
		for name, n := range p.keptEpochs() {
			if n == before[name] {
				continue
			}
			if n < before[name] {
				p.t.Errorf("%s: a fit that had kept %d epochs kept %d after it was started again", name, before[name], n)
			}
			time.Sleep(wait)
			_ = c.Process.Kill() // it may have ended
			if err := <-done; err == nil {
				return nil, false
			}
			return p.keptEpochs(), true
		}
	}
}

// killsInside kills runs again and again inside the fits of networks, a little after
// each state that a fit keeps. Each fit goes on from there, and what comes out is byte
// for byte what an undisturbed run leaves.
func killsInside(t *testing.T, rounds, most int) {
	run := []string{"cv", "--model", "net", "--config", "net.yaml", "-q", "--json"}
	start := func() *program {
		p := newProgram(t)
		if err := os.WriteFile(filepath.Join(p.dir, "net.yaml"), []byte(netRecipe), 0o666); err != nil {
			t.Fatal(err)
		}
		return p
	}
	// weights are those of both fits.
	weights := func(p *program) []byte {
		var runs []struct{ ID string }
		if err := json.Unmarshal([]byte(p.run("runs", "list", "--json")), &runs); err != nil || len(runs) != 1 {
			t.Fatalf("%d runs, %v", len(runs), err)
		}
		var all []byte
		for k := 1; k <= 2; k++ {
			p.run("models", "export", fmt.Sprintf("%s:planted/fit/net/kfold%d", runs[0].ID, k), "--to", "safetensors", "--out", "w")
			b, err := os.ReadFile(filepath.Join(p.dir, "w"))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		return all
	}
	calm := start()
	began := time.Now()
	want := calm.run(run...)
	whole := time.Since(began)
	wantWeights := weights(calm)
	draw, total := rand.New(rand.NewSource(2)), 0
	for round := range rounds {
		p, kept, kills := start(), map[string]int{}, 0
		for kills < most {
			wait := time.Duration(draw.Float64() * 0.1 * float64(whole))
			last, killed := p.killAfterState(kept, wait, run...)
			if !killed {
				break
			}
			kept = last
			kills++
		}
		if got := p.run(run...); got != want {
			t.Errorf("round %d, %d kills: the result is\n%s\nwant\n%s", round, kills, got, want)
		}
		if !bytes.Equal(weights(p), wantWeights) {
			t.Errorf("round %d, %d kills: other weights", round, kills)
		}
		if left, err := filepath.Glob(filepath.Join(p.dir, ".mlfactory", "states", "*")); err != nil || len(left) > 0 {
			t.Errorf("round %d: states are left: %v, %v", round, left, err)
		}
		if kills < 2 {
			t.Errorf("round %d: only %d kills came before the end", round, kills)
		}
		if out := p.run("store", "verify"); !strings.Contains(out, "every object is what its name says") {
			t.Errorf("round %d: %s", round, out)
		}
		total += kills
	}
	t.Logf("%d kills inside fits, an undisturbed run takes %v", total, whole)
}

func TestKillInsideAFit(t *testing.T) { killsInside(t, 1, 4) }
