package bundle_test

import (
	"bytes"
	"testing"

	"github.com/mlfactory/mlfactory/bar"
	"github.com/mlfactory/mlfactory/bundle"
	"github.com/mlfactory/mlfactory/feature"
	"github.com/mlfactory/mlfactory/label"
	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/trade"
)

// FuzzDecode puts any payload into a sound envelope: what is read is valid and is
// written as it was read; nothing panics.
func FuzzDecode(f *testing.F) {
	b := &bundle.Bundle{Strategy: "one", Step: 1, Base: bar.Minute, Clock: 5 * bar.Minute, Events: label.DefaultEvents(), Label: label.Default(),
		Set:        feature.Set{Frames: []feature.Frame{{Timeframe: 5 * bar.Minute, Features: []feature.Spec{{Name: "clv"}}}}},
		Models:     []bundle.Model{{Name: "one", Use: "logistic", Inputs: bundle.Inputs{Columns: []string{"clv@5m"}}, Body: []byte("body")}},
		Calibrator: []byte("calibrator"), Rule: trade.DefaultRule()}
	inst, err := bar.Find("ES")
	if err != nil {
		f.Fatal(err)
	}
	b.Instrument = inst
	var file bytes.Buffer
	if err := b.Encode(&file); err != nil {
		f.Fatal(err)
	}
	payload, err := model.ReadArtifact(&file, "bundle", 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add(bytes.Replace(payload, []byte(`"sizes":[4`), []byte(`"sizes":[-4`), 1))
	f.Add(bytes.Replace(payload, []byte(`"sizes":[4`), []byte(`"sizes":[4000000000`), 1))
	f.Add([]byte("{}\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		var file bytes.Buffer
		if err := model.WriteArtifact(&file, "bundle", 1, payload); err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Decode(&file)
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		if err := b.Encode(&once); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := bundle.Decode(bytes.NewReader(once.Bytes()))
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if err := again.Encode(&twice); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Fatalf("written differently after being read: %v", err)
		}
	})
}
