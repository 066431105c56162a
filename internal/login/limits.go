package login

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/limit"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Door is a way in that limits watch.
type Door string

// Doors.
const (
	DoorStart Door = "start"
	DoorGuess Door = "guess"
)

// Limited is a decision of a rule about one request.
type Limited struct {
	Rule rule.Name
	Door Door
	// Refused is false where the rule only records.
	Refused bool
	// RetryAfter is for how long it goes on refusing.
	RetryAfter time.Duration
	Origin     origin.Origin
	Number     phone.Number
	// Tag stands for the number where it must not be readable.
	Tag      string
	ClientID string
}

// Watch hears of what limits decide. Its methods must not wait.
type Watch interface {
	// Limited is called for each rule that a request has reached.
	Limited(ctx context.Context, l Limited)
	// Alarm is called when the wrong guesses at a number are worth a look (T1).
	Alarm(ctx context.Context, l Limited)
}

// attempt is a request as limits see it.
type attempt struct {
	door   Door
	client string
	from   origin.Origin
	number phone.Number
	tag    string
}

func (a attempt) limited(name rule.Name, refused bool, retryAfter time.Duration) Limited {
	return Limited{
		Rule: name, Door: a.door, Refused: refused, RetryAfter: retryAfter,
		Origin: a.from, Number: a.number, Tag: a.tag, ClientID: a.client,
	}
}

// limited tells Watch which rule refused the attempt with err, if one did, and which would have.
func (s *Service) limited(ctx context.Context, a attempt, noted []rule.Name, err error) {
	for _, name := range noted {
		s.Watch.Limited(ctx, a.limited(name, false, 0))
	}
	if name, retryAfter := RefusedBy(err); name != "" {
		s.Watch.Limited(ctx, a.limited(name, true, retryAfter))
	}
}

// RefusedBy returns the rule that refused with err, and for how long it goes on refusing; none if no limit did.
func RefusedBy(err error) (rule.Name, time.Duration) {
	var source *limit.Error
	var throttled *otp.ThrottledError
	var blocked *otp.BlockedError
	switch {
	case errors.As(err, &source):
		return source.Rule, source.RetryAfter
	case errors.As(err, &throttled):
		return throttled.Rule, throttled.RetryAfter
	case errors.As(err, &blocked):
		return blocked.Rule, blocked.RetryAfter
	case errors.Is(err, otp.ErrTooManyGuesses):
		return rule.CodeGuesses, 0
	}
	return "", 0
}

// isLimit reports whether a limit refused, so that no guess was compared.
func isLimit(err error) bool {
	var source *limit.Error
	var blocked *otp.BlockedError
	return errors.As(err, &source) || errors.As(err, &blocked)
}

// guard is what the limits of sources ask of those of the number.
func guard(pass limit.Pass) otp.Guard {
	return otp.Guard{Strict: pass.Strict, TrustedOnly: pass.Refusal != nil, KnownOnly: pass.KnownOnly}
}

// settle gives back what the limits of sources have counted, unless the number's went on to count it too
// (err is nil, or a wrong guess); and says in their words why an origin that is not trusted is refused.
func (s *Service) settle(pass limit.Pass, err error, counted bool) error {
	if errors.Is(err, otp.ErrUntrusted) && pass.Refusal != nil {
		return s.Sources.Refuse(pass)
	}
	if !counted {
		s.Sources.Undo(pass)
	}
	return err
}
