package colour

import "testing"

// TestLine checks that each line has a place of its own inside of the room, and that no set of a cache of eight lines a set has to hold
// more than six lines that stay, or any of the others beside them.
func TestLine(t *testing.T) {
	taken := map[int]bool{}
	var staying, passing [Page]int
	pages := map[int]bool{}
	for b := range Blocks {
		for n := range Block {
			l := Line(b, n)
			if l < 0 || l >= Room || taken[l] {
				t.Fatalf("line %d of block %d is at %d, which is outside or taken", n, b, l)
			}
			taken[l] = true
			pages[l/Page] = true
			if c := l % Page; c < home {
				staying[c]++
			} else {
				passing[c]++
			}
		}
	}
	for c := range Page {
		switch {
		case c < home && (staying[c] != 6 || passing[c] != 0):
			t.Errorf("colour %d: %d lines stay and %d pass", c, staying[c], passing[c])
		case c >= home && (staying[c] != 0 || passing[c] < 50):
			t.Errorf("colour %d: %d lines pass and %d stay", c, passing[c], staying[c])
		}
	}
	if len(pages) > 64 {
		t.Errorf("%d pages are more than address translation keeps near", len(pages))
	}
}

// TestTurns checks that lines that stay and lines that pass take turns throughout.
func TestTurns(t *testing.T) {
	const few = 10
	for n := 0; n+few <= Block; n++ {
		stays := 0
		for k := range few {
			if line, _ := Place(n + k); line%Page < home {
				stays++
			}
		}
		if stays < 2 || stays > 4 {
			t.Fatalf("of %d lines from %d on, %d stay", few, n, stays)
		}
	}
}

// TestPlace checks that a line swings from block to block and no other moves.
func TestPlace(t *testing.T) {
	for n := range Block {
		line, swings := Place(n)
		for b := range Blocks {
			want := b*Pages*Page + line
			if swings && b%2 == 1 {
				want += Swing
			}
			if got := Line(b, n); got != want {
				t.Errorf("line %d of block %d is at %d, want %d", n, b, got, want)
			}
		}
	}
}
