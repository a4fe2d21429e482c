// Package colour says where the weights lie that an LSTM of 64 units, as vec.LSTMSteps runs it for one sample, reads at each step.
//
// They are 64 KB, twice a first cache of 32 KB, and are read from end to end, again and again. A cache that drops what was not used for
// longest has dropped each line by the time it is asked for again, so that all of them come from the second cache at each step. But a
// line can only lie in the set of the cache that six bits of its address name, its colour. So weights that are to stay have the addresses
// of some colours, a few to a set, and the others pass through the sets of the colours that are left. What else has these addresses is
// not used.
//
// With a first cache of another kind this is no gain, and nothing is wrong.
package colour

// A line of a cache holds 16 float32 values; a page has a line of each of 64 colours. Weights are in blocks of 256 lines, those of 16
// units, and a block has pages of its own.
const (
	Values = 16                    // of a line
	Page   = 64                    // lines of a page, one of each colour
	Block  = 256                   // lines of weights in a block
	Blocks = 4                     // of 64 units
	Pages  = 15                    // of a block
	Room   = Blocks * Pages * Page // lines from the first to after the last, from the start of a page
)

const (
	home    = 52          // colours of weights that stay: all of them in a block's first page,
	Swing   = home / 2    // half of them in its second: the first half in even blocks, the other in odd ones
	passage = Page - home // colours of weights that pass: in each page
	stay    = home + Swing
)

// Place is where line n of an even block's weights is, in lines from the block's first page. In odd blocks a line that swings is [Swing]
// lines further on.
//
// Lines that stay and lines that pass take turns, so that the next of these are on their way while those are at work.
func Place(n int) (line int, swings bool) {
	before := n * stay / Block // that stay, of those before this one
	switch stays := (n+1)*stay/Block > before; {
	case stays && before%3 == 2:
		return Page + before/3, true
	case stays:
		return before - before/3, false
	}
	n -= before
	return n/passage*Page + home + n%passage, false
}

// Line is where line n of block b is, in lines from the first block's first page.
func Line(b, n int) int {
	line, swings := Place(n)
	if swings {
		line += b % 2 * Swing
	}
	return b*Pages*Page + line
}
