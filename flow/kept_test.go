package flow_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/mlfactory/mlfactory/flow"
)

// What a stage keeps of unfinished work is there when it is run again, for itself
// alone, and gone once it has succeeded.
func TestRun_StatesOutliveFailures(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var seen []string
	fail := true
	node := func(name string) *flow.Node {
		return &flow.Node{Name: name, Kind: name, Code: "1", Run: func(_ context.Context, t *flow.Task) error {
			b, err := t.Kept().Load("work")
			if err != nil {
				return err
			}
			seen = append(seen, name+":"+string(b))
			if err := t.Kept().Save("work", []byte("half")); err != nil {
				return err
			}
			if fail {
				return errors.New("stopped")
			}
			return t.Create("x", func(w io.Writer) error { _, err := io.WriteString(w, "done"); return err })
		}}
	}
	if _, err := flow.Run(t.Context(), s, []*flow.Node{node("a")}, flow.Options{}); err == nil {
		t.Fatal("the stage did not fail")
	}
	fail = false
	mustRun(t, s, flow.Options{}, node("a"))
	mustRun(t, s, flow.Options{}, node("b"))
	if len(seen) != 3 || seen[0] != "a:" || seen[1] != "a:half" || seen[2] != "b:" {
		t.Errorf("states %v", seen)
	}
}
