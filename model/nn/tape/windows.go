package tape

// bars is what windows of an input have in common: each bar once.
type bars struct {
	value []float32 // a row a bar
	count int
	runs  []run
}

// run is windows from sample on, n of them, of which each begins a bar after the
// one before: the first at a row of bars.
type run struct{ sample, bar, n int }

// Windows is an input of one window for each of first, of steps rows of bars, of
// width values: row b·steps+t is row first[b]+t of bars. Windows that follow each
// other share most of their bars; operations that treat a bar alike in all windows
// do it once where that is less than half of the work.
func (t *Tape) Windows(steps, width int, rows []float32, first []int32) *Tensor {
	x := t.Blank(len(first)*steps, width)
	for b, f := range first {
		copy(x.Value[b*steps*width:(b+1)*steps*width], rows[int(f)*width:])
	}
	t.share(x, steps, rows, first)
	return x
}

// share finds out which bars the windows of x share.
func (t *Tape) share(x *Tensor, steps int, rows []float32, first []int32) {
	count, ranges := 0, 0
	for b := range first {
		if n := fresh(first, b, steps); n < steps {
			count += n
		} else {
			count, ranges = count+steps, ranges+1
		}
	}
	if 2*count > x.Rows {
		return
	}
	s := &bars{count: count}
	if ranges == 1 {
		s.value = rows[int(first[0])*x.Cols:][:count*x.Cols]
	} else {
		s.value = t.alloc(count * x.Cols)
	}
	from, end := len(t.runs), 0 // end: rows of s.value so far
	for b, f := range first {
		n := fresh(first, b, steps)
		if ranges > 1 {
			copy(s.value[end*x.Cols:(end+n)*x.Cols], rows[(int(f)+steps-n)*x.Cols:])
		}
		end += n
		if n == 1 && len(t.runs) > from {
			t.runs[len(t.runs)-1].n++
			continue
		}
		t.runs = append(t.runs, run{b, end - steps, 1})
	}
	s.runs = t.runs[from:len(t.runs):len(t.runs)]
	x.bars = s
}

// fresh is the number of bars of a window that the window before it lacks, if that
// begins before and reaches it; or all.
func fresh(first []int32, b, steps int) int {
	if b > 0 && first[b] > first[b-1] {
		return min(steps, int(first[b]-first[b-1]))
	}
	return steps
}

// sums is the rows that those of a step begin with, one a window, of rows of stride
// values, one a bar: rows of of where all windows are one run, else copies of them
// in room.
func (s *bars) sums(step, stride int, of, room []float32) []float32 {
	if len(s.runs) == 1 {
		return of[(s.runs[0].bar+step)*stride:]
	}
	for _, r := range s.runs {
		copy(room[r.sample*stride:(r.sample+r.n)*stride], of[(r.bar+step)*stride:])
	}
	return room
}

// collect adds the rows of a step to those of their bars.
func (s *bars) collect(step, stride int, of, to []float32) {
	for _, r := range s.runs {
		at := (r.bar + step) * stride
		accumulate(to[at:at+r.n*stride], of[r.sample*stride:(r.sample+r.n)*stride], true)
	}
}
