package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/otp"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
)

// Store is the record.
type Store interface {
	// Recipient says what is known of a number before a text goes to it.
	Recipient(ctx context.Context, to phone.Number) (sms.Recipient, error)
	// RecordTexts keeps what became of texts; those of a provider's id that are there already stay.
	RecordTexts(ctx context.Context, texts []sms.Record) error
	// Redeemed marks the texts of challenges whose code was used.
	Redeemed(ctx context.Context, challenges []string, at time.Time) error
	// Deliver keeps news of texts, forward only, and returns those that were news indeed: over all
	// replicas, each once.
	Deliver(ctx context.Context, news []sms.Delivery) ([]sms.Moved, error)
	// NoteUndeliverable counts a failure that lies with the number, and says whether it gets no
	// texts from now on, and did until now.
	NoteUndeliverable(ctx context.Context, to phone.Number, failure sms.Failure, now time.Time) (blocked bool, err error)
	// TextsTo returns the last texts to a number, at most limit.
	TextsTo(ctx context.Context, to phone.Number, limit int) ([]sms.Tracked, error)
	// Deliverable forgets failures of numbers at which a text has arrived.
	Deliverable(ctx context.Context, numbers ...phone.Number) error
}

// Providers hand texts on.
type Providers interface {
	sms.Sender
	// Report tells of a failure that came later than the answer.
	Report(d sms.Delivery, country string)
}

// Observer hears what became of texts and which rules decided. Its methods must not wait.
type Observer interface {
	// Text is called once for each text, with "accepted" or the class of failure.
	Text(country, result string)
	// Delivered is called for each piece of news.
	Delivered(country string, status sms.Status)
	// Ruled is called for each rule that a text has reached; withheld is false where it only records.
	Ruled(name rule.Name, withheld bool)
	// Alarm is called for what somebody should look at.
	Alarm(ctx context.Context, what, detail string)
}

// Options are the parts of a Service.
type Options struct {
	Store     Store
	Providers Providers
	Purse     *spend.Service
	Prices    spend.Prices
	Codes     *otp.Service
	Observer  Observer
	Log       *slog.Logger
	Now       func() time.Time
}

// Service sends texts. It is an sms.Sender, for a queue whose results go to Outcome. It is safe for
// concurrent use.
type Service struct {
	Options
	ledger *ledger
	actor  *actor
}

// New returns a Service. Run writes its record down.
func New(opts Options) *Service {
	s := &Service{Options: opts, ledger: newLedger(opts.Store, opts.Log)}
	s.actor = newActor(s)
	return s
}

// Run writes down what is recorded until ctx ends, and then what is left. It does what news calls for
// beside it: that may take longer than writing it down.
func (s *Service) Run(ctx context.Context) {
	acting, written := context.WithCancel(context.WithoutCancel(ctx))
	defer written()
	var acted sync.WaitGroup
	acted.Go(func() { s.actor.run(acting) })
	s.ledger.run(ctx, s.actor.take)
	written()
	acted.Wait()
}

const (
	// askTimeout bounds one question to the record or Redis: a worker that waits sends nothing else.
	askTimeout = 2 * time.Second
	// releaseTimeout bounds what is done about a text that failed.
	releaseTimeout = 2 * time.Second
)

// errAway is a store that could not be asked. It counts as a failure that may pass, which the queue
// tries again: a text whose recipient nobody knows would be taken out of the wrong purse.
func errAway(what string) *sms.Error {
	return &sms.Error{Class: sms.Provider, Reason: what + " is away"}
}

func withheld(name rule.Name) *sms.Error {
	return &sms.Error{Class: sms.Withheld, Rule: name, Reason: name.Explain()}
}

// countryOf is where a text goes.
func countryOf(m sms.Message) string {
	if m.Country != "" {
		return m.Country
	}
	return m.To.Country()
}

// Send implements sms.Sender.
func (s *Service) Send(ctx context.Context, m sms.Message) (sms.Receipt, error) {
	var known sms.Receipt
	m.Country = countryOf(m)
	who, err := s.recipient(ctx, m.To)
	if err != nil {
		s.Log.WarnContext(ctx, "nobody knows whose number it is", "to", m.To, "error", err)
		return known, errAway("the record")
	}
	segments, _ := sms.Segments(m.Body)
	known.Stranger = !who.Known
	if m.Kind == sms.KindTest { // an operator knows what they do
		return s.hand(ctx, m, known)
	}
	if who.Undeliverable != nil {
		s.Observer.Ruled(rule.Undeliverable, true)
		return known, withheld(rule.Undeliverable)
	}
	verdict, err := s.take(ctx, spend.Text{
		Country: m.Country, Block: s.Codes.Block(m.To), Stranger: known.Stranger, Trusted: m.Trusted, Listed: m.Listed,
		Cost: s.Prices.Of(m.Country, segments),
	})
	if err != nil {
		s.Log.WarnContext(ctx, "nobody knows what texts may cost", "to", m.To, "error", err)
		return known, errAway("what counts texts")
	}
	s.ruled(ctx, verdict)
	if verdict.Rule != "" {
		return known, withheld(verdict.Rule)
	}
	known, err = s.hand(ctx, m, known)
	var failure *sms.Error
	if errors.As(err, &failure) && failure.Definite() {
		s.giveBack(ctx, verdict.Ticket)
	}
	return known, err
}

func (s *Service) recipient(ctx context.Context, to phone.Number) (sms.Recipient, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return s.Store.Recipient(ctx, to)
}

func (s *Service) take(ctx context.Context, t spend.Text) (spend.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return s.Purse.Take(ctx, t)
}

// hand gives the text to a provider, and returns what was known before together with its receipt.
func (s *Service) hand(ctx context.Context, m sms.Message, known sms.Receipt) (sms.Receipt, error) {
	receipt, err := s.Providers.Send(ctx, m)
	receipt.Stranger = known.Stranger
	var failure *sms.Error
	if errors.As(err, &failure) && failure.Class == sms.Withheld { // no provider is asked at the moment
		s.Observer.Ruled(failure.Rule, true)
	}
	return receipt, err
}

func (s *Service) ruled(ctx context.Context, v spend.Verdict) {
	for _, name := range v.Noted {
		s.Observer.Ruled(name, false)
	}
	if v.Rule != "" {
		s.Observer.Ruled(v.Rule, true)
	}
	for _, alarm := range v.Alarms {
		s.Observer.Alarm(ctx, string(alarm.Rule), alarm.String())
	}
}

// giveBack returns the money of a text that surely was not sent.
func (s *Service) giveBack(ctx context.Context, ticket spend.Ticket) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := s.Purse.Return(ctx, ticket); err != nil {
		s.Log.WarnContext(ctx, "a text that was not sent counts as spent", "error", err)
	}
}
