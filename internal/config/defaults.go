package config

import (
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
		Codes:    Codes{Lifetime: 5 * time.Minute, ResendGap: 30 * time.Second, GuessesPerSource: 5, Guesses: 10},
		Sessions: Sessions{
			IdleLifetime: 30 * 24 * time.Hour, AbsoluteLifetime: 90 * 24 * time.Hour, RepeatWindow: 30 * time.Second, LateRepeats: 3,
			RaiseWithin: 7 * 24 * time.Hour, PerPerson: 20, SweepInterval: 10 * time.Second, SweepBatch: 5000,
		},
		StatusList: StatusList{Enabled: true, TTL: 15 * time.Second},
		Keys: Keys{
			RotateEvery: 30 * 24 * time.Hour, PublishBefore: 24 * time.Hour, KeepAfter: time.Hour, VerifierWindow: 7 * 24 * time.Hour,
			Wrapping: Wrapping{Timeout: 3 * time.Second}, FormerWrapping: Wrapping{Timeout: 3 * time.Second},
		},

		SMS:   SMS{Brand: "Latchkey", QueueSize: 1000, Workers: 8, Twilio: Twilio{Timeout: 5 * time.Second}},
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

// complete fills in what tiers and clients leave out; an empty list is not left out.
func (c *Config) complete() {
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

func orList(given, usual []string) []string {
	if given == nil {
		return slices.Clone(usual)
	}
	return given
}
