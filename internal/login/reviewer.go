package login

import (
	"errors"
	"time"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/session"
	"github.com/latchkey-id/latchkey/internal/tier"
)

// ErrReviewer means a reviewer's number that HR gave to a person: its agreed code must not let anybody in
// as them.
var ErrReviewer = errors.New("login: a reviewer's number is in the directory")

// Reviewer is a number that signs in with an agreed code, as somebody of Tier, until its end (C11). Its
// account is its own, by another method than a text: HR can never make it a person's.
type Reviewer struct {
	Number   phone.Number
	ClientID string
	Tier     tier.Tier
	Until    time.Time
}

// reviewer returns the one with number at the client, nil unless there is one now.
func (s *Service) reviewer(clientID string, number phone.Number, now time.Time) *Reviewer {
	for i, r := range s.Reviewers {
		if r.Number == number && r.ClientID == clientID && now.Before(r.Until) {
			return &s.Reviewers[i]
		}
	}
	return nil
}

// reviewerOf returns whose session it is; nil for a person's.
func (s *Service) reviewerOf(of session.Session, now time.Time) *Reviewer {
	number, err := phone.Stored(of.Identifier)
	if err != nil || of.Method != account.Reviewer {
		return nil
	}
	return s.reviewer(of.ClientID, number, now)
}

// method is how a code proved the number.
func method(reviewing bool) string {
	if reviewing {
		return account.Reviewer
	}
	return account.SMS
}

// amr is the RFC 8176 name of an identity's method: an agreed code is a PIN (J4).
func amr(method string) string {
	if method == account.Reviewer {
		return "pin"
	}
	return method
}

// reviewed is the event of a reviewer's number that was refused.
func (s *Service) reviewed(r SignInRequest, number phone.Number, found Found) audit.Event {
	event := s.event(audit.SignInRefused, r, number)
	event.At, event.UserID, event.Reason = found.Now, found.Users[0].ID, "reviewer_number_in_directory"
	return event
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
