package sms

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// RouterOptions say how a Router works. The zero value of each field has a meaning.
type RouterOptions struct {
	// Now is the clock; default time.Now.
	Now func() time.Time
	// OnChange hears of each breaker that opens, stays open after a trial, or closes. Calls are
	// concurrent and may overtake each other: for the state as it is ask Standings.
	OnChange func(Standing)
}

// Router is a Sender that picks the provider by destination, goes to the next one when a provider
// surely did not send, and leaves those alone that do not work (security requirements M9, X1). One Send
// asks each provider at most once. It is safe for concurrent use.
type Router struct {
	providers map[string]Sender
	routes    *routes
	opts      RouterOptions
	breakers  *breakers
}

// NewRouter returns every mistake in the routes at once. fallback is the order for numbers that no
// route names. Providers' names stand in metrics, logs and the record of texts.
func NewRouter(providers map[string]Sender, all []Route, fallback []string, opts RouterOptions) (*Router, error) {
	r, err := newRoutes(providers, all, fallback)
	if err != nil {
		return nil, err
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.OnChange == nil {
		opts.OnChange = func(Standing) {}
	}
	names := slices.Sorted(maps.Keys(providers))
	return &Router{
		providers: maps.Clone(providers), routes: r, opts: opts,
		breakers: newBreakers(names, opts.Now, opts.OnChange),
	}, nil
}

// Send hands m to the first provider of its route that takes it. The next one is asked only after a
// definite failure that it may not share, and only while m is of use. The error is that of the last
// provider asked; a text that met only open breakers is Withheld.
func (r *Router) Send(ctx context.Context, m Message) (Receipt, error) {
	left := m.ValidUntil.Sub(r.opts.Now())
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	country := m.Country
	if country == "" {
		country = m.To.Country()
	}
	var last *Error
	kept := rule.ProviderOutage
	for _, name := range r.routes.order(m.To, country) {
		if !r.opts.Now().Before(m.ValidUntil) || last != nil && ctx.Err() != nil {
			break
		}
		p, by := r.breakers.enter(name, country, m.Trusted || m.Listed)
		if by != "" {
			if by == rule.ProviderCountry {
				kept = by // some account works
			}
			continue
		}
		receipt, e := r.attempt(ctx, name, country, p, m)
		if e == nil {
			return receipt, nil
		}
		e.Final = last != nil
		last = e
		if !curable(e) {
			break
		}
	}
	switch {
	case last != nil:
		return Receipt{}, last
	case left <= 0:
		return Receipt{}, &Error{Class: Late, Reason: "its code was over before it could be sent"}
	default:
		return Receipt{}, &Error{Class: Withheld, Rule: kept, Reason: kept.Explain()}
	}
}

// attempt asks one provider, and its breakers hear what came of it, also when the provider panics. The
// error is a copy.
func (r *Router) attempt(ctx context.Context, name, country string, p passes, m Message) (Receipt, *Error) {
	e := &Error{Class: UnknownOutcome, Reason: "the sender panicked"}
	defer func() {
		account, there := judge(e)
		if ctx.Err() != nil && (account == fails || there == fails) {
			account, there = silent, silent // it was we who gave up
		}
		reason := ""
		if e != nil {
			reason = e.Reason
		}
		r.breakers.done(name, country, m.To, p, account, there, reason)
	}()
	receipt, err := r.providers[name].Send(ctx, m)
	e = asError(err)
	if e == nil {
		receipt.Provider = name
		return receipt, nil
	}
	e.Provider = name
	return Receipt{}, e
}

// asError returns a copy of the *Error in err, nil for none.
func asError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		known := *e
		return &known
	}
	// Not what Sender promises, so nothing is known; the text of such an error may hold a number.
	return &Error{Class: UnknownOutcome, Reason: fmt.Sprintf("the sender returned a %T", err)}
}

// OutageError says that no text can go by the default order.
type OutageError struct {
	// Until is when the first provider is tried again. It may have just gone by.
	Until time.Time
	// Reason is in our words.
	Reason string
}

func (e *OutageError) Error() string {
	return fmt.Sprintf("sms: no provider takes texts until %s: %s", e.Until.UTC().Format(time.RFC3339), e.Reason)
}

// Available is nil unless the account of every provider in the default order is refusing texts; then
// it is an *OutageError. It says nothing of numbers or countries, so that it may be answered to anybody
// (security requirement U4).
func (r *Router) Available() error {
	var first Standing
	for _, name := range r.routes.fallback {
		s, refuses := r.breakers.refusing(name)
		if !refuses {
			return nil
		}
		if first.Provider == "" || s.Until.Before(first.Until) {
			first = s
		}
	}
	return &OutageError{Until: first.Until, Reason: first.Provider + ": " + first.Reason}
}

// Report hears from a provider what came of a text to country. News that its account or its way to the
// country is shut opens the breaker; any other is no matter of the router's. Each piece of news is to be
// told once: a repeated one would open the breaker again.
func (r *Router) Report(d Delivery, country string) {
	if d.Class != OurConfig {
		return
	}
	reason := fmt.Sprintf("reported after it was accepted (code %d)", d.Code)
	switch {
	case d.Account:
		r.breakers.trip(way{provider: d.Provider}, phone.Number{}, reason)
	case country != "":
		r.breakers.trip(way{d.Provider, country}, d.To, reason)
	}
}

// Standings returns how all breakers stand that a text has met, sorted by provider and country.
func (r *Router) Standings() []Standing { return r.breakers.standings() }
