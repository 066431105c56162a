package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The types of sms.providers.
const (
	ProviderTwilio = "twilio"
	ProviderHTTP   = "http"
)

// operatorName is how operators may call providers, routes and reviewers: names that fit a metric's label.
var operatorName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)

func (v *validator) operatorName(at path, name string) {
	if !operatorName.MatchString(name) {
		v.fail(at, "want a name of 1 to 32 letters, digits, _ and -, that begins with a letter or digit")
	}
}

// providers checks who sends texts, and in which order they are tried.
func (v *validator) providers() {
	at := path{"sms"}
	names := slices.Sorted(maps.Keys(v.SMS.Providers))
	for _, name := range names {
		v.operatorName(at.key("providers").key(name), name)
		v.provider(at.key("providers").key(name), name, v.SMS.Providers[name])
	}
	// In dev, whose texts go nowhere, sms.twilio may be missing.
	if t := v.SMS.Twilio; v.mode == Serve && (len(names) == 0 || t.given()) {
		v.twilio(at.key("twilio"), t)
		names = append(names, twilioName)
	} else if v.mode == Dev {
		names = append(names, twilioName)
	}
	v.inOrder(at.key("order"), v.SMS.Order, names)
	v.routes(at.key("routes"), names)
}

// given reports whether any key of an account is set that has no default.
func (t Twilio) given() bool {
	t.Timeout = 0
	return !isEmpty(reflect.ValueOf(t))
}

// inOrder checks a list of providers. Who has none of the kind has one problem, not two.
func (v *validator) inOrder(at path, order, names []string) {
	if len(order) == 0 {
		v.fail(at, "want at least one of %s", strings.Join(names, ", "))
	}
	v.known(at, order, names...)
}

func (v *validator) provider(at path, name string, p Provider) {
	if name == twilioName {
		v.fail(at, "the name is that of sms.twilio: choose another")
	}
	switch p.Type {
	case ProviderTwilio:
		if !isEmpty(reflect.ValueOf(p.HTTP)) {
			v.fail(at.key("http"), "set for a provider of type twilio: want the keys under twilio only")
		}
		v.twilio(at.key("twilio"), p.Twilio)
	case ProviderHTTP:
		if !isEmpty(reflect.ValueOf(p.Twilio)) {
			v.fail(at.key("twilio"), "set for a provider of type http: want the keys under http only")
		}
		v.gateway(at.key("http"), p.HTTP)
	default:
		v.oneOf(at.key("type"), p.Type, ProviderTwilio, ProviderHTTP)
	}
}

// gateway checks what the gateway itself, asked as a part, cannot know.
func (v *validator) gateway(at path, g Gateway) {
	between(v, at.key("timeout"), g.Timeout, time.Second, 10*time.Second)
	if g.URL == "" {
		v.fail(at.key("url"), "required: the address that takes texts")
	}
	if g.Body == "" {
		v.fail(at.key("body"), `required: what is sent there, such as {"to": "{to}", "text": "{body}"}`)
	}
}

func (v *validator) twilio(at path, t Twilio) {
	between(v, at.key("timeout"), t.Timeout, time.Second, 10*time.Second)
	if t.BaseURL != "" {
		v.webURL(at.key("base_url"), t.BaseURL)
	}
	if t.AccountSID == "" {
		v.fail(at.key("account_sid"), "required: the account's id, AC…, from the Twilio console")
	}
	if t.APIKeySID == "" {
		v.fail(at.key("api_key_sid"), "required: the id, SK…, of a restricted API key")
	}
	if t.APIKeySecret.IsZero() {
		v.fail(at.key("api_key_secret"), "required: the secret of the API key")
	}
	switch {
	case t.MessagingServiceSID == "" && t.From == "":
		v.fail(at.key("messaging_service_sid"), "required: a messaging service, MG…, or a number in %s.from", at)
	case t.MessagingServiceSID != "" && t.From != "":
		v.fail(at.key("from"), "set beside messaging_service_sid: want one of the two")
	}
	for _, country := range slices.Sorted(maps.Keys(t.Senders)) {
		v.country(at.key("senders").key(country), country)
		if t.Senders[country] == "" {
			v.fail(at.key("senders").key(country), "is empty: give the sender, or remove the key")
		}
	}
	v.callbacks(at, t)
}

var dialPrefix = regexp.MustCompile(`^\+[1-9][0-9]{0,14}$`)

// routes checks orders for some destinations: no two may be for the same.
func (v *validator) routes(at path, providers []string) {
	owner := map[string]path{}
	claim := func(at path, destination string) {
		if other, taken := owner[destination]; taken {
			v.fail(at, "also in %s: which order would count?", other)
			return
		}
		owner[destination] = at
	}
	for _, name := range slices.Sorted(maps.Keys(v.SMS.Routes)) {
		at, route := at.key(name), v.SMS.Routes[name]
		v.operatorName(at, name)
		if len(route.Prefixes)+len(route.Countries) == 0 {
			v.fail(at, "for no destination: want prefixes such as [+44], or countries such as [GB]")
		}
		for i, prefix := range route.Prefixes {
			if !dialPrefix.MatchString(prefix) {
				v.fail(at.key("prefixes").index(i), "want + and the first digits of numbers, such as +44 or +1787")
			}
			claim(at.key("prefixes").index(i), prefix)
		}
		for i, country := range route.Countries {
			v.country(at.key("countries").index(i), country)
			claim(at.key("countries").index(i), country)
		}
		v.inOrder(at.key("providers"), route.Providers, providers)
	}
}
