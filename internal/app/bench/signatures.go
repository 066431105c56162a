package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/scope"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/tier"
	"github.com/latchkey-id/latchkey/internal/token"
	"github.com/latchkey-id/latchkey/pkg/accesstoken"
)

// turnsEach is how many turns a round of signatures has. They are short, and many: what slows the
// machine for a while then slows both sides of a pair, or counts little in the median.
const turnsEach = 5

// signatureFigures are those of one way to sign.
type signatureFigures struct {
	PerSecond    spread  `json:"per_second"`
	Microseconds spread  `json:"us_each"`
	Allocations  float64 `json:"allocations_each"`
	Bytes        float64 `json:"bytes_each"`
}

// signatureComparison is an access token, claims and all, beside the standard library's call that
// makes its signature.
type signatureComparison struct {
	Algorithm string           `json:"algorithm"`
	Latchkey  signatureFigures `json:"latchkey"`
	Bare      signatureFigures `json:"bare"`
	// Ratio is our time over bare's, of each pair of turns by itself.
	Ratio spread `json:"ratio"`
}

// maxSignatureRatio is the aim. An Ed25519 signature is so fast that what surrounds it counts.
var maxSignatureRatio = map[string]float64{keyring.RS256: 1.15, keyring.ES256: 1.5}

// measureSignatures measures on one core and without a server.
func measureSignatures(ctx context.Context, opts options) ([]signatureComparison, error) {
	ring, closeRing, err := newRing(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = closeRing() }()
	minter := token.NewMinter("https://login.example.com/", ring, time.Now)
	var all []signatureComparison
	for _, algorithm := range keyring.Algorithms {
		ours := func() error { return mint(ctx, minter, algorithm) }
		minted, err := minter.Mint(ctx, signatureOf(algorithm))
		if err != nil {
			return nil, err
		}
		if _, err := ring.Verify(minted.Access, accesstoken.Type); err != nil {
			return nil, fmt.Errorf("%s: %w", algorithm, err)
		}
		bare, err := bareSignature(algorithm, []byte(minted.Access[:strings.LastIndexByte(minted.Access, '.')]))
		if err != nil {
			return nil, err
		}
		progress("signatures, %s: %d pairs of turns", algorithm, turnsEach*opts.rounds)
		c, err := compareSignatures(ctx, opts, ours, bare)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", algorithm, err)
		}
		c.Algorithm = algorithm
		all = append(all, c)
	}
	return all, nil
}

// newRing returns a ring with a key for each algorithm, in a database that nothing but this process
// ever sees.
func newRing(ctx context.Context) (*keyring.Ring, func() error, error) {
	store, err := sql.Open(sql.Temporary, sql.Options{})
	if err != nil {
		return nil, nil, err
	}
	ring, err := openRing(ctx, store)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return ring, store.Close, nil
}

func openRing(ctx context.Context, store *sql.Store) (*keyring.Ring, error) {
	if _, err := store.Migrate(ctx); err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	wrapper, err := keyring.NewAESGCM(secret)
	if err != nil {
		return nil, err
	}
	return keyring.Open(ctx, keyring.Options{
		Store: store, Wrappers: keyring.Wrappers{Primary: wrapper}, Algorithms: keyring.Algorithms, ID: "bench",
		Rules: keyring.Rules{PublishBefore: 24 * time.Hour, KeepAfter: 24 * time.Hour}, Longest: time.Hour,
		Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
}

// signatureOf is a sign-in with the claims that most have.
func signatureOf(algorithm string) token.SignIn {
	now := time.Now()
	return token.SignIn{
		Subject: "NB7KQ2VRTGX4M6HZWD3YCPLJ5A", SessionID: "ZQ4M7XKD2VTRG6HWB3YNCPLJ5E", ClientID: "shift-planner-ios",
		Algorithm: algorithm, Audience: "https://api.example.com/", Scope: scope.Set{"openid", "profile", "offline_access"},
		Tier: tier.Tier{Name: tier.Employee, AccessTokenLifetime: tier.DefaultAccessTokenLifetime}, Method: "sms",
		AuthTime: now, IssuedAt: now, StatusList: listID, StatusIndex: 123_456,
	}
}

func mint(ctx context.Context, minter *token.Minter, algorithm string) error {
	_, err := minter.Mint(ctx, signatureOf(algorithm))
	return err
}

// bareSignature returns the cheapest call that signs input: of its digest, made in advance, except
// for Ed25519, which hashes by itself.
func bareSignature(algorithm string, input []byte) (func() error, error) {
	digest := sha256.Sum256(input)
	switch algorithm {
	case keyring.RS256:
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		return func() error {
			_, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
			return err
		}, err
	case keyring.ES256:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return func() error {
			_, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
			return err
		}, err
	default:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return func() error {
			ed25519.Sign(private, input)
			return nil
		}, err
	}
}

// turn is what was done in one go by one side.
type turn struct {
	count                int
	took                 time.Duration
	allocations, storage uint64
}

func takeTurn(ctx context.Context, length time.Duration, sign func() error) (turn, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var t turn
	for begun := time.Now(); t.took < length; t.took = time.Since(begun) {
		if err := sign(); err != nil {
			return t, err
		}
		t.count++
	}
	runtime.ReadMemStats(&after)
	t.allocations, t.storage = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return t, ctx.Err()
}

func compareSignatures(ctx context.Context, opts options, ours, bare func() error) (c signatureComparison, err error) {
	sides := []func() error{ours, bare}
	turns := make([][]turn, len(sides))
	var ratios []float64
	length := opts.duration / (2 * turnsEach) // a round of both takes as long as that of other parts
	for range turnsEach * opts.rounds {
		for i, sign := range sides {
			t, err := takeTurn(ctx, length, sign)
			if err != nil {
				return c, err
			}
			turns[i] = append(turns[i], t)
		}
		ratios = append(ratios, turns[0][len(ratios)].each()/turns[1][len(ratios)].each())
	}
	c.Latchkey, c.Bare, c.Ratio = signatureFiguresOf(turns[0]), signatureFiguresOf(turns[1]), spreadOf(ratios)
	return c, nil
}

// each is in microseconds.
func (t turn) each() float64 { return t.took.Seconds() * 1e6 / float64(t.count) }

func signatureFiguresOf(turns []turn) signatureFigures {
	var rates, times, allocations, storage []float64
	for _, t := range turns {
		count := float64(t.count)
		rates, times = append(rates, count/t.took.Seconds()), append(times, t.each())
		allocations, storage = append(allocations, float64(t.allocations)/count), append(storage, float64(t.storage)/count)
	}
	return signatureFigures{
		PerSecond: spreadOf(rates), Microseconds: spreadOf(times),
		Allocations: spreadOf(allocations).Median, Bytes: spreadOf(storage).Median,
	}
}
