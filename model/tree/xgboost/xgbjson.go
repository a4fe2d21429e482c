package xgboost

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/mlfactory/mlfactory/model/tree/core"
)

// number writes a float as XGBoost's strict reader wants it: always with an
// exponent, so that it is not taken for an integer.
func number(v float32) json.Number {
	return json.Number(strconv.FormatFloat(float64(v), 'E', -1, 32))
}

// EncodeXGBoost writes the ensemble as an XGBoost JSON model in the form of
// XGBoost 3.1 and later; the library (checked with 3.2) loads it and predicts
// the same raw scores, up to the rounding of base_score to a probability for
// binary:logistic. Columns are named as in the fit. Unequal base scores of
// several classes are written as a vector. Class codes of the
// classifier are not part of that format: class c of the file is the c-th of
// −1, 0, +1.
func (b *Booster) EncodeXGBoost(w io.Writer) error {
	var trees []any
	info, starts := []int{}, []int{0}
	for i, t := range b.trees {
		trees = append(trees, xgbTree(t, i, len(b.names)))
		info = append(info, i%b.loss.K)
		if (i+1)%b.loss.K == 0 {
			starts = append(starts, i+1)
		}
	}
	classes, objective := "0", map[string]any{"name": b.loss.Name}
	spw := strconv.FormatFloat(float64(b.loss.PosWeight), 'g', -1, 32)
	base := string(number(b.base[0]))
	switch b.loss.Name {
	case core.Softprob:
		classes = strconv.Itoa(b.loss.K)
		objective["softmax_multiclass_param"] = map[string]string{"num_class": classes}
		equal := true
		for _, v := range b.base {
			equal = equal && v == b.base[0]
		}
		if !equal {
			v, err := json.Marshal(numbers(b.base))
			if err != nil {
				return fmt.Errorf("model/tree: writing base scores: %w", err)
			}
			base = string(v)
		}
	case core.Logistic: // the file holds a probability
		var p [2]float64
		b.loss.Probabilities(b.base, p[:])
		base = string(number(float32(p[1])))
		objective["reg_loss_param"] = map[string]string{"scale_pos_weight": spw}
	case core.SquaredError:
		objective["reg_loss_param"] = map[string]string{"scale_pos_weight": spw}
	case core.Quantile:
		objective["quantile_loss_param"] = map[string]string{"quantile_alpha": "[" + string(number(b.loss.Alpha)) + "]"}
	case core.PseudoHuber:
		objective["pseudo_huber_param"] = map[string]string{"huber_slope": string(number(b.loss.Slope))}
	}
	types := make([]string, len(b.names))
	for j := range types {
		types[j] = "float"
	}
	doc := map[string]any{
		"version": []int{3, 1, 0},
		"learner": map[string]any{
			"attributes":    map[string]string{},
			"feature_names": b.names,
			"feature_types": types,
			"gradient_booster": map[string]any{
				"name": "gbtree",
				"model": map[string]any{
					"gbtree_model_param": map[string]string{"num_parallel_tree": "1", "num_trees": strconv.Itoa(len(b.trees)), "size_leaf_vector": "0"},
					"iteration_indptr":   starts, "tree_info": info, "trees": trees,
				},
			},
			"learner_model_param": map[string]string{
				"base_score": base, "num_class": classes, "num_feature": strconv.Itoa(len(b.names)),
				"num_target": "1", "boost_from_average": "1",
			},
			"objective": objective,
		},
	}
	if err := json.NewEncoder(w).Encode(doc); err != nil {
		return fmt.Errorf("model/tree: writing an XGBoost model: %w", err)
	}
	return nil
}

func numbers(v []float32) []json.Number {
	out := make([]json.Number, len(v))
	for i, x := range v {
		out[i] = number(x)
	}
	return out
}

// xgbTree is the document of one tree: parallel arrays over the nodes. The
// threshold of a leaf is its value.
func xgbTree(t []node, id, columns int) map[string]any {
	n := len(t)
	left, right, parent := make([]int, n), make([]int, n), make([]int, n)
	feature, kind, dflt := make([]int, n), make([]int, n), make([]int, n)
	cond, weight, gain, cover := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	parent[0] = 1<<31 - 1
	for i, nd := range t {
		weight[i], gain[i], cover[i] = nd.value, nd.gain, nd.cover
		if nd.left == 0 {
			left[i], right[i], cond[i] = -1, -1, nd.value
			continue
		}
		l := int(nd.left)
		left[i], right[i], feature[i], cond[i] = l, l+1, int(nd.feature), nd.threshold
		parent[l], parent[l+1] = i, i
		if nd.defaultLeft {
			dflt[i] = 1
		}
	}
	return map[string]any{
		"id": id, "left_children": left, "right_children": right, "parents": parent,
		"split_indices": feature, "split_conditions": numbers(cond), "split_type": kind, "default_left": dflt,
		"base_weights": numbers(weight), "loss_changes": numbers(gain), "sum_hessian": numbers(cover),
		"categories": []int{}, "categories_nodes": []int{}, "categories_segments": []int{}, "categories_sizes": []int{},
		"tree_param": map[string]string{"num_deleted": "0", "num_feature": strconv.Itoa(columns), "num_nodes": strconv.Itoa(n), "size_leaf_vector": "1"},
	}
}
