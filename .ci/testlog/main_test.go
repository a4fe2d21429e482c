package main

import (
	"strings"
	"testing"
)

func TestSummarise(t *testing.T) {
	const log = `{"Action":"run","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:3: no data\n"}
{"Action":"output","Package":"p","Test":"A","Output":"--- SKIP: A (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"B/sub","Output":"    a_test.go:9: no data\n"}
{"Action":"skip","Package":"p","Test":"B/sub"}
{"Action":"skip","Package":"p","Test":"C"}
{"Action":"output","Package":"p","Test":"D","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"D"}
{"Action":"skip","Package":"empty"}
{"Action":"pass","Package":"p","Elapsed":1.5}
`
	var out strings.Builder
	if err := summarise(strings.NewReader(log), &out); err != nil {
		t.Error(err)
	}
	want := "ok       1.5 s  p\n3 tests skipped\n  1 × (no reason given)\n  2 × no data\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	bad := `{"Action":"output","Package":"p","Test":"A","Output":"boom\n"}
{"Action":"fail","Package":"p","Test":"A"}
{"Action":"fail","Package":"p"}
`
	if err := summarise(strings.NewReader(bad), &out); err == nil || !strings.HasPrefix(out.String(), "boom\nFAIL") {
		t.Errorf("a failure: %v, %q", err, out.String())
	}
	if err := summarise(strings.NewReader(`{"Action":"build-fail","ImportPath":"p"}`), &out); err == nil {
		t.Error("a failed build was accepted")
	}
	if err := summarise(strings.NewReader(""), &out); err == nil {
		t.Error("an empty log was accepted")
	}
}
