package config

import (
	"net/netip"
	"time"
)

// Config is everything that an operator can set. The yaml tag is the key; the path of keys, in
// capitals with "_", behind LATCHKEY_ is the environment variable. Durations are written as Go
// writes them ("15m", "24h"). A Secret can also be read from a file, by the key with _file behind
// it. configs/latchkey.example.yaml documents each key with its default.
type Config struct {
	Issuer         string         `yaml:"issuer"`
	Listen         string         `yaml:"listen"`
	TLS            TLS            `yaml:"tls"`
	Admin          Listener       `yaml:"admin"`
	Ops            Listener       `yaml:"ops"`
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// SecretKey is the master secret: 32 random bytes in base64 or hex. Codes, refresh
	// tokens, and the encryption of signing keys at rest, hang on keys derived from it.
	SecretKey Secret   `yaml:"secret_key"`
	Database  Database `yaml:"database"`
	Redis     Redis    `yaml:"redis"`
	Phone     Phone    `yaml:"phone"`
	Codes     Codes    `yaml:"codes"`
	Sessions  Sessions `yaml:"sessions"`
	// StatusList is how services that never call us hear of revoked tokens.
	StatusList StatusList `yaml:"status_list"`
	Keys       Keys       `yaml:"keys"`
	SMS        SMS        `yaml:"sms"`
	HR         HR         `yaml:"hr"`
	// Tiers are ordered: the first rule that matches wins.
	Tiers   []Tier            `yaml:"tiers"`
	Clients map[string]Client `yaml:"clients"`
	CORS    CORS              `yaml:"cors"`
	// ShutdownTimeout is how long a stop waits for requests and queued texts.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
	Log             Log           `yaml:"log"`

	origins origins
}

// TLS is the public listener's certificate; both empty means that a proxy ends TLS.
type TLS struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// Listener is an address, host:port.
type Listener struct {
	Listen string `yaml:"listen"`
}

// Database is the record: postgres://… or sqlite:PATH.
type Database struct {
	URL          Secret `yaml:"url"`
	MaxOpenConns int    `yaml:"max_open_conns"`
	// Pooler is "none", or "transaction" behind PgBouncer in transaction mode.
	Pooler string `yaml:"pooler"`
	// AutoMigrate lets serve apply pending migrations, under a lock, before it starts.
	AutoMigrate bool `yaml:"auto_migrate"`
}

// Redis keeps what expires. URL is redis://, rediss://, redis+cluster:// or redis+sentinel://.
type Redis struct {
	URL       Secret `yaml:"url"`
	KeyPrefix string `yaml:"key_prefix"`
}

// Phone is how numbers are read.
type Phone struct {
	DefaultRegion  string `yaml:"default_region"`
	AllowFictional bool   `yaml:"allow_fictional"`
}

// Codes are one-time codes.
type Codes struct {
	Lifetime         time.Duration `yaml:"lifetime"`
	ResendGap        time.Duration `yaml:"resend_gap"`
	GuessesPerSource int           `yaml:"guesses_per_source"`
	Guesses          int           `yaml:"guesses"`
}

// Sessions are what keeps people signed in.
type Sessions struct {
	// IdleLifetime ends a session that was not refreshed for so long, AbsoluteLifetime one whose
	// sign-in is so long ago; 0 means no absolute end.
	IdleLifetime     time.Duration `yaml:"idle_lifetime"`
	AbsoluteLifetime time.Duration `yaml:"absolute_lifetime"`
	// RepeatWindow is for how long a refresh may be repeated without being counted, LateRepeats how
	// many generations running may not be asked for again later than that.
	RepeatWindow time.Duration `yaml:"repeat_window"`
	LateRepeats  int           `yaml:"late_repeats"`
	// RaiseWithin is for how long after the sign-in a refresh may make a waiting person an employee.
	RaiseWithin time.Duration `yaml:"raise_within"`
	PerPerson   int           `yaml:"per_person"`
	// SweepInterval and SweepBatch are how often how many sessions are looked at, to delete those
	// that are over.
	SweepInterval time.Duration `yaml:"sweep_interval"`
	SweepBatch    int           `yaml:"sweep_batch"`
}

// StatusList is the token status list (draft-ietf-oauth-status-list).
type StatusList struct {
	// Enabled puts the status claim into access tokens.
	Enabled bool `yaml:"enabled"`
	// TTL is how long a list may be held before it is fetched again.
	TTL time.Duration `yaml:"ttl"`
}

// Keys is the life of the keys that sign tokens.
type Keys struct {
	// RotateEvery is how long a key signs; 0 means until an operator rotates.
	RotateEvery time.Duration `yaml:"rotate_every"`
	// PublishBefore is how long a key is in the JWKS before it signs, KeepAfter how long it stays
	// there after its last token has expired.
	PublishBefore time.Duration `yaml:"publish_before"`
	KeepAfter     time.Duration `yaml:"keep_after"`
	// VerifierWindow is how long after its last fetch a verifier that lacks the next key still
	// stands in the way of a rotation by hand.
	VerifierWindow time.Duration `yaml:"verifier_window"`
	// Wrapping encrypts private keys at rest; what FormerWrapping has encrypted can be read too.
	Wrapping       Wrapping `yaml:"wrapping"`
	FormerWrapping Wrapping `yaml:"former_wrapping"`
	// Rehearsal lifts the floors of the durations above, for a copy that no real verifier trusts.
	Rehearsal bool `yaml:"rehearsal"`
}

// Wrapping is a key of ours, 32 bytes, or the URL of a key-management service; with neither it is
// derived from the secret key.
type Wrapping struct {
	Key     Secret        `yaml:"key"`
	URL     string        `yaml:"url"`
	Timeout time.Duration `yaml:"timeout"`
}

// SMS is how texts are sent.
type SMS struct {
	// Brand is the name in the text: "123456 is your Latchkey code."
	Brand     string `yaml:"brand"`
	QueueSize int    `yaml:"queue_size"`
	Workers   int    `yaml:"workers"`
	Twilio    Twilio `yaml:"twilio"`
}

// Twilio is the SMS provider.
type Twilio struct {
	BaseURL             string        `yaml:"base_url"`
	AccountSID          string        `yaml:"account_sid"`
	APIKeySID           string        `yaml:"api_key_sid"`
	APIKeySecret        Secret        `yaml:"api_key_secret"`
	MessagingServiceSID string        `yaml:"messaging_service_sid"`
	From                string        `yaml:"from"`
	Timeout             time.Duration `yaml:"timeout"`
}

// HR guards what an import may do.
type HR struct {
	// MaxLeaversPercent of a source's people may leave, and as many change their number, in one
	// import without --yes, but always as many as MaxLeaversFloor less one.
	MaxLeaversPercent int `yaml:"max_leavers_percent"`
	MaxLeaversFloor   int `yaml:"max_leavers_floor"`
}

// Tier is one access tier and the rule that leads to it.
type Tier struct {
	Name                string              `yaml:"name"`
	When                map[string][]string `yaml:"when"`
	Permissions         []string            `yaml:"permissions"`
	Scopes              []string            `yaml:"scopes"`
	AccessTokenLifetime time.Duration       `yaml:"access_token_lifetime"`
	IDTokenLifetime     time.Duration       `yaml:"id_token_lifetime"`
}

// Client is an application; its id is its key under clients.
type Client struct {
	Name string `yaml:"name"`
	// Secret makes the client confidential.
	Secret Secret `yaml:"secret"`
	// Grants: "passwordless", and "legacy_ro" for /oauth/ro.
	Grants []string `yaml:"grants"`
	// Audiences that the client may ask tokens for.
	Audiences []string `yaml:"audiences"`
	// Scopes that the client may ask for; empty means every scope that tiers allow.
	Scopes []string `yaml:"scopes"`
	// Tiers whose people may sign in to this client; empty means all.
	Tiers []string `yaml:"tiers"`
	// Origins of browser apps, for CORS: "https://app.example.com".
	Origins []string `yaml:"origins"`
	// Algorithm signs the client's tokens: RS256, ES256 or EdDSA.
	Algorithm string `yaml:"algorithm"`
}

// CORS is for the origins that no client has registered.
type CORS struct {
	// AllowLoopback lets pages on localhost, 127.0.0.1 and [::1], any port, call the API.
	AllowLoopback bool `yaml:"allow_loopback"`
}

// Log is what goes to standard error.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}
