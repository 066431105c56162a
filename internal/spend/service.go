package spend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/latchkey-id/latchkey/internal/outage"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Errors of Reopen.
var (
	// ErrNotReopened means a rule that nobody can lift for a while.
	ErrNotReopened = errors.New("spend: this rule has nothing to reopen: it is changed in the settings or ends by itself")
	// ErrNoCountry means a rule for one country, and no country or none of ISO 3166-1.
	ErrNoCountry = errors.New("spend: name the country to reopen by its two capital letters, such as GB")
)

// errPeopleUnknown stops texts until limits can be told: those of nobody would stop a whole company.
var errPeopleUnknown = errors.New("spend: HR's people have not been counted yet")

// Service decides about texts. It is safe for concurrent use.
type Service struct {
	store   Store
	rules   Rules
	people  func() People
	history History
	options Options
}

// Options are what else a Service needs.
type Options struct {
	// CodeLife is how long a code can be used: only older texts are judged by what became of them.
	CodeLife time.Duration
	Log      *slog.Logger
}

// NewService returns a Service; people is asked each time and must be quick.
func NewService(store Store, rules Rules, people func() People, history History, o Options) *Service {
	return &Service{store, rules, people, history, o}
}

// Take counts the text, or says which rule keeps it back and counts nothing. Each error means: do
// not send. It is an outage.Error while the store is away or the people are not known yet. A text whose
// answer got lost on the way may be counted: that is the safe side.
func (s *Service) Take(ctx context.Context, t Text) (Verdict, error) {
	people := s.people()
	if !people.Known {
		return Verdict{}, outage.Wrap("database", errPeopleUnknown)
	}
	plan := s.rules.Plan(people, t)
	if plan.Refused != "" {
		return Verdict{Rule: plan.Refused, Why: s.why(plan.Refused, people), Noted: plan.Noted}, nil
	}
	id := rand.Text()
	out, err := s.store.Take(ctx, id, plan)
	if err != nil {
		return Verdict{}, fmt.Errorf("count a text: %w", err)
	}
	return s.verdict(id, plan, out), nil
}

// Return gives a text back that surely was not sent, in whatever minute, hour and day last still. It does
// so once, and only within TicketLife. The zero Ticket is nothing.
func (s *Service) Return(ctx context.Context, t Ticket) error {
	if t.id == "" {
		return nil
	}
	if err := s.store.Return(ctx, t.id, t.counts); err != nil {
		return fmt.Errorf("give a text back: %w", err)
	}
	return nil
}

// Reopen is an operator's way out (T10): it adds once more the limit of a rule while its day, hour or
// minute lasts, another day's money for instance, or ends the pause of a country. Rules for one country
// need it, the others ignore it. Errors: ErrNotReopened, ErrNoCountry, outage.Error.
func (s *Service) Reopen(ctx context.Context, name rule.Name, country string) error {
	ofCountry := name == rule.CountryDay || name == rule.Conversion
	raised, can := raisedBy(name, country)
	switch {
	case !can && name != rule.Conversion:
		return ErrNotReopened
	case ofCountry && !isCountry(country):
		return ErrNoCountry
	case name == rule.Conversion:
		return s.store.Resume(ctx, country)
	}
	return s.store.Raise(ctx, rand.Text(), raised)
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

func (s *Service) why(name rule.Name, p People) string {
	if name == rule.Country && len(s.rules.Allowed(p)) == 0 {
		return nowhere
	}
	return name.Explain()
}

func (s *Service) verdict(id string, p Plan, out Outcome) Verdict {
	v := Verdict{Noted: p.Noted}
	for _, i := range out.Noted {
		v.Noted = append(v.Noted, p.Checks[i].Rule)
	}
	for _, i := range out.Tell {
		c := p.Checks[i]
		v.Alarms = append(v.Alarms, Alarm{c.Rule, c.Country, c.Percent, c.Strangers, s.rules.RecordOnly[c.Rule]})
	}
	if out.Refused < 0 {
		v.Ticket = Ticket{id, p.Counts}
		return v
	}
	v.Rule = p.Checks[out.Refused].Rule
	v.Why = v.Rule.Explain()
	return v
}
