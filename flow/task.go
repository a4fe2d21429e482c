package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/mlfactory/mlfactory/store"
)

// Task is one execution of a node, as its function sees it. Create may be
// called from several goroutines.
type Task struct {
	Workers int          // how many goroutines may compute at once
	Log     *slog.Logger // for what is worth knowing and not reproducible

	ctx      context.Context // of this execution; a Task does not outlive it
	node     *Node
	key      string
	store    *store.Store
	inputs   []Result
	progress func(done, total int64, note string)

	mu      sync.Mutex
	outputs []store.Output
}

// Input returns the result of the node's i-th input.
func (t *Task) Input(i int) Result { return t.inputs[i] }

// Open returns the output called name of the node's i-th input. Its length and
// frame have been checked, its digest has not: [store.Object.Bytes] does.
func (t *Task) Open(i int, name string) (*store.Object, error) {
	if i < 0 || i >= len(t.inputs) {
		return nil, fmt.Errorf("flow: %s: there is no input %d, only %d", t.node.Name, i, len(t.inputs))
	}
	o, ok := t.inputs[i].Output(name)
	if !ok {
		var have []string
		for _, o := range t.inputs[i].Outputs {
			have = append(have, o.Name)
		}
		return nil, fmt.Errorf("flow: %s: input %d (%s) has no output %q, only %s", t.node.Name, i, t.node.Inputs[i].Name, name, strings.Join(have, ", "))
	}
	return t.store.Object(o)
}

// Create stores an output under a name that the stage has not used yet. It
// becomes part of the result when the stage returns without error.
func (t *Task) Create(name string, write func(io.Writer) error) error {
	return t.CreateLogical(name, "", write)
}

// CreateLogical is Create with a digest of what the bytes mean (schema and
// values, NaN canonical): readers of the output are keyed by it instead of by
// the digest of the bytes.
func (t *Task) CreateLogical(name, logical string, write func(io.Writer) error) error {
	if name == "" || strings.ContainsAny(name, "\\ \t\n") {
		return fmt.Errorf("flow: %s: %q is not a name for an output", t.node.Name, name)
	}
	o, err := t.store.Put(t.ctx, write)
	if err != nil {
		return fmt.Errorf("output %s: %w", name, err)
	}
	o.Name, o.Logical = name, logical
	t.mu.Lock()
	defer t.mu.Unlock()
	i, taken := slices.BinarySearchFunc(t.outputs, name, func(o store.Output, name string) int { return strings.Compare(o.Name, name) })
	if taken {
		return fmt.Errorf("flow: %s: output %q comes twice", t.node.Name, name)
	}
	t.outputs = slices.Insert(t.outputs, i, o)
	return nil
}

// Kept is what the stage has kept of unfinished work. It is removed once the stage
// has succeeded, and survives a kill until then.
func (t *Task) Kept() Kept { return Kept{t} }

// Kept keeps bytes by name; see [Task.Kept].
type Kept struct{ t *Task }

// Load returns the last state of that name, nil if there is none.
func (s Kept) Load(name string) ([]byte, error) { return s.t.store.LoadState(s.t.key, name) }

// Save replaces it, as a whole or not at all.
func (s Kept) Save(name string, state []byte) error {
	return s.t.store.SaveState(s.t.key, name, state)
}

// Progress says how far the stage is: done of total units (total 0 when it is
// not known), with a few words if they help.
func (t *Task) Progress(done, total int64, note string) { t.progress(done, total, note) }

// PanicError is a panic in a stage function.
type PanicError struct {
	Value any
	Stack string
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value of the panic if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var errExited = errors.New("the stage function ended its goroutine instead of returning")
