package statuslist

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

const (
	// Type is the typ of a Status List Token (§5.1).
	Type = "statuslist+jwt"
	// MediaType is what its response says it is (§8.2).
	MediaType = "application/statuslist+jwt"
	// Lifetime is how long after its iat a Status List Token may be relied upon (J9). It is also how
	// long the record may be away before verifiers learn that nobody can tell them of revocations.
	Lifetime = 5 * time.Minute
)

// claims are those of a Status List Token (§5.1). There is no iss: sub is under our issuer.
type claims struct {
	Subject    string     `json:"sub"` // the uri of the tokens whose status it tells
	IssuedAt   int64      `json:"iat"`
	Expires    int64      `json:"exp"`
	TTL        int64      `json:"ttl"` // seconds
	StatusList statusList `json:"status_list"`
}

// statusList is §4.2. It has no aggregation_uri (§12.4).
type statusList struct {
	Bits int    `json:"bits"`
	List string `json:"lst"`
}

// payload is the JSON of a Status List Token: the same bytes on every replica.
func payload(uri, lst string, issued time.Time, ttl time.Duration) ([]byte, error) {
	return json.Marshal(claims{
		Subject:    uri,
		IssuedAt:   issued.Unix(),
		Expires:    issued.Add(Lifetime).Unix(),
		TTL:        int64(ttl / time.Second),
		StatusList: statusList{Bits: 1, List: lst},
	})
}

// token is a Status List Token as it is served. It is replaced, never changed.
type token struct {
	issued time.Time
	kid    string // of the key that signed it, as far as is known
	body   []byte
	gzip   []byte // nil where it would not be worth it
	etag   string
}

// onePacket is a size below which nobody gains by compressing.
const onePacket = 1400

func newToken(jws, kid string, issued time.Time) *token {
	t := &token{issued: issued, kid: kid, body: []byte(jws)}
	digest := sha256.Sum256(t.body)
	t.etag = `"` + hex.EncodeToString(digest[:8]) + `"`
	if len(t.body) > onePacket {
		t.gzip = compress(t.body)
	}
	return t
}

// compress takes back some of what base64 in base64 costs (§8.2 asks for it). There are no repeats
// to find in a compressed list, only letters that waste bits.
func compress(body []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.HuffmanOnly) // it fails on an unknown level only
	_, _ = z.Write(body)                                // a bytes.Buffer takes everything
	_ = z.Close()
	return out.Bytes()
}
