//go:build kms

package kms

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/hashicorp/vault/api"
	"gocloud.dev/gcp"
	"gocloud.dev/secrets"
	"gocloud.dev/secrets/awskms"
	"gocloud.dev/secrets/azurekeyvault"
	"gocloud.dev/secrets/gcpkms"
	"gocloud.dev/secrets/hashivault"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// Supported says whether this program can open any URL.
const Supported = true

// Schemes are those of the URLs that this program can open.
func Schemes() []string { return allSchemes() }

// Check says what is wrong with the shape of a URL. It calls nobody.
func Check(raw string) error {
	_, err := parse(raw)
	return err
}

// Open returns the envelope of a URL that Check has nothing against, and what ends its connections.
// Nobody has been asked yet whether the key is there and whether we may use it: the first Wrap or
// Unwrap tells. No call takes longer than timeout, and neither does Open.
func Open(ctx context.Context, raw string, timeout time.Duration) (*keyring.Envelope, func() error, error) {
	u, err := parse(raw)
	if err != nil {
		return nil, nil, err
	}
	s, err := within(ctx, u, timeout)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", nameOf(u), err)
	}
	return keyring.NewEnvelope(nameOf(u), s, timeout), s.close, nil
}

// within gives dial up after timeout: credentials may come from an address that does not answer.
func within(ctx context.Context, u *url.URL, timeout time.Duration) (*service, error) {
	type dialed struct {
		service *service
		err     error
	}
	done := make(chan dialed, 1)
	go func() {
		// Clients keep the context that they were made with, and renew credentials under it.
		s, err := dial(context.WithoutCancel(ctx), u, timeout)
		done <- dialed{s, err}
	}()
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	var err error
	select {
	case d := <-done:
		return d.service, d.err
	case <-limit.C:
		err = fmt.Errorf("%w: found no credentials within %s", keyring.ErrUnavailable, timeout)
	case <-ctx.Done():
		err = ctx.Err()
	}
	go func() { // what comes too late is not left open
		if d := <-done; d.err == nil {
			_ = d.service.close()
		}
	}()
	return nil, err
}

// dial makes the client for u. The drivers' own registry is not used: it keeps a first failure for
// good, lets Vault's client wait a minute whatever we say, and opens any scheme that some import
// brought along.
func dial(ctx context.Context, u *url.URL, timeout time.Duration) (*service, error) {
	var keeper *secrets.Keeper
	var err error
	also := func() {}
	switch u.Scheme {
	case awskms.Scheme:
		keeper, err = new(awskms.URLOpener).OpenKeeperURL(ctx, u)
	case azurekeyvault.Scheme:
		opener := azurekeyvault.URLOpener{ClientMaker: azurekeyvault.DefaultClientMaker}
		keeper, err = opener.OpenKeeperURL(ctx, u)
	case gcpkms.Scheme:
		keeper, also, err = dialGoogle(ctx, u)
	case hashivault.Scheme:
		keeper, err = dialVault(ctx, u, timeout)
	default:
		err = errors.New("unknown scheme")
	}
	if err != nil {
		return nil, describe(err)
	}
	return &service{keeper, also}, nil
}

func dialGoogle(ctx context.Context, u *url.URL) (*secrets.Keeper, func(), error) {
	credentials, err := gcp.DefaultCredentials(ctx)
	if err != nil {
		return nil, nil, err
	}
	client, hangUp, err := gcpkms.Dial(ctx, credentials.TokenSource)
	if err != nil {
		return nil, nil, err
	}
	opener := gcpkms.URLOpener{Client: client}
	keeper, err := opener.OpenKeeperURL(ctx, u)
	if err != nil {
		hangUp()
		return nil, nil, err
	}
	return keeper, hangUp, nil
}

func dialVault(ctx context.Context, u *url.URL, timeout time.Duration) (*secrets.Keeper, error) {
	if os.Getenv(api.EnvVaultAddress) == "" && os.Getenv(api.EnvVaultAgentAddr) == "" {
		return nil, fmt.Errorf("set %s to the address of Vault", api.EnvVaultAddress)
	}
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, config.Error
	}
	config.Timeout = timeout // the driver ignores contexts
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	opener := hashivault.URLOpener{Client: client}
	return opener.OpenKeeperURL(ctx, u)
}
