package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/ops"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/gateway"
	"github.com/latchkey-id/latchkey/internal/sms/twilio"
	"github.com/latchkey-id/latchkey/internal/webhook"
)

// mainProvider is what sms.twilio is called in routes, metrics and reports.
const mainProvider = "twilio"

// providers are the ways to send texts, in the order of their settings.
type providers struct {
	senders map[string]sms.Sender
	// accounts are those at Twilio, for doctor.
	accounts map[string]*twilio.Sender
	closers  []func()
}

// newProviders builds a sender for each provider of the settings; every mistake is reported at once. Close
// them when done.
func newProviders(c config.Config) (*providers, error) {
	p := &providers{senders: map[string]sms.Sender{}, accounts: map[string]*twilio.Sender{}}
	var errs []error
	if c.SMS.Twilio.AccountSID != "" {
		errs = append(errs, p.addTwilio(c, mainProvider, "sms.twilio", c.SMS.Twilio))
	}
	for _, name := range slices.Sorted(maps.Keys(c.SMS.Providers)) {
		each, at := c.SMS.Providers[name], "sms.providers."+name
		switch each.Type { // of no other type, which is a mistake by itself
		case config.ProviderTwilio:
			errs = append(errs, p.addTwilio(c, name, at+".twilio", each.Twilio))
		case config.ProviderHTTP:
			errs = append(errs, p.addGateway(name, at+".http", each.HTTP))
		}
	}
	return p, errors.Join(errs...)
}

func (p *providers) close() {
	for _, each := range p.closers {
		each()
	}
}

func (p *providers) addTwilio(c config.Config, name, at string, t config.Twilio) error {
	callback := ""
	if !t.AuthToken.IsZero() {
		callback = webhookURL(c)
	}
	sender, err := twilio.New(twilio.Options{
		Name: name, Path: at,
		BaseURL: t.BaseURL, AccountSID: t.AccountSID, APIKeySID: t.APIKeySID, APIKeySecret: t.APIKeySecret.Reveal(),
		MessagingServiceSID: t.MessagingServiceSID, From: t.From, Senders: t.Senders, StatusCallback: callback, Timeout: t.Timeout,
	})
	if err != nil {
		return err
	}
	p.senders[name], p.accounts[name] = sender, sender
	p.closers = append(p.closers, sender.Close)
	return nil
}

// webhookURL is where Twilio tells what became of texts: the address that it signs, too.
func webhookURL(c config.Config) string {
	return strings.TrimSuffix(c.Issuer, "/") + webhook.TwilioPath
}

// newRouter picks a provider for each text.
func newRouter(c config.Config, senders map[string]sms.Sender, log *slog.Logger, onChange func(sms.Standing)) (*sms.Router, error) {
	var routes []sms.Route
	for _, name := range slices.Sorted(maps.Keys(c.SMS.Routes)) {
		r := c.SMS.Routes[name]
		routes = append(routes, sms.Route{Path: "sms.routes." + name, Prefixes: r.Prefixes, Countries: r.Countries, Providers: r.Providers})
	}
	return sms.NewRouter(senders, routes, c.SMS.Order, sms.RouterOptions{OnChange: func(s sms.Standing) {
		at := slog.LevelInfo
		if s.Open {
			at = slog.LevelError
		}
		log.Log(context.Background(), at, "breaker", "provider", s.Provider, "country", s.Country, "open", s.Open, "until", s.Until, "reason", s.Reason)
		onChange(s)
	}})
}

// breakers are those that are open, for metrics.
func breakers(router *sms.Router) []ops.Breaker {
	var open []ops.Breaker
	for _, s := range router.Standings() {
		if s.Open {
			open = append(open, ops.Breaker{Provider: s.Provider, Country: s.Country})
		}
	}
	return open
}

// newWebhook reads Twilio's news of texts; nil if no account has a token to check it with.
func newWebhook(c config.Config) (webhook.Reader, error) {
	var accounts []twilio.WebhookAccount
	add := func(name, at string, t config.Twilio) {
		if t.AuthToken.IsZero() {
			return
		}
		account := twilio.WebhookAccount{Name: name, Path: at, AccountSID: t.AccountSID, Tokens: []string{t.AuthToken.Reveal()}}
		if !t.FormerAuthToken.IsZero() {
			account.Tokens = append(account.Tokens, t.FormerAuthToken.Reveal())
		}
		accounts = append(accounts, account)
	}
	add(mainProvider, "sms.twilio", c.SMS.Twilio)
	for _, name := range slices.Sorted(maps.Keys(c.SMS.Providers)) {
		add(name, "sms.providers."+name+".twilio", c.SMS.Providers[name].Twilio)
	}
	if len(accounts) == 0 {
		return nil, nil
	}
	hook, err := twilio.NewWebhook(webhookURL(c), accounts)
	if err != nil {
		return nil, err
	}
	return twilioNews{hook}, nil
}

// twilioNews is the webhook as the endpoint wants it.
type twilioNews struct{ hook *twilio.Webhook }

// Read implements webhook.Reader.
func (n twilioNews) Read(rawQuery string, body []byte, header http.Header) (sms.Delivery, error) {
	d, err := n.hook.Read(rawQuery, body, header.Get("X-Twilio-Signature"), header.Get("Content-Type"))
	switch {
	case errors.Is(err, twilio.ErrForged):
		return d, fmt.Errorf("%w: %w", webhook.ErrForged, err)
	case err != nil:
		return d, fmt.Errorf("%w: %w", webhook.ErrMalformed, err)
	}
	return d, nil
}

// addGateway adds a provider that takes a text in one HTTP request.
func (p *providers) addGateway(name, at string, g config.Gateway) error {
	headers := map[string]string{}
	for header, value := range g.Headers {
		headers[header] = value.Reveal()
	}
	opts := gateway.Options{
		Name: name, Path: at, URL: g.URL, Method: g.Method, Headers: headers, ContentType: g.ContentType, Body: g.Body, From: g.From,
		SuccessStatus: g.SuccessStatus, IDField: g.IDField, Timeout: g.Timeout,
	}
	if g.SuccessField != "" || len(g.SuccessValues) > 0 {
		opts.Success = &gateway.Condition{Field: g.SuccessField, Values: g.SuccessValues}
	}
	if g.FailureField != "" || len(g.FailureValues) > 0 {
		opts.Failure = &gateway.Condition{Field: g.FailureField, Values: g.FailureValues}
	}
	sender, err := gateway.New(opts)
	if err != nil {
		return err
	}
	p.senders[name] = sender
	p.closers = append(p.closers, sender.Close)
	return nil
}

// checkGateways asks the gateways alone, for dev, which checks no account at Twilio: its texts go nowhere.
func checkGateways(c config.Config) error {
	c.SMS.Twilio, c.SMS.Providers = config.Twilio{}, maps.Clone(c.SMS.Providers)
	maps.DeleteFunc(c.SMS.Providers, func(_ string, p config.Provider) bool { return p.Type != config.ProviderHTTP })
	gateways, err := newProviders(c)
	gateways.close()
	return err
}
