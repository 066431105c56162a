package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/verifier"
)

type keysCommand struct {
	List   keysList   `cmd:"" help:"Show the keys, what happens to each next and when, and which verifiers have them."`
	Stage  keysStage  `cmd:"" help:"Make and publish the key that signs next."`
	Rotate keysRotate `cmd:"" help:"Let the next key sign, and the current one end its life in peace."`
	Revoke keysRevoke `cmd:"" help:"Withdraw a key at once: the emergency."`
	Import keysImport `cmd:"" help:"Take a private key that was made elsewhere as the one that signs next."`
	Rewrap keysRewrap `cmd:"" help:"Encrypt the private keys with what keys.wrapping says now."`
}

// keyDesk is what the commands look at and work with.
type keyDesk struct {
	config   config.Config
	store    *sql.Store
	rules    keyring.Rules
	snapshot keyring.Snapshot
	// verifiers are those in the record, the most recently seen first.
	verifiers []verifier.Verifier
}

// withKeys runs a command on the keys of the record.
func (w where) withKeys(ctx context.Context, env Env, command func(*keyDesk) error) error {
	c, err := w.load(env)
	if err != nil {
		return err
	}
	return withRecord(ctx, c, func(store *sql.Store) error {
		desk := &keyDesk{config: c, store: store, rules: newKeyRules(c)}
		if err := desk.look(ctx); err != nil {
			return err
		}
		return command(desk)
	})
}

// look reads the record anew.
func (d *keyDesk) look(ctx context.Context) error {
	var err error
	if d.snapshot, err = d.store.KeySet(ctx); err != nil {
		return err
	}
	d.verifiers, _, err = d.store.Verifiers(ctx, keptVerifiers)
	return err
}

// office opens what keys are encrypted with; only commands that make or read private keys need it.
func (d *keyDesk) office(ctx context.Context) (*keyring.Office, func(), error) {
	wrappers, closeAll, err := newWrappers(ctx, d.config)
	if err != nil {
		return nil, nil, err
	}
	return &keyring.Office{Store: d.store, Wrappers: wrappers, Longest: longestToken(d.config)}, closeAll, nil
}

// standing judges a verifier against a next key.
func (d *keyDesk) standing(v verifier.Verifier, next keyring.Key) verifier.Standing {
	return v.Standing(next.Revision, next.PublishedAt, d.snapshot.Now, d.config.Keys.VerifierWindow)
}

// staged are the next keys of algorithms, in a fixed order.
func (d *keyDesk) staged(algorithms []string) []keyring.Key {
	var keys []keyring.Key
	for _, algorithm := range algorithms {
		if next, ok := d.snapshot.Find(algorithm, keyring.Next); ok {
			keys = append(keys, next)
		}
	}
	return keys
}

// shortKID is enough of a kid to tell keys apart, and to name one to a command.
const shortKID = 12

func brief(kid string) string { return kid[:min(shortKID, len(kid))] }

// minPrefix keeps a slip of the keyboard from naming a key.
const minPrefix = 6

// named returns the key whose kid begins with prefix, also one that is gone.
func (d *keyDesk) named(ctx context.Context, prefix string) (keyring.Key, error) {
	if len(prefix) < minPrefix {
		return keyring.Key{}, usageError{fmt.Errorf("%q: want at least the first %d characters of the key's kid", prefix, minPrefix)}
	}
	all, err := d.store.KeyHistory(ctx)
	if err != nil {
		return keyring.Key{}, err
	}
	all = slices.DeleteFunc(all, func(k keyring.Key) bool { return !strings.HasPrefix(k.KID, prefix) })
	switch len(all) {
	case 0:
		return keyring.Key{}, fmt.Errorf("no key begins with %q: latchkey keys list --all shows them", prefix)
	case 1:
		return all[0], nil
	}
	return keyring.Key{}, fmt.Errorf("%d keys begin with %q: give more of its kid", len(all), prefix)
}

// algorithmFlag chooses algorithms; none is every one in use.
type algorithmFlag struct {
	Algorithm []string `short:"a" placeholder:"NAME" enum:"RS256,ES256,EdDSA" help:"Only for this algorithm: RS256, ES256 or EdDSA."`
}

// chosen returns the algorithms meant; the error says that there are none.
func (f algorithmFlag) chosen(s keyring.Snapshot) ([]string, error) {
	if len(f.Algorithm) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(f.Algorithm))), nil
	}
	if used := s.InUse(); len(used) > 0 {
		return used, nil
	}
	return nil, errors.New("there are no keys yet: serve makes them when it first starts")
}

// serversWait is how long a change waits to be noticed by every server; J6 allows a revocation 60 s.
const serversWait = 60 * time.Second

// await waits until every live server is at revision, and returns those that are, and that are not.
func (d *keyDesk) await(ctx context.Context, revision int64, atMost time.Duration) (live, behind []keyring.Replica, err error) {
	for end := time.Now().Add(atMost); ; {
		var fresh keyring.Snapshot
		if fresh, err = d.store.KeySet(ctx); err == nil {
			d.snapshot = fresh
			live, behind = fresh.Live(), fresh.Behind(revision)
		}
		if err == nil && len(behind) == 0 || time.Now().After(end) {
			return live, behind, err
		}
		select {
		case <-time.After(awaitEvery):
		case <-ctx.Done():
			return live, behind, ctx.Err()
		}
	}
}

// awaitEvery is how often await looks.
const awaitEvery = 100 * time.Millisecond
