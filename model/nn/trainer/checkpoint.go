package trainer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math"

	"github.com/mlfactory/mlfactory/model"
)

// Digester is implemented by a [Source] that can tell its rows from others.
type Digester interface{ Digest(h hash.Hash) }

// kind and version of the states, and their one name: a caller with several fits
// gives each a checkpoint of its own.
const (
	stateKind    = "network-fit"
	stateVersion = 1
	stateName    = "fit"
)

// keeper saves the state of a fit. The zero keeper saves nothing.
type keeper struct {
	to    model.Checkpoint
	every int
	print string // what the fit is a function of, as a digest
}

// state is what a fit is between two epochs, without its arrays.
type state struct {
	Print string      `json:"fit"`
	Curve model.Curve `json:"curve"`
	Loss  float64     `json:"loss"` // of the best epoch, 0 without one
	Step  int         `json:"step"`
	Done  bool        `json:"done"`
	Parts []string    `json:"parts"` // groups of arrays that follow
}

// groups are the arrays of a state by name, in the order in which they are kept.
func (f *fitter) groups() (names []string, arrays []*[][]float32) {
	values := make([][]float32, len(f.params))
	for i, p := range f.params {
		values[i] = p.Value
	}
	return []string{"value", "m", "v", "ema", "best", "last", "before"},
		[]*[][]float32{&values, &f.m, &f.v, &f.ema, &f.best, &f.last, &f.before}
}

// resume takes up a state of this fit, if the environment has one.
func (f *fitter) resume(rep *Report, stop Data) (k keeper, done bool, err error) {
	if f.env.Checkpoint == nil {
		return keeper{}, false, nil
	}
	k = keeper{f.env.Checkpoint, max(1, f.env.CheckpointEpochs), f.fingerprint(stop)}
	raw, err := k.to.Load(stateName)
	if err != nil {
		return k, false, fmt.Errorf("model/nn: loading the state of a fit: %w", err)
	}
	if raw == nil {
		return k, false, nil
	}
	s, err := f.unpack(raw, k.print)
	if err != nil {
		rep.Afresh = fmt.Sprintf("the kept state of the fit was not used: %v; the fit began afresh", err)
		return k, false, nil
	}
	rep.Curve, f.step = s.Curve, s.Step
	if s.Curve.Best > 0 {
		rep.Loss = s.Loss
	}
	return k, s.Done, nil
}

// save keeps the state after an epoch.
func (k keeper) save(f *fitter, rep *Report, epoch int, done bool) error {
	if k.to == nil || !done && epoch%k.every != 0 {
		return nil
	}
	s := state{Print: k.print, Curve: rep.Curve, Step: f.step, Done: done}
	if rep.Best > 0 {
		s.Loss = rep.Loss
	}
	names, arrays := f.groups()
	var body []byte
	for i, g := range arrays {
		if *g == nil {
			continue
		}
		s.Parts = append(s.Parts, names[i])
		for _, a := range *g {
			for _, v := range a {
				body = binary.LittleEndian.AppendUint32(body, math.Float32bits(v))
			}
		}
	}
	head, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("model/nn: saving the state after epoch %d: %w", epoch, err)
	}
	var b bytes.Buffer
	payload := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	if err := model.WriteArtifact(&b, stateKind, stateVersion, append(payload, body...)); err != nil {
		return fmt.Errorf("model/nn: saving the state after epoch %d: %w", epoch, err)
	}
	if err := k.to.Save(stateName, b.Bytes()); err != nil {
		return fmt.Errorf("model/nn: saving the state after epoch %d: %w", epoch, err)
	}
	return nil
}

// unpack reads a state into f. On an error f is as it was.
func (f *fitter) unpack(raw []byte, print string) (s state, err error) {
	payload, err := model.ReadArtifact(bytes.NewReader(raw), stateKind, stateVersion)
	if err != nil {
		return s, err
	}
	if len(payload) < 8 || binary.LittleEndian.Uint64(payload) > uint64(len(payload)-8) {
		return s, fmt.Errorf("no header in %d bytes: %w", len(payload), model.ErrDamaged)
	}
	n := int(binary.LittleEndian.Uint64(payload)) // #nosec G115 -- not above the length
	if err := json.Unmarshal(payload[8:8+n], &s); err != nil {
		return s, fmt.Errorf("the header: %w", err)
	}
	if s.Print != print {
		return s, fmt.Errorf("it is of another fit")
	}
	body := payload[8+n:]
	if len(body) != 4*f.values*len(s.Parts) {
		return s, fmt.Errorf("%d bytes of %d groups of %d values: %w", len(body), len(s.Parts), f.values, model.ErrDamaged)
	}
	names, arrays := f.groups()
	for i, g := range arrays {
		if len(s.Parts) == 0 || s.Parts[0] != names[i] {
			continue
		}
		s.Parts = s.Parts[1:]
		if *g == nil {
			*g = f.copyTo(nil)
		}
		for _, a := range *g {
			for j := range a {
				a[j] = math.Float32frombits(binary.LittleEndian.Uint32(body))
				body = body[4:]
			}
		}
	}
	for _, p := range f.params {
		p.Changed()
	}
	return s, nil
}

// fingerprint is a digest of all that the fit is a function of.
func (f *fitter) fingerprint(stop Data) string {
	h := sha256.New()
	// A configuration is numbers, texts and lists: it can be written.
	cfg, _ := json.Marshal(f.cfg)
	fmt.Fprintf(h, "%s\n%x\n", cfg, f.stream.Uint64())
	for _, p := range f.params {
		fmt.Fprintf(h, "%q %v\n", p.Name, p.Shape)
		hashFloats(h, p.Value)
	}
	for _, d := range []*Data{&f.train, &stop} {
		if d.Source == nil {
			fmt.Fprintln(h, "none")
			continue
		}
		fmt.Fprintln(h, d.Source.Len(), d.Class)
		hashFloats(h, d.Target)
		hashFloats(h, d.Weight)
		if s, ok := d.Source.(Digester); ok {
			s.Digest(h)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hashFloats writes the length and the bits of v.
func hashFloats(h hash.Hash, v []float32) {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(v)))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		if len(b) > 1<<16 {
			h.Write(b)
			b = b[:0]
		}
	}
	h.Write(b)
}
