package explain

import (
	"context"
	"errors"
	"fmt"

	"github.com/mlfactory/mlfactory/view"
)

// Interactions are SHAP interaction values: how much of the contribution of
// one column depends on another.
type Interactions struct {
	Rows, Scores int
	Columns      []string
	// Values holds, for every row and score, a matrix with a row and a column
	// for every column of the table and for the bias, as pred_interactions of
	// XGBoost does.
	Values []float64
}

// Of returns the matrix of a score of a row, row-major, columns+1 wide. It is
// symmetric; its rows sum to the contributions; off the diagonal stands half of
// what two columns give together beyond what each gives alone.
func (n *Interactions) Of(row, score int) []float64 {
	w := len(n.Columns) + 1
	at := (row*n.Scores + score) * w * w
	return n.Values[at : at+w*w : at+w*w]
}

// Interactions computes the SHAP interaction values of every row of a table,
// for a path-dependent explainer:
//
//	φ_ij = ½·v·(o_i−z_i)(o_j−z_j)·∫₀¹ Π_{l≠i,j} (t·o_l + (1−t)·z_l) dt
//
// for every leaf (see the notes on [NewPath]); φ_ii is what is left of φ_i. The
// rules of [Explainer.Rows] hold. Memory: rows·scores·(columns+1)² values.
// Complexity: O(rows·leaves·d²) for d columns on a path. Source: Lundberg et
// al. 2020, §"SHAP interaction values", in the form of the integral.
func (x *Explainer) Interactions(ctx context.Context, t *view.Table, workers int) (*Interactions, error) {
	if x.path == nil {
		return nil, errors.New("explain: interactions are path-dependent; use NewPath")
	}
	first, err := x.Rows(ctx, t, workers)
	if err != nil {
		return nil, err
	}
	k, w := len(x.e.Base), len(x.e.Columns)+1
	out := &Interactions{t.N, k, first.Columns, make([]float64, t.N*k*w*w)}
	err = blocks(ctx, t, workers, func(s *scratch, rows [][]float32, lo int) error {
		for i, p := range x.path {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("explain: tree %d: %w", i, err)
			}
			for r, row := range rows {
				p.interact(s, row, w, out.Values[(lo+r)*k*w*w:(lo+r+1)*k*w*w])
			}
		}
		for r := range rows {
			for c := range k {
				m := out.Of(lo+r, c)
				x.finish(m)
				for i, v := range first.Of(lo+r, c) {
					for j := range w {
						if j != i {
							v -= m[i*w+j]
						}
					}
					m[i*w+i] = v
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// player is a column on the path to a leaf.
type player struct {
	column int32
	on     bool
	z      float64
}

// interact adds what the tree gives to pairs of columns.
func (p *path) interact(s *scratch, x []float32, w int, out []float64) {
	n := len(p.t.Nodes)
	state := room(&s.state, n)
	p.states(x, state)
	for i := range p.t.Nodes {
		if i == 0 || p.t.Nodes[i].Left != 0 {
			continue
		}
		s.players = s.players[:0]
		for c := int32(i); c != 0; c = p.parent[c] { // #nosec G115 -- nodes of a tree
			f := p.columns[p.local[c]]
			known := false
			for _, q := range s.players {
				known = known || q.column == f
			}
			if !known { // the lowest edge of a column counts
				s.players = append(s.players, player{f, state[c] == hot, p.z[c]})
			}
		}
		for a := range s.players {
			for b := range a {
				u, v := &s.players[a], &s.players[b]
				g := p.pair(s.players, a, b)
				g *= 0.5 * u.minus() * v.minus()
				for c := range p.t.Width {
					y, score := p.t.Nodes[i].Value, p.t.Class
					if p.t.Width > 1 {
						y, score = p.t.Values[i*p.t.Width+c], c
					}
					m := out[score*w*w:][:w*w]
					m[int(u.column)*w+int(v.column)] += float64(g * y)
					m[int(v.column)*w+int(u.column)] += float64(g * y)
				}
			}
		}
	}
}

// minus is o − z.
func (p *player) minus() float64 {
	if p.on {
		return 1 - p.z
	}
	return -p.z
}

// pair is the integral of the factors of all players but two.
func (p *path) pair(list []player, a, b int) float64 {
	sum := 0.0
	for _, q := range p.rule {
		for i, t := range q.t {
			f := q.w[i]
			for l := range list {
				switch {
				case l == a || l == b:
				case list[l].on:
					f *= t + float64((1-t)*list[l].z)
				default:
					f *= (1 - t) * list[l].z
				}
			}
			sum += f
		}
	}
	return sum
}
