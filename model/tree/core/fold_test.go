package core

import (
	"context"
	"sync"
	"testing"
)

// Every job runs once; all but the last few have one worker, and these divide
// all of them.
func TestJobsShareTheWorkers(t *testing.T) {
	for _, c := range []struct {
		n, workers int
		want       []int
	}{
		{6, 2, []int{1, 1, 1, 1, 1, 1}},
		{5, 2, []int{1, 1, 1, 1, 2}},
		{2, 8, []int{4, 4}},
		{3, 8, []int{2, 3, 3}},
		{6, 4, []int{1, 1, 1, 1, 2, 2}},
		{1, 1, []int{1}},
		{2, 0, []int{1, 1}},
	} {
		got, calls := make([]int, c.n), 0
		var mu sync.Mutex
		err := Jobs(context.Background(), c.workers, c.n, func(int) { calls++ }, func(i, workers int) error {
			mu.Lock()
			defer mu.Unlock()
			got[i] += workers
			return nil
		})
		if err != nil || calls != c.n {
			t.Errorf("%d jobs, %d workers: %d calls, %v", c.n, c.workers, calls, err)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%d jobs, %d workers: jobs have %v, want %v", c.n, c.workers, got, c.want)
				break
			}
		}
	}
}
