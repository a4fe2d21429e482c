package store_test

import (
	"context"
	"testing"
)

func TestStates(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(key, name, state string) {
		t.Helper()
		if b, err := s.LoadState(key, name); err != nil || string(b) != state || (b == nil) != (state == "") {
			t.Errorf("state %s of %s is %q, %v, want %q", name, key, b, err, state)
		}
	}
	want("a", "x", "")
	must(s.SaveState("a", "x", []byte("one")))
	must(s.SaveState("a", "x", []byte("two")))
	must(s.SaveState("a", "y/../z", []byte("three")))
	must(s.SaveState("b", "x", []byte("four")))
	want("a", "x", "two")
	want("a", "y/../z", "three")
	must(s.Close())
	s = open(t, dir) // as after a kill
	want("a", "x", "two")
	must(s.DropStates("a"))
	must(s.DropStates("nobody"))
	want("a", "x", "")
	want("a", "y/../z", "")
	want("b", "x", "four")
	if _, err := s.GC(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	want("b", "x", "four")
	_, err := s.GC(context.Background(), false)
	must(err)
	want("b", "x", "")
	if left := files(t, s, "states"); left != nil {
		t.Errorf("left %v", left)
	}
}
