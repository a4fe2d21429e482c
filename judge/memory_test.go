package judge_test

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/mlfactory/mlfactory/judge"
)

func trial(key string, from, to int64) judge.Trial {
	return judge.Trial{Key: key, Name: "stack", Instrument: "ES", From: from, To: to, Days: []int32{1, 2, 5}, Returns: []float64{.01, 0, -.02}}
}

func record(t *testing.T, l judge.Ledger, trials ...judge.Trial) {
	t.Helper()
	for _, x := range trials {
		if _, err := l.Record(context.Background(), x); err != nil {
			t.Fatal(err)
		}
	}
}

func snapshot(t *testing.T, l judge.Ledger, q judge.Query) judge.Snapshot {
	t.Helper()
	s, err := l.Snapshot(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func keys(s judge.Snapshot) string {
	out := ""
	for _, t := range s.Trials {
		out += t.Key
	}
	return out
}

func TestLedgerCountsOverlapInTimeAndInstrument(t *testing.T) {
	var l judge.MemoryLedger
	nq := trial("e", 10, 20)
	nq.Instrument = "NQ"
	inner := trial("f", 10, 20)
	inner.Inner = true
	record(t, &l, trial("d", 20, 30), trial("b", 0, 9), trial("a", 0, 10), trial("c", 21, 30), nq, inner)
	for _, c := range []struct {
		from, to int64
		want     string
	}{{10, 20, "ad"}, {0, 100, "abcd"}, {31, 40, ""}, {9, 9, "ab"}, {21, 21, "cd"}} {
		if got := keys(snapshot(t, &l, judge.Query{Instrument: "ES", From: c.from, To: c.to})); got != c.want {
			t.Errorf("[%d, %d]: trials %q, want %q", c.from, c.to, got, c.want)
		}
	}
	if got := keys(snapshot(t, &l, judge.Query{Instrument: "NQ", From: 0, To: 100})); got != "e" {
		t.Errorf("NQ: trials %q, want e", got)
	}
}

func TestLedgerCountsAKeyOnce(t *testing.T) {
	var l judge.MemoryLedger
	q := judge.Query{Instrument: "ES", From: 0, To: 100}
	for i, want := range []bool{true, false} {
		added, err := l.Record(context.Background(), trial("a", 0, 10))
		if err != nil || added != want {
			t.Errorf("record %d: added %v, %v; want %v", i, added, err, want)
		}
	}
	renamed := trial("a", 0, 10)
	renamed.Name = "another name"
	if added, err := l.Record(context.Background(), renamed); added || err != nil {
		t.Errorf("a new name is not new content: %v, %v", added, err)
	}
	other := trial("a", 0, 10)
	other.Returns = []float64{.01, 0, .02}
	if _, err := l.Record(context.Background(), other); err == nil {
		t.Error("one key with two contents: want an error")
	}
	if n := len(snapshot(t, &l, q).Trials); n != 1 {
		t.Errorf("%d trials, want 1", n)
	}
	// A fit first logged as inner is counted once it competes as a whole.
	inner := trial("b", 0, 10)
	inner.Inner = true
	record(t, &l, inner)
	if n := len(snapshot(t, &l, q).Trials); n != 1 {
		t.Errorf("inner trial counted: %d trials, want 1", n)
	}
	record(t, &l, trial("b", 0, 10), inner)
	if got := keys(snapshot(t, &l, q)); got != "ab" {
		t.Errorf("trials %q, want ab", got)
	}
}

func TestLedgerDigest(t *testing.T) {
	q := judge.Query{Instrument: "ES", From: 0, To: 100}
	var a, b judge.MemoryLedger
	record(t, &a, trial("x", 0, 1), trial("y", 2, 3))
	record(t, &b, trial("y", 2, 3), trial("x", 0, 1), trial("y", 2, 3))
	base := snapshot(t, &a, q).Digest
	if got := snapshot(t, &b, q).Digest; got != base || len(base) != 64 {
		t.Errorf("digest depends on the order of recording: %s and %s", got, base)
	}
	if judge.Digest([]judge.Trial{trial("y", 2, 3), trial("x", 0, 1)}) != base {
		t.Error("Digest and Snapshot differ")
	}
	// The layout is a promise to other ledgers and to verdicts already written.
	fixed := judge.Digest([]judge.Trial{
		{Key: "b", Instrument: "NQ", Inner: true},
		{Key: "a", Name: "n", Instrument: "ES", From: -3, To: 9, Days: []int32{-1, 2}, Returns: []float64{.1, -.2}},
	})
	if fixed != "f14aa6ce48782462ffdec825d68664ae84a63e17a400e5264e4281dc4d16c3ee" {
		t.Errorf("the layout of the digest changed: %s", fixed)
	}
	seen := map[string]string{base: "base"}
	for name, change := range map[string]func(*judge.Trial){
		"name":       func(t *judge.Trial) { t.Name = "other" },
		"key":        func(t *judge.Trial) { t.Key = "z" },
		"instrument": func(t *judge.Trial) { t.Instrument = "NQ" },
		"from":       func(t *judge.Trial) { t.From-- },
		"to":         func(t *judge.Trial) { t.To++ },
		"day":        func(t *judge.Trial) { t.Days = []int32{1, 2, 6} },
		"return":     func(t *judge.Trial) { t.Returns = []float64{.01, 0, -.02000001} },
		"inner":      func(t *judge.Trial) { t.Inner = true },
	} {
		x := trial("y", 2, 3)
		change(&x)
		d := judge.Digest([]judge.Trial{trial("x", 0, 1), x})
		if other, ok := seen[d]; ok {
			t.Errorf("changing the %s gives the digest of %s", name, other)
		}
		seen[d] = name
	}
}

func TestMergeOfOverlappingLedgers(t *testing.T) {
	q := judge.Query{Instrument: "ES", From: 5, To: 15}
	var a, b, both judge.MemoryLedger
	// Two files of one market: a holds 0–10, b 8–20; "m" was tried on both.
	record(t, &a, trial("k", 0, 10), trial("m", 0, 10), trial("old", 0, 4))
	record(t, &b, trial("l", 8, 20), trial("m", 0, 10))
	if err := both.Merge(context.Background(), &a); err != nil {
		t.Fatal(err)
	}
	if err := both.Merge(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	merged, err := judge.MergeSnapshots(q, snapshot(t, &b, q), snapshot(t, &a, q))
	if err != nil {
		t.Fatal(err)
	}
	want := snapshot(t, &both, q)
	if keys(merged) != "klm" || merged.Digest != want.Digest || keys(want) != "klm" {
		t.Errorf("merged %q %s, want klm %s", keys(merged), merged.Digest, want.Digest)
	}
}

func TestLedgerRefuses(t *testing.T) {
	for name, change := range map[string]func(*judge.Trial){
		"no key":         func(t *judge.Trial) { t.Key = "" },
		"no instrument":  func(t *judge.Trial) { t.Instrument = "" },
		"ends early":     func(t *judge.Trial) { t.To = -1 },
		"unequal":        func(t *judge.Trial) { t.Days = t.Days[:2] },
		"days repeat":    func(t *judge.Trial) { t.Days = []int32{1, 1, 2} },
		"NaN return":     func(t *judge.Trial) { t.Returns = []float64{0, math.NaN(), 0} },
		"infinite gains": func(t *judge.Trial) { t.Returns = []float64{0, math.Inf(1), 0} },
	} {
		var l judge.MemoryLedger
		x := trial("a", 0, 10)
		change(&x)
		if _, err := l.Record(context.Background(), x); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var l judge.MemoryLedger
	if _, err := l.Record(ctx, trial("a", 0, 1)); err == nil {
		t.Error("cancelled record: want an error")
	}
	if _, err := l.Snapshot(ctx, judge.Query{}); err == nil {
		t.Error("cancelled snapshot: want an error")
	}
}

// The ledger keeps its own copy and hands out copies.
func TestLedgerOwnsItsMemory(t *testing.T) {
	var l judge.MemoryLedger
	x := trial("a", 0, 10)
	record(t, &l, x)
	q := judge.Query{Instrument: "ES", From: 0, To: 10}
	before := snapshot(t, &l, q)
	x.Returns[0] = 9
	before.Trials[0].Returns[1] = 9
	if after := snapshot(t, &l, q); after.Digest != before.Digest || judge.Digest(after.Trials) != before.Digest {
		t.Error("a caller's write reached the ledger")
	}
}

func TestLedgerConcurrent(t *testing.T) {
	var l judge.MemoryLedger
	var wg sync.WaitGroup
	added := make([]int, 8)
	for w := range added {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 50 {
				ok, err := l.Record(context.Background(), trial(string(rune('a'+i%20)), 0, 1))
				if err != nil {
					t.Error(err)
				}
				if ok {
					added[w]++
				}
			}
		}()
	}
	wg.Wait()
	sum := 0
	for _, n := range added {
		sum += n
	}
	if sum != 20 {
		t.Errorf("%d trials added, want 20", sum)
	}
}
