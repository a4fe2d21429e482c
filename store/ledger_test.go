package store_test

import (
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mlfactory/mlfactory/judge"
	"github.com/mlfactory/mlfactory/store"
)

func trial(key string, from, to int64) judge.Trial {
	return judge.Trial{Key: key, Name: "stack h20", Instrument: "BTCUSD", From: from, To: to,
		Days: []int32{-1, 18000, 18001}, Returns: []float64{0.1, math.Copysign(0, -1), -1e-300}}
}

func record(t *testing.T, s *store.Store, trials ...judge.Trial) (added int) {
	t.Helper()
	for _, tr := range trials {
		ok, err := s.Record(t.Context(), tr)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			added++
		}
	}
	return added
}

func snapshot(t *testing.T, s *store.Store, q judge.Query) judge.Snapshot {
	t.Helper()
	snap, err := s.Snapshot(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func keys(trials []judge.Trial) (all []string) {
	for _, t := range trials {
		all = append(all, t.Key)
	}
	return all
}

func TestRecord_OncePerKey(t *testing.T) {
	s := open(t, t.TempDir())
	a := trial("a", 10, 20)
	if n := record(t, s, a, a, a); n != 1 {
		t.Fatalf("added %d times", n)
	}
	snap := snapshot(t, s, judge.Query{Instrument: "BTCUSD", From: 0, To: 99})
	if diff := cmp.Diff([]judge.Trial{a}, snap.Trials); diff != "" {
		t.Errorf("the trial came back different:\n%s", diff)
	}
	if math.Float64bits(snap.Trials[0].Returns[1]) != math.Float64bits(a.Returns[1]) {
		t.Error("−0 came back as +0")
	}
	renamed := a
	renamed.Name = "another name"
	if n := record(t, s, renamed); n != 0 {
		t.Error("a new name counted as a new trial")
	}
	for what, change := range map[string]func(*judge.Trial){
		"returns":    func(t *judge.Trial) { t.Returns = []float64{0.1, 0, -1e-300} }, // +0 for −0
		"days":       func(t *judge.Trial) { t.Days = []int32{-1, 18000, 18002} },
		"range":      func(t *judge.Trial) { t.To++ },
		"instrument": func(t *judge.Trial) { t.Instrument = "ETHUSD" },
	} {
		b := trial("a", 10, 20)
		change(&b)
		if _, err := s.Record(t.Context(), b); !errors.Is(err, store.ErrConflict) {
			t.Errorf("other %s under the same key: %v", what, err)
		}
	}
}

func TestRecord_Inner(t *testing.T) {
	s := open(t, t.TempDir())
	inner := trial("a", 10, 20)
	inner.Inner = true
	q := judge.Query{Instrument: "BTCUSD", From: 0, To: 99}
	record(t, s, inner)
	if snap := snapshot(t, s, q); len(snap.Trials) != 0 {
		t.Errorf("an inner fit was counted: %v", keys(snap.Trials))
	}
	if n := record(t, s, trial("a", 10, 20)); n != 1 || len(snapshot(t, s, q).Trials) != 1 {
		t.Error("an inner fit that became a strategy is not counted")
	}
	if n := record(t, s, inner); n != 0 || len(snapshot(t, s, q).Trials) != 1 {
		t.Error("a counted trial was made uncounted")
	}
	all, err := s.Trials(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("%v, %v", keys(all), err)
	}
}

func TestRecord_Refuses(t *testing.T) {
	s := open(t, t.TempDir())
	for want, change := range map[string]func(*judge.Trial){
		"no key":                       func(t *judge.Trial) { t.Key = "" },
		"no instrument":                func(t *judge.Trial) { t.Instrument = "" },
		"range is reversed":            func(t *judge.Trial) { t.From = t.To + 1 },
		"3 days and 2 returns":         func(t *judge.Trial) { t.Returns = t.Returns[:2] },
		"day 18000 (index 2)":          func(t *judge.Trial) { t.Days[2] = 18000 },
		"day 18000 (index 1) is NaN":   func(t *judge.Trial) { t.Returns[1] = math.NaN() },
		"day 18001 (index 2) is -Inf":  func(t *judge.Trial) { t.Returns[2] = math.Inf(-1) },
		`record trial "a" (stack h20)`: func(t *judge.Trial) { t.Days = nil },
	} {
		b := trial("a", 10, 20)
		change(&b)
		if _, err := s.Record(t.Context(), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := s.Snapshot(t.Context(), judge.Query{Instrument: "X", From: 2, To: 1}); err == nil {
		t.Error("a reversed query was answered")
	}
}

func TestSnapshot_Overlap(t *testing.T) {
	s := open(t, t.TempDir())
	other := trial("other", 0, 100)
	other.Instrument = "ETHUSD"
	record(t, s, trial("c", 30, 40), trial("a", 10, 20), trial("b", 20, 30), other)
	for _, c := range []struct {
		name     string
		from, to int64
		want     []string
	}{
		{"all", 0, 100, []string{"a", "b", "c"}},
		{"ends touch", 40, 50, []string{"c"}},
		{"begins touch", 0, 10, []string{"a"}},
		{"inside one", 12, 13, []string{"a"}},
		{"an instant in two", 20, 20, []string{"a", "b"}},
		{"before", 0, 9, nil},
		{"after", 41, 50, nil},
	} {
		if got := keys(snapshot(t, s, judge.Query{Instrument: "BTCUSD", From: c.from, To: c.to}).Trials); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The digest is a function of the set of trials: whatever the order, the
// repetitions and the ledger they came through.
func TestSnapshot_Digest(t *testing.T) {
	root := t.TempDir()
	n := 0
	q := judge.Query{Instrument: "BTCUSD", From: 0, To: 1000}
	rapid.Check(t, func(rt *rapid.T) {
		set := rapid.SliceOfNDistinct(rapid.IntRange(0, 50), 1, 6, rapid.ID).Draw(rt, "set")
		var trials []judge.Trial
		for _, k := range set {
			trials = append(trials, trial(strings.Repeat("k", k+1), int64(k), int64(k+5)))
		}
		n++
		if n > 12 { // each takes two databases
			return
		}
		a := open(t, filepath.Join(root, "a", string(rune('a'+n))))
		b := open(t, filepath.Join(root, "b", string(rune('a'+n))))
		record(t, a, trials...)
		record(t, b, rapid.Permutation(append(trials, trials...)).Draw(rt, "order")...)
		if x, y := snapshot(t, a, q), snapshot(t, b, q); x.Digest != y.Digest || x.Digest != store.TrialsDigest(x.Trials) {
			rt.Fatalf("digests %s and %s", x.Digest, y.Digest)
		}
		before := snapshot(t, a, q)
		fresh := trial("z", 1, 2)
		record(t, b, fresh)
		if added, err := a.MergeLedger(t.Context(), b); err != nil || added != 1 {
			rt.Fatalf("merge added %d, %v", added, err)
		}
		if x, y := snapshot(t, a, q), snapshot(t, b, q); x.Digest != y.Digest || x.Digest == before.Digest {
			rt.Fatalf("after the merge: digests %s and %s, before %s", x.Digest, y.Digest, before.Digest)
		}
	})
}

func TestTrialsDigest_SeesEverything(t *testing.T) {
	base := []judge.Trial{trial("a", 1, 2), trial("b", 3, 4)}
	seen := map[string]string{store.TrialsDigest(base): "base", store.TrialsDigest(nil): "nothing", store.TrialsDigest(base[:1]): "one"}
	for what, change := range map[string]func(*judge.Trial){
		"key":        func(t *judge.Trial) { t.Key = "c" },
		"name":       func(t *judge.Trial) { t.Name = "x" },
		"instrument": func(t *judge.Trial) { t.Instrument = "x" },
		"from":       func(t *judge.Trial) { t.From++ },
		"to":         func(t *judge.Trial) { t.To++ },
		"day":        func(t *judge.Trial) { t.Days[0]++ },
		"return":     func(t *judge.Trial) { t.Returns[1] = 0 },
		"inner":      func(t *judge.Trial) { t.Inner = true },
		"fewer days": func(t *judge.Trial) { t.Days, t.Returns = t.Days[:2], t.Returns[:2] },
		// Without lengths this would read like the base.
		"moved border": func(t *judge.Trial) { t.Key, t.Name = "bstack", " h20" },
	} {
		b := []judge.Trial{trial("a", 1, 2), trial("b", 3, 4)}
		change(&b[1])
		d := store.TrialsDigest(b)
		if old, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", what, old)
		}
		seen[d] = what
	}
}

func TestRecord_ConcurrentProjects(t *testing.T) {
	dir := t.TempDir()
	var wait sync.WaitGroup
	var mu sync.Mutex
	added := 0
	for range 4 {
		s := open(t, dir)
		wait.Go(func() {
			for k := range 10 {
				ok, err := s.Record(t.Context(), trial(strings.Repeat("k", k+1), 1, 2))
				if err != nil {
					t.Error(err)
				}
				if ok {
					mu.Lock()
					added++
					mu.Unlock()
				}
			}
		})
	}
	wait.Wait()
	if added != 10 {
		t.Errorf("%d recordings counted, want 10", added)
	}
}

func TestLockbox(t *testing.T) {
	s := open(t, t.TempDir())
	use := func(instrument string, want store.Lockbox) (known []store.Lockbox, b store.Lockbox, err error) {
		b, err = s.UseLockbox(t.Context(), instrument, func(k []store.Lockbox) (store.Lockbox, error) { known = k; return want, nil })
		return known, b, err
	}
	known, b, err := use("BTCUSD", store.Lockbox{Key: "BTCUSD/a", From: 10, Start: 100, End: 200, By: "run"})
	if err != nil || len(known) != 0 || b.Key != "BTCUSD/a" || b.Instrument != "BTCUSD" || b.From != 10 || b.Start != 100 || b.End != 200 || b.By != "run" || b.OpenedBy != "" || b.Opened != "" || b.Used == "" || !b.Locked() {
		t.Fatalf("%+v, %+v, %v", known, b, err)
	}
	// It grows to both sides and does not shrink.
	b.From, b.End = 5, 250
	if known, b, err = use("BTCUSD", b); err != nil || len(known) != 1 || b.From != 5 || b.End != 250 {
		t.Fatalf("%+v, %+v, %v", known, b, err)
	}
	if _, b, err = use("BTCUSD", store.Lockbox{Key: "BTCUSD/a", From: 50, Start: 100, End: 150, By: "other"}); err != nil || b.From != 5 || b.End != 250 || b.By != "run" {
		t.Fatalf("%+v, %v", b, err)
	}
	if _, _, err := use("BTCUSD", store.Lockbox{Key: "BTCUSD/a", Start: 101}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("another start: %v", err)
	}
	if known, _, err = use("BTC", store.Lockbox{Key: "BTC/a", From: 1, Start: 2, End: 3}); err != nil || len(known) != 0 {
		t.Errorf("another instrument knows %+v, %v", known, err)
	}
	if _, err := s.UseLockbox(t.Context(), "BTC", func([]store.Lockbox) (store.Lockbox, error) { return store.Lockbox{}, io.EOF }); err != io.EOF {
		t.Errorf("a refusal came back as %v", err)
	}
	if _, err := s.OpenLockbox(t.Context(), "ETHUSD", "r1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("one that was never used: %v", err)
	}
	if _, err := s.OpenLockbox(t.Context(), "BTCUSD/a", ""); err == nil {
		t.Error("opened by nobody")
	}
	for range 2 { // the same run may come again after a kill
		if b, err = s.OpenLockbox(t.Context(), "BTCUSD/a", "r1"); err != nil || b.OpenedBy != "r1" || b.Opened == "" || b.Locked() {
			t.Fatalf("%+v, %v", b, err)
		}
	}
	if _, err := s.OpenLockbox(t.Context(), "BTCUSD/a", "r2"); !errors.Is(err, store.ErrLockboxOpened) || !strings.Contains(err.Error(), "by run r1") {
		t.Errorf("a second opening: %v", err)
	}
	opened := b
	b.End = 900
	if _, b, err = use("BTCUSD", b); err != nil || b != opened {
		t.Errorf("an opened lockbox grew: %+v, %v", b, err)
	}
	all, err := s.Lockboxes(t.Context())
	if err != nil || len(all) != 2 || all[1] != b {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestLockboxOfSchema1: a record of the first schema is known to its instrument,
// begins where it began, and does not say where it ends.
func TestLockboxOfSchema1(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, q := range []string{
		"ALTER TABLE lockbox DROP COLUMN instrument", "ALTER TABLE lockbox DROP COLUMN dev_from", "ALTER TABLE lockbox DROP COLUMN stop", "ALTER TABLE lockbox DROP COLUMN recorded_by",
		"INSERT INTO lockbox VALUES ('ES/m', 100, '', 'then', ''), ('ES/m/2020-01', 300, 'r', 'then', 'later'), ('ESX/m', 5, '', 'then', ''), ('generated/0123', 7, '', 'then', '')",
		"PRAGMA user_version = 1",
	} {
		if err := s.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	for instrument, want := range map[string][]store.Lockbox{
		"ES":             {{Key: "ES/m", From: 100, Start: 100, Used: "then"}, {Key: "ES/m/2020-01", From: 300, Start: 300, OpenedBy: "r", Used: "then", Opened: "later"}},
		"generated/0123": {{Key: "generated/0123", From: 7, Start: 7, Used: "then"}},
	} {
		_, err := s.UseLockbox(t.Context(), instrument, func(known []store.Lockbox) (store.Lockbox, error) {
			if !slices.Equal(known, want) {
				t.Errorf("%s knows %+v, want %+v", instrument, known, want)
			}
			return known[0], nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
