// Package outage owns one fact: that a store cannot be reached or cannot write just now, so that
// the request failed through no fault of its own and may be tried again. Stores wrap their errors
// in it; edges answer it with 503 and Retry-After. It never decides whether to try again.
package outage

import (
	"errors"
	"fmt"
)

// Error says that a store is out.
type Error struct {
	// Store is the store in an operator's words: "redis", "database".
	Store string
	Err   error
}

// Wrap returns err as an outage of store.
func Wrap(store string, err error) error { return &Error{Store: store, Err: err} }

// Is reports whether err comes of an outage.
func Is(err error) bool {
	var e *Error
	return errors.As(err, &e)
}

func (e *Error) Error() string { return fmt.Sprintf("%s unavailable: %v", e.Store, e.Err) }

func (e *Error) Unwrap() error { return e.Err }
