package keyring

import (
	"cmp"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// JWKS is the published keys (RFC 7517 §5), ready to be served. Body must not be changed.
type JWKS struct {
	Body []byte
	ETag string
	// MaxAge is for how long caches may hold it, in whole seconds.
	MaxAge time.Duration
	// Revision is the newest of which no key is missing here.
	Revision int64
}

// JWKS returns what to serve.
func (r *Ring) JWKS() JWKS { return r.set.Load().jwks }

// place is the order in the JWKS: who takes the first key whatever kid a token names, as one should
// not, gets one that signs.
var place = map[State]int{Current: 0, Previous: 1, Next: 2}

func newJWKS(s Snapshot, public map[string]jwk.Key, revision int64, maxAge time.Duration) (JWKS, error) {
	published := jwk.NewSet()
	keys := s.Published()
	slices.SortStableFunc(keys, func(a, b Key) int { return cmp.Compare(place[a.State], place[b.State]) })
	for _, k := range keys {
		if key, ok := public[k.KID]; ok {
			if err := published.AddKey(key); err != nil {
				return JWKS{}, fmt.Errorf("key %s: %w", k.KID, err)
			}
		}
	}
	body, err := json.Marshal(published)
	if err != nil {
		return JWKS{}, fmt.Errorf("encode JWKS: %w", err)
	}
	digest := sha256.Sum256(body)
	return JWKS{Body: body, ETag: `"` + hex.EncodeToString(digest[:8]) + `"`, MaxAge: maxAge, Revision: revision}, nil
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
