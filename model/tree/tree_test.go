package tree_test

import (
	"fmt"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree"
)

func TestEntriesAreComplete(t *testing.T) {
	var r model.Registry
	if err := tree.Register(&r); err != nil {
		t.Fatal(err)
	}
	if err := tree.Register(&r); err == nil {
		t.Error("registered twice without an error")
	}
	for _, e := range r.Entries() {
		if e.Doc == "" || e.Family == "" {
			t.Errorf("%s has no text or no family", e.Name)
		}
		if _, err := e.New(e.Default()); err != nil {
			t.Errorf("%s refuses its own defaults: %v", e.Name, err)
		}
	}
}

func ExampleEntries() {
	for _, e := range tree.Entries() {
		fmt.Println(e.Name, e.Family)
	}
	// Output:
	// xgboost boosting
	// lightgbm boosting
	// catboost boosting
	// random_forest forest
	// extra_trees forest
}
