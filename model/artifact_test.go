package model_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/mlfactory/mlfactory/model"
)

func TestArtifactNoticesEveryDamage(t *testing.T) {
	var b bytes.Buffer
	payload := []byte("forty-two bytes of a model, more or less.")
	if err := model.WriteArtifact(&b, "toy", 3, payload); err != nil {
		t.Fatal(err)
	}
	raw := b.Bytes()
	got, err := model.ReadArtifact(bytes.NewReader(raw), "toy", 3)
	if err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("read %q, %v", got, err)
	}
	for n := range raw {
		if _, err := model.ReadArtifact(bytes.NewReader(raw[:n]), "toy", 3); !errors.Is(err, model.ErrDamaged) {
			t.Errorf("first %d bytes: error %v", n, err)
		}
		for bit := range 8 {
			c := bytes.Clone(raw)
			c[n] ^= 1 << bit
			if _, err := model.ReadArtifact(bytes.NewReader(c), "toy", 3); !errors.Is(err, model.ErrDamaged) {
				t.Errorf("bit %d of byte %d turned: error %v", bit, n, err)
			}
		}
	}
	if _, err := model.ReadArtifact(bytes.NewReader(append(bytes.Clone(raw), 1)), "toy", 3); !errors.Is(err, model.ErrDamaged) {
		t.Errorf("a byte too many: error %v", err)
	}
	if _, err := model.ReadArtifact(bytes.NewReader(raw), "tree", 3); err == nil || errors.Is(err, model.ErrDamaged) {
		t.Errorf("another kind: error %v", err)
	}
	if _, err := model.ReadArtifact(bytes.NewReader(raw), "toy", 4); err == nil || errors.Is(err, model.ErrDamaged) {
		t.Errorf("another version: error %v", err)
	}
}
