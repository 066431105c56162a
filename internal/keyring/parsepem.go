package keyring

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

const pemBegin = "-----BEGIN "

// pemFile is what a PEM file holds (RFC 7468).
type pemFile struct {
	private, certificates, public []*pem.Block
}

// parsePEM reads the one private key of a file, and checks what else the file says of it.
func parsePEM(data []byte, now time.Time) (crypto.Signer, error) {
	file, err := sortPEM(data)
	if err != nil {
		return nil, err
	}
	switch {
	case len(file.private) > 1:
		return nil, errSeveral
	case len(file.private) == 1:
	case len(file.certificates) > 0:
		return nil, errors.New("the file holds a certificate and no private key: give the private key that belongs to it")
	case len(file.public) > 0:
		return nil, errPublic
	default:
		return nil, errors.New("the file holds no private key: give one that does")
	}
	private, err := readBlock(file.private[0])
	if err != nil {
		return nil, err
	}
	for _, block := range file.public {
		if !isHalf(private, publicOf(block)) {
			return nil, errHalves
		}
	}
	return private, certified(private, file.certificates, now)
}

var (
	errSeveral = errors.New("the file holds several private keys: put each into a file of its own, and give the one to sign with")
	errPublic  = errors.New("the file holds a public key and no private one: give the private key that belongs to it")
)

// sortPEM sorts the blocks of a file.
func sortPEM(data []byte) (f pemFile, err error) {
	blocks := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		blocks++
		switch {
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			f.private = append(f.private, block)
		case block.Type == "CERTIFICATE":
			f.certificates = append(f.certificates, block)
		case strings.HasSuffix(block.Type, "PUBLIC KEY"):
			f.public = append(f.public, block)
		case strings.HasSuffix(block.Type, " PARAMETERS"):
			// openssl ecparam -genkey writes these in front of the key, which names its curve again.
		default:
			return f, errors.New("the file holds something besides a private key and its certificates: take that out")
		}
	}
	// The decoder passes over blocks that it cannot read.
	if blocks != bytes.Count(data, []byte(pemBegin)) {
		return f, errors.New("the file has PEM that cannot be read: it is cut off, indented or damaged, so copy it again from the original")
	}
	return f, nil
}

// readBlock reads a private key.
func readBlock(block *pem.Block) (crypto.Signer, error) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["DEK-Info"] != "",
		strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"): // RFC 1421 §4.6.1
		return nil, errors.New("the private key is encrypted: decrypt it with openssl pkcs8 -topk8 -nocrypt -in FILE -out key.pem, and delete key.pem after the import")
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("the private key is in OpenSSH's own format: if it is RSA or ECDSA, convert a copy with ssh-keygen -p -m PKCS8 -N '' -f COPY; if it is Ed25519, which that leaves as it is, make another with openssl genpkey -algorithm ed25519")
	case block.Type == "DSA PRIVATE KEY":
		return nil, errDSA
	case block.Type == "PRIVATE KEY":
		return parsePKCS8(block.Bytes)
	case block.Type == "RSA PRIVATE KEY":
		return parsePKCS1(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		return parseSEC1(block.Bytes, nil)
	}
	return nil, errors.New("the private key is of a kind that Latchkey does not know: convert it with openssl pkcs8 -topk8 -nocrypt -in FILE -out key.pem")
}

var (
	errDSA = errors.New("the key is a DSA key, which no JWT can be signed with: bring an RSA key, an EC key on P-256 or an Ed25519 key")
	errDER = errors.New("the private key does not have the form that its PEM label says: it is damaged or mislabelled, so export it again")
)

// unmarshal reads DER with nothing behind it.
func unmarshal(der []byte, into any) error {
	if rest, err := asn1.Unmarshal(der, into); err != nil || len(rest) > 0 {
		return errDER
	}
	return nil
}

// Object identifiers of RFC 8017 §A.1 and §A.2.3, RFC 5480 §2.1, RFC 8410 §3 and RFC 3279 §2.3.2.
const (
	oidRSA     = "1.2.840.113549.1.1.1"
	oidRSAPSS  = "1.2.840.113549.1.1.10"
	oidEC      = "1.2.840.10045.2.1"
	oidX25519  = "1.3.101.110"
	oidX448    = "1.3.101.111"
	oidEd25519 = "1.3.101.112"
	oidEd448   = "1.3.101.113"
	oidDSA     = "1.2.840.10040.4.1"
)

// oidP256 is secp256r1 of RFC 5480 §2.1.1.1.
var oidP256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}

// parsePKCS8 reads RFC 5958 §2. Attributes and the public half, which may follow, are passed over.
func parsePKCS8(der []byte) (crypto.Signer, error) {
	var key struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}
	if err := unmarshal(der, &key); err != nil {
		return nil, err
	}
	switch key.Algorithm.Algorithm.String() {
	case oidRSA:
		return parsePKCS1(key.PrivateKey)
	case oidEC:
		return parseSEC1(key.PrivateKey, key.Algorithm.Parameters.FullBytes)
	case oidEd25519: // the seed is an OCTET STRING in that OCTET STRING (RFC 8410 §7)
		var seed []byte
		if err := unmarshal(key.PrivateKey, &seed); err != nil {
			return nil, err
		}
		return edKey(seed, nil)
	case oidRSAPSS:
		return nil, errors.New("the RSA key is restricted to RSA-PSS, and Latchkey signs RS256: bring an RSA key without that restriction")
	case oidX25519, oidX448:
		return nil, errAgreement
	case oidEd448:
		return nil, errEd448
	case oidDSA:
		return nil, errDSA
	}
	return nil, errors.New("the key is for an algorithm that Latchkey does not sign with: bring an RSA key, an EC key on P-256 or an Ed25519 key")
}

func parsePKCS1(der []byte) (crypto.Signer, error) {
	var numbers rsaNumbers
	if err := unmarshal(der, &numbers); err != nil {
		return nil, err
	}
	return numbers.key()
}

// parseSEC1 reads RFC 5915 §3. The curve is that of parameters, if they are given, as in PKCS #8.
func parseSEC1(der, parameters []byte) (crypto.Signer, error) {
	var key struct {
		Version    int
		PrivateKey []byte
		Parameters asn1.RawValue  `asn1:"optional,explicit,tag:0"`
		PublicKey  asn1.BitString `asn1:"optional,explicit,tag:1"`
	}
	if err := unmarshal(der, &key); err != nil {
		return nil, err
	}
	if parameters == nil {
		parameters = key.Parameters.Bytes
	}
	var curve asn1.ObjectIdentifier
	if unmarshal(parameters, &curve) != nil {
		return nil, errors.New("the EC key does not name its curve: if it is on P-256, convert it with openssl ec -in FILE -param_enc named_curve -out key.pem")
	}
	if !curve.Equal(oidP256) {
		return nil, errCurve
	}
	scalar := new(big.Int).SetBytes(key.PrivateKey) // OpenSSL once left leading zeros out
	if scalar.BitLen() > 256 {
		return nil, errDER
	}
	return ecKey(scalar.FillBytes(make([]byte, 32)), key.PublicKey.Bytes)
}

// certified checks the certificate of private among those of its file, if there are any; the others
// are its chain.
func certified(private crypto.Signer, blocks []*pem.Block, now time.Time) error {
	if len(blocks) == 0 {
		return nil
	}
	err := errors.New("the certificate in the file belongs to another key: give the private key that belongs to it, or take it out")
	for _, block := range blocks {
		certificate, unread := x509.ParseCertificate(block.Bytes)
		if unread != nil {
			return errors.New("a certificate in the file cannot be read: take the certificates out, since only the key is imported")
		}
		switch {
		case !isHalf(private, certificate.PublicKey):
		case now.After(certificate.NotAfter):
			err = fmt.Errorf("the key's certificate expired on %s: bring a key that is still in use", certificate.NotAfter.UTC().Format(time.DateOnly))
		case now.Before(certificate.NotBefore):
			err = fmt.Errorf("the key's certificate is not valid before %s: import the key then", certificate.NotBefore.UTC().Format(time.DateOnly))
		default:
			return nil
		}
	}
	return err
}

// publicOf returns nil for what is not a public key.
func publicOf(block *pem.Block) crypto.PublicKey {
	if block.Type == "RSA PUBLIC KEY" {
		if public, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
			return public
		}
		return nil
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil
	}
	return public
}

// isHalf reports whether public is the public half of private.
func isHalf(private crypto.Signer, public crypto.PublicKey) bool {
	own, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && own.Equal(public)
}
