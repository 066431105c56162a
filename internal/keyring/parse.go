package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// maxKeyFile is the largest file that is read as a key. The longest key that is taken, with a chain
// of certificates, is a fifth of that.
const maxKeyFile = 64 << 10

// RS256 needs 2048 bits (RFC 7518 §3.3). With 4096 a signature takes some five times as long as with
// 2048; with more, signing in would wait for it.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

// ParsePrivate reads a private key that was made elsewhere, as PEM (PKCS #8, PKCS #1, SEC 1) or as
// a JWK (RFC 7517; also a JWK set that holds exactly one private key), and returns it with the
// algorithm that it is for. The key has signed once, and its public half has verified that.
//
// A certificate of the key in the same PEM file must be valid now, and so must a JWK's exp and nbf.
// A JWK's kid and its certificates (x5c and the like) are not looked at. An error is a sentence for
// whoever brings the key; it quotes nothing of the file, since a key may be anywhere in it.
func ParsePrivate(data []byte, now time.Time) (crypto.Signer, string, error) {
	private, err := readPrivate(data, now)
	if err != nil {
		return nil, "", err
	}
	if err := try(private); err != nil {
		return nil, "", err
	}
	return private, algorithmOf(private), nil
}

func readPrivate(data []byte, now time.Time) (crypto.Signer, error) {
	if len(data) > maxKeyFile {
		return nil, errors.New("the file is larger than 64 KiB: give one that holds a single private key and nothing else")
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("the file is UTF-16 text: save it as UTF-8")
	}
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	switch {
	case len(data) == 0:
		return nil, errors.New("the file is empty: give one that holds a private key, as PEM or as a JWK")
	case data[0] == '{':
		return parseJWK(data, now)
	case bytes.Contains(data, []byte(pemBegin)):
		return parsePEM(data, now)
	case bytes.HasPrefix(data, []byte("eyJ")) && bytes.Count(data, []byte(".")) == 4: // RFC 7516 §3.1
		return nil, errEncryptedJWK
	}
	return nil, errors.New("the file is neither PEM nor a JWK: convert DER with openssl pkey -inform der -in FILE -out key.pem, PKCS #12 with openssl pkcs12 -in FILE -nodes -out key.pem")
}

// algorithmOf is the one algorithm for which keys of private's type are taken.
func algorithmOf(private crypto.Signer) string {
	switch private.(type) {
	case *rsa.PrivateKey:
		return RS256
	case *ecdsa.PrivateKey:
		return ES256
	}
	return EdDSA
}

// try signs with private and verifies that with its public half. Numbers can be in order one by one
// and still not be a key: nothing else here sees an RSA prime that is not one.
func try(private crypto.Signer) error {
	message := []byte("latchkey")
	signature, err := sign(private, message)
	if err != nil || !verifies(private.Public(), message, signature) {
		return errors.New("the key cannot verify a signature of its own: it is damaged, so export it again")
	}
	return nil
}

// verifies is for the signatures that sign makes.
func verifies(public crypto.PublicKey, message, signature []byte) bool {
	digest := sha256.Sum256(message)
	switch public := public.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil
	case *ecdsa.PublicKey:
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(public, digest[:], r, s)
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, signature)
	}
	return false
}

// rsaNumbers are an RSA private key in the order of PKCS #1 (RFC 8017 §A.1.2), which encoding/asn1
// reads into it.
type rsaNumbers struct {
	Version            int
	N, E, D            *big.Int
	P, Q, DP, DQ, QInv *big.Int
}

// Versions of rsaNumbers.
const (
	twoPrime   = 0
	multiPrime = 1
)

var errBrokenRSA = errors.New("the numbers of the RSA key do not belong together: it is damaged, so export it again")

// key checks the numbers and puts them together. It looks at their sizes before it calculates with
// them: a prime as long as a file can hold would take seconds.
func (r rsaNumbers) key() (*rsa.PrivateKey, error) {
	bits := r.N.BitLen()
	switch {
	case r.Version != twoPrime:
		return nil, errors.New("the RSA key has more than two primes: bring one with two")
	case bits < minRSABits:
		return nil, fmt.Errorf("the RSA key has %d bits, too few to be safe: bring one with %d to %d", bits, minRSABits, maxRSABits)
	case bits > maxRSABits:
		return nil, fmt.Errorf("the RSA key has %d bits, which makes signing slow: bring one with %d to %d", bits, minRSABits, maxRSABits)
	case r.E.BitLen() > 31, r.E.Int64() <= 1<<16, r.E.Bit(0) == 0: // FIPS 186-5 §5.1; above, verifiers fail
		return nil, errors.New("the RSA key has an unusual public exponent: bring one with 65537")
	}
	for _, number := range []*big.Int{r.N, r.D, r.P, r.Q, r.DP, r.DQ, r.QInv} {
		if number.Sign() <= 0 || number.BitLen() > bits {
			return nil, errBrokenRSA
		}
	}
	private := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: r.N, E: int(r.E.Int64())}, D: r.D, Primes: []*big.Int{r.P, r.Q},
		Precomputed: rsa.PrecomputedValues{Dp: r.DP, Dq: r.DQ, Qinv: r.QInv},
	}
	private.Precompute()
	if private.Validate() != nil {
		return nil, errBrokenRSA
	}
	if apart := r.P.BitLen() - r.Q.BitLen(); apart < -1 || apart > 1 { // FIPS 186-5 §A.1.1; a short prime is soon found
		return nil, errors.New("the primes of the RSA key are of different lengths, which makes it easy to break: make a new one")
	}
	return private, nil
}

var (
	errCurve = errors.New("the key is on another curve than P-256: bring an EC key on P-256, an Ed25519 key or an RSA key")
	errEd448 = errors.New("the key is an Ed448 key, with which Latchkey does not sign: bring an Ed25519 key")
	// errAgreement is about X25519 and X448.
	errAgreement = errors.New("the key is for key agreement and cannot sign: bring an Ed25519 key")
)

// ecKey makes a P-256 key of its scalar. point is the public half as the file has it, uncompressed
// or compressed (SEC 1 §2.3.3), or empty where the file does without.
func ecKey(scalar, point []byte) (*ecdsa.PrivateKey, error) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		return nil, errors.New("the EC key is out of the range of its curve: it is damaged, so export it again")
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	compressed := append([]byte{2 | public[64]&1}, public[1:33]...)
	if len(point) > 0 && !bytes.Equal(point, public) && !bytes.Equal(point, compressed) {
		return nil, errHalves
	}
	return private, nil
}

var errHalves = errors.New("the private and the public half in the file belong to different keys: export the key again")

// edKey makes an Ed25519 key of its seed. public is empty where the file does without.
func edKey(seed, public []byte) (ed25519.PrivateKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, errors.New("the Ed25519 key is not 32 octets long: it is damaged, so export it again")
	}
	private := ed25519.NewKeyFromSeed(seed)
	if len(public) > 0 && !bytes.Equal(public, private[ed25519.SeedSize:]) {
		return nil, errHalves
	}
	return private, nil
}
