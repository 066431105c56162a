package login

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-id/latchkey/internal/client"
	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
)

// StartRequest asks for a code.
type StartRequest struct {
	// Client has been authenticated.
	Client     *client.Client
	Connection string
	// Phone is as the person typed it.
	Phone  string
	Source otp.Source
}

// Started says that a code is on its way, or would be if the number could get one.
type Started struct {
	ID string
	// Phone is set with an error too, once it is known, for the log.
	Phone phone.Number
}

// Start opens a challenge and queues its text. It does the same work and gives the same answer
// whether or not HR knows the number: nobody is looked up here (U1, U2). Errors are ErrConnection,
// those of phone.Parser.Parse, *otp.ThrottledError, ErrBusy and outages.
func (s *Service) Start(ctx context.Context, r StartRequest) (Started, error) {
	if r.Connection != SMS || !r.Client.May(client.Passwordless) && !r.Client.May(client.LegacyRO) {
		return Started{}, ErrConnection
	}
	number, err := s.Phone.Parse(r.Phone)
	if err != nil {
		return Started{}, err
	}
	challenge, err := s.Codes.Start(ctx, otp.Key{Client: r.Client.ID, Connection: r.Connection, Number: number}, r.Source)
	if err != nil {
		return Started{Phone: number}, err
	}
	if challenge.Send {
		if err := s.Texts.Text(number, challenge.Code, challenge.Left, challenge.Text); err != nil {
			// The text surely was not sent: the person need not wait out the gap.
			return Started{Phone: number}, fmt.Errorf("queue text: %w", errors.Join(err, s.Codes.Unsent(ctx, number, challenge.Text)))
		}
	}
	return Started{ID: challenge.ID, Phone: number}, nil
}
