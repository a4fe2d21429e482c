package linear_test

import (
	"context"
	"fmt"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/view"
)

func Example() {
	// The class follows the momentum in five rows of six.
	t := view.NewTable(600, []string{"momentum"})
	v := view.View{Table: t, Class: make([]int8, 600)}
	for i := range v.Class {
		v.Class[i] = int8(i%3 - 1)
		t.Col(0)[i] = float32(v.Class[i])
		if i%6 == 0 {
			t.Col(0)[i] = 1
		}
	}
	l, err := linear.New(*linear.DefaultConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	f, err := l.Fit(context.Background(), model.Env{Workers: 1}, v, view.View{})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := view.NewTable(1, []string{"momentum"})
	now.Col(0)[0] = 1
	var p model.Prediction
	if err := f.Predict(context.Background(), view.View{Table: now}, &p); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("P(-1, 0, +1) = %.2f\n", p.Row(0))

	now.Names = []string{"volume"}
	fmt.Println(f.Predict(context.Background(), view.View{Table: now}, &p))
	// Output:
	// P(-1, 0, +1) = [0.24 0.24 0.51]
	// linear: model: column "momentum" is missing; the model was fitted with it
}
