package statuslist

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// roomy is below how many leased places a list counts as room for new sessions. The other tenth,
	// a hundred thousand sign-ins, is the time that every replica has to see a list before a token
	// points at it.
	roomy = Size - Size/10
	// page is how many revocations are read at a time: some 400 KB.
	page = 10_000
	// reread is how often everything is read from the start. Only so do the bits of sessions go that
	// have been swept, and whatever a failover of the record did behind the cursor is mended too.
	reread = 10 * time.Minute
)

// Options are what a Board needs; none may be left out but Open.
type Options struct {
	Store     Store
	Keys      Keys
	Algorithm string        // that it signs with; under ES256 replicas' bytes differ
	BaseURI   string        // of the lists, ending in "/"
	TTL       time.Duration // of a token in a verifier's cache: whole seconds, less than Lifetime
	Open      bool          // whether to keep a list open for new sessions
	Log       *slog.Logger
	Now       func() time.Time
}

// Board holds every list as a signed token. It is safe for concurrent use, and Token and Age wait
// for nothing.
type Board struct {
	options Options
	born    time.Time
	shown   atomic.Pointer[shown]

	polling sync.Mutex // guards what is below
	known   known
	encoder *encoder
}

// known is what has been read of the record, up to cursor.
type known struct {
	lists  map[string]*list
	cursor Cursor
	whole  time.Time // our time when it was last read from the start
}

// list is a list in memory. What is derived from the bits is dropped when they change, and made
// anew when it is missing: whatever fails in between, the next poll makes it.
type list struct {
	bits  bits
	lst   string // the bits encoded; "" until that is done
	token *token // nil until it is signed
}

// reading is an answer of Store.Lists.
type reading struct {
	lists []List
	clock time.Time // the record's
	at    time.Time // ours before the question: so the record's is never thought to be earlier than it is
}

// shown is what Token answers from; it is replaced, never changed.
type shown struct {
	reading
	tokens  map[string]*token
	expires time.Time // by the record's clock; all tokens have the same iat
}

// Served is a Status List Token to answer with. The caller must not change Body or Gzip.
type Served struct {
	Body []byte
	// Gzip is Body compressed; nil where it is too short for that.
	Gzip []byte
	ETag string
	// MaxAge is how long a cache may keep it, in whole seconds: the TTL, or what is left of its life.
	MaxAge time.Duration
}

// NewBoard returns a Board that knows nothing before the first Poll.
func NewBoard(options Options) *Board {
	return &Board{options: options, born: options.Now(), encoder: newEncoder()}
}

// URI returns where a list is served, the `uri` of the status claim of its tokens.
func (b *Board) URI(list string) string { return b.options.BaseURI + list }

// Token returns a list as it was at the last successful poll. The errors are ErrUnknownList, and
// ErrStale when that was so long ago that the token has expired.
func (b *Board) Token(id string) (Served, error) {
	s := b.shown.Load()
	if s == nil {
		return Served{}, ErrStale
	}
	left := s.expires.Sub(s.clock.Add(b.options.Now().Sub(s.at)))
	if left <= 0 { // also of a list that is not there: it may have been opened since
		return Served{}, ErrStale
	}
	t, ok := s.tokens[id]
	if !ok {
		return Served{}, ErrUnknownList
	}
	return Served{Body: t.body, Gzip: t.gzip, ETag: t.etag, MaxAge: min(b.options.TTL, left.Truncate(time.Second))}, nil
}

// Age is the time since the last successful poll, or since NewBoard before the first.
func (b *Board) Age() time.Duration {
	since := b.born
	if s := b.shown.Load(); s != nil {
		since = s.at
	}
	return b.options.Now().Sub(since)
}

// Poll brings the board up to the record. If it fails, the board serves what it did before, and the
// next one makes good for it. There is one exception: a list that cannot be opened is an error, but
// all others are brought up to date, since revocations must be seen even while nothing can be written.
func (b *Board) Poll(ctx context.Context) error {
	b.polling.Lock()
	defer b.polling.Unlock()
	r, err := b.read(ctx)
	if err != nil {
		return err
	}
	var unopened error
	if b.options.Open && !slices.ContainsFunc(r.lists, func(l List) bool { return l.Leased < roomy }) {
		if err := b.options.Store.OpenList(ctx, newID(), roomy); err != nil {
			unopened = fmt.Errorf("open status list: %w", err)
		} else if r, err = b.read(ctx); err != nil {
			return err
		}
	}
	next := b.begin(r)
	if err := b.follow(ctx, &next); err != nil {
		return err
	}
	issued := floor(r.clock, b.options.TTL)
	tokens, err := b.sign(ctx, next.lists, issued)
	if err != nil {
		return err
	}
	b.known = next
	b.shown.Store(&shown{reading: r, tokens: tokens, expires: issued.Add(Lifetime)})
	return unopened
}

func (b *Board) read(ctx context.Context) (reading, error) {
	at := b.options.Now()
	lists, clock, err := b.options.Store.Lists(ctx)
	if err != nil {
		return reading{}, fmt.Errorf("read status lists: %w", err)
	}
	return reading{lists: lists, clock: clock, at: at}, nil
}

// begin returns what to read on from, without the lists that are gone. It is the start, with empty
// lists, if it is time for that or there is a list that we do not have: it may have been opened, and
// a place in it revoked, between our last look at the lists and that at the revocations, which then
// passed over it.
func (b *Board) begin(r reading) known {
	next := known{lists: make(map[string]*list, len(r.lists)), cursor: b.known.cursor, whole: b.known.whole}
	afresh := r.at.Sub(b.known.whole) >= reread
	for _, l := range r.lists {
		have, ok := b.known.lists[l.ID]
		next.lists[l.ID] = have
		afresh = afresh || !ok
	}
	if afresh {
		for id := range next.lists {
			next.lists[id] = &list{bits: newBits()}
		}
		next.cursor, next.whole = Cursor{}, r.at
	}
	return next
}

// follow reads the revocations behind next.cursor. Those of lists that are not there are ignored.
// Setting bits of lists that are in use is harmless even if a later page fails: they are not shown
// before all pages have been read, and setting them again changes nothing.
func (b *Board) follow(ctx context.Context, next *known) error {
	for more := true; more; {
		revoked, err := b.options.Store.Revocations(ctx, next.cursor, page)
		if err != nil {
			return fmt.Errorf("read revocations: %w", err)
		}
		for _, r := range revoked {
			if l := next.lists[r.Place.List]; l != nil && l.bits.set(r.Place.Index) {
				l.lst, l.token = "", nil
			}
			next.cursor = r
		}
		more = len(revoked) == page
	}
	for id, l := range next.lists { // what a look from the start finds unchanged need not be made anew
		if have := b.known.lists[id]; have != nil && have != l && bytes.Equal(have.bits, l.bits) {
			next.lists[id] = have
		}
	}
	return nil
}

// sign returns the tokens of lists, making those that have changed, were issued in another window, or
// signed by another key: that may be revoked.
func (b *Board) sign(ctx context.Context, lists map[string]*list, issued time.Time) (map[string]*token, error) {
	tokens := make(map[string]*token, len(lists))
	kid := b.options.Keys.Signer(b.options.Algorithm) // before we sign: should it change now, the next poll signs again
	for id, l := range lists {
		if l.lst == "" {
			l.lst = b.encoder.encode(l.bits)
		}
		if l.token == nil || !l.token.issued.Equal(issued) || l.token.kid != kid {
			body, err := payload(b.URI(id), l.lst, issued, b.options.TTL)
			if err != nil {
				return nil, fmt.Errorf("encode status list %s: %w", id, err)
			}
			jws, err := b.options.Keys.Sign(ctx, b.options.Algorithm, Type, body)
			if err != nil {
				return nil, fmt.Errorf("sign status list %s: %w", id, err)
			}
			l.token = newToken(jws, kid, issued)
		}
		tokens[id] = l.token
	}
	return tokens, nil
}

// floor returns the start of the window of length ttl that clock is in. Windows are counted from
// 1970, so that they are the same ones on every replica.
func floor(clock time.Time, ttl time.Duration) time.Time {
	seconds := clock.Unix()
	return time.Unix(seconds-seconds%int64(ttl/time.Second), 0)
}
