package nn

import (
	"reflect"
	"testing"
)

// Presets are configurations that the learner accepts, other than its default.
func TestPresets(t *testing.T) {
	n := 0
	for _, e := range Entries() {
		for _, p := range e.Presets {
			n++
			if _, err := e.New(p.Config()); err != nil {
				t.Errorf("%s-%s: %v", e.Name, p.Name, err)
			}
			if reflect.DeepEqual(p.Config(), e.Default()) {
				t.Errorf("%s-%s is the default", e.Name, p.Name)
			}
		}
	}
	if n == 0 {
		t.Error("no architecture has a preset")
	}
}
