package colour

import "testing"

// TestLine checks that each line has a place of its own inside of the room, and that no set of a cache of eight lines a set has to hold
// more than seven lines that stay, or any of the others beside them.
func TestLine(t *testing.T) {
	taken := map[int]bool{}
	var staying, passing [Page]int
	pages := map[int]bool{}
	for n := range Lines {
		l := Line(n)
		if l < 0 || l >= Room || taken[l] {
			t.Fatalf("line %d is at %d, which is outside or taken", n, l)
		}
		taken[l] = true
		pages[l/Page] = true
		if c := l % Page; c < home {
			staying[c]++
		} else {
			passing[c]++
		}
	}
	for c := range Page {
		switch {
		case c < home && (staying[c] != 7 || passing[c] != 0):
			t.Errorf("colour %d: %d lines stay and %d pass", c, staying[c], passing[c])
		case c >= home && (staying[c] != 0 || passing[c] < 50):
			t.Errorf("colour %d: %d lines pass and %d stay", c, passing[c], staying[c])
		}
	}
	if len(pages) > 64 || len(pages)*Page != Room {
		t.Errorf("%d pages, in room for %d; address translation keeps 64 near", len(pages), Room/Page)
	}
}

// TestTurns checks that lines that stay and lines that pass take turns throughout.
func TestTurns(t *testing.T) {
	const few = 10
	for n := 0; n+few <= Lines; n++ {
		stays := 0
		for k := range few {
			if Line(n+k)%Page < home {
				stays++
			}
		}
		if stays < 3 || stays > 4 {
			t.Fatalf("of %d lines from %d on, %d stay", few, n, stays)
		}
	}
}
