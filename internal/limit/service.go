package limit

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Service holds requests to Rules. It is safe for concurrent use.
type Service struct {
	store  Store
	rules  Rules
	plan   plan
	people func() int
	opts   Options
	care   care

	// Calls are named by the Service and a number, so that a store can tell one that it hears twice.
	name  string
	calls atomic.Uint64

	known   atomic.Pointer[standing]
	told    atomic.Int32 // the Level that was logged last
	returns returns
	notes   notes
}

// Options of a Service.
type Options struct {
	// Now is the clock of blocks' ends; default time.Now.
	Now func() time.Time
	// Log gets changes of Level and failures of Run; default is none.
	Log *slog.Logger
	// FlushEvery is how long Undo may take to be seen; default 200 ms.
	FlushEvery time.Duration
	// Blocked is told of each block once in its life, by whichever replica listed it, from Run: it must
	// not wait.
	Blocked func([]Block)
}

// NewService returns a Service that counts in store. people returns how many active people the directory has;
// it is asked at each guess, so it must not take long.
func NewService(store Store, rules Rules, people func() int, opts Options) *Service {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.FlushEvery <= 0 {
		opts.FlushEvery = 200 * time.Millisecond
	}
	if opts.Blocked == nil {
		opts.Blocked = func([]Block) {}
	}
	s := &Service{store: store, rules: rules, plan: newPlan(rules), people: people, opts: opts, name: rand.Text()[:8]}
	s.care.init()
	s.known.Store(&standing{})
	return s
}

// Pass lets a request go on to the number's own limits.
type Pass struct {
	// Strict holds the origin to less if it is not trusted for the number (T4).
	Strict bool
	// Refusal is what such an origin is to be told, by Refuse; nil if it may go on. With KnownOnly it is
	// for whoever has not signed in with the number from there, also from a listed network.
	Refusal   *Error
	KnownOnly bool
	// Noted are the rules in RecordOnly that would have refused it.
	Noted []rule.Name

	back *giveBack
}

// giveBack is what Undo takes back, once.
type giveBack struct {
	Return
	done atomic.Bool
}

// Start counts a start at its source and network: itself, and number, a keyed digest, among the different
// numbers there. It costs one round trip, and none from a listed network. The error is *Error, or
// an outage; then nothing was counted. Noted is set with *Error too.
func (s *Service) Start(ctx context.Context, from origin.Origin, number string) (Pass, error) {
	if from.Listed {
		return Pass{}, nil
	}
	claim := Claim{Network: from.Network, Meters: at(from, s.plan.start, s.call(), number)}
	taken, err := s.take(ctx, claim)
	if err != nil {
		return Pass{}, fmt.Errorf("limit: count a start: %w", err)
	}
	known := s.known.Load()
	p, err := s.pass(claim, taken, from, known.level)
	if err == nil && known.level == Closed {
		s.close(&p, known)
	}
	return p, err
}

// close refuses a start of an untrusted origin until all guess less.
func (s *Service) close(p *Pass, known *standing) {
	if s.rules.RecordOnly[rule.AllGuessesClosed] {
		p.Noted = append(p.Noted, rule.AllGuessesClosed)
		return
	}
	left := max(known.openAt.Sub(s.opts.Now()), time.Second)
	p.Refusal = &Error{Rule: rule.AllGuessesClosed, RetryAfter: left, Subject: allSubject}
}

// Guess counts a wrong guess at its source and network, and at all together, before it is known whether it
// is one: Undo if it was right. It costs one round trip; two where the network guesses a lot. The
// error is *Error, or an outage; then nothing was counted. Noted is set with *Error too.
func (s *Service) Guess(ctx context.Context, from origin.Origin) (Pass, error) {
	plan := s.plan.guess
	if from.Listed {
		plan = s.plan.listed
	}
	ease, careful := s.care.begin(from.Network, s.opts.Now())
	defer ease()
	claim := Claim{
		Network: from.Network, Meters: at(from, plan, s.call(), ""),
		// One address of the company's must not close everything to newcomers elsewhere (T5).
		All: s.rules.AllPerHour > 0 && !from.Listed, Careful: careful,
	}
	// Whoever hangs up in the middle must not leave a guess behind that counts at all and nowhere else.
	counting, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	taken, err := s.take(counting, claim)
	if err != nil {
		return Pass{}, fmt.Errorf("limit: count a guess: %w", err)
	}
	p, err := s.pass(claim, taken, from, s.observe(taken))
	if err != nil {
		s.care.refused(from.Network, s.opts.Now())
	}
	return p, err
}

// take asks the store, unless every rule is lifted. After a failure it takes back what may have been
// counted all the same.
func (s *Service) take(ctx context.Context, claim Claim) (Taken, error) {
	if len(claim.Meters) == 0 && !claim.All {
		return Taken{}, nil
	}
	taken, err := s.store.Take(ctx, claim)
	if err != nil {
		s.returns.add(unanswered(claim))
	}
	return taken, err
}

// pass turns what was taken into a Pass, or *Error.
func (s *Service) pass(claim Claim, taken Taken, from origin.Origin, level Level) (Pass, error) {
	v := judge(claim.Meters, taken.Readings)
	p := Pass{Noted: v.noted}
	if v.refusal != nil {
		s.returns.add(Return{Minute: taken.Minute})
		s.refusedBy(v.refusal)
		return p, v.refusal
	}
	if v.shared != nil {
		// Nothing was counted. Neighbours must not shut out whoever is known there (T5).
		if taken.Minute > 0 {
			s.returns.add(Return{Minute: taken.Minute})
		}
		p.Strict, p.Refusal, p.KnownOnly = level >= Protective && !from.Listed, v.shared, true
		return p, nil
	}
	p.back = &giveBack{Return: counted(claim, taken)}
	s.strict(&p, v, level, from)
	return p, nil
}

// Undo gives back what p counted: the guess was right, or what came after refused the request. It does not
// wait for the store, and does nothing the second time.
func (s *Service) Undo(p Pass) {
	if p.back != nil && p.back.done.CompareAndSwap(false, true) {
		s.returns.add(p.back.Return)
	}
}

// Refuse gives back what p counted, because the origin turned out not to be trusted for the number. It
// returns p.Refusal, and lists it as a block.
func (s *Service) Refuse(p Pass) error {
	s.Undo(p)
	if p.Refusal == nil {
		return nil
	}
	s.refusedBy(p.Refusal)
	return p.Refusal
}

func (s *Service) refusedBy(e *Error) {
	s.NoteBlock(e.Rule, e.Subject, s.opts.Now().Add(e.RetryAfter))
}

func (s *Service) call() string {
	return s.name + strconv.FormatUint(s.calls.Add(1), 36)
}
