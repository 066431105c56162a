package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/keyring/kms"
	"github.com/latchkey-id/latchkey/internal/sms"
)

type serveCommand struct {
	Config string `short:"c" placeholder:"FILE" help:"Settings file; or LATCHKEY_CONFIG. Every key can be set by environment too."`
}

// Run serves until ctx ends.
func (cmd serveCommand) Run(ctx context.Context, env Env) error {
	c, err := where{Config: cmd.Config}.load(env)
	if err != nil {
		return err
	}
	ways, err := newProviders(c)
	if err != nil {
		return err
	}
	defer ways.close()
	log := newLogger(c, env)
	at, err := listen(ctx, c)
	if err != nil {
		return err
	}
	s, err := newServer(ctx, c, at, ways.senders, log, env)
	if err != nil {
		return err
	}
	log.Info("serving", "version", env.Version, "issuer", c.Issuer, "public", at.public.Addr().String(),
		"admin", at.admin.Addr().String(), "ops", at.ops.Addr().String(), slog.Any("algorithms", s.keys.Algorithms()))
	return s.run(ctx)
}

// checkParts asks the parts what the settings' own rules cannot tell: shapes of ids, that the text is
// one segment, that the certificate can be read.
func checkParts(c config.Config) error {
	ways, err := newProviders(c)
	if err == nil {
		ways.close()
		_, err = newRouter(c, ways.senders, slog.New(slog.DiscardHandler), func(sms.Standing) {})
	}
	_, failed := newWebhook(c)
	err = errors.Join(err, failed)
	if c.TLS.CertFile != "" && c.TLS.KeyFile != "" {
		if _, failed := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile); failed != nil {
			err = errors.Join(err, fmt.Errorf("tls.cert_file: cannot be used with tls.key_file: %w", failed))
		}
	}
	for _, each := range []struct{ path, url string }{
		{"keys.wrapping.url", c.Keys.Wrapping.URL}, {"keys.former_wrapping.url", c.Keys.FormerWrapping.URL},
	} {
		if each.url != "" {
			if failed := kms.Check(each.url); failed != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", each.path, failed))
			}
		}
	}
	_, failed = newWording(c)
	return errors.Join(err, failed)
}
