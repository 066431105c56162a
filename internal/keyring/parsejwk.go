package keyring

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

var (
	errEncryptedJWK = errors.New("the JWK is encrypted (JWE): decrypt it with the tool that made it")
	errJSON         = errors.New("the file is not a JWK or a JWK set (RFC 7517): it is cut off or damaged, so copy it again from the original")
	errTwice        = errors.New("the JWK has a member twice, and which of them counts is anybody's guess: export the key again")
)

// members are a JSON object.
type members map[string]any

// parseJWK reads a JWK or the one private key of a JWK set. It does without the JOSE library, which
// also takes members in another case, other base64, padding, and RSA numbers of any size.
func parseJWK(data []byte, now time.Time) (crypto.Signer, error) {
	if !json.Valid(data) {
		return nil, errJSON
	}
	if repeats(json.NewDecoder(bytes.NewReader(data))) {
		return nil, errTwice
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var top members
	if err := decoder.Decode(&top); err != nil {
		return nil, errJSON
	}
	if top.has("ciphertext") { // RFC 7516 §7.2
		return nil, errEncryptedJWK
	}
	if !top.has("keys") {
		return top.private(now)
	}
	keys, ok := top["keys"].([]any)
	if !ok || top.has("kty") {
		return nil, errJSON
	}
	var private []members
	for _, key := range keys {
		m, ok := key.(map[string]any)
		if !ok {
			return nil, errJSON
		}
		if members(m).has("d") || members(m).has("k") {
			private = append(private, m)
		}
	}
	switch len(private) {
	case 0:
		return nil, errors.New("the JWK set holds no private key, as one that is published never does: give the private key itself")
	case 1:
		return private[0].private(now)
	}
	return nil, errSeveral
}

// repeats reports whether an object in the next value, which is valid JSON, has a member twice.
// encoding/json would take the last, others the first (RFC 7517 §4 has readers refuse).
func repeats(decoder *json.Decoder) bool {
	token, err := decoder.Token()
	open, ok := token.(json.Delim)
	if err != nil || !ok {
		return false
	}
	seen := map[json.Token]bool{}
	for decoder.More() {
		if open == '{' {
			name, err := decoder.Token()
			if err != nil || seen[name] {
				return true
			}
			seen[name] = true
		}
		if repeats(decoder) {
			return true
		}
	}
	_, err = decoder.Token() // the end of it
	return err != nil
}

func (m members) has(name string) bool {
	_, ok := m[name]
	return ok
}

// private makes the key, and checks that it is for signing as we do, and now.
func (m members) private(now time.Time) (crypto.Signer, error) {
	kty, _ := m["kty"].(string)
	switch {
	case kty == "oct":
		return nil, errors.New("the JWK is a symmetric key, which cannot be published for others to verify with: bring an RSA key, an EC key on P-256 or an Ed25519 key")
	case !slices.Contains([]string{"RSA", "EC", "OKP"}, kty):
		return nil, errors.New("the JWK's kty is missing or not one that Latchkey knows: want RSA, EC or OKP")
	case !m.has("d"):
		return nil, errPublic
	}
	private, err := m.key(kty)
	if err != nil {
		return nil, err
	}
	if err := m.meantFor(algorithmOf(private)); err != nil {
		return nil, err
	}
	return private, m.inForce(now)
}

func (m members) key(kty string) (crypto.Signer, error) {
	crv, _ := m["crv"].(string)
	switch {
	case kty == "RSA":
		return m.rsa()
	case kty == "EC" && crv == "P-256":
		return m.ec()
	case kty == "OKP" && crv == "Ed25519":
		raw, err := m.octets("d", "x")
		if err != nil {
			return nil, err
		}
		return edKey(raw[0], raw[1])
	case crv == "X25519" || crv == "X448":
		return nil, errAgreement
	case crv == "Ed448":
		return nil, errEd448
	}
	return nil, errCurve
}

// rsa follows RFC 7518 §6.3. All numbers must be there, as §6.3.2 asks of whoever writes a JWK.
func (m members) rsa() (crypto.Signer, error) {
	raw, err := m.octets("n", "e", "d", "p", "q", "dp", "dq", "qi")
	if err != nil {
		return nil, err
	}
	number := func(i int) *big.Int { return new(big.Int).SetBytes(raw[i]) }
	numbers := rsaNumbers{
		N: number(0), E: number(1), D: number(2),
		P: number(3), Q: number(4), DP: number(5), DQ: number(6), QInv: number(7),
	}
	if m.has("oth") {
		numbers.Version = multiPrime
	}
	return numbers.key()
}

// ec follows RFC 7518 §6.2: each value has the full length of the curve.
func (m members) ec() (crypto.Signer, error) {
	raw, err := m.octets("d", "x", "y")
	if err != nil {
		return nil, err
	}
	for _, value := range raw {
		if len(value) != 32 {
			return nil, errors.New("the JWK's d, x and y are not 32 octets each (RFC 7518 §6.2): export the key again, with leading zeros")
		}
	}
	return ecKey(raw[0], slices.Concat([]byte{4}, raw[1], raw[2]))
}

// octets decodes members as RFC 7515 §2 has it: base64url without padding, spelled the one way.
func (m members) octets(names ...string) ([][]byte, error) {
	var all [][]byte
	for _, name := range names {
		text, ok := m[name].(string)
		if !ok || text == "" {
			return nil, fmt.Errorf("the JWK lacks %s: export the key again, with all its members", name)
		}
		raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || strings.ContainsAny(text, "\r\n") { // which the decoder skips
			return nil, fmt.Errorf("the JWK's %s is not base64url without padding (RFC 7515 §2): export the key again", name)
		}
		all = append(all, raw)
	}
	return all, nil
}

// meantFor refuses a key that its owner keeps for something else (RFC 7517 §4.2 to §4.4): a key that
// does two things is as safe as the weaker (RFC 8725 §3.1).
func (m members) meantFor(algorithm string) error {
	alg := m["alg"]
	// RFC 9864 gives EdDSA with Ed25519 a name of its own.
	if m.has("alg") && alg != algorithm && (algorithm != EdDSA || alg != "Ed25519") {
		return fmt.Errorf("the JWK's alg is not %s, the one algorithm for which Latchkey takes such a key: bring a key that is meant for it", algorithm)
	}
	if m.has("use") && m["use"] != "sig" {
		return errors.New("the JWK's use is not sig, so it is not for signing: bring a key that is")
	}
	operations, _ := m["key_ops"].([]any)
	if m.has("key_ops") && !slices.Contains(operations, any("sign")) {
		return errors.New("the JWK's key_ops lack sign, so it is not for signing: bring a key that is")
	}
	return nil
}

// inForce checks exp and nbf, which are NumericDates as in a JWT (RFC 7519 §4.1).
func (m members) inForce(now time.Time) error {
	exp, err := m.time("exp")
	if err != nil {
		return err
	}
	nbf, err := m.time("nbf")
	switch {
	case err != nil:
		return err
	case m.has("exp") && !now.Before(exp):
		return fmt.Errorf("the JWK expired on %s: bring a key that is still in use", exp.Format(time.DateOnly))
	case now.Before(nbf):
		return fmt.Errorf("the JWK is not valid before %s: import it then", nbf.Format(time.DateOnly))
	}
	return nil
}

// time reads a NumericDate; a member that is not there is the zero time.
func (m members) time(name string) (time.Time, error) {
	if !m.has(name) {
		return time.Time{}, nil
	}
	const year9999 = 253402300799
	number, _ := m[name].(json.Number)
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds > year9999 {
		return time.Time{}, fmt.Errorf("the JWK's %s is not a time in seconds since 1970: export the key again", name)
	}
	return time.Unix(int64(seconds), 0).UTC(), nil
}
