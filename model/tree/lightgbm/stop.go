package lightgbm

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
	m         *core.Matrix
	tg        core.Targets
	score     []float32
	k         int
	loss      float64
	best      float64
	bestRound int
	bestTrees int
}

func (t *trainer) newStopper(d core.Data, o *Options) (*stopper, error) {
	rows, err := d.KeptOf(o.StopRows, "stop")
	if err != nil {
		return nil, err
	}
	if err := model.CheckColumns(t.out.Columns, view.View{Table: d.X}); err != nil {
		return nil, fmt.Errorf("model/tree: stop rows: %w", err)
	}
	s := &stopper{k: t.loss.k, best: math.Inf(1)}
	if s.tg, err = d.Targets(&t.loss.Loss, rows, "stop"); err != nil {
		return nil, err
	}
	x, err := t.table(d.X, rows, "stop")
	if err != nil {
		return nil, err
	}
	if s.m, err = t.stopMatrix(o, x, rows); err != nil {
		return nil, err
	}
	s.score = make([]float32, len(s.tg.Y)*s.k)
	if t.first > 0 {
		return s, t.scores(t.out, d.X, rows, "stop", s.score)
	}
	for i := range s.tg.Y {
		for c, b := range t.out.Base {
			s.score[i*s.k+c] = float32(b)
		}
	}
	return s, nil
}

// add adds a tree to the scores of the stop rows.
func (s *stopper) add(m *core.Matrix, tree *ensemble.Tree) {
	if len(tree.Nodes) == 1 {
		return
	}
	bt := m.BinTreeOf(tree)
	for i := range s.tg.Y {
		at := &s.score[i*s.k+tree.Class]
		*at = float32(float64(*at) + tree.Nodes[bt.Leaf(s.m.Words[i*s.m.Stride:])].Value)
	}
}

// judge notes the loss after a round, when the ensemble has so many trees, and
// reports whether patience has run out.
func (s *stopper) judge(l *loss, trees, round, patience int) bool {
	s.loss = l.mean(&s.tg, s.score)
	if s.loss < s.best {
		s.best, s.bestRound, s.bestTrees = s.loss, round, trees
	}
	return round-s.bestRound >= patience
}
