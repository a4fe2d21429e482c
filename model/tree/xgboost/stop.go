package xgboost

import (
	"fmt"
	"math"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
	"github.com/mlfactory/mlfactory/view"
)

// stopper follows the loss on the stop rows.
type stopper struct {
	pl        *core.Pool
	m         *core.Matrix
	tg        core.Targets
	score     []float32
	k         int
	loss      float64
	best      float64
	bestRound int
}

func (t *trainer) newStopper(d core.Data, o Options) (*stopper, error) {
	rows, err := d.KeptOf(o.StopRows, "stop")
	if err != nil {
		return nil, err
	}
	if err := model.CheckColumns(t.e.Columns, view.View{Table: d.X}); err != nil {
		return nil, fmt.Errorf("model/tree: stop rows: %w", err)
	}
	s := &stopper{pl: t.pl, k: t.loss.K, best: math.Inf(1)}
	if s.tg, err = d.Targets(&t.loss, rows, "stop"); err != nil {
		return nil, err
	}
	if s.m, err = o.stopMatrix(t.m, &d, rows, t.pl); err != nil {
		return nil, err
	}
	s.score = make([]float32, len(s.tg.Y)*s.k)
	for i := range s.tg.Y {
		copy(s.score[i*s.k:], t.base)
	}
	for i := range t.e.Trees {
		s.add(t.m, t.e.Trees[i].Nodes, t.e.Trees[i].Class)
	}
	return s, nil
}

// add adds a tree to score c of every stop row.
func (s *stopper) add(m *core.Matrix, tree []ensemble.Node, c int) {
	bt := m.BinTree(tree)
	n := (len(s.tg.Y) + core.Chunk - 1) / core.Chunk
	s.pl.Each(n, func(next func() int) {
		for part := next(); part < n; part = next() {
			for i := part * core.Chunk; i < min((part+1)*core.Chunk, len(s.tg.Y)); i++ {
				s.score[i*s.k+c] += bt.Value(s.m.Words[i*s.m.Stride:])
			}
		}
	})
}

// judge notes the loss after a round and reports whether patience has run out.
func (s *stopper) judge(l *core.Loss, round, patience int) bool {
	s.loss = l.MeanOn(s.pl, &s.tg, s.score)
	if s.loss < s.best {
		s.best, s.bestRound = s.loss, round
	}
	return round-s.bestRound >= patience
}
