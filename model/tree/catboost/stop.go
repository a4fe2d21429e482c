package catboost

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/view"
)

// stopper follows the loss on the stop rows.
type stopper struct {
	m         *core.Matrix
	tg        core.Targets
	score     []float64
	loss      float64
	best      float64
	bestRound int
}

func (t *trainer) newStopper(d core.Data, o Options) (*stopper, error) {
	rows, err := d.KeptOf(o.StopRows, "stop")
	if err != nil {
		return nil, err
	}
	if err := model.CheckColumns(t.out.Columns, view.View{Table: d.X}); err != nil {
		return nil, fmt.Errorf("model/tree: stop rows: %w", err)
	}
	l := t.l.core()
	s := &stopper{best: math.Inf(1)}
	if s.tg, err = d.Targets(&l, rows, "stop"); err != nil {
		return nil, err
	}
	x, at := d.X, rows
	if t.derived != nil {
		if x, err = t.derived.finished(d.X, rows); err != nil {
			return nil, err
		}
		at = nil
	}
	if o.Ranked != nil && o.Ranked.X == x {
		s.m, err = o.Ranked.Like(t.final.m, at, t.pl)
	} else {
		s.m, err = t.final.m.Like(x, at, t.pl)
	}
	if err != nil {
		return nil, err
	}
	s.score = t.start(d.X, rows, len(s.tg.Y))
	return s, nil
}

// add adds the values of a tree, k for each leaf.
func (s *stopper) add(splits []split, value []float64, k int, pl *core.Pool) {
	n := len(s.tg.Y)
	chunks := (n + core.Chunk - 1) / core.Chunk
	pl.Each(chunks, func(next func() int) {
		for c := next(); c < chunks; c = next() {
			for i := c * core.Chunk; i < min(n, (c+1)*core.Chunk); i++ {
				leaf, row := 0, s.m.Words[i*s.m.Stride:]
				for j := range splits {
					b := uint8(row[splits[j].feature/8] >> (splits[j].feature % 8 * 8))
					leaf *= 2
					if !splits[j].left.Has(b) {
						leaf++
					}
				}
				for j := range k {
					s.score[i*k+j] += value[leaf*k+j]
				}
			}
		}
	})
}

// judge notes the loss after a round and reports whether patience has run out.
func (s *stopper) judge(l *loss, round, patience int, pl *core.Pool) bool {
	s.loss = l.mean(&s.tg, s.score, pl)
	if s.loss < s.best {
		s.best, s.bestRound = s.loss, round
	}
	return patience > 0 && round-s.bestRound >= patience
}
