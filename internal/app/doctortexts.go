package app

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/account"
	"github.com/latchkey-id/latchkey/internal/sms/twilio"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

// providers asks each account at Twilio; of other providers nothing can be asked without a text.
func (x *examination) providers(ctx context.Context) {
	ways, err := newProviders(x.config)
	if err != nil {
		x.say("texts", failed, "%v", err)
		return
	}
	defer ways.close()
	for _, name := range slices.Sorted(maps.Keys(ways.senders)) {
		if account, ok := ways.accounts[name]; ok {
			x.twilio(ctx, name, account)
			continue
		}
		x.say(name, fine, "not asked, as only a text would tell: latchkey sms test --provider %s", name)
	}
	for _, name := range slices.Sorted(maps.Keys(ways.accounts)) {
		settings, account := "sms.twilio", x.config.SMS.Twilio
		if name != mainProvider {
			settings, account = "sms.providers."+name+".twilio", x.config.SMS.Providers[name].Twilio
		}
		if account.AuthToken.IsZero() {
			x.say(name+" news", warning, "off: set %s.auth_token, and texts that never arrive are seen", settings)
		}
	}
}

func (x *examination) twilio(ctx context.Context, name string, sender *twilio.Sender) {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	if err := sender.Check(ctx); err != nil {
		x.say(name, failed, "%v", err)
		return
	}
	x.say(name, fine, "the API answers and takes the credentials; nothing was sent")
	x.countries(ctx, name, sender)
}

// countries compares those that texts may go to with Twilio's geo permissions (M2).
func (x *examination) countries(ctx context.Context, name string, sender *twilio.Sender) {
	check := name + " countries"
	theirs, err := sender.Countries(ctx)
	switch {
	case errors.Is(err, twilio.ErrMayNotRead):
		x.say(check, fine, "not compared: the API key may not read geo permissions, which is as it should be for a restricted one")
		return
	case err != nil:
		x.say(check, warning, "not compared: %v", err)
		return
	}
	ours := x.allowed(ctx)
	if len(ours) == 0 {
		x.say(check, warning, "texts go nowhere yet: let HR's list enter people (latchkey hr import), or set sms.countries")
		return
	}
	var shut, open []string
	for _, country := range ours {
		if !slices.Contains(theirs, country) {
			shut = append(shut, country)
		}
	}
	for _, country := range theirs {
		if !slices.Contains(ours, country) {
			open = append(open, country)
		}
	}
	switch {
	case len(shut) > 0:
		x.say(check, failed, "people in %s get no codes: Twilio's geo permissions shut them out: allow them in Twilio's console", strings.Join(shut, ", "))
	case len(open) > 0:
		x.say(check, warning, "Twilio's geo permissions also allow %s, to which Latchkey sends nothing: switch them off there, "+
			"so that a stolen key is of no use for them", some(open))
	default:
		x.say(check, fine, "Twilio's geo permissions are the same: %s", some(ours))
	}
}

// allowed are the countries that texts may go to.
func (x *examination) allowed(ctx context.Context) []string {
	if len(x.config.SMS.Countries) > 0 {
		return x.config.SMS.Countries
	}
	store, err := openStore(x.config, nil)
	if err != nil {
		return nil
	}
	defer func() { _ = store.Close() }()
	_, people, err := store.PeopleByCountry(ctx, country)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(people))
}

// some names the first few.
func some(countries []string) string {
	const most = 12
	if len(countries) > most {
		return strings.Join(countries[:most], ", ") + ", …"
	}
	return strings.Join(countries, ", ")
}

// reviewers looks for agreed codes at people's numbers, where they do not work (C11).
func (x *examination) reviewers(ctx context.Context, store *sql.Store) {
	for _, name := range slices.Sorted(maps.Keys(x.config.Reviewers)) {
		number, err := newParser(x.config).Parse(x.config.Reviewers[name].Phone)
		if err != nil {
			continue
		}
		found, err := store.WhoIsBehind(ctx, account.Identity{Method: account.Reviewer, Identifier: number.E164()})
		switch {
		case err != nil:
			x.say("reviewer "+name, failed, "%v", err)
		case len(found.Users) > 0:
			x.say("reviewer "+name, failed, "HR has given its number to a person: no code works for the reviewer. Use another number.")
		default:
			x.say("reviewer "+name, fine, "the number is nobody's")
		}
	}
}
