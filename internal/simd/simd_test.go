package simd_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/internal/simd"
)

func TestPaths(t *testing.T) {
	for _, p := range []simd.Path{simd.Generic, simd.AVX2, simd.AVX512} {
		if got, err := simd.Parse(p.String()); err != nil || got != p {
			t.Errorf("%v reads back as %v: %v", p, got, err)
		}
	}
	if _, err := simd.Parse("sse"); err == nil {
		t.Error("an unknown path was read")
	}
	s := simd.Supported()
	if s[0] != simd.Generic || s[len(s)-1] != simd.Best() || len(s) != int(simd.Best())+1 {
		t.Errorf("supported %v, best %v", s, simd.Best())
	}
	if runtime.GOARCH != "amd64" && simd.Best() != simd.Generic {
		t.Errorf("%s has only the generic path, not %v", runtime.GOARCH, simd.Best())
	}
}

func TestForce(t *testing.T) {
	for _, p := range []simd.Path{simd.Generic, simd.AVX2, simd.AVX512} {
		before := simd.Describe()
		ran := false
		t.Run(p.String(), func(t *testing.T) {
			simd.Force(t, p)
			ran = true
			d := simd.Describe()
			if simd.Current() != p || d.Path != p.String() || d.Default {
				t.Errorf("forced %v, in use %v (%v)", p, simd.Current(), d)
			}
		})
		if after := simd.Describe(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%v: the path did not come back: %v", p, after)
		}
		if can := p <= simd.Best(); ran != can {
			t.Errorf("%v: ran %v on a machine whose best is %v", p, ran, simd.Best())
		}
		if p > simd.Best() && simd.Use(p) == nil {
			t.Errorf("%v is beyond this machine and was accepted", p)
		}
	}
}

func TestDescribe(t *testing.T) {
	simd.Force(t, simd.Generic)
	s := simd.Describe().String()
	if !strings.HasPrefix(s, "generic on "+runtime.GOARCH+" (best") || (simd.Best() > simd.Generic && !strings.Contains(s, "best would be "+simd.Best().String())) {
		t.Errorf("description %q", s)
	}
}
