package command

import (
	"errors"
	"fmt"
)

// Kinds of errors that a program wants to tell apart with errors.Is.
var (
	// ErrUsage: what was asked for contradicts itself or does not exist.
	ErrUsage = errors.New("usage")
	// ErrData: the data were refused.
	ErrData = errors.New("data refused")
	// ErrFound: a check found what it looks for (a leak, a damaged object, a
	// stale page, a verdict that is no pass where one was required).
	ErrFound = errors.New("found")
)

// kinded marks an error with its kind; the text is the error's own.
type kinded struct {
	kind, err error
}

func (k kinded) Error() string   { return k.err.Error() }
func (k kinded) Unwrap() []error { return []error{k.kind, k.err} }

// mark gives err a kind; nil stays nil and an error that has a kind keeps it.
func mark(kind, err error) error {
	if err == nil || errors.Is(err, ErrUsage) || errors.Is(err, ErrData) || errors.Is(err, ErrFound) {
		return err
	}
	return kinded{kind, err}
}

// Usage makes an error of the kind ErrUsage.
func Usage(format string, args ...any) error { return kinded{ErrUsage, fmt.Errorf(format, args...)} }
