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
	// CompanyNetworks are those from which many people start at once.
	CompanyNetworks []netip.Prefix `yaml:"company_networks"`
	// SecretKey is the master secret: 32 random bytes in base64 or hex. Codes, refresh
	// tokens, and the encryption of signing keys at rest, hang on keys derived from it.
	SecretKey Secret   `yaml:"secret_key"`
	Database  Database `yaml:"database"`
	Redis     Redis    `yaml:"redis"`
	Phone     Phone    `yaml:"phone"`
	Codes     Codes    `yaml:"codes"`
	Limits    Limits   `yaml:"limits"`
	Sessions  Sessions `yaml:"sessions"`
	// StatusList is how services that never call us hear of revoked tokens.
	StatusList StatusList `yaml:"status_list"`
	Keys       Keys       `yaml:"keys"`
	SMS        SMS        `yaml:"sms"`
	HR         HR         `yaml:"hr"`
	// Reviewers are people of app stores, by a name of the operator's.
	Reviewers map[string]Reviewer `yaml:"reviewers"`
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
	// The strict ones are for unknown networks while there are too many wrong guesses in all (T4).
	StrictGuessesPerSource int `yaml:"strict_guesses_per_source"`
	StrictGuesses          int `yaml:"strict_guesses"`
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
	// Providers are more of them, by a name of the operator's; sms.twilio is called "twilio".
	Providers map[string]Provider `yaml:"providers"`
	// Order is in which providers are tried; Routes are other orders for some destinations.
	Order  []string         `yaml:"order"`
	Routes map[string]Route `yaml:"routes"`
	// Recipients is "anyone", or "roster" for HR's numbers only.
	Recipients string `yaml:"recipients"`
	// Countries that texts go to; none means those in which HR's people have numbers.
	Countries []string `yaml:"countries"`
	// Language is that of people whose own is not known.
	Language  string    `yaml:"language"`
	Templates Templates `yaml:"templates"`
	Strangers Strangers `yaml:"strangers"`
	Volume    Volume    `yaml:"volume"`
	Money     Money     `yaml:"money"`
	// Conversion is when texts to strangers in a country stop because nobody uses the codes.
	Conversion Conversion `yaml:"conversion"`
	// KeepRecords is how long it is remembered what became of texts.
	KeepRecords time.Duration `yaml:"keep_records"`
}

// Templates are the operator's own wordings, by language.
type Templates struct {
	Code   map[string]string `yaml:"code"`
	Notice map[string]string `yaml:"notice"`
}

// Strangers are texts to numbers that HR does not know.
type Strangers struct {
	PerHour int `yaml:"per_hour"`
	PerDay  int `yaml:"per_day"`
	// PerBlockHour is for numbers that differ in the last four digits only.
	PerBlockHour int `yaml:"per_block_hour"`
	// VolumePercent is the part of a country's day, and of the whole day, that they may use; 0 is all of it.
	VolumePercent int `yaml:"volume_percent"`
}

// Volume is how many texts there may be, at least so many and at least so many per person; 0 and 0
// lift a limit.
type Volume struct {
	PerCountryDay       int `yaml:"per_country_day"`
	PerCountryDayPerson int `yaml:"per_country_day_person"`
	PerMinute           int `yaml:"per_minute"`
	PerMinutePercent    int `yaml:"per_minute_percent"`
	PerDay              int `yaml:"per_day"`
	PerDayPerson        int `yaml:"per_day_person"`
}

// Money is what texts cost and may cost.
type Money struct {
	Currency string `yaml:"currency"`
	// Price of a segment to a country that Prices does not have.
	Price  Decimal            `yaml:"price"`
	Prices map[string]Decimal `yaml:"prices"`
	// PerDay is the budget; 0 takes the greater of PerDayFloor and PerDayPerson for each person.
	PerDay       Decimal `yaml:"per_day"`
	PerDayFloor  Decimal `yaml:"per_day_floor"`
	PerDayPerson Decimal `yaml:"per_day_person"`
}

// Conversion is how many codes of strangers must be used.
type Conversion struct {
	Sample  int           `yaml:"sample"`
	Percent int           `yaml:"percent"`
	Pause   time.Duration `yaml:"pause"`
}

// Route is the order of providers for numbers that begin with one of Prefixes (+44, +1787) or are in one
// of Countries.
type Route struct {
	Prefixes  []string `yaml:"prefixes"`
	Countries []string `yaml:"countries"`
	Providers []string `yaml:"providers"`
}

// Provider is one more way to send texts: "twilio", with the keys of sms.twilio, or "http".
type Provider struct {
	Type   string  `yaml:"type"`
	Twilio Twilio  `yaml:"twilio"`
	HTTP   Gateway `yaml:"http"`
}

// Gateway is any provider that takes a text in one HTTP request.
type Gateway struct {
	URL    string `yaml:"url"`
	Method string `yaml:"method"`
	// Headers are all secrets: NAME_file takes one from a file.
	Headers     map[string]Secret `yaml:"headers"`
	ContentType string            `yaml:"content_type"`
	Body        string            `yaml:"body"`
	From        string            `yaml:"from"`
	// SuccessStatus are the statuses of an accepted text; none means any 2xx. SuccessField, a JSON
	// pointer (RFC 6901), must then hold one of SuccessValues; IDField holds the provider's id.
	SuccessStatus []int    `yaml:"success_status"`
	SuccessField  string   `yaml:"success_field"`
	SuccessValues []string `yaml:"success_values"`
	IDField       string   `yaml:"id_field"`
	// FailureField with one of FailureValues says, whatever the status, that the text was not sent: then
	// another provider may try.
	FailureField  string        `yaml:"failure_field"`
	FailureValues []string      `yaml:"failure_values"`
	Timeout       time.Duration `yaml:"timeout"`
}

// Limits are what may be tried (security requirements, sections 2 and 4); a 0 lifts one.
type Limits struct {
	// RecordOnly are rules that are counted and reported, but refuse nothing.
	RecordOnly []string    `yaml:"record_only"`
	Number     NumberLimit `yaml:"number"`
	Source     SourceLimit `yaml:"source"`
	All        AllLimit    `yaml:"all"`
	// TrustFor is how long a network is trusted for a number that was signed in with from there.
	TrustFor time.Duration `yaml:"trust_for"`
	// NoticeAfter is after how many wrong guesses a person is told of the success that follows.
	NoticeAfter int `yaml:"notice_after"`
}

// NumberLimit hangs on one number.
type NumberLimit struct {
	GuessesPerSourceDay int           `yaml:"guesses_per_source_day"`
	GuessesPerDay       int           `yaml:"guesses_per_day"`
	GuessesAlarm        int           `yaml:"guesses_alarm"`
	GuessesInARow       int           `yaml:"guesses_in_a_row"`
	ForgetRow           time.Duration `yaml:"forget_row"`
	TextsPerSourceHour  int           `yaml:"texts_per_source_hour"`
	TextsPerSourceDay   int           `yaml:"texts_per_source_day"`
	TextsPerHour        int           `yaml:"texts_per_hour"`
	TextsPerDay         int           `yaml:"texts_per_day"`
	TextsKept           int           `yaml:"texts_kept"`
}

// SourceLimit hangs on one address, or IPv6 /64; the network around it may do NetworkFactor times as much.
type SourceLimit struct {
	GuessesPerHour      int `yaml:"guesses_per_hour"`
	NumbersPerHour      int `yaml:"numbers_per_hour"`
	StartsPerTenMinutes int `yaml:"starts_per_ten_minutes"`
	StartsPerHour       int `yaml:"starts_per_hour"`
	NetworkFactor       int `yaml:"network_factor"`
	// CompanyGuessesPerHour is instead of GuessesPerHour for addresses in company_networks.
	CompanyGuessesPerHour int `yaml:"company_guesses_per_hour"`
}

// AllLimit is for all wrong guesses together: beyond the greater of PerHour and Percent of all people
// limits are lower for unknown networks, beyond ClosedFactor times that those get no codes.
type AllLimit struct {
	GuessesPerHour int     `yaml:"guesses_per_hour"`
	GuessesPercent Decimal `yaml:"guesses_percent"`
	ClosedFactor   int     `yaml:"closed_factor"`
}

// Reviewer signs in with an agreed code, without a text (requirement C11).
type Reviewer struct {
	Phone  string `yaml:"phone"`
	Client string `yaml:"client"`
	Tier   string `yaml:"tier"`
	Code   Secret `yaml:"code"`
	// Until is the last day, YYYY-MM-DD in UTC, at most 90 days ahead.
	Until string `yaml:"until"`
}

// Twilio is the SMS provider.
type Twilio struct {
	BaseURL             string `yaml:"base_url"`
	AccountSID          string `yaml:"account_sid"`
	APIKeySID           string `yaml:"api_key_sid"`
	APIKeySecret        Secret `yaml:"api_key_secret"`
	MessagingServiceSID string `yaml:"messaging_service_sid"`
	From                string `yaml:"from"`
	// Senders are other senders for some countries, by ISO 3166 code.
	Senders map[string]string `yaml:"senders"`
	// AuthToken is the account's primary token, with which Twilio signs its news of texts; with it they
	// are asked for. FormerAuthToken is accepted too, while the token is being changed.
	AuthToken       Secret        `yaml:"auth_token"`
	FormerAuthToken Secret        `yaml:"former_auth_token"`
	Timeout         time.Duration `yaml:"timeout"`
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
	// Language is that of its people's texts, unless the app asks for another.
	Language string `yaml:"language"`
	// AndroidAppHash lets the Android app read its codes out of texts.
	AndroidAppHash string `yaml:"android_app_hash"`
	// TrustForwardedFor lets a confidential client name the address it asks for, in auth0-forwarded-for.
	TrustForwardedFor bool `yaml:"trust_forwarded_for"`
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
