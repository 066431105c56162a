package sms

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Standing is what a breaker says of a provider, or of a provider's way to one country.
type Standing struct {
	Provider string
	// Country is empty for the provider as a whole, its account.
	Country string
	// Open stays true until a text has gone through, Until is when one is tried, and Reason why.
	Open   bool
	Until  time.Time
	Reason string
}

// way is a provider, or with a country the provider's way there.
type way struct{ provider, country string }

// breakers are those of all ways, in the memory of this process: what a provider refuses to one
// replica the others find out by a text each. It is safe for concurrent use.
type breakers struct {
	now      func() time.Time
	onChange func(Standing)

	mu  sync.Mutex
	all map[way]*breaker // a country's is made when it is first met
}

func newBreakers(providers []string, now func() time.Time, onChange func(Standing)) *breakers {
	b := &breakers{now: now, onChange: onChange, all: make(map[way]*breaker)}
	for _, name := range providers {
		b.all[way{provider: name}] = &breaker{}
	}
	return b
}

// passes lets one text through both of a provider's breakers.
type passes struct{ account, country *pass }

// enter lets a text to country through, or names the rule that keeps it back. An insider was asked for from a
// place that is trusted for its number.
func (b *breakers) enter(provider, country string, insider bool) (p passes, kept rule.Name) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	account, there := b.all[way{provider: provider}], b.all[way{provider, country}]
	switch {
	case account.refuses(now):
		return passes{}, rule.ProviderOutage
	case country != "" && there != nil && there.refuses(now) && !there.admits(insider):
		return passes{}, rule.ProviderCountry
	}
	through := account.enter()
	p.account = &through
	if country != "" {
		over := b.of(way{provider, country}).enter()
		p.country = &over
	}
	return p, ""
}

// of needs b.mu.
func (b *breakers) of(w way) *breaker {
	if b.all[w] == nil {
		b.all[w] = &breaker{}
	}
	return b.all[w]
}

// done hears what came of a text that was let through.
func (b *breakers) done(provider, country string, to phone.Number, p passes, account, there verdict, reason string) {
	b.mu.Lock()
	now := b.now()
	var changes []Standing
	if w := (way{provider: provider}); b.all[w].done(*p.account, account, ofAccount(account, to), reason, now) {
		changes = append(changes, standing(w, b.all[w]))
	}
	if p.country != nil {
		if w := (way{provider, country}); b.all[w].done(*p.country, there, to, reason, now) {
			changes = append(changes, standing(w, b.all[w]))
		}
	}
	b.mu.Unlock()
	b.tell(changes)
}

// ofAccount is the number as an account's breaker counts it: what is certain opens it whatever the number.
func ofAccount(v verdict, to phone.Number) phone.Number {
	if v == broken {
		return phone.Number{}
	}
	return to
}

// trip opens the breaker of w, if w is known, for news of a text that went earlier.
func (b *breakers) trip(w way, to phone.Number, reason string) {
	b.mu.Lock()
	var changes []Standing
	if b.all[way{provider: w.provider}] != nil && b.of(w).trip(to, reason, b.now()) {
		changes = append(changes, standing(w, b.all[w]))
	}
	b.mu.Unlock()
	b.tell(changes)
}

func (b *breakers) tell(changes []Standing) {
	for _, s := range changes {
		b.onChange(s)
	}
}

// refusing returns the standing of the provider's account if no text may go to it now.
func (b *breakers) refusing(provider string) (s Standing, refuses bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := way{provider: provider}
	return standing(w, b.all[w]), b.all[w].refuses(b.now())
}

// standings returns those of all ways that have been taken, sorted.
func (b *breakers) standings() []Standing {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]Standing, 0, len(b.all))
	for w, each := range b.all {
		all = append(all, standing(w, each))
	}
	slices.SortFunc(all, func(x, y Standing) int {
		return cmp.Or(cmp.Compare(x.Provider, y.Provider), cmp.Compare(x.Country, y.Country))
	})
	return all
}

func standing(w way, b *breaker) Standing {
	return Standing{Provider: w.provider, Country: w.country, Open: b.open, Until: b.until, Reason: b.reason}
}
