package keyring

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// envelopeVersion is the first byte of what Envelope seals.
const envelopeVersion = 2

// dataKeySize is for AES-256.
const dataKeySize = 32

// maxCalls bounds the calls of one Envelope that are under way. A call that its keeper does not end in
// time is left behind and keeps its place until it ends, so there are never more of those than this.
const maxCalls = 4

var (
	// ErrUnavailable means that a key-management service did not answer, or that it cannot do its work
	// for now. Trying again later may help.
	ErrUnavailable = errors.New("the key-management service is not available")
	// ErrRefused means that a key-management service answered and would not do it.
	ErrRefused = errors.New("the key-management service refused")
)

// Keeper encrypts a few bytes with a key that never leaves a key-management service. What it says in
// an error gets into logs, and so must not repeat what it was given. An error that is ErrUnavailable or
// context.DeadlineExceeded stands for no answer, every other one for a refusal.
type Keeper interface {
	Encrypt(ctx context.Context, plain []byte) ([]byte, error)
	Decrypt(ctx context.Context, sealed []byte) ([]byte, error)
}

// Envelope is a Wrapper over a key-management service. Such services encrypt little at a time (AWS 4096
// bytes, an RSA key of Azure 190), so each private key gets a data key of its own, and only that one
// goes to the service. What rests is
//
//	version, 1 byte | length, 2 bytes | data key, encrypted by the service | private key, AES-256-GCM
//
// It is safe for concurrent use.
type Envelope struct {
	name    string
	keeper  Keeper
	timeout time.Duration
	places  chan struct{}
}

// NewEnvelope returns a Wrapper of that name. No call to keeper is waited for longer than timeout, even
// if keeper ignores its context.
func NewEnvelope(name string, keeper Keeper, timeout time.Duration) *Envelope {
	return &Envelope{name, keeper, timeout, make(chan struct{}, maxCalls)}
}

// Name implements Wrapper.
func (e *Envelope) Name() string { return e.name }

// Wrap implements Wrapper. Its errors are ErrUnavailable, ErrRefused, or that of ctx.
func (e *Envelope) Wrap(ctx context.Context, plain []byte, label string) ([]byte, error) {
	dataKey := make([]byte, dataKeySize)
	rand.Read(dataKey) // never fails
	encrypted, err := e.call(ctx, e.keeper.Encrypt, append(dataKey, purpose(label)...))
	if err != nil {
		return nil, fmt.Errorf("encrypt a data key: %w", err)
	}
	if len(encrypted) > math.MaxUint16 {
		return nil, fmt.Errorf("%s: the encrypted data key is too long: %d bytes", e.name, len(encrypted))
	}
	aead, err := newAEAD(dataKey)
	if err != nil {
		return nil, err
	}
	sealed := binary.BigEndian.AppendUint16([]byte{envelopeVersion}, uint16(len(encrypted)))
	sealed = aead.Seal(append(sealed, encrypted...), nil, plain, []byte(label))
	// With leave to encrypt but not to decrypt, we would keep a key that nobody can ever read.
	if _, err := e.Unwrap(ctx, sealed, label); err != nil {
		return nil, fmt.Errorf("read back what was encrypted: %w", err)
	}
	return sealed, nil
}

// Unwrap implements Wrapper. Besides those of Wrap there are errors for what another wrapper sealed,
// or for another label, or for what is damaged.
func (e *Envelope) Unwrap(ctx context.Context, sealed []byte, label string) ([]byte, error) {
	encrypted, ciphertext, err := split(sealed)
	if err != nil {
		return nil, err
	}
	opened, err := e.call(ctx, e.keeper.Decrypt, encrypted)
	if err != nil {
		return nil, fmt.Errorf("decrypt a data key: %w", err)
	}
	if len(opened) != dataKeySize+sha256.Size || subtle.ConstantTimeCompare(opened[dataKeySize:], purpose(label)) != 1 {
		return nil, fmt.Errorf("%s: the data key is not for this key", e.name)
	}
	aead, err := newAEAD(opened[:dataKeySize])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, ciphertext, []byte(label))
	if err != nil {
		return nil, errors.New("the sealed key is damaged")
	}
	return plain, nil
}

// purpose goes to the service with a data key: something else that was encrypted there, by another
// program with the same key too, does not pass for a data key of ours.
func purpose(label string) []byte {
	digest := sha256.Sum256([]byte("latchkey/keyring/envelope\x00" + label))
	return digest[:]
}

func newAEAD(dataKey []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(dataKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// split takes what Wrap made apart.
func split(sealed []byte) (encrypted, ciphertext []byte, err error) {
	switch {
	case len(sealed) == 0:
		return nil, nil, errors.New("there is no sealed key")
	case sealed[0] == aesGCMVersion:
		return nil, nil, errors.New("sealed with a local secret, not by a key-management service")
	case sealed[0] != envelopeVersion:
		return nil, nil, errors.New("sealed in a way that this version does not know")
	case len(sealed) < 3:
		return nil, nil, errTruncated
	}
	length, rest := int(binary.BigEndian.Uint16(sealed[1:])), sealed[3:]
	if len(rest) < length {
		return nil, nil, errTruncated
	}
	return rest[:length], rest[length:], nil
}

var errTruncated = errors.New("the sealed key is cut short")

// errTimeout is the cause of a context that we ended.
var errTimeout = errors.New("timeout")

// call waits for the keeper until e.timeout is over or ctx ends, whichever is first.
func (e *Envelope) call(ctx context.Context, do func(context.Context, []byte) ([]byte, error), in []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, e.timeout, errTimeout)
	defer cancel()
	if ctx.Err() != nil {
		return nil, e.stopped(ctx)
	}
	select {
	case e.places <- struct{}{}:
	case <-ctx.Done():
		return nil, e.stopped(ctx)
	}
	type answer struct {
		out []byte
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		defer func() { <-e.places }()
		var a answer
		defer func() { answers <- a }()
		// Drivers have been seen to panic on an answer that they did not expect, such as that of a proxy.
		defer func() {
			if recover() != nil {
				a = answer{err: fmt.Errorf("%w: its answer makes no sense", ErrUnavailable)}
			}
		}()
		a.out, a.err = do(ctx, in)
	}()
	select {
	case a := <-answers:
		return a.out, e.explain(ctx, a.err)
	case <-ctx.Done():
		return nil, e.stopped(ctx)
	}
}

// explain says which service it was, and whether to try again.
func (e *Envelope) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return e.stopped(ctx)
	case errors.Is(err, ErrUnavailable):
		return fmt.Errorf("%s: %w", e.name, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w: %w", e.name, ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w: %w", e.name, ErrRefused, err)
}

// stopped says why ctx ended.
func (e *Envelope) stopped(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errTimeout) {
		return fmt.Errorf("%s: %w: it did not answer within %s", e.name, ErrUnavailable, e.timeout)
	}
	return fmt.Errorf("%s: %w", e.name, ctx.Err())
}
