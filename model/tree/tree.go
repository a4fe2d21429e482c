// Package tree lists the learners that are made of decision trees and is the
// place to start reading about them.
//
// Each style has a package: xgboost grows level by level with the parameters,
// defaults and split choices of XGBoost, lightgbm leaf by leaf with those of
// LightGBM, catboost grows symmetric trees with those of CatBoost; forest has
// random forests and extra trees after scikit-learn. What they share is in core
// (bins, histograms, partitions); what they make is an ensemble (package
// ensemble), the same form whatever grew it.
package tree

import (
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/catboost"
	"github.com/mlfactory/mlfactory/model/tree/forest"
	"github.com/mlfactory/mlfactory/model/tree/lightgbm"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
)

// Entries are the registry entries of all styles.
func Entries() []model.Entry {
	return []model.Entry{
		xgboost.Entry(),
		lightgbm.Entry(),
		catboost.Entry(),
		forest.Entry(),
		forest.EntryExtra(),
	}
}

// Register adds [Entries] to a registry.
func Register(r *model.Registry) error {
	for _, e := range Entries() {
		if err := r.Add(e); err != nil {
			return err
		}
	}
	return nil
}
