package factory_test

import (
	"fmt"
	"log"

	"github.com/mlfactory/mlfactory/factory"
)

// What a recipe can name, and what the default one does name.
func ExampleNewCatalogue() {
	cat, err := factory.NewCatalogue()
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range cat.Models.Entries()[:3] {
		fmt.Println("learner", e.Name, "of family", e.Family)
	}
	r := factory.DefaultRecipe()
	if err := r.Complete(cat); err != nil {
		log.Fatal(err)
	}
	for _, e := range r.Ensembles {
		fmt.Println(e.Name, "combines", e.Bases, "by", e.Use)
	}
	fmt.Println("judged:", r.Candidate)
	// Output:
	// learner logistic of family linear
	// learner xgboost of family boosting
	// learner lightgbm of family boosting
	// voting combines [logistic xgboost] by voting
	// stack combines [logistic xgboost] by stack_logistic
	// judged: stack
}
