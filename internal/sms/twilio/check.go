package twilio

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/latchkey-id/latchkey/internal/outbound"
)

// nobody is Twilio's own test number, which no person has: Check lists the texts to it, so that it
// never fetches somebody's.
const nobody = "+15005550006"

// Check asks Twilio something that sends nothing and says in words what is wrong with the address or
// the credentials. A restricted key that may not read messages passes, for it proves both.
func (s *Sender) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	h := s.hop(ctx)
	_, err := s.service(h).PageMessage((&api.ListMessageParams{}).SetTo(nobody).SetPageSize(1), "", "")
	at := s.opts.Path
	switch {
	case h.status == 0:
		return fmt.Errorf("cannot reach %s: %s: check %s.base_url and the network", s.base.Host, outbound.Cause(h.err), at)
	case err == nil && is2xx(h.status), h.status == http.StatusForbidden:
		return nil
	case h.status == http.StatusUnauthorized:
		return fmt.Errorf("credentials refused: check %s.api_key_sid and api_key_secret, and that the key belongs to %s.account_sid", at, at)
	case h.status == http.StatusNotFound:
		return fmt.Errorf("no such account: check %s.account_sid", at)
	case is2xx(h.status):
		return fmt.Errorf("%s answers, but not as Twilio does: check %s.base_url", s.base.Host, at)
	case h.status == http.StatusTooManyRequests:
		return errors.New("reached, but too many requests: try again in a minute")
	default:
		return fmt.Errorf("HTTP status %d: %s", h.status, s.failure(h, err).Reason)
	}
}
