package statuslist

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

const (
	half     = 10 // bits: half of an index
	halfMask = 1<<half - 1
	// rounds are as many as FF1 (NIST SP 800-38G) has for the same job, on a domain of a million too.
	rounds = 10
)

// order is a secret permutation of [0, Size), one for each list. Places are leased in sequence; with
// their ordinals for indexes everybody could read from two tokens which session is older, and from
// one how many there are (§12.4, §12.5.1).
//
// It is a balanced Feistel network, which is a bijection whatever its round function is: no two
// ordinals meet at an index.
type order struct{ block cipher.Block }

// newOrder derives the order of a list. All replicas need the same key, for as long as a list lives:
// under two keys, two ordinals of a list do meet.
func newOrder(key []byte, list string) (order, error) {
	own, err := hkdf.Expand(sha256.New, key, list, 16)
	if err != nil {
		return order{}, fmt.Errorf("derive order of status list: %w", err)
	}
	block, err := aes.NewCipher(own) // AES-128
	return order{block}, err
}

// index returns the place that ordinal, of [0, Size), stands for.
func (o order) index(ordinal int) int {
	left, right := uint16(ordinal>>half), uint16(ordinal&halfMask) // #nosec G115 -- ten bits each
	var in, out [aes.BlockSize]byte
	for round := range byte(rounds) {
		in[0] = round
		binary.BigEndian.PutUint16(in[1:], right)
		o.block.Encrypt(out[:], in[:])
		left, right = right, left^binary.BigEndian.Uint16(out[:])&halfMask
	}
	return int(left)<<half | int(right)
}
