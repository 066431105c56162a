package keyring

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Store keeps keys.
type Store interface {
	// Keys returns every key that is published.
	Keys(ctx context.Context) ([]Key, error)
	// AddCurrent keeps key, unless its algorithm has a current key already: of any number of
	// concurrent calls on any number of replicas, one keeps its key.
	AddCurrent(ctx context.Context, key Key) error
}

// Ring signs and verifies with the keys of a store. It works from memory: no call reaches the
// store but Reload. It is safe for concurrent use.
type Ring struct {
	store   Store
	wrapper Wrapper
	set     atomic.Pointer[set]
	// slots bound how many signatures are computed at once: more would only make all of them
	// slower, since RSA keeps a core busy.
	slots chan struct{}
}

// set is what is in memory; it is replaced, never changed.
type set struct {
	signing map[string]signingKey // by algorithm
	public  map[string]jwk.Key    // by kid
	body    []byte
	etag    string
}

type signingKey struct {
	kid     string
	private crypto.Signer
}

// UnreadableError says that stored keys cannot be decrypted. Making new ones instead would make
// every token out there invalid, so nothing is made.
type UnreadableError struct {
	KIDs  []string
	Cause error
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("cannot read the signing keys %s (%v): start with the secret_key that they were stored with",
		strings.Join(e.KIDs, ", "), e.Cause)
}

// Open loads the keys, making a first one for each algorithm that has none.
func Open(ctx context.Context, store Store, wrapper Wrapper, algorithms []string, now time.Time) (*Ring, error) {
	r := &Ring{store: store, wrapper: wrapper, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	if err := r.Reload(ctx); err != nil {
		return nil, err
	}
	missing := slices.DeleteFunc(slices.Clone(algorithms), func(a string) bool {
		_, have := r.set.Load().signing[a]
		return have
	})
	if len(missing) == 0 {
		return r, nil
	}
	for _, algorithm := range missing {
		key, err := newKey(ctx, wrapper, algorithm, now)
		if err != nil {
			return nil, fmt.Errorf("make %s key: %w", algorithm, err)
		}
		if err := store.AddCurrent(ctx, key); err != nil {
			return nil, fmt.Errorf("keep %s key: %w", algorithm, err)
		}
	}
	return r, r.Reload(ctx) // another replica's key may have won
}

// Reload reads the keys anew; until it succeeds the ring goes on with those it has.
func (r *Ring) Reload(ctx context.Context) error {
	keys, err := r.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("load signing keys: %w", err)
	}
	next := &set{signing: map[string]signingKey{}, public: map[string]jwk.Key{}}
	published := jwk.NewSet()
	var unreadable UnreadableError
	for _, k := range keys {
		private, err := k.open(ctx, r.wrapper)
		if err != nil {
			unreadable.KIDs, unreadable.Cause = append(unreadable.KIDs, k.KID), err
			continue
		}
		public, err := publicKey(k, private)
		if err != nil {
			return fmt.Errorf("key %s: %w", k.KID, err)
		}
		next.public[k.KID] = public
		if err := published.AddKey(public); err != nil {
			return fmt.Errorf("key %s: %w", k.KID, err)
		}
		if k.State == Current {
			next.signing[k.Algorithm] = signingKey{k.KID, private}
		}
	}
	if len(unreadable.KIDs) > 0 {
		return &unreadable
	}
	if next.body, err = json.Marshal(published); err != nil {
		return fmt.Errorf("encode JWKS: %w", err)
	}
	digest := sha256.Sum256(next.body)
	next.etag = `"` + hex.EncodeToString(digest[:8]) + `"`
	r.set.Store(next)
	return nil
}

// publicKey is what the JWKS says of k: kid, alg and use on every key (wire contract 10).
func publicKey(k Key, private crypto.Signer) (jwk.Key, error) {
	public, err := jwk.FromRaw(private.Public())
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]any{
		jwk.KeyIDKey: k.KID, jwk.AlgorithmKey: jwa.SignatureAlgorithm(k.Algorithm), jwk.KeyUsageKey: jwk.ForSignature,
	} {
		if err := public.Set(name, value); err != nil {
			return nil, err
		}
	}
	return public, nil
}

// JWKS returns the published keys as JSON (RFC 7517 §5), and its entity tag. The caller must not
// change body.
func (r *Ring) JWKS() (body []byte, etag string) {
	s := r.set.Load()
	return s.body, s.etag
}

// Algorithms returns those that the ring can sign with, sorted.
func (r *Ring) Algorithms() []string {
	var names []string
	for algorithm := range r.set.Load().signing {
		names = append(names, algorithm)
	}
	slices.Sort(names)
	return names
}
