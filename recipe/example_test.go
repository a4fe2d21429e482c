package recipe_test

import (
	"fmt"

	"github.com/mlfactory/mlfactory/recipe"
)

// A wrong key is shown where it stands, with the nearest known one.
func ExampleLoad() {
	src := "markets:\n  - instrument: ES\n    data: es.csv\nlabel:\n  horizont: 30\n"
	_, err := recipe.Load([]byte(src), "recipe.yaml", recipe.Default(), catalogue{})
	fmt.Println(err)
	// Output:
	// recipe.yaml:5:3: unknown key "label.horizont"; did you mean "horizon"?
	//     5 |   horizont: 30
	//           ^
}
