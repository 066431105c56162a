package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// Outcome hears the last word on each text, from the queue. When it surely was not sent, the person
// need not wait before they ask again (M9).
func (s *Service) Outcome(ctx context.Context, m sms.Message, receipt sms.Receipt, err error) {
	country := countryOf(m)
	segments, _ := sms.Segments(m.Body)
	record := sms.Record{
		At: s.Now(), To: m.To, Country: country, Kind: m.Kind, Challenge: m.Challenge, ClientID: m.ClientID, Stranger: receipt.Stranger,
		// By the list, and not by the receipt: a text whose sender panicked has none, and may cost all the same.
		Segments: segments, Cost: sms.Micros(s.Prices.Of(country, segments)), Provider: receipt.Provider, ProviderID: receipt.ID,
	}
	if err == nil {
		s.ledger.texts.add(record)
		s.Observer.Text(country, "accepted")
		s.Log.InfoContext(ctx, "text accepted", "to", m.To, "kind", m.Kind, "provider", receipt.Provider, "provider_id", receipt.ID)
		return
	}
	failure := asFailure(err)
	if record.Provider == "" {
		record.Provider = failure.Provider
	}
	record.Class, record.Code, record.Rule = failure.Class, failure.Code, string(failure.Rule)
	if failure.Definite() {
		record.Cost = 0
	}
	s.ledger.texts.add(record)
	s.Observer.Text(country, string(failure.Class))
	s.Log.Log(ctx, level(failure), "text not sent", "to", m.To, "kind", m.Kind, "class", string(failure.Class),
		"rule", string(failure.Rule), "provider", record.Provider, "code", failure.Code, "error", failure)
	if failure.Definite() && m.Kind == sms.KindCode {
		s.release(ctx, m)
	}
	s.attend(ctx, m, record.Provider, failure)
}

// asFailure returns the *sms.Error in err. Of any other, which no sender promises, nothing is known.
func asFailure(err error) *sms.Error {
	var failure *sms.Error
	if !errors.As(err, &failure) {
		failure = &sms.Error{Class: sms.UnknownOutcome, Reason: fmt.Sprintf("the sender returned a %T", err)}
	}
	return failure
}

// release ends the gap to the person's next text.
func (s *Service) release(ctx context.Context, m sms.Message) {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	if err := s.Codes.Unsent(ctx, m.To, otp.TextID(m.Ref)); err != nil {
		s.Log.WarnContext(ctx, "the gap to the next text stays, though none was sent", "to", m.To, "error", err)
	}
}

// level says how loud a failure is: no text goes out until an operator acts on the loudest.
func level(failure *sms.Error) slog.Level {
	switch failure.Class {
	case sms.OurConfig:
		return slog.LevelError
	case sms.Withheld:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// attend does what a failure calls for.
func (s *Service) attend(ctx context.Context, m sms.Message, provider string, failure *sms.Error) {
	ctx, cancel := context.WithTimeout(ctx, releaseTimeout)
	defer cancel()
	switch failure.Class {
	case sms.NumberPermanent, sms.OptedOut:
		s.noteNumber(ctx, m.To, sms.Failure{
			Class: failure.Class, Code: failure.Code, Reason: failure.Reason, Provider: provider, Sync: true,
		})
	case sms.RiskBlocked:
		s.Observer.Alarm(ctx, "risk_blocked", countryOf(m))
	case sms.OurConfig:
		s.Observer.Alarm(ctx, "our_config", failure.Reason)
	case sms.Rate: // a queue or a day's limit that outlasts a code (twilio/README 4)
		s.Observer.Alarm(ctx, "rate", failure.Reason)
	}
}

// noteNumber remembers that the number could not get a text (X2).
func (s *Service) noteNumber(ctx context.Context, to phone.Number, f sms.Failure) {
	blocked, err := s.Store.NoteUndeliverable(ctx, to, f, s.Now())
	switch {
	case err != nil:
		s.Log.WarnContext(ctx, "a number that gets no texts was not remembered", "to", to, "error", err)
	case blocked:
		s.Log.WarnContext(ctx, "this number gets no texts: none is sent to it for a day", "to", to, "class", string(f.Class), "code", f.Code)
	}
}

// Redeemed says that the code of a challenge was used, for the report and for rule M7. It never waits.
func (s *Service) Redeemed(challenge string) {
	s.ledger.redeemed.add(redemption{challenge, s.Now()})
}

// Deliver takes a provider's news of a text. It returns once the news is on record; an error is an outage.
func (s *Service) Deliver(ctx context.Context, d sms.Delivery) error { return s.ledger.deliver(ctx, d) }

// failed is news of a text that did not arrive.
func (s *Service) failed(ctx context.Context, d sms.Delivery, country string) {
	s.Log.WarnContext(ctx, "text not delivered", "to", d.To, "provider", d.Provider, "provider_id", d.ProviderID,
		"status", string(d.Status), "class", string(d.Class), "code", d.Code)
	switch d.Class {
	case sms.NumberPermanent, sms.OptedOut:
		s.noteNumber(ctx, d.To, sms.Failure{Class: d.Class, Code: d.Code, Provider: d.Provider})
	case sms.OurConfig, sms.Provider, sms.Rate:
		s.Providers.Report(d, country)
		s.Observer.Alarm(ctx, "undelivered_"+string(d.Class), country)
	case sms.RiskBlocked:
		s.Observer.Alarm(ctx, "risk_blocked", country)
	case "":
		s.Observer.Alarm(ctx, "unknown_code", country)
	}
}
