//go:build !kms

package kms

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// Supported says whether this program can open any URL.
const Supported = false

var errNotBuilt = errors.New("this binary was built without KMS: build one with \"make build TAGS=kms\"")

// Schemes are those of the URLs that this program can open.
func Schemes() []string { return nil }

// Check says that nothing can be opened.
func Check(string) error { return errNotBuilt }

// Open says that nothing can be opened.
func Open(context.Context, string, time.Duration) (*keyring.Envelope, func() error, error) {
	return nil, nil, errNotBuilt
}
