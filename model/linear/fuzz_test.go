package linear_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/linear"
	"github.com/mlfactory/mlfactory/view"
)

// Whatever stands in a file whose digest is right, reading it gives an error or
// a model that predicts distributions.
func FuzzDecode(f *testing.F) {
	var file bytes.Buffer
	if err := fit(f, *linear.DefaultConfig(), market(50, 2)).Encode(&file); err != nil {
		f.Fatal(err)
	}
	payload, err := model.ReadArtifact(&file, "logistic", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{"names":["a"],"classes":[-1,1],"mean":[0],"sd":[1],"missing":[0],"clip":0,"coef":[[1e308],[-1e308]],"intercept":[0,1e308]}`))
	f.Add([]byte(`{"names":["a"],"classes":[1,-1],"mean":[0],"sd":[1],"missing":[0],"clip":5,"coef":[[1],[1]],"intercept":[0,0]}`))
	f.Add([]byte(`{"names":["a"],"classes":[-1,0],"mean":[0],"sd":[-1],"missing":[0],"clip":5,"coef":[[1],[]],"intercept":[0,0]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var file bytes.Buffer
		if err := model.WriteArtifact(&file, "logistic", 1, payload); err != nil {
			t.Fatal(err)
		}
		m, err := linear.Decode(&file)
		if err != nil {
			return
		}
		names, _ := m.Importance()
		tab := view.NewTable(3, names)
		for j := range tab.P {
			tab.Col(j)[1], tab.Col(j)[2] = 3e38, -3e38
		}
		var p model.Prediction
		if err := m.Predict(context.Background(), view.View{Table: tab}, &p); err != nil {
			return
		}
		if err := p.Check(); err != nil {
			t.Fatalf("%v: %v", p.Prob, err)
		}
	})
}
