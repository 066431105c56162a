package spend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// Standing is how things are, for operators and metrics.
type Standing struct {
	// Nowhere explains why no country is allowed; empty if one is.
	Nowhere string
	// Spent is the money of today, of Budget with whatever operators have added; 0: no limit.
	Spent, Budget Micros
	// Blocks are the rules that keep texts back now.
	Blocks []Block
}

// Block is a rule that keeps texts back.
type Block struct {
	Rule rule.Name
	// Country is empty but for a rule for one country.
	Country string
	Until   time.Time
	// Strangers means that only numbers that HR does not know have used up their part.
	Strangers bool
	// RecordOnly means that it would, but only records.
	RecordOnly bool
}

// Standing reads how things are. While the people are not known, limits are those of nobody.
func (s *Service) Standing(ctx context.Context) (Standing, error) {
	state, err := s.store.Read(ctx)
	if err != nil {
		return Standing{}, fmt.Errorf("read what texts cost: %w", err)
	}
	return s.rules.Standing(s.people(), state), nil
}

// Standing tells how things are.
func (r Rules) Standing(p People, s State) Standing {
	standing := Standing{Spent: Micros(s.Count(Counter{Day, spent}))}
	if budget := r.budget(p); !budget.lifted {
		raised, _ := raisedBy(rule.BudgetStrangers, "")
		standing.Budget = Micros(budget.most * (1 + s.Count(raised)))
	}
	if p.Known && len(r.Allowed(p)) == 0 {
		standing.Nowhere = nowhere
	}
	for _, country := range s.countries() {
		standing.Blocks = r.appendBlocks(standing.Blocks, p, s, country)
	}
	return standing
}

// countries returns those that had a text today, or are paused.
func (s State) countries() []string {
	seen := map[string]bool{}
	for counter, n := range s.Counters {
		if country, ok := strings.CutPrefix(counter.Name, texts+":"); ok && n > 0 {
			seen[country] = true
		}
	}
	for country, pause := range s.Pauses {
		if s.Now.Before(pause.Until) {
			seen[country] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// appendBlocks adds what keeps back a text to country from the one who is stopped first: a stranger
// whom no network vouches for.
func (r Rules) appendBlocks(blocks []Block, p People, s State, country string) []Block {
	for _, check := range r.checks(p, Text{Country: country, Stranger: !r.Roster, Cost: 1}) {
		if check.Mode == Watch || !check.blocks(s) {
			continue
		}
		b := Block{check.Rule, check.Country, s.Ends[check.Counter.Window], check.Strangers, check.Mode == Record}
		if check.Paused != "" {
			b.Country, b.Until = country, s.PausedUntil(country)
		}
		if !slices.Contains(blocks, b) {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// blocks reports whether the check is reached. Of blocks of numbers a State has no counters: there it is
// whether one was refused in this hour. Money is hardly ever spent to the last cent, so there a refusal counts too.
func (k Check) blocks(s State) bool {
	refused := k.Told.Name != "" && s.Count(k.Told) >= k.Level(s)
	if k.Counter.Window == Blocks && k.Paused == "" {
		return refused
	}
	return k.reached(s.Now, s) || k.Percent > 0 && refused
}
