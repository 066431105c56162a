package config

import (
	"cmp"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/tier"
)

// Defaults returns the settings of serve before any layer. What has no safe default is not set:
// the issuer, the secret key, the stores, Twilio and the clients.
func Defaults() Config {
	return Config{
		Listen:   ":8080",
		Admin:    Listener{Listen: "127.0.0.1:8081"},
		Ops:      Listener{Listen: "127.0.0.1:8082"},
		Database: Database{MaxOpenConns: 20, Pooler: "none", AutoMigrate: true},
		Redis:    Redis{KeyPrefix: "latchkey:"},
		Codes: Codes{
			Lifetime: 5 * time.Minute, ResendGap: 30 * time.Second,
			GuessesPerSource: 5, Guesses: 10, StrictGuessesPerSource: 2, StrictGuesses: 4,
		},
		Limits: defaultLimits(),
		Sessions: Sessions{
			IdleLifetime: 30 * 24 * time.Hour, AbsoluteLifetime: 90 * 24 * time.Hour, RepeatWindow: 30 * time.Second, LateRepeats: 3,
			RaiseWithin: 7 * 24 * time.Hour, PerPerson: 20, SweepInterval: 10 * time.Second, SweepBatch: 5000,
		},
		StatusList: StatusList{Enabled: true, TTL: 15 * time.Second},
		Keys: Keys{
			RotateEvery: 30 * 24 * time.Hour, PublishBefore: 24 * time.Hour, KeepAfter: time.Hour, VerifierWindow: 7 * 24 * time.Hour,
			Wrapping: Wrapping{Timeout: 3 * time.Second}, FormerWrapping: Wrapping{Timeout: 3 * time.Second},
		},

		SMS:   defaultSMS(),
		HR:    HR{MaxLeaversPercent: 10, MaxLeaversFloor: 5},
		Tiers: []Tier{defaultTier(tier.Employee), defaultTier(tier.Anonymous)},
		Log:   Log{Level: "info", Format: "json"},

		ShutdownTimeout: 30 * time.Second,
	}
}

// defaultScopes are those that a tier allows unless it lists its own: what the SDKs ask for.
// phone_number is a scope of old apps (wire contract 5).
func defaultScopes() []string {
	return []string{"openid", "profile", "email", "phone", "phone_number", "offline_access"}
}

func defaultTier(name string) Tier {
	return Tier{
		Name:                name,
		Permissions:         []string{},
		Scopes:              defaultScopes(),
		AccessTokenLifetime: tier.DefaultAccessTokenLifetime,
		IDTokenLifetime:     tier.DefaultIDTokenLifetime,
	}
}

// defaultLimits are the numbers of security requirements C4, T1 to T4, T9 and M3.
func defaultLimits() Limits {
	return Limits{
		Number: NumberLimit{
			GuessesPerSourceDay: 5, GuessesPerDay: 20, GuessesAlarm: 10, GuessesInARow: 100, ForgetRow: 90 * 24 * time.Hour,
			TextsPerSourceHour: 3, TextsPerSourceDay: 5, TextsPerHour: 6, TextsPerDay: 12, TextsKept: 3,
		},
		Source: SourceLimit{
			GuessesPerHour: 30, NumbersPerHour: 15, StartsPerTenMinutes: 20, StartsPerHour: 60, NetworkFactor: 4,
			CompanyGuessesPerHour: 300,
		},
		All:         AllLimit{GuessesPerHour: 100, GuessesPercent: millionths / 2, ClosedFactor: 3},
		TrustFor:    30 * 24 * time.Hour,
		NoticeAfter: 5,
	}
}

// twilioName is what sms.order and routes call the account in sms.twilio.
const twilioName = "twilio"

// How long providers are waited for (X1).
const providerTimeout = 5 * time.Second

// defaultSMS are the numbers of security requirements M1 and M4 to M7.
func defaultSMS() SMS {
	return SMS{
		// An office of 5,000 that comes to work within a minute: 20 workers send 66 texts a second to a provider
		// who takes 300 ms, and the rest waits for some seconds.
		Brand: "Latchkey", QueueSize: 10_000, Workers: 20,
		Twilio: Twilio{Timeout: providerTimeout}, Order: []string{twilioName},
		Recipients: RecipientsAnyone, Language: "en",
		Strangers: Strangers{PerHour: 20, PerDay: 100, PerBlockHour: 10, VolumePercent: 50},
		Volume: Volume{
			PerCountryDay: 30, PerCountryDayPerson: 3, PerMinute: 60, PerMinutePercent: 5, PerDay: 200, PerDayPerson: 3,
		},
		Money: Money{
			Currency: pricesCurrency, Price: 60_000, Prices: defaultPrices(), PerDayFloor: 20 * millionths, PerDayPerson: millionths / 5,
		},
		Conversion:  Conversion{Sample: 50, Percent: 25, Pause: time.Hour},
		KeepRecords: 90 * 24 * time.Hour,
	}
}

// complete fills in what providers, tiers and clients leave out; an empty list is not left out.
func (c *Config) complete() {
	c.completeCodes()
	c.completePrices()
	c.completeProviders()
	for i, t := range c.Tiers {
		usual := defaultTier(t.Name)
		c.Tiers[i].Permissions = orList(t.Permissions, usual.Permissions)
		c.Tiers[i].Scopes = orList(t.Scopes, usual.Scopes)
		if t.AccessTokenLifetime == 0 {
			c.Tiers[i].AccessTokenLifetime = usual.AccessTokenLifetime
		}
		if t.IDTokenLifetime == 0 {
			c.Tiers[i].IDTokenLifetime = usual.IDTokenLifetime
		}
	}
	for id, client := range c.Clients {
		client.Grants = orList(client.Grants, []string{GrantPasswordless})
		if client.Name == "" {
			client.Name = id
		}
		if client.Algorithm == "" {
			client.Algorithm = "RS256"
		}
		c.Clients[id] = client
	}
}

// completeCodes keeps the strict numbers that nobody has set below those that somebody has.
func (c *Config) completeCodes() {
	at := path{"codes"}
	if c.origins.of(at.key("strict_guesses_per_source")).IsZero() {
		c.Codes.StrictGuessesPerSource = min(c.Codes.StrictGuessesPerSource, c.Codes.GuessesPerSource)
	}
	if c.origins.of(at.key("strict_guesses")).IsZero() {
		c.Codes.StrictGuesses = min(c.Codes.StrictGuesses, c.Codes.Guesses)
	}
}

// completePrices takes our own price list away from an operator who counts in another currency.
func (c *Config) completePrices() {
	if c.SMS.Money.Currency == pricesCurrency {
		return
	}
	at := path{"sms", "money", "prices"}
	for country := range defaultPrices() {
		if c.origins.of(at.key(country)).IsZero() {
			delete(c.SMS.Money.Prices, country)
		}
	}
}

func (c *Config) completeProviders() {
	for name, p := range c.SMS.Providers {
		switch p.Type {
		case ProviderTwilio:
			p.Twilio.Timeout = cmp.Or(p.Twilio.Timeout, providerTimeout)
		case ProviderHTTP:
			p.HTTP.Method = cmp.Or(p.HTTP.Method, "POST")
			p.HTTP.Timeout = cmp.Or(p.HTTP.Timeout, providerTimeout)
			p.HTTP.ContentType = cmp.Or(p.HTTP.ContentType, "application/json")
		}
		c.SMS.Providers[name] = p
	}
}

func orList(given, usual []string) []string {
	if given == nil {
		return slices.Clone(usual)
	}
	return given
}
