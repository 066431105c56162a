package keyring_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
)

var errDenied = errors.New("denied")

// service is a keyring.Keeper, as far away as a test wants it.
type service struct {
	mu     sync.Mutex
	sealed map[string][]byte // by what it stands for
	// encrypt and decrypt, if set, go before the answer.
	encrypt, decrypt gate
	calls            int
	largest          int
}

type gate func(context.Context) error

func newService() *service { return &service{sealed: map[string][]byte{}} }

// guard sets what goes before the answers from now on.
func (s *service) guard(encrypt, decrypt gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.encrypt, s.decrypt = encrypt, decrypt
}

func (s *service) pass(ctx context.Context, which *gate) error {
	s.mu.Lock()
	through := *which
	s.calls++
	s.mu.Unlock()
	if through == nil {
		return nil
	}
	return through(ctx)
}

func (s *service) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	if err := s.pass(ctx, &s.encrypt); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.largest = max(s.largest, len(plain))
	handle := "handle " + rand.Text()
	s.sealed[handle] = bytes.Clone(plain)
	return []byte(handle), nil
}

func (s *service) Decrypt(ctx context.Context, sealed []byte) ([]byte, error) {
	if err := s.pass(ctx, &s.decrypt); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	plain, ok := s.sealed[string(sealed)]
	if !ok {
		return nil, errDenied
	}
	return bytes.Clone(plain), nil
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

const (
	serviceName = "hashivault://latchkey"
	label       = "latchkey/signing-key/RS256/one"
)

func newEnvelope(s *service) *keyring.Envelope {
	return keyring.NewEnvelope(serviceName, s, 5*time.Second)
}

func sealed(t *testing.T, e *keyring.Envelope, plain string) []byte {
	t.Helper()
	blob, err := e.Wrap(t.Context(), []byte(plain), label)
	require.NoError(t, err)
	return blob
}

func TestEnvelopeKeepsAKey(t *testing.T) {
	s := newService()
	e := newEnvelope(s)
	secret := string(bytes.Repeat([]byte("private key "), 200)) // more than any service takes at once
	one, two := sealed(t, e, secret), sealed(t, e, secret)
	require.Equal(t, byte(2), one[0], "the version, which tells it from a locally sealed key")
	require.NotEqual(t, one[len(one)-len(secret):], two[len(two)-len(secret):])
	require.NotContains(t, string(one), "private key")
	require.LessOrEqual(t, s.largest, 190, "RSA-OAEP-256 with 2048 bits, the least that Azure has, takes no more")
	dataKeys := map[string]bool{}
	for _, plain := range s.sealed {
		dataKeys[string(plain[:32])] = true
	}
	require.Len(t, dataKeys, 2, "each private key has a data key of its own")
	for _, blob := range [][]byte{one, two} {
		plain, err := e.Unwrap(t.Context(), blob, label)
		require.NoError(t, err)
		require.Equal(t, secret, string(plain))
	}
	require.Equal(t, serviceName, e.Name())
}

func TestARingUnderAnEnvelope(t *testing.T) {
	store := newMemory()
	options := store.options(t, all...)
	options.Wrappers.Primary = newEnvelope(newService())
	token := sign(t, openWith(t, options), keyring.ES256, typ, claims)
	_, err := openWith(t, options).Verify(token, typ)
	require.NoError(t, err)
}

func TestEnvelopeRefusesWhatItDidNotSeal(t *testing.T) {
	s := newService()
	e := newEnvelope(s)
	blob := sealed(t, e, "private key")
	local, err := keyringtest.Wrapper(t, 1).Wrap(t.Context(), []byte("private key"), label)
	require.NoError(t, err)
	length := int(blob[1])<<8 | int(blob[2])
	change := func(at int, to byte) []byte {
		b := bytes.Clone(blob)
		b[at] = to
		return b
	}
	s.sealed["short"], s.sealed["other"] = []byte("hunter2"), make([]byte, 64)
	with := func(handle string) []byte {
		return append(append([]byte{2, 0, byte(len(handle))}, handle...), blob[3+length:]...)
	}
	for name, tc := range map[string]struct {
		blob []byte
		want string
	}{
		"nothing":                       {nil, "there is no sealed key"},
		"version only":                  {blob[:1], "cut short"},
		"half a length":                 {blob[:2], "cut short"},
		"a length only":                 {blob[:3], "cut short"},
		"no end of the data key":        {blob[:2+length], "cut short"},
		"no private key":                {blob[:3+length], "damaged"},
		"a private key without its end": {blob[:len(blob)-1], "damaged"},
		"a length too long":             {change(1, 0xff), "cut short"},
		"another length":                {change(2, blob[2]-1), "refused"},
		"another data key":              {change(5, blob[5]^1), "refused"},
		"another private key":           {change(len(blob)-20, blob[len(blob)-20]^1), "damaged"},
		"sealed by a local secret":      {local, "sealed with a local secret"},
		"sealed in a time to come":      {change(0, 3), "a way that this version does not know"},
		"no data key of ours, short":    {with("short"), "not for this key"},
		"no data key of ours":           {with("other"), "not for this key"},
	} {
		t.Run(name, func(t *testing.T) {
			plain, err := e.Unwrap(t.Context(), tc.blob, label)
			require.ErrorContains(t, err, tc.want)
			require.Nil(t, plain)
		})
	}
	_, err = e.Unwrap(t.Context(), blob, label+"2")
	require.ErrorContains(t, err, "the data key is not for this key", "the service's answer is bound to the label")
}

// What rests says which key it is twice over: neither half can be moved under another label.
func TestEnvelopeBindsThePrivateKeyToItsLabel(t *testing.T) {
	s := newService()
	e := newEnvelope(s)
	one := sealed(t, e, "private key")
	_, err := e.Wrap(t.Context(), []byte("another"), "another")
	require.NoError(t, err)
	// Even if somebody gets the service to bind a data key anew, the ciphertext stays where it was.
	for handle, plain := range s.sealed {
		if bytes.Contains(one, []byte(handle)) {
			for other, theirs := range s.sealed {
				if other != handle {
					copy(plain[32:], theirs[32:])
				}
			}
		}
	}
	_, err = e.Unwrap(t.Context(), one, "another")
	require.ErrorContains(t, err, "damaged")
}

func TestEnvelopeSaysWhatTheServiceDid(t *testing.T) {
	for name, tc := range map[string]struct {
		gate gate
		want error
		text string
	}{
		"refused":    {func(context.Context) error { return errDenied }, keyring.ErrRefused, "hashivault://latchkey: the key-management service refused: denied"},
		"down":       {func(context.Context) error { return keyring.ErrUnavailable }, keyring.ErrUnavailable, "hashivault://latchkey: the key-management service is not available"},
		"own limit":  {func(context.Context) error { return context.DeadlineExceeded }, keyring.ErrUnavailable, "hashivault://latchkey: the key-management service is not available: context deadline exceeded"},
		"panics":     {func(context.Context) error { panic("hunter2") }, keyring.ErrUnavailable, "hashivault://latchkey: the key-management service is not available: its answer makes no sense"},
		"hangs":      {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, keyring.ErrUnavailable, "hashivault://latchkey: the key-management service is not available: it did not answer within 5s"},
		"hangs deaf": {func(context.Context) error { time.Sleep(time.Hour); return nil }, keyring.ErrUnavailable, "hashivault://latchkey: the key-management service is not available: it did not answer within 5s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService()
				e := newEnvelope(s)
				blob := sealed(t, e, "private key")
				s.guard(tc.gate, tc.gate)
				start := time.Now()
				_, err := e.Unwrap(t.Context(), blob, label)
				require.ErrorIs(t, err, tc.want)
				require.EqualError(t, err, "decrypt a data key: "+tc.text)
				_, err = e.Wrap(t.Context(), []byte("private key"), label)
				require.ErrorIs(t, err, tc.want)
				require.EqualError(t, err, "encrypt a data key: "+tc.text)
				require.LessOrEqual(t, time.Since(start), 10*time.Second)
				s.guard(nil, nil)
				_, err = e.Unwrap(t.Context(), blob, label)
				require.NoError(t, err, "when the service is back, so are we")
				time.Sleep(2 * time.Hour) // until the deaf ones are through
			})
		})
	}
}

// A key that cannot be read back would be kept, and no replica could start.
func TestEnvelopeKeepsNoKeyThatItCannotReadBack(t *testing.T) {
	s := newService()
	s.guard(nil, func(context.Context) error { return errDenied })
	_, err := newEnvelope(s).Wrap(t.Context(), []byte("private key"), label)
	require.ErrorIs(t, err, keyring.ErrRefused)
	require.ErrorContains(t, err, "read back")
}

func TestEnvelopeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		e := newEnvelope(s)
		blob := sealed(t, e, "private key")
		s.guard(nil, func(context.Context) error { time.Sleep(time.Minute); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := e.Unwrap(ctx, blob, label)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, keyring.ErrUnavailable, "it was not given its time")
		require.Equal(t, time.Second, time.Since(start))

		called := s.count()
		_, err = e.Unwrap(ctx, blob, label)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(2 * time.Minute)
		require.Equal(t, called, s.count(), "a context that is over calls nobody")
	})
}

// A driver that ignores its context keeps a goroutine each time. There must be an end to that.
func TestEnvelopeLeavesFewCallsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		e := newEnvelope(s)
		blob := sealed(t, e, "private key")
		before := s.count()
		s.guard(nil, func(context.Context) error { time.Sleep(time.Hour); return nil })
		for range 20 {
			start := time.Now()
			_, err := e.Unwrap(t.Context(), blob, label)
			require.ErrorIs(t, err, keyring.ErrUnavailable)
			require.Equal(t, 5*time.Second, time.Since(start))
		}
		require.Equal(t, 4, s.count()-before)
		time.Sleep(time.Hour)
		s.guard(nil, nil)
		_, err := e.Unwrap(t.Context(), blob, label)
		require.NoError(t, err, "their places are free again")
	})
}

func TestEnvelopeRefusesADataKeyThatDoesNotFit(t *testing.T) {
	e := keyring.NewEnvelope(serviceName, long{}, time.Second)
	_, err := e.Wrap(t.Context(), []byte("private key"), label)
	require.EqualError(t, err, "hashivault://latchkey: the encrypted data key is too long: 65536 bytes")
}

// long is a service whose ciphertexts are longer than two bytes can say.
type long struct{}

func (long) Encrypt(context.Context, []byte) ([]byte, error) { return make([]byte, 1<<16), nil }
func (long) Decrypt(context.Context, []byte) ([]byte, error) { return nil, errDenied }

func FuzzEnvelopeUnwrap(f *testing.F) {
	s := newService()
	e := newEnvelope(s)
	blob, err := e.Wrap(f.Context(), []byte("private key"), label)
	require.NoError(f, err)
	s.sealed["x"] = []byte("short")
	for _, seed := range [][]byte{blob, blob[:30], {2, 0, 1, 'x'}, {2, 0xff, 0xff}, {2, 0, 0}, {2}, {1, 2, 3}, nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := e.Unwrap(t.Context(), sealed, label)
		if err == nil {
			require.Equal(t, blob, sealed, "the only thing that was ever sealed")
			require.Equal(t, "private key", string(plain))
		}
	})
}
