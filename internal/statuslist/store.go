package statuslist

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// Size is how many places a list has, 2^20: the size of the draft's own test vectors. One list then
// serves nearly everybody, which is the biggest herd to hide in (§12.1) and one fetch for a
// verifier. Compressed it is 153 bytes while empty and 67 KB with a tenth of its places revoked.
const Size = 1 << 20

// Place is where a token's status stands: the `uri` (by way of Board.URI) and `idx` of its status
// claim (§6.2).
type Place struct {
	List  string
	Index int
}

// List is a list as the record keeps it.
type List struct {
	ID     string
	Leased int // how many of its places have been handed out or reserved
}

// Cursor is a revoked place, and so a position in the record's order of revocations. The zero
// Cursor is before the first.
type Cursor struct {
	Tick  int64
	Place Place
}

// Lease is the right to the ordinals [From, To) of a list, each of which stands for one place.
type Lease struct {
	List     string
	From, To int
}

var (
	// ErrNoRoom means that no list has so many places left.
	ErrNoRoom = errors.New("statuslist: no list has room")
	// ErrUnknownList means that the record has no such list: it never had, or its last session is gone.
	ErrUnknownList = errors.New("statuslist: unknown list")
	// ErrStale means that the record could not be read for so long that what is known of the lists
	// may be relied upon no more (§13.7), or that it has never been read yet.
	ErrStale = errors.New("statuslist: the lists are out of date")
)

// Store is the record, which all replicas share.
type Store interface {
	// Lists returns the lists that there are, and the record's clock.
	Lists(ctx context.Context) ([]List, time.Time, error)
	// OpenList adds an empty list unless there is one of which less than below places are leased.
	// Concurrent calls may add one each, which does no harm.
	OpenList(ctx context.Context, id string, below int) error
	// Lease reserves the next n ordinals of the oldest list that has so many left; ErrNoRoom if none
	// has. No ordinal is ever leased twice.
	Lease(ctx context.Context, n int) (Lease, error)
	// Revocations returns up to limit revoked places behind after, in the order (tick, list, index);
	// fewer only if there are no more. A tick's revocations become visible together, and ticks in
	// ascending order, so that a reader who goes on from the last one it saw misses none.
	Revocations(ctx context.Context, after Cursor, limit int) ([]Cursor, error)
}

// Keys signs; keyring.Ring does.
type Keys interface {
	// Sign returns payload as a JWS in compact serialization, with typ in its header.
	Sign(ctx context.Context, algorithm, typ string, payload []byte) (string, error)
	// Signer is the kid of the key that it would sign with; "" if there is none.
	Signer(algorithm string) string
}

// newID names a list. Ten of its characters are 50 random bits: enough, as there is one list for
// a million sessions, and short, as it stands in every access token.
func newID() string { return strings.ToLower(rand.Text()[:10]) }
