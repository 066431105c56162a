//go:build kms

package kms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/vault/api"
	"gocloud.dev/gcerrors"
	"gocloud.dev/secrets"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// service is a keyring.Keeper of any driver, whose errors are fit for a log.
type service struct {
	keeper *secrets.Keeper
	also   func() // ends what the driver's Close leaves
}

func (s *service) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	sealed, err := s.keeper.Encrypt(ctx, plain)
	return sealed, describe(err)
}

func (s *service) Decrypt(ctx context.Context, sealed []byte) ([]byte, error) {
	plain, err := s.keeper.Decrypt(ctx, sealed)
	return plain, describe(err)
}

func (s *service) close() error {
	err := s.keeper.Close()
	s.also()
	return describe(err)
}

// describe says what happened in one line, and as keyring.ErrUnavailable what may pass. Drivers' own
// errors go over many lines, and have addresses with user names and whole pages of proxies in them.
func describe(err error) error {
	var vault *api.ResponseError
	var request *url.Error
	var network net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &vault):
		return describeVault(vault)
	case errors.As(err, &request):
		return fmt.Errorf("%w: %s", keyring.ErrUnavailable, line(request.Err.Error()))
	case errors.As(err, &network), passes(gcerrors.Code(err)):
		return fmt.Errorf("%w: %s", keyring.ErrUnavailable, line(err.Error()))
	}
	return errors.New(line(err.Error()))
}

func describeVault(answer *api.ResponseError) error {
	text := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	if !answer.RawError && len(answer.Errors) > 0 { // a raw one is not Vault's
		text = fmt.Sprintf("%d %s", answer.StatusCode, line(strings.Join(answer.Errors, "; ")))
	}
	if answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests {
		return fmt.Errorf("%w: %s", keyring.ErrUnavailable, text)
	}
	return errors.New(text)
}

// passes reports whether the same call may succeed later.
func passes(code gcerrors.ErrorCode) bool {
	return code == gcerrors.DeadlineExceeded || code == gcerrors.ResourceExhausted || code == gcerrors.Internal
}

// lineLength is enough for what services say first.
const lineLength = 300

// line puts text on one line, and cuts it.
func line(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > lineLength {
		text = string(runes[:lineLength]) + "..."
	}
	return text
}
