package race_test

import (
	"runtime/debug"
	"testing"

	"github.com/mlfactory/mlfactory/internal/race"
)

// TestEnabled compares the constant with what the build recorded.
func TestEnabled(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Skip("the binary carries no build information")
	}
	built := false
	for _, s := range info.Settings {
		built = built || s.Key == "-race" && s.Value == "true"
	}
	if race.Enabled != built {
		t.Errorf("Enabled is %v, the build says %v", race.Enabled, built)
	}
}
