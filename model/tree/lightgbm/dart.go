package lightgbm

import "github.com/mlfactory/mlfactory/model"

// dropper remembers what dart needs (Rashmi and Gilad-Bachrach 2015, "DART:
// Dropouts meet Multiple Additive Regression Trees").
type dropper struct {
	cfg    *Config
	weight []float64 // of each round: what is left of its learning rate
	sum    float64
	out    []int // rounds that are left out now
}

// dropTrees chooses the rounds to leave out, takes their trees from the
// training scores and returns the factor of the new trees.
func (t *trainer) dropTrees(env model.Env, round int) float64 {
	d := t.drop
	r := env.Stream.Stream("dart", round).Rand()
	d.out = d.out[:0]
	rounds := len(d.weight)
	if r.Float64() >= d.cfg.SkipDrop && rounds > 0 {
		p, most := d.cfg.DropRate, rounds
		if d.cfg.MaxDrop > 0 {
			most = d.cfg.MaxDrop
		}
		perWeight := float64(rounds) / d.sum
		if d.cfg.UniformDrop {
			p = min(p, float64(most)/float64(rounds))
		} else {
			p = min(p, float64(most)*perWeight/d.sum)
		}
		for i := 0; i < rounds && len(d.out) < most; i++ {
			q := p
			if !d.cfg.UniformDrop {
				q = p * d.weight[i] * perWeight
			}
			if r.Float64() < q {
				d.out = append(d.out, i)
			}
		}
	}
	t.addRounds(-1)
	n := float64(len(d.out))
	switch {
	case !d.cfg.XGBoostDartMode:
		return d.cfg.LearningRate / (1 + n)
	case n == 0:
		return d.cfg.LearningRate
	}
	return d.cfg.LearningRate / (d.cfg.LearningRate + n)
}

// addRounds adds the trees of the rounds that are left out, times a factor, to
// the training scores.
func (t *trainer) addRounds(factor float64) {
	k := t.loss.k
	for _, i := range t.drop.out {
		for c := range k {
			t.addTree(&t.out.Trees[t.first+i*k+c], t.all, factor)
		}
	}
}

// restoreTrees undoes dropTrees after a round without a split.
func (t *trainer) restoreTrees() { t.addRounds(1) }

// shrinkTrees shrinks the trees that were left out, so that they and the new
// ones together do not overshoot, and adds them to the training scores again.
func (t *trainer) shrinkTrees(rate float64) {
	d, k := t.drop, t.loss.k
	n := float64(len(d.out))
	keep, weigh := n/(n+1), n/(n+1)
	if d.cfg.XGBoostDartMode {
		keep = rate * n / d.cfg.LearningRate // n/(n + learning rate)
		weigh = n / (n + d.cfg.LearningRate)
	}
	for _, i := range d.out {
		for c := range k {
			nodes := t.out.Trees[t.first+i*k+c].Nodes
			for j := range nodes {
				nodes[j].Value *= keep
			}
		}
		d.sum -= d.weight[i] * (1 - weigh)
		d.weight[i] *= weigh
	}
	t.addRounds(1)
	d.weight = append(d.weight, rate)
	d.sum += rate
}
