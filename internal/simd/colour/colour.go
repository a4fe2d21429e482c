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

// A line of a cache holds 16 float32 values; a page has a line of each of 64 colours.
const (
	Values = 16                                    // of a line
	Page   = 64                                    // lines of a page, one of each colour
	Lines  = 1024                                  // of weights
	Room   = (Lines - stay) / (Page - home) * Page // lines from the first to after the last, from the start of a page
)

const (
	home = 52       // colours of weights that stay
	stay = 7 * home // lines: the eighth of a set is for what else has its colour
)

// Line is where line n of the weights is, in lines from the first page.
//
// Lines that stay and lines that pass take turns, so that the next of these are on their way while those are at work.
func Line(n int) int {
	before := n * stay / Lines // that stay, of those before this one
	if (n+1)*stay/Lines > before {
		return before/home*Page + before%home
	}
	n -= before
	return n/(Page-home)*Page + home + n%(Page-home)
}
