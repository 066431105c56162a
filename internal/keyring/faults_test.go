package keyring_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/keyring/keyringtest"
)

// Two start at once on an empty record, one with the wrong secret: whichever loses must say so and not serve.
func TestAKeyThatCannotBeReadAppearsDuringTheStart(t *testing.T) {
	store := newMemory()
	line := &keyringtest.Line{Record: store.Memory}
	line.Before = func(_ context.Context, method string) error {
		if method == "ChangeKeys" {
			line.Before = nil
			open(t, store, keyring.ES256)
		}
		return nil
	}
	options := store.options(t, keyring.ES256)
	options.Store, options.Wrappers.Primary = line, keyringtest.Wrapper(t, 2)
	_, err := keyring.Open(t.Context(), options)
	var unreadable *keyring.UnreadableError
	require.ErrorAs(t, err, &unreadable)
}

// A backup from before an algorithm's first key: the replicas that run make another.
func TestAnAlgorithmWhoseKeyWasLostGetsAnother(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256)
	restore := store.Backup()
	ring := open(t, store, keyring.ES256, keyring.EdDSA)
	store.step(t, ring)
	restore()
	for range 5 {
		store.clock.Advance(10 * time.Second)
		store.step(t, ring)
	}
	require.NoError(t, ring.Ready())
	sign(t, ring, keyring.EdDSA, "JWT", "{}")
}

// A clock that is set back while somebody has the claim.
func TestAClaimDoesNotOutlastAClockSetBack(t *testing.T) {
	clock := keyringtest.NewClock()
	m := keyringtest.NewMemory(clock.Now)
	mine, err := m.ClaimKeys(t.Context(), 10*time.Second)
	require.NoError(t, err)
	require.True(t, mine)
	clock.Advance(-24 * time.Hour)
	mine, err = m.ClaimKeys(t.Context(), 10*time.Second)
	require.NoError(t, err)
	require.True(t, mine)
}

// A replica that is behind and loses its way to the record may go on signing and serving for as long as its lease.
func TestAReplicaThatIsBehindCountsForAsLongAsItMaySign(t *testing.T) {
	store := newMemory()
	blind := &faulty{Wrapper: keyringtest.Wrapper(t, 1)}
	options := store.options(t, keyring.ES256)
	options.ID, options.Wrappers.Primary = "blind", blind
	behind := openWith(t, options)
	blind.unwrap = errDown
	ring := open(t, store, keyring.ES256)
	store.clock.Advance(time.Hour)
	store.step(t, ring) // stages
	staged := store.find(t, keyring.ES256, keyring.Next)
	store.clock.Advance(31 * day)
	require.NoError(t, behind.Sync(t.Context()))
	require.NoError(t, ring.Sync(t.Context()))
	require.ErrorContains(t, ring.Keep(t.Context()), "blind")
	store.clock.Advance(20 * time.Second) // "blind" hears nothing any more
	require.NoError(t, ring.Sync(t.Context()))
	_ = ring.Keep(t.Context())
	require.NoError(t, ring.Sync(t.Context()))
	require.NoError(t, behind.Ready())
	require.NotContains(t, published(t, behind), staged.KID)
	require.NotEqual(t, staged.KID, ring.Signer(keyring.ES256))
}

// A key-management service that hangs must not keep a replica from saying that it is there, and behind.
func TestAReplicaWhoseWrapperHangsIsStillThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		hangs := &faulty{Wrapper: keyringtest.Wrapper(t, 1)}
		options := store.options(t, keyring.ES256)
		options.ID, options.Wrappers.Primary = "hangs", hangs
		ring := openWith(t, options)
		store.stage(t, keyring.ES256)
		hangs.hangs = true
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // as each step of Run has
		defer cancel()
		require.NoError(t, ring.Sync(ctx))
		require.Len(t, store.snapshot(t).Live(), 1)
	})
}

// Rotating and retiring need no wrapper.
func TestWhatNeedsNoWrapperIsDoneWithoutOne(t *testing.T) {
	store := newMemory()
	wrapper := &faulty{Wrapper: keyringtest.Wrapper(t, 1)}
	options := store.options(t, keyring.ES256, keyring.EdDSA)
	options.Wrappers.Primary = wrapper
	ring := openWith(t, options)
	next := store.stage(t, keyring.ES256)
	wrapper.wrap = errDown // and EdDSA has no next key
	store.clock.Advance(30 * day)
	require.NoError(t, ring.Sync(t.Context()))
	_ = ring.Keep(t.Context())
	require.Equal(t, next.KID, store.kidOf(t, keyring.ES256))
}

// RFC 8725 §3.1: a key is for one algorithm, and not for one that cannot use it.
func TestAnImportedKeyFitsItsAlgorithm(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	store := newMemory()
	open(t, store, keyring.ES256)
	for _, algorithm := range all {
		_, err = store.office(t).Apply(t.Context(), keyring.PlanImport(store.snapshot(t), algorithm, private), operator)
		require.Error(t, err, algorithm)
	}
}

// A backup in which a key signs that was revoked since: somebody has to hear of it.
func TestARevokedKeyThatABackupBringsBackIsNamed(t *testing.T) {
	store := newMemory()
	log := &logged{}
	options := store.options(t, keyring.ES256)
	options.Log = log.logger()
	ring := openWith(t, options)
	revoked := ring.Signer(keyring.ES256)
	restore := store.Backup()
	store.revoke(t, revoked)
	store.step(t, ring)
	restore()
	store.step(t, ring)
	require.Contains(t, log.String(), revoked)
}

// An operator who thinks for two hours before saying yes.
func TestAPlanIsMadeAtTheTimeOfTheChange(t *testing.T) {
	store := newMemory()
	open(t, store, keyring.ES256)
	store.stage(t, keyring.ES256)
	p := keyring.PlanRotate(store.snapshot(t), keyring.ES256)
	store.clock.Advance(25 * time.Hour)
	_, err := store.office(t).Apply(t.Context(), p, operator)
	if err == nil {
		require.Equal(t, store.clock.Now(), store.find(t, keyring.ES256, keyring.Previous).StoppedAt, "or it is retired before its tokens end")
	}
}

// Who can write to the record, and has no secret, must not make a key sign for another algorithm.
func TestAKeyWhoseAlgorithmWasChangedIsNotUsed(t *testing.T) {
	store := newMemory()
	ring := open(t, store, keyring.RS256, keyring.EdDSA)
	s := store.snapshot(t)
	one, other := store.find(t, keyring.RS256, keyring.Current).KID, store.find(t, keyring.EdDSA, keyring.Current).KID
	store.Edit(func(keys []keyring.Key) []keyring.Key {
		for i := range keys {
			switch keys[i].KID {
			case one:
				keys[i].Algorithm = keyring.EdDSA
			case other:
				keys[i].Algorithm = keyring.RS256
			}
		}
		return keys
	})
	require.Equal(t, s.Revision, store.snapshot(t).Revision)
	require.NoError(t, ring.Reload(t.Context()))
	require.Error(t, ring.Ready())
	require.Empty(t, ring.Algorithms())
}

// A key that anybody can factor is not to be brought in.
func TestAnRSAKeyWithAShortPrimeIsRefused(t *testing.T) {
	p, err := rand.Prime(rand.Reader, 64)
	require.NoError(t, err)
	q, err := rand.Prime(rand.Reader, 1990)
	require.NoError(t, err)
	b64 := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	one, e := big.NewInt(1), big.NewInt(65537)
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	d := new(big.Int).ModInverse(e, new(big.Int).Mul(p1, q1))
	require.NotNil(t, d)
	text, err := json.Marshal(map[string]string{
		"kty": "RSA", "n": b64(new(big.Int).Mul(p, q)), "e": "AQAB", "d": b64(d), "p": b64(p), "q": b64(q),
		"dp": b64(new(big.Int).Mod(d, p1)), "dq": b64(new(big.Int).Mod(d, q1)), "qi": b64(new(big.Int).ModInverse(q, p)),
	})
	require.NoError(t, err)
	_, _, err = keyring.ParsePrivate(text, time.Now())
	require.ErrorContains(t, err, "different lengths")
}
