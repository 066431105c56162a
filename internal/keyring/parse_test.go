package keyring_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// brought are the keys that these tests bring, made once: RSA takes its time.
var brought = sync.OnceValue(func() (k struct {
	rsa, short      *rsa.PrivateKey
	ec, other, p384 *ecdsa.PrivateKey
	ed              ed25519.PrivateKey
}) {
	k.rsa, k.short = must(rsa.GenerateKey(rand.Reader, 2048)), must(rsa.GenerateKey(rand.Reader, 1024))
	k.ec, k.other = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	k.p384 = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	k.ed = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x5a}, ed25519.SeedSize))
	return k
})

// importedAt is when the keys are brought.
var importedAt = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func pemOf(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

// must is for what cannot fail on the keys of these tests.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func pkcs8PEM(key crypto.Signer) string {
	return pemOf("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

func sec1(key *ecdsa.PrivateKey) string {
	return pemOf("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key)))
}

func publicPEM(key crypto.Signer) string {
	return pemOf("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(key.Public())))
}

// wrapped is PKCS #8 of an algorithm that the standard library may not know.
func wrapped(algorithm asn1.ObjectIdentifier, parameters asn1.RawValue, key []byte) string {
	return pemOf("PRIVATE KEY", must(asn1.Marshal(struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: algorithm, Parameters: parameters}, key})))
}

// certificate is one of key, valid for the days from and to, counted from when keys are imported.
func certificate(key crypto.Signer, from, to int) string {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "signer"},
		NotBefore: importedAt.AddDate(0, 0, from), NotAfter: importedAt.AddDate(0, 0, to),
	}
	return pemOf("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)))
}

// edits are members of a JWK that differ; nil takes one out.
type edits map[string]any

// jwkOf is a key as the JOSE library writes it.
func jwkOf(t testing.TB, key any, changes edits) string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal(must(json.Marshal(must(jwk.FromRaw(key)))), &members))
	maps.Copy(members, changes)
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	return string(must(json.Marshal(members)))
}

// pkcs1 are the numbers of RFC 8017 §A.1.2.
type pkcs1 struct {
	Version                     int
	N, E, D, P, Q, DP, DQ, QInv *big.Int
}

func numbersOf(key *rsa.PrivateKey) pkcs1 {
	return pkcs1{
		N: key.N, E: big.NewInt(int64(key.E)), D: key.D, P: key.Primes[0], Q: key.Primes[1],
		DP: key.Precomputed.Dp, DQ: key.Precomputed.Dq, QInv: key.Precomputed.Qinv,
	}
}

// rsaWith is the RSA key with some of its numbers changed.
func rsaWith(change func(*pkcs1)) string {
	numbers := numbersOf(brought().rsa)
	change(&numbers)
	return pemOf("RSA PRIVATE KEY", must(asn1.Marshal(numbers)))
}

func plus(n *big.Int, more int64) *big.Int { return new(big.Int).Add(n, big.NewInt(more)) }

func TestParsePrivate(t *testing.T) {
	k := brought()
	crlf := func(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
	p256Parameters := pemOf("EC PARAMETERS", oid(1, 2, 840, 10045, 3, 1, 7))
	rsaPEM := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa))
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	for name, tc := range map[string]struct {
		data string
		want crypto.Signer
	}{
		"PKCS #8, RSA":              {pkcs8PEM(k.rsa), k.rsa},
		"PKCS #8, EC":               {pkcs8PEM(k.ec), k.ec},
		"PKCS #8, Ed25519":          {pkcs8PEM(k.ed), k.ed},
		"PKCS #1":                   {rsaPEM, k.rsa},
		"SEC 1":                     {sec1(k.ec), k.ec},
		"SEC 1, no public half":     {p256(must(k.ec.Bytes()), nil), k.ec},
		"SEC 1, a compressed point": {p256(must(k.ec.Bytes()), compressed(k.ec)), k.ec},
		"EC PARAMETERS in front":    {p256Parameters + sec1(k.ec), k.ec},
		"CRLF":                      {crlf(rsaPEM), k.rsa},
		"BOM":                       {"\ufeff" + pkcs8PEM(k.ed), k.ed},
		"white space around":        {" \r\n\t" + pkcs8PEM(k.ed) + "\n\n \t", k.ed},
		"no line break at the end":  {strings.TrimSpace(pkcs8PEM(k.ed)), k.ed},
		"text around":               {"Bag Attributes\n    localKeyID: 19 C7\nKey Attributes: <No Attributes>\n" + pkcs8PEM(k.ec) + "-- \nthe key of 2026\n", k.ec},
		"its public half":           {publicPEM(k.ec) + pkcs8PEM(k.ec), k.ec},
		"its public half, PKCS #1":  {rsaPEM + pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)), k.rsa},
		"its certificate":           {pkcs8PEM(k.rsa) + certificate(k.rsa, -1, 1), k.rsa},
		"its certificate and chain": {certificate(k.ec, -1, 1) + certificate(k.other, -9, -1) + pkcs8PEM(k.ec), k.ec},
		"certificates old and new":  {pkcs8PEM(k.ec) + certificate(k.ec, -9, -1) + certificate(k.ec, -1, 9), k.ec},
		"JWK, RSA":                  {jwkOf(t, k.rsa, nil), k.rsa},
		"JWK, EC":                   {jwkOf(t, k.ec, nil), k.ec},
		"JWK, Ed25519":              {jwkOf(t, k.ed, nil), k.ed},
		"JWK, what it is for":       {jwkOf(t, k.rsa, edits{"alg": "RS256", "use": "sig", "key_ops": []string{"verify", "sign"}, "kid": "2019-05", "x": 1}), k.rsa},
		"JWK, EdDSA":                {jwkOf(t, k.ed, edits{"alg": "EdDSA"}), k.ed},
		"JWK, Ed25519 (RFC 9864)":   {jwkOf(t, k.ed, edits{"alg": "Ed25519"}), k.ed},
		"JWK, in force":             {jwkOf(t, k.ec, edits{"nbf": importedAt.Unix(), "exp": importedAt.Unix() + 1}), k.ec},
		"JWK, BOM and CRLF":         {"\ufeff\r\n" + jwkOf(t, k.ec, nil) + "\r\n", k.ec},
		"JWK set of one":            {set(jwkOf(t, k.ec, nil)), k.ec},
		"JWK set, others public":    {set(jwkOf(t, k.rsa.Public(), nil), jwkOf(t, k.ed, nil), jwkOf(t, k.other.Public(), nil)), k.ed},
	} {
		t.Run(name, func(t *testing.T) {
			private, algorithm, err := keyring.ParsePrivate([]byte(tc.data), importedAt)
			require.NoError(t, err)
			require.True(t, private.(interface{ Equal(crypto.PrivateKey) bool }).Equal(tc.want), "it is another key")
			require.Equal(t, algorithmFor(tc.want), algorithm)
		})
	}
}

func algorithmFor(key crypto.Signer) string {
	switch key.(type) {
	case *rsa.PrivateKey:
		return keyring.RS256
	case *ecdsa.PrivateKey:
		return keyring.ES256
	}
	return keyring.EdDSA
}

// oid is the DER of an object identifier.
func oid(arcs ...int) []byte { return must(asn1.Marshal(asn1.ObjectIdentifier(arcs))) }

// p256 is a key in SEC 1, of any scalar and point; without a point there is none.
func p256(scalar, point []byte) string {
	return pemOf("EC PRIVATE KEY", must(asn1.Marshal(struct {
		Version    int
		PrivateKey []byte
		Curve      asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Point      asn1.BitString        `asn1:"optional,explicit,tag:1"`
	}{1, scalar, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, asn1.BitString{Bytes: point, BitLength: 8 * len(point)}})))
}

func compressed(key *ecdsa.PrivateKey) []byte {
	point := must(key.PublicKey.Bytes())
	return append([]byte{2 + point[64]%2}, point[1:33]...)
}

// refused is what cannot be imported, and what the error says.
type refused map[string]struct{ data, want string }

func (all refused) check(t *testing.T) {
	for name, tc := range all {
		t.Run(name, func(t *testing.T) {
			private, algorithm, err := keyring.ParsePrivate([]byte(tc.data), importedAt)
			require.ErrorContains(t, err, tc.want)
			require.Nil(t, private)
			require.Empty(t, algorithm)
			requireDiscreet(t, tc.data, err)
		})
	}
}

// secretive finds what could be a piece of a key: hexadecimal, base64 or bytes.
var secretive = regexp.MustCompile(`[0-9A-Za-z+/_=-]{8}`)

// requireDiscreet fails if err is not one short line, or tells anything that stands in data and is
// more than a word.
func requireDiscreet(t testing.TB, data string, err error) {
	t.Helper()
	text := err.Error()
	require.Regexp(t, `\A[a-z][\x20-\x7e§]+[^.]\z`, text)
	require.Less(t, len(text), 300)
	for i := range max(0, len(text)-7) {
		piece := text[i : i+8]
		if secretive.MatchString(piece) && strings.ContainsAny(piece, "0123456789") && strings.Contains(data, piece) {
			t.Errorf("the error quotes %q of the file: %s", piece, text)
		}
	}
}

func TestParsePrivateRefusesFiles(t *testing.T) {
	k := brought()
	good := pkcs8PEM(k.ec)
	seed := k.ed.Seed()
	legacy := string(pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: make([]byte, 1200),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,0123456789ABCDEF0123456789ABCDEF"},
	}))
	explicit := asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: []byte{2, 1, 1}}
	ed := must(asn1.Marshal(seed))
	refused{
		"nothing":                   {"", "the file is empty"},
		"white space":               {"\ufeff \r\n\t", "the file is empty"},
		"too big":                   {good + strings.Repeat("\n", 64<<10), "larger than 64 KiB"},
		"too big, not by much":      {strings.Repeat(" ", 64<<10+1), "larger than 64 KiB"},
		"as big as can be":          {strings.Repeat(" ", 64<<10), "empty"},
		"UTF-16":                    {"\xff\xfe-\x00-\x00", "UTF-16"},
		"UTF-16, big-endian":        {"\xfe\xff\x00-", "UTF-16"},
		"a word":                    {"correct0horse0battery0staple", "neither PEM nor a JWK"},
		"DER":                       {string(decodePEM(good)), "openssl pkey -inform der"},
		"a JWS":                     {"eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "neither PEM nor a JWK"},
		"a list":                    {`["RSA"]`, "neither PEM nor a JWK"},
		"encrypted PKCS #8":         {pemOf("ENCRYPTED PRIVATE KEY", make([]byte, 300)), "openssl pkcs8 -topk8 -nocrypt"},
		"encrypted, RFC 1421":       {legacy, "openssl pkcs8 -topk8 -nocrypt"},
		"encrypted, no Proc-Type":   {"-----BEGIN EC PRIVATE KEY-----\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n", "encrypted"},
		"encrypted, no DEK-Info":    {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n", "encrypted"},
		"OpenSSH":                   {pemOf("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00")), "ssh-keygen -p -m PKCS8"},
		"DSA":                       {pemOf("DSA PARAMETERS", seed) + pemOf("DSA PRIVATE KEY", seed), "DSA key"},
		"DSA, PKCS #8":              {wrapped(asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}, asn1.NullRawValue, ed), "DSA key"},
		"X25519":                    {wrapped(asn1.ObjectIdentifier{1, 3, 101, 110}, asn1.RawValue{}, ed), "key agreement"},
		"X448":                      {wrapped(asn1.ObjectIdentifier{1, 3, 101, 111}, asn1.RawValue{}, ed), "key agreement"},
		"Ed448":                     {wrapped(asn1.ObjectIdentifier{1, 3, 101, 113}, asn1.RawValue{}, ed), "Ed448"},
		"RSA-PSS":                   {wrapped(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}, asn1.RawValue{}, x509.MarshalPKCS1PrivateKey(k.rsa)), "restricted to RSA-PSS"},
		"ML-DSA":                    {wrapped(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}, asn1.RawValue{}, ed), "does not sign with"},
		"a kind from the future":    {pemOf("BLS PRIVATE KEY", seed), "of a kind that Latchkey does not know"},
		"public":                    {publicPEM(k.rsa), "a public key and no private one"},
		"a certificate":             {certificate(k.rsa, -1, 1), "a certificate and no private key"},
		"EC PARAMETERS alone":       {pemOf("EC PARAMETERS", oid(1, 2, 840, 10045, 3, 1, 7)), "holds no private key"},
		"two keys":                  {good + pkcs8PEM(k.ed), "several private keys"},
		"the same key twice":        {good + good, "several private keys"},
		"a certificate request":     {good + pemOf("CERTIFICATE REQUEST", seed), "something besides"},
		"another's public half":     {good + publicPEM(k.other), "different keys"},
		"a public half in pieces":   {good + pemOf("PUBLIC KEY", seed), "different keys"},
		"a public half in pieces 2": {good + pemOf("RSA PUBLIC KEY", seed), "different keys"},
		"cut off":                   {good[:len(good)/2], "cut off"},
		"not base64":                {strings.Replace(good, "A", "!", 1), "damaged"},
		"indented":                  {"key:\n  " + strings.ReplaceAll(good, "\n", "\n  "), "indented"},
		"a key, and half of one":    {good + good[:len(good)/2], "cut off"},
		"expired certificate":       {good + certificate(k.ec, -9, -1), "expired on 2026-03-03: bring"},
		"certificate to come":       {good + certificate(k.ec, 1, 9), "not valid before 2026-03-05"},
		"another's certificate":     {good + certificate(k.other, -1, 1), "belongs to another key"},
		"a certificate in pieces":   {good + pemOf("CERTIFICATE", seed), "certificate in the file cannot be read"},
		"no DER":                    {pemOf("PRIVATE KEY", seed), "does not have the form"},
		"no DER, PKCS #1":           {pemOf("RSA PRIVATE KEY", seed), "does not have the form"},
		"no DER, SEC 1":             {pemOf("EC PRIVATE KEY", seed), "does not have the form"},
		"mislabelled":               {pemOf("RSA PRIVATE KEY", decodePEM(pkcs8PEM(k.rsa))), "mislabelled"},
		"DER with more behind":      {pemOf("PRIVATE KEY", append(decodePEM(good), 0)), "does not have the form"},
		"P-384":                     {pkcs8PEM(k.p384), "another curve than P-256"},
		"P-384, SEC 1":              {sec1(k.p384), "another curve than P-256"},
		"secp256k1":                 {wrapped(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.RawValue{FullBytes: oid(1, 3, 132, 0, 10)}, decodePEM(sec1(k.ec))), "another curve"},
		"a curve in numbers":        {wrapped(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, explicit, decodePEM(sec1(k.ec))), "-param_enc named_curve"},
		"another point":             {p256(must(k.ec.Bytes()), compressed(k.other)), "different keys"},
		"a scalar too long":         {p256(bytes.Repeat([]byte{1}, 33), nil), "does not have the form"},
		"a scalar out of range":     {p256(bytes.Repeat([]byte{255}, 32), nil), "out of the range"},
		"a scalar of zero":          {p256(make([]byte, 32), nil), "out of the range"},
		"half an Ed25519 key":       {wrapped(asn1.ObjectIdentifier{1, 3, 101, 112}, asn1.RawValue{}, must(asn1.Marshal(seed[:16]))), "not 32 octets"},
		"a bare Ed25519 key":        {wrapped(asn1.ObjectIdentifier{1, 3, 101, 112}, asn1.RawValue{}, seed), "does not have the form"},
	}.check(t)
}

func decodePEM(text string) []byte {
	block, _ := pem.Decode([]byte(text))
	return block.Bytes
}

func TestParsePrivateRefusesRSANumbers(t *testing.T) {
	k := brought()
	of := func(bits uint) *big.Int { return plus(new(big.Int).Lsh(big.NewInt(1), bits-1), 1) }
	refused{
		"1024 bits":             {pkcs8PEM(k.short), "1024 bits, too few"},
		"2047 bits":             {rsaWith(func(n *pkcs1) { n.N = of(2047) }), "2047 bits, too few"},
		"4096 bits, no key":     {rsaWith(func(n *pkcs1) { n.N = of(4096) }), "do not belong together"},
		"4097 bits":             {rsaWith(func(n *pkcs1) { n.N = of(4097) }), "4097 bits, which makes signing slow"},
		"256,000 bits":          {rsaWith(func(n *pkcs1) { n.N = of(256_000) }), "256000 bits"},
		"as JWK":                {jwkOf(t, k.short, nil), "1024 bits, too few"},
		"three primes":          {rsaWith(func(n *pkcs1) { n.Version = 1 }), "more than two primes"},
		"three primes, as JWK":  {jwkOf(t, k.rsa, edits{"oth": []any{map[string]any{"r": "AQAB", "d": "AQAB", "t": "AQAB"}}}), "more than two primes"},
		"exponent 1":            {rsaWith(func(n *pkcs1) { n.E = big.NewInt(1) }), "unusual public exponent"},
		"exponent 3":            {rsaWith(func(n *pkcs1) { n.E = big.NewInt(3) }), "unusual public exponent"},
		"exponent even":         {rsaWith(func(n *pkcs1) { n.E = big.NewInt(65538) }), "unusual public exponent"},
		"exponent negative":     {rsaWith(func(n *pkcs1) { n.E = big.NewInt(-65537) }), "unusual public exponent"},
		"exponent of 32 bits":   {rsaWith(func(n *pkcs1) { n.E = big.NewInt(1<<31 + 1) }), "unusual public exponent"},
		"exponent of 2048 bits": {rsaWith(func(n *pkcs1) { n.E = plus(n.N, -2) }), "unusual public exponent"},
		"another exponent":      {rsaWith(func(n *pkcs1) { n.E = big.NewInt(65539) }), "do not belong together"},
		"another d":             {rsaWith(func(n *pkcs1) { n.D = plus(n.D, 2) }), "do not belong together"},
		"d of 200,000 bits":     {rsaWith(func(n *pkcs1) { n.D = of(200_000) }), "do not belong together"},
		"another prime":         {rsaWith(func(n *pkcs1) { n.P = plus(n.P, 2) }), "do not belong together"},
		"even primes":           {rsaWith(func(n *pkcs1) { n.P = plus(n.P, 1) }), "do not belong together"},
		"n even":                {rsaWith(func(n *pkcs1) { n.N = plus(n.N, 1) }), "do not belong together"},
		"prime 1":               {rsaWith(func(n *pkcs1) { n.P, n.Q = n.N, big.NewInt(1) }), "do not belong together"},
		"prime 0":               {rsaWith(func(n *pkcs1) { n.Q = new(big.Int) }), "do not belong together"},
		"a negative prime":      {rsaWith(func(n *pkcs1) { n.Q = new(big.Int).Neg(n.Q) }), "do not belong together"},
		"primes swapped":        {rsaWith(func(n *pkcs1) { n.P, n.Q = n.Q, n.P }), "do not belong together"},
		"another dp":            {rsaWith(func(n *pkcs1) { n.DP = plus(n.DP, 2) }), "do not belong together"},
		"another qi":            {rsaWith(func(n *pkcs1) { n.QInv = plus(n.QInv, 1) }), "do not belong together"},
		"composites for primes": {composite(), "cannot verify a signature of its own"},
	}.check(t)
}

// Before anything is calculated with a number, it is measured: a prime as long as a file can hold
// would keep the program busy for seconds.
func TestParsePrivateIsQuickToRefuse(t *testing.T) {
	endless := new(big.Int).SetBit(big.NewInt(1), 340_000, 1)
	file := rsaWith(func(n *pkcs1) { n.P = endless })
	require.Less(t, len(file), 64<<10)
	begun := time.Now()
	_, _, err := keyring.ParsePrivate([]byte(file), importedAt)
	require.ErrorContains(t, err, "do not belong together")
	require.Less(t, time.Since(begun), 500*time.Millisecond)
}

// composite is a key that is in order but for its primes, which are none.
func composite() string {
	one, e := big.NewInt(1), big.NewInt(65537)
	number := func(low int64) *big.Int { // odd, of 1024 bits, divisible by 15, and without a factor of e in what is one less
		for n := plus(new(big.Int).Lsh(big.NewInt(low), 1020), 1); ; n.Add(n, big.NewInt(2)) {
			less := plus(n, -1)
			if new(big.Int).Mod(n, big.NewInt(15)).Sign() == 0 && new(big.Int).GCD(nil, nil, e, less).Cmp(one) == 0 {
				return n
			}
		}
	}
	return rsaWith(func(n *pkcs1) {
		n.P, n.Q = number(15), number(12)
		for new(big.Int).GCD(nil, nil, n.P, n.Q).Cmp(one) != 0 {
			n.Q = plus(n.Q, 2)
		}
		p, q := plus(n.P, -1), plus(n.Q, -1)
		lambda := new(big.Int).Mul(p, q)
		lambda.Div(lambda, new(big.Int).GCD(nil, nil, p, q))
		n.N, n.D = new(big.Int).Mul(n.P, n.Q), new(big.Int).ModInverse(e, lambda)
		n.DP, n.DQ, n.QInv = new(big.Int).Mod(n.D, p), new(big.Int).Mod(n.D, q), new(big.Int).ModInverse(n.Q, n.P)
	})
}

func TestParsePrivateRefusesJWKs(t *testing.T) {
	k := brought()
	ec, rsaKey, ed := jwkOf(t, k.ec, nil), jwkOf(t, k.rsa, nil), jwkOf(t, k.ed, nil)
	ring := open(t, newMemory(), all...)
	twice := func(member string) string { return strings.TrimSuffix(ec, "}") + "," + member + "}" }
	refused{
		"cut off":                 {ec[:len(ec)-9], "not a JWK or a JWK set"},
		"two":                     {ec + ed, "not a JWK or a JWK set"},
		"empty":                   {"{}", "kty is missing"},
		"kty in capitals":         {jwkOf(t, k.ec, edits{"kty": nil, "KTY": "EC"}), "kty is missing"},
		"kty of another case":     {jwkOf(t, k.rsa, edits{"kty": "rsa"}), "kty is missing or not one"},
		"kty of the future":       {jwkOf(t, k.ed, edits{"kty": "AKP", "alg": "ML-DSA-65"}), "kty is missing or not one"},
		"a service account":       {`{"type":"service_account","private_key":` + string(must(json.Marshal(pkcs8PEM(k.rsa)))) + `}`, "kty is missing"},
		"symmetric":               {jwkOf(t, []byte("0123456789abcdef0123456789abcdef"), nil), "symmetric"},
		"public RSA":              {jwkOf(t, k.rsa.Public(), nil), "a public key and no private one"},
		"public EC":               {jwkOf(t, k.ec.Public(), nil), "a public key and no private one"},
		"public Ed25519":          {jwkOf(t, k.ed.Public(), nil), "a public key and no private one"},
		"our JWKS":                {jwks(ring), "the JWK set holds no private key"},
		"an empty set":            {`{"keys":[]}`, "the JWK set holds no private key"},
		"a set of two":            {`{"keys":[` + ec + "," + ed + `]}`, "several private keys"},
		"a set with a secret":     {`{"keys":[` + ec + `,{"kty":"oct","k":"AAAA"}]}`, "several private keys"},
		"a set of no objects":     {`{"keys":["` + strings.Repeat("A1b2", 9) + `"]}`, "not a JWK or a JWK set"},
		"a set that is an object": {`{"keys":` + ec + `}`, "not a JWK or a JWK set"},
		"a set that is a key":     {twice(`"keys":[]`), "not a JWK or a JWK set"},
		"JWE":                     {`{"protected":"e30","iv":"AAAA","ciphertext":"AAAA","tag":"AAAA"}`, "encrypted (JWE)"},
		"JWE, compact":            {"eyJhbGciOiJkaXIifQ..AAAA.AAAA.AAAA", "encrypted (JWE)"},
		"d twice":                 {twice(`"d":"AAAA"`), "a member twice"},
		"d twice, escaped":        {twice(`"\u0064":"AAAA"`), "a member twice"},
		"twice, further in":       {twice(`"x":{"a":[1,{"b":1,"b":1}]}`), "a member twice"},
		"twice, in a set":         {`{"keys":[` + twice(`"kty":"EC"`) + `]}`, "a member twice"},
		"deep":                    {twice(`"z":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), "not a JWK or a JWK set"},
		"RS512":                   {jwkOf(t, k.rsa, edits{"alg": "RS512"}), "alg is not RS256"},
		"PS256":                   {jwkOf(t, k.rsa, edits{"alg": "PS256"}), "alg is not RS256"},
		"RSA-OAEP":                {jwkOf(t, k.rsa, edits{"alg": "RSA-OAEP"}), "alg is not RS256"},
		"ES384":                   {jwkOf(t, k.ec, edits{"alg": "ES384"}), "alg is not ES256"},
		"ES256 for RSA":           {jwkOf(t, k.rsa, edits{"alg": "ES256"}), "alg is not RS256"},
		"Ed25519 for EC":          {jwkOf(t, k.ec, edits{"alg": "Ed25519"}), "alg is not ES256"},
		"alg none":                {jwkOf(t, k.ed, edits{"alg": "none"}), "alg is not EdDSA"},
		"alg empty":               {jwkOf(t, k.ed, edits{"alg": ""}), "alg is not EdDSA"},
		"alg a list":              {jwkOf(t, k.ed, edits{"alg": []string{"EdDSA"}}), "alg is not EdDSA"},
		"for encryption":          {jwkOf(t, k.rsa, edits{"use": "enc"}), "use is not sig"},
		"use a list":              {jwkOf(t, k.rsa, edits{"use": []string{"sig"}}), "use is not sig"},
		"verifying only":          {jwkOf(t, k.ec, edits{"key_ops": []string{"verify"}}), "key_ops lack sign"},
		"key_ops empty":           {jwkOf(t, k.ec, edits{"key_ops": []string{}}), "key_ops lack sign"},
		"key_ops a word":          {jwkOf(t, k.ec, edits{"key_ops": "sign"}), "key_ops lack sign"},
		"expired":                 {jwkOf(t, k.ec, edits{"exp": importedAt.Unix() - 86400}), "expired on 2026-03-03: bring"},
		"expiring now":            {jwkOf(t, k.ec, edits{"exp": importedAt.Unix()}), "expired on 2026-03-04"},
		"expired in 1970":         {jwkOf(t, k.ec, edits{"exp": 0}), "expired on 1970-01-01"},
		"not yet":                 {jwkOf(t, k.ec, edits{"nbf": importedAt.Unix() + 1}), "not valid before 2026-03-04"},
		"exp as text":             {jwkOf(t, k.ec, edits{"exp": "2027-01-01"}), "exp is not a time"},
		"exp negative":            {jwkOf(t, k.ec, edits{"exp": -1}), "exp is not a time"},
		"exp without end":         {twice(`"exp":1e999`), "exp is not a time"},
		"nbf in milliseconds":     {jwkOf(t, k.ec, edits{"nbf": 1e300}), "nbf is not a time"},
		"P-384":                   {jwkOf(t, k.p384, nil), "another curve"},
		"another crv":             {jwkOf(t, k.ec, edits{"crv": "secp256k1"}), "another curve"},
		"no crv":                  {jwkOf(t, k.ec, edits{"crv": nil}), "another curve"},
		"EC with an Ed25519 crv":  {jwkOf(t, k.ec, edits{"crv": "Ed25519"}), "another curve"},
		"X25519":                  {jwkOf(t, k.ed, edits{"crv": "X25519"}), "key agreement"},
		"X448":                    {jwkOf(t, k.ed, edits{"crv": "X448"}), "key agreement"},
		"Ed448":                   {jwkOf(t, k.ed, edits{"crv": "Ed448"}), "Ed448"},
		"another's point":         {jwkOf(t, k.ec, edits{"x": member(t, k.other, "x"), "y": member(t, k.other, "y")}), "different keys"},
		"the point's mirror":      {jwkOf(t, k.ec, edits{"y": mirrored(t, k.ec)}), "different keys"},
		"another's d":             {jwkOf(t, k.ec, edits{"d": member(t, k.other, "d")}), "different keys"},
		"another's x, Ed25519":    {jwkOf(t, k.ed, edits{"x": member(t, k.ec, "x")}), "different keys"},
		"a short Ed25519":         {jwkOf(t, k.ed, edits{"d": "AAAA"}), "not 32 octets"},
		"a short EC coordinate":   {jwkOf(t, k.ec, edits{"x": "AAAA"}), "not 32 octets each"},
		"a long EC d":             {jwkOf(t, k.ec, edits{"d": "AAAA" + member(t, k.ec, "d")}), "not 32 octets each"},
		"another modulus":         {jwkOf(t, k.rsa, edits{"n": strings.Repeat("A1b2", 85) + "AQ"}), "too few"},
		"another d, RSA":          {jwkOf(t, k.rsa, edits{"d": member(t, k.rsa, "n")}), "do not belong together"},
		"d alone, RSA":            {jwkOf(t, k.rsa, edits{"p": nil, "q": nil, "dp": nil, "dq": nil, "qi": nil}), "lacks p:"},
		"no qi":                   {jwkOf(t, k.rsa, edits{"qi": nil}), "lacks qi:"},
		"no y":                    {jwkOf(t, k.ec, edits{"y": nil}), "lacks y:"},
		"d empty":                 {jwkOf(t, k.ec, edits{"d": ""}), "lacks d:"},
		"d null":                  {strings.Replace(ec, `"d":"`, `"d":null,"was":"`, 1), "lacks d:"},
		"d a number":              {jwkOf(t, k.ec, edits{"d": 1}), "lacks d:"},
		"padding":                 {jwkOf(t, k.ec, edits{"d": member(t, k.ec, "d") + "="}), "d is not base64url without padding"},
		"plain base64":            {jwkOf(t, k.rsa, edits{"n": plainBase64(member(t, k.rsa, "n"))}), "n is not base64url without padding"},
		"a line break":            {jwkOf(t, k.ec, edits{"d": member(t, k.ec, "d")[:9] + "\n" + member(t, k.ec, "d")[9:]}), "d is not base64url"},
		"spare bits":              {jwkOf(t, k.ec, edits{"d": member(t, k.ec, "d")[:42] + "B"}), "d is not base64url"},
		"hexadecimal":             {jwkOf(t, k.ec, edits{"d": hex.EncodeToString(k.ed.Seed())}), "not 32 octets each"},
		"RSA key as EC":           {strings.Replace(rsaKey, `"RSA"`, `"EC"`, 1), "another curve"},
		"EC key as RSA":           {strings.Replace(ec, `"EC"`, `"RSA"`, 1), "lacks n:"},
	}.check(t)
}

// member returns one of a key's JWK members.
func member(t testing.TB, key any, name string) string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal([]byte(jwkOf(t, key, nil)), &members))
	return members[name].(string)
}

// mirrored is the y of the other point with the same x.
func mirrored(t testing.TB, key *ecdsa.PrivateKey) string {
	t.Helper()
	y := must(base64.RawURLEncoding.DecodeString(member(t, key, "y")))
	other := new(big.Int).Sub(key.Curve.Params().P, new(big.Int).SetBytes(y))
	return base64.RawURLEncoding.EncodeToString(other.FillBytes(make([]byte, 32)))
}

func plainBase64(text string) string {
	return base64.StdEncoding.EncodeToString(must(base64.RawURLEncoding.DecodeString(text)))
}

// A key may be anywhere in a broken file, so that no error quotes any of it.
func TestParsePrivateQuotesNothing(t *testing.T) {
	k := brought()
	const planted = "Pl4nt3dS3cr3t"
	files := []string{
		planted, "{" + planted, `{"` + planted + `":1}`, `{"keys":["` + planted + `"]}`, "eyJ" + planted + "....",
		"-----BEGIN " + planted + "-----\nAAAA\n-----END " + planted + "-----\n",
		"-----BEGIN " + planted + " PRIVATE KEY-----\nAAAA\n-----END " + planted + " PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\n" + planted + "\n-----END PRIVATE KEY-----\n",
		"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: " + planted + "\n\nAAAA\n-----END EC PRIVATE KEY-----\n",
		pemOf("PRIVATE KEY", []byte(planted)), pemOf("RSA PRIVATE KEY", []byte(planted)), pemOf("EC PRIVATE KEY", []byte(planted)),
		pkcs8PEM(k.ec) + pemOf("CERTIFICATE", []byte(planted)), pkcs8PEM(k.ec) + pemOf(planted, nil),
		wrapped(asn1.ObjectIdentifier{1, 3, 101, 112}, asn1.RawValue{}, []byte(planted)),
	}
	for _, key := range []any{k.rsa, k.ec, k.ed} {
		for _, name := range []string{"kty", "crv", "d", "x", "y", "n", "e", "p", "q", "dp", "dq", "qi", "alg", "use", "key_ops", "exp", "nbf"} {
			for _, value := range []any{planted, planted + "!", []any{planted}, map[string]any{planted: planted}} {
				files = append(files, jwkOf(t, key, edits{name: value}))
			}
		}
	}
	for _, file := range files {
		_, _, err := keyring.ParsePrivate([]byte(file), importedAt)
		if err != nil { // some members are nothing to some keys
			requireDiscreet(t, file, err)
			require.NotContains(t, strings.ToLower(err.Error()), "pl4nt")
		}
	}
}

func FuzzParsePrivate(f *testing.F) {
	k := brought()
	for _, key := range []crypto.Signer{k.rsa, k.ec, k.ed, k.p384, k.short} {
		f.Add([]byte(pkcs8PEM(key)))
		f.Add([]byte(jwkOf(f, key, edits{"alg": "RS256", "use": "sig", "key_ops": []string{"sign"}, "exp": 1, "nbf": 2})))
		f.Add([]byte(`{"keys":[` + jwkOf(f, key.Public(), nil) + "," + jwkOf(f, key, nil) + `]}`))
	}
	for _, seed := range []string{
		"", "{}", sec1(k.ec), rsaWith(func(*pkcs1) {}), composite(), "\ufeff" + pkcs8PEM(k.ec) + certificate(k.ec, -1, 1),
		pemOf("ENCRYPTED PRIVATE KEY", []byte{1}), publicPEM(k.ed) + pkcs8PEM(k.ed),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		begun := time.Now()
		private, algorithm, err := keyring.ParsePrivate(data, importedAt)
		require.Less(t, time.Since(begun), 5*time.Second) // a few milliseconds, on a machine that others use
		if err != nil {
			require.Nil(t, private)
			requireDiscreet(t, "", err)
			return
		}
		require.Equal(t, algorithmFor(private), algorithm)
		again, _, err := keyring.ParsePrivate([]byte(pkcs8PEM(private)), importedAt)
		require.NoError(t, err)
		require.True(t, again.(interface{ Equal(crypto.PrivateKey) bool }).Equal(private))
	})
}
