package param

import "strings"

// Nearest returns the known key that key was probably meant to be, and whether one is near enough to suggest.
//
// Near means an edit distance (insertions, deletions, replacements, swaps of neighbours; case does not count) of at most a third of the
// longer of the two, rounded up. The first of equally near keys wins. The cost is O(len(key) × total length of known).
func Nearest(key string, known []string) (string, bool) {
	best, at := "", -1
	a := []rune(strings.ToLower(key))
	for _, k := range known {
		b := []rune(strings.ToLower(k))
		d, longer := editDistance(a, b), max(len(a), len(b))
		if d > (longer+2)/3 || (d == longer && longer > 0) {
			continue
		}
		if at < 0 || d < at {
			best, at = k, d
		}
	}
	return best, at >= 0
}

// editDistance is the optimal string alignment distance (Damerau 1964, without edits inside a swapped pair).
func editDistance(a, b []rune) int {
	two := make([]int, len(b)+1)
	one := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := one[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(one[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
