package limit

import (
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// ErrNoBlock means that no such block is listed: it is over, was lifted, or never was.
var ErrNoBlock = errors.New("limit: no such block")

// Error means a request that was refused and had no effect.
type Error struct {
	Rule rule.Name
	// RetryAfter is when the same request can succeed, if no other takes its place.
	RetryAfter time.Duration
	// Subject is who is refused, as in Block.
	Subject string
}

// Error does not say who, because that is an address.
func (e *Error) Error() string {
	return fmt.Sprintf("limit: refused by %s, retry after %s", e.Rule, e.RetryAfter)
}
