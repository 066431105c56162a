package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
)

// StartRequest asks for a code.
type StartRequest struct {
	// Client has been authenticated.
	Client     *client.Client
	Connection string
	// Phone is as the person typed it.
	Phone string
	// Origin is where the request comes from, as limits see it.
	Origin origin.Origin
	// Language is what the request asks the text to be in, as it came (BCP 47).
	Language string
}

// Started says that a code is on its way, or would be if the number could get one.
type Started struct {
	ID string
	// Phone is set with an error too, once it is known, for the log.
	Phone phone.Number
}

// Start opens a challenge and queues its text. It does the same work and gives the same answer
// whether or not HR knows the number, and whether or not it can get texts: nobody is looked up here
// (U1, U2). Two round trips at most: the limits of the source, then those of the number with the
// challenge; a start that the number's limits refuse is given back to the source's, off the path.
// Errors are ErrConnection, those of phone.Parser.Parse, ErrProvider, *limit.Error,
// *otp.ThrottledError, ErrBusy and outages.
func (s *Service) Start(ctx context.Context, r StartRequest) (Started, error) {
	if r.Connection != SMS || !r.Client.May(client.Passwordless) && !r.Client.May(client.LegacyRO) {
		return Started{}, ErrConnection
	}
	number, err := s.Phone.Parse(r.Phone)
	if err != nil {
		return Started{}, err
	}
	if err := s.Texts.Available(); err != nil {
		return Started{Phone: number}, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	challenge, err := s.open(ctx, r, number)
	if err != nil {
		return Started{Phone: number}, err
	}
	if challenge.Send {
		err := s.Texts.Text(Text{
			To: number, Code: challenge.Code, Left: challenge.Left, ID: challenge.Text, Challenge: challenge.ID,
			Client: r.Client, Language: r.Language, Trusted: challenge.Trusted, Listed: r.Origin.Listed,
		})
		if err != nil {
			// It is our queue that was full: the person need not wait for anything.
			return Started{Phone: number}, fmt.Errorf("queue text: %w", errors.Join(err, s.Codes.Withdraw(ctx, number, challenge.Text)))
		}
	}
	return Started{ID: challenge.ID, Phone: number}, nil
}

// open finds or makes the challenge, within limits.
func (s *Service) open(ctx context.Context, r StartRequest, number phone.Number) (otp.Started, error) {
	a := attempt{door: DoorStart, client: r.Client.ID, from: r.Origin, number: number, tag: s.Codes.Tag(number)}
	pass, err := s.Sources.Start(ctx, r.Origin, a.tag)
	if err != nil {
		s.limited(ctx, a, pass.Noted, err)
		return otp.Started{}, err
	}
	key := otp.Key{Client: r.Client.ID, Connection: r.Connection, Number: number}
	challenge, err := s.Codes.Start(ctx, key, r.Origin, guard(pass))
	err = s.settle(pass, err, err == nil)
	s.limited(ctx, a, append(pass.Noted, challenge.Noted...), err)
	return challenge, err
}
