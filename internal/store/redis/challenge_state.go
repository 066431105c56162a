package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
)

// errNumber means a number's hash that the scripts here did not write.
var errNumber = errors.New("redis: what is kept of a number cannot be read")

// State implements otp.Store. Nobody waits for it, so it is judged here and not in Lua.
func (c *Challenges) State(ctx context.Context, number string) (otp.State, error) {
	values, err := stateScript.Run(ctx, c.client, []string{c.number(number)}, c.clock()).Slice()
	if err != nil {
		return otp.State{}, unavailable(err)
	}
	r := reply{values: values}
	now := time.UnixMilli(r.number(0))
	kept, err := parseNumber(r.text(1), r.text(2), r.text(3), r.text(4), r.text(5))
	if r.err != nil {
		return otp.State{}, fmt.Errorf("redis: state script: %w", r.err)
	}
	if err != nil {
		return otp.State{}, err
	}
	return c.limits.State(c.limits.Forget(kept, now), now), nil
}

// Unlock implements otp.Store. Resend gaps go with the texts that began them.
func (c *Challenges) Unlock(ctx context.Context, number string) error {
	return unavailable(c.client.HDel(ctx, c.number(number), "guesses", "texts", "row", "last").Err())
}

// parseNumber reads the fields of a number's hash, in the form that challenge_scripts.go describes.
func parseNumber(guesses, texts, networks, row, last string) (n otp.Number, err error) {
	err = errors.Join(
		eachLine(guesses, 3, func(at time.Time, f []string) {
			n.Wrong = append(n.Wrong, otp.Guess{At: at, Source: origin.Source(f[1]), Attempt: otp.Attempt(f[2])})
		}),
		eachLine(texts, 4, func(at time.Time, f []string) {
			gap, _ := strconv.Atoi(f[2])
			n.Texts = append(n.Texts, otp.Text{At: at, Source: origin.Source(f[1]), Gap: otp.Gap(gap), Nonce: f[3]})
		}),
		eachLine(networks, 2, func(at time.Time, f []string) {
			n.SignIns = append(n.SignIns, otp.SignIn{At: at, Network: origin.Network(f[1])})
		}),
	)
	n.InARow, _ = strconv.Atoi(row) // empty is none
	ms, _ := strconv.ParseInt(last, 10, 64)
	n.LastWrong = time.UnixMilli(ms)
	return n, err
}

// eachLine calls f with the fields of each line, of which the first is a time.
func eachLine(lines string, fields int, f func(at time.Time, fields []string)) error {
	for line := range strings.Lines(lines) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", fields)
		ms, err := strconv.ParseInt(parts[0], 10, 64)
		if err != nil || len(parts) != fields {
			return errNumber
		}
		f(time.UnixMilli(ms), parts)
	}
	return nil
}
