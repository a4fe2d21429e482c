package xgboost_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/mlfactory/mlfactory/model"
	"github.com/mlfactory/mlfactory/model/tree/core"
	"github.com/mlfactory/mlfactory/model/tree/xgboost"
	"github.com/mlfactory/mlfactory/view"
)

// tiny is a classifier of a few small trees.
func tiny(t testing.TB) *xgboost.Classifier {
	c := xgboost.Default()
	c.Rounds, c.MaxDepth = 2, 2
	s := synth(60, 3, 20, 0, 0.1)
	return fit(t, c, s.part(0, 60), view.View{}, 1)
}

const artifactKind = "boosted trees"

// payload is the inside of an encoded model.
func payload(t testing.TB, data []byte) []byte {
	t.Helper()
	p, err := model.ReadArtifact(bytes.NewReader(data), artifactKind, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecodeRefusesInconsistentModels(t *testing.T) {
	data := file(t, tiny(t))
	if len(data) > 4000 {
		t.Errorf("%d bytes for 6 trees of depth 2", len(data))
	}
	good := payload(t, data)
	accepted := 0
	for i := range good {
		for _, v := range []byte{0, 1, 0x7f, 0xff} {
			bad := append([]byte(nil), good...)
			bad[i] = v
			var buf bytes.Buffer
			if err := model.WriteArtifact(&buf, artifactKind, 1, bad); err != nil {
				t.Fatal(err)
			}
			c, err := xgboost.DecodeClassifier(&buf)
			if err != nil {
				if !errors.Is(err, model.ErrDamaged) && !strings.Contains(err.Error(), "not a classifier") {
					t.Fatalf("byte %d = %#x: %v", i, v, err)
				}
				continue
			}
			// Another finite number is another valid model; it must predict.
			accepted++
			if err := c.PredictRow(make([]float32, 3), make([]float64, 3)); err != nil {
				t.Fatalf("byte %d = %#x: %v", i, v, err)
			}
		}
	}
	if accepted == 0 || accepted > 4*len(good)*9/10 {
		t.Errorf("%d of %d changes were accepted", accepted, 4*len(good))
	}
	for n := range good {
		var buf bytes.Buffer
		if err := model.WriteArtifact(&buf, artifactKind, 1, good[:n]); err != nil {
			t.Fatal(err)
		}
		if _, err := xgboost.Decode(&buf); !errors.Is(err, model.ErrDamaged) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(good), err)
		}
	}
}

func TestDecodeClassifierWantsClasses(t *testing.T) {
	s := synth(60, 2, 21, 0, 0)
	c := xgboost.Default()
	c.Objective, c.Rounds = core.SquaredError, 2
	b, err := xgboost.Train(context.Background(), env(1), core.Data{X: s.x, Y: s.y}, core.Data{}, c)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := b.Encode(&buf); err != nil {
		t.Fatal(err)
	}
	data := buf.Bytes()
	if _, err := xgboost.DecodeClassifier(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), "not a classifier") {
		t.Errorf("a regression was read as a classifier: %v", err)
	}
	g, err := xgboost.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := g.Encode(&again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again.Bytes()) || g.Objective() != core.SquaredError || g.Rounds() != 2 || len(g.Names()) != 2 {
		t.Errorf("read back: objective %s, %d rounds, columns %v", g.Objective(), g.Rounds(), g.Names())
	}
}

// FuzzDecode feeds payloads under a correct digest, so that the checks of the
// contents are reached. What is accepted must predict and keep its bytes.
func FuzzDecode(f *testing.F) {
	good := payload(f, file(f, tiny(f)))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add(binary.LittleEndian.AppendUint32(nil, 1<<31))
	f.Fuzz(func(t *testing.T, data []byte) {
		var buf bytes.Buffer
		if err := model.WriteArtifact(&buf, artifactKind, 1, data); err != nil {
			t.Fatal(err)
		}
		b, err := xgboost.Decode(&buf)
		if err != nil {
			return
		}
		if err := b.RawRow(make([]float32, len(b.Names())), make([]float32, b.Scores())); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := b.Encode(&again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(payload(t, again.Bytes()), data) {
			t.Fatal("an accepted payload is written back with other bytes")
		}
	})
}
