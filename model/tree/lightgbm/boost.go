package lightgbm

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/ensemble"
)

// boost runs the rounds.
func (t *trainer) boost(ctx context.Context, env model.Env, st *stopper) error {
	k := t.loss.k
	for round := range t.cfg.NumIterations {
		rate := t.cfg.LearningRate
		if t.drop != nil {
			rate = t.dropTrees(env, round)
		}
		sums, err := t.gradients(env, round)
		if err != nil {
			return err
		}
		before, grown := len(t.out.Trees), false
		for c := range k {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("model/tree: round %d: %w", round, err)
			}
			tree := ensemble.Tree{Class: c, Width: 1, Nodes: make([]ensemble.Node, 1)}
			if t.loss.need[c] {
				t.gr.begin(env.Stream, round, c)
				tree = t.tree(c, sums[c], sums[k+c], rate)
			}
			if len(tree.Nodes) > 1 {
				grown = true
			} else if round == 0 && t.first == 0 && !t.cfg.BoostFromAverage && t.loss.Custom == nil {
				t.constant(c, st)
			}
			t.out.Trees = append(t.out.Trees, tree)
			if st != nil {
				st.add(t.m, &tree)
			}
		}
		if !grown { // no leaf can be split
			t.out.Trees = t.out.Trees[:before]
			if t.drop != nil {
				t.restoreTrees()
			}
			if len(t.rows) < len(t.all) || t.cfg.FeatureFraction < 1 || t.cfg.ExtraTrees || t.cfg.FeatureFractionBynode < 1 {
				continue // another draw may find one
			}
			break
		}
		if t.drop != nil {
			t.shrinkTrees(rate)
		}
		note, done := "", false
		if st != nil {
			done = st.judge(t.loss, len(t.out.Trees), round, t.cfg.EarlyStoppingRound)
			note = fmt.Sprintf("stop loss %.5f", st.loss)
		}
		if env.Progress != nil {
			env.Progress(round+1, t.cfg.NumIterations, note)
		}
		if done {
			break
		}
	}
	if st != nil && st.bestTrees > 0 {
		t.out.Trees = t.out.Trees[:st.bestTrees:st.bestTrees]
	}
	for c := 0; len(t.out.Trees) < k; c++ { // no split at all: the base alone
		t.out.Trees = append(t.out.Trees, ensemble.Tree{Class: c, Width: 1, Nodes: make([]ensemble.Node, 1)})
	}
	return nil
}

// constant gives score c its best constant where the first round finds no split
// and nothing was added before.
func (t *trainer) constant(c int, st *stopper) {
	b := t.loss.base(&t.tg)[c]
	t.out.Base[c] = b
	for i := c; i < len(t.score); i += t.loss.k {
		t.score[i] += float32(b)
	}
	if st != nil {
		for i := c; i < len(st.score); i += t.loss.k {
			st.score[i] += float32(b)
		}
	}
}

// chunks divides rows among workers in pieces of fixed size.
func (t *trainer) chunks(rows []uint32, f func(c int, rows []uint32)) int {
	n := (len(rows) + core.Chunk - 1) / core.Chunk
	t.pl.Run(n > 2, func(w int) {
		for c := n * w / t.pl.Workers; c < n*(w+1)/t.pl.Workers; c++ {
			f(c, rows[c*core.Chunk:min(len(rows), (c+1)*core.Chunk)])
		}
	})
	return n
}

// gradients draws the rows of the round, computes their gradients and returns
// the sums of |g| (first k) and of h (next k).
func (t *trainer) gradients(env model.Env, round int) ([]float64, error) {
	goss := t.cfg.DataSampleStrategy == GOSS && round >= int(1/t.cfg.LearningRate)
	if t.cfg.bags() {
		t.bag(env, round)
	} else {
		t.rows, t.left = t.all, t.left[:0]
	}
	k := t.loss.k
	parts := make([]float64, (len(t.rows)+core.Chunk-1)/core.Chunk*2*k)
	n := t.chunks(t.rows, func(c int, rows []uint32) {
		t.loss.gradients(rows, &t.tg, t.score, t.g, t.h, make([]float32, k), parts[c*2*k:(c+1)*2*k])
	})
	sums := make([]float64, 2*k)
	for c := range n {
		for j, v := range parts[c*2*k : (c+1)*2*k] {
			sums[j] += v
		}
	}
	if err := t.loss.CheckGradients(t.rows, t.g, t.h, sums); err != nil {
		return nil, err
	}
	if goss {
		sums = t.goss(env, round)
	}
	return sums, nil
}

// tree grows the tree of one score and adds it to the training scores.
func (t *trainer) tree(c int, sumAbsG, sumH, rate float64) ensemble.Tree {
	wide := t.gr.H != nil
	sc := core.NewScales(sumAbsG, sumH, len(t.rows))
	if wide {
		sc = core.NewWideScales(sumAbsG, sumH, len(t.rows))
	}
	parts := make([]core.Sums, (len(t.rows)+core.Chunk-1)/core.Chunk)
	t.chunks(t.rows, func(i int, rows []uint32) {
		if wide {
			parts[i].A, parts[i].B = sc.QuantiseWide(rows, t.g[c], t.h[c], t.gh, t.gr.H)
		} else {
			parts[i].A = sc.Quantise(rows, t.g[c], t.h[c], t.gh)
		}
	})
	var tot core.Sums
	for _, p := range parts {
		tot = tot.Plus(p)
	}
	t.gr.srch.scale(sc)
	t.gr.Idx = append(t.gr.Idx[:0], t.rows...)
	t.gr.grow(tot)
	if len(t.gr.nodes) == 1 { // LightGBM keeps a tree without a split as the value 0
		return ensemble.Tree{Class: c, Width: 1, Nodes: make([]ensemble.Node, 1)}
	}
	tree, leaves := t.finish(c, t.g[c], t.h[c], rate)
	k := t.loss.k
	t.pl.Each(len(leaves), func(next func() int) {
		for i := next(); i < len(leaves); i = next() {
			lf := leaves[i]
			for _, r := range t.gr.Idx[lf.lo:lf.hi] {
				t.score[int(r)*k+c] = float32(float64(t.score[int(r)*k+c]) + lf.value)
			}
		}
	})
	if len(t.left) > 0 {
		t.addTree(&tree, t.left, 1)
	}
	return tree
}

// addTree adds a tree, times a factor, to the training scores of the rows.
func (t *trainer) addTree(tree *ensemble.Tree, rows []uint32, factor float64) {
	bt, k, c := t.m.BinTreeOf(tree), t.loss.k, tree.Class
	t.chunks(rows, func(_ int, rows []uint32) {
		for _, r := range rows {
			s := &t.score[int(r)*k+c]
			*s = float32(float64(*s) + float64(factor*tree.Nodes[bt.Leaf(t.m.Words[int(r)*t.m.Stride:])].Value))
		}
	})
}
