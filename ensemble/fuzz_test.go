package ensemble_test

import (
	"bytes"
	"testing"

	"github.com/mlfactory/mlfactory/ensemble"
	"github.com/mlfactory/mlfactory/model"
)

// Whatever stands in a file whose digest is right, reading it gives an error or
// a set whose claim holds.
func FuzzDecodeOOF(f *testing.F) {
	v, folds := world(30, 3, 1)
	var file bytes.Buffer
	if err := collect(f, forward, v, folds).Encode(&file); err != nil {
		f.Fatal(err)
	}
	payload, err := model.ReadArtifact(&file, "oof", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add(payload[:len(payload)/2])
	f.Add([]byte{})
	f.Add([]byte{2, 0, 2, 2, 'a', 200, 200, 200, 200, 10})
	f.Fuzz(func(t *testing.T, payload []byte) {
		var file bytes.Buffer
		if err := model.WriteArtifact(&file, "oof", 1, payload); err != nil {
			t.Fatal(err)
		}
		o, err := ensemble.DecodeOOF(&file)
		if err != nil {
			return
		}
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := o.Encode(&again); err != nil {
			t.Fatal(err)
		}
		if _, err := ensemble.DecodeOOF(&again); err != nil {
			t.Fatal(err)
		}
	})
}
