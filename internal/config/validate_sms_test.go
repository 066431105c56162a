package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// texts returns a change to the settings of texts.
func texts(change func(*SMS)) func(*Config) { return func(c *Config) { change(&c.SMS) } }

func TestTexts(t *testing.T) {
	checkRules(t, []oneChange{
		{"roster", texts(func(s *SMS) { s.Recipients = "roster" }), nil},
		{"recipients", texts(func(s *SMS) { s.Recipients = "nobody" }), []string{"sms.recipients: want one of anyone, roster"}},
		{"countries", texts(func(s *SMS) { s.Countries = []string{"GB", "NO", "gb", "UK", "GB"} }), []string{
			"sms.countries[2]: want a country's ISO 3166 code", "sms.countries[3]: want a country's", "sms.countries[4]: listed twice"}},
		{"language", texts(func(s *SMS) { s.Language = "pt-BR" }), nil},
		{"no language", texts(func(s *SMS) { s.Language = "" }), []string{"sms.language: want a language's BCP 47 tag"}},
		{"a language in words", texts(func(s *SMS) { s.Language = "english" }), []string{"sms.language: want a language's"}},
		{"templates", texts(func(s *SMS) {
			s.Templates.Code = map[string]string{"nl": "{code}", "zh-Hant-TW": "{code}", "es-419": "{code}"}
		}), nil},
		{"template's language", texts(func(s *SMS) { s.Templates.Notice = map[string]string{"nl_NL": "x", "nl": ""} }), []string{
			"sms.templates.notice.nl: is empty", "sms.templates.notice.nl_NL: want a language's"}},
		{"records", texts(func(s *SMS) { s.KeepRecords = time.Hour }), []string{"sms.keep_records: want 24h to 8784h"}},
		{"a client's", web(func(c *Client) { c.Language, c.AndroidAppHash, c.TrustForwardedFor = "german", "FA+9qCX9VSuu", true }), []string{
			"clients.web.language: want a language's", "clients.web.android_app_hash: want the 11", "clients.web.trust_forwarded_for: only for a confidential client"}},
		{"a confidential client's", web(func(c *Client) {
			c.Secret = NewSecret("sixteen-or-more-characters")
			c.Language, c.AndroidAppHash, c.TrustForwardedFor = "de", "FA+9qCX9VSu", true
		}), nil},
	})
}

func TestPurses(t *testing.T) {
	checkRules(t, []oneChange{
		{"lifted", texts(func(s *SMS) {
			s.Strangers, s.Volume, s.Conversion = Strangers{}, Volume{}, Conversion{Pause: time.Hour}
		}), nil},
		{"negative", texts(func(s *SMS) {
			s.Strangers, s.Volume = Strangers{-1, -1, -1, -1}, Volume{-1, -1, -1, -1, -1, -1}
			s.Conversion = Conversion{Sample: -1, Percent: -1}
		}), []string{
			"sms.strangers.per_hour: want 0", "sms.strangers.per_day: want 0", "sms.strangers.per_block_hour: want 0", "sms.strangers.volume_percent: want 0 to 100",
			"sms.volume.per_country_day: want 0", "sms.volume.per_country_day_person: want 0 to 1000", "sms.volume.per_minute: want 0",
			"sms.volume.per_minute_percent: want 0 to 100", "sms.volume.per_day: want 0", "sms.volume.per_day_person: want 0 to 1000",
			"sms.conversion.sample: want 10 to 1000", "sms.conversion.percent: want 0 to 100", "sms.conversion.pause: want 1m to 24h",
		}},
		{"an hour more than the day", texts(func(s *SMS) { s.Strangers.PerHour = 101 }), []string{"sms.strangers.per_hour: more than per_day"}},
		{"shares of more than all", texts(func(s *SMS) { s.Strangers.VolumePercent, s.Volume.PerMinutePercent = 101, 101 }), []string{
			"sms.strangers.volume_percent: want 0 to 100", "sms.volume.per_minute_percent: want 0 to 100"}},
	})
}

func money(change func(*Money)) func(*Config) { return texts(func(s *SMS) { change(&s.Money) }) }

func TestMoney(t *testing.T) {
	checkRules(t, []oneChange{
		{"a budget", money(func(m *Money) { m.PerDay, m.PerDayFloor, m.PerDayPerson = millionths, 0, 0 }), nil},
		{"no budget", money(func(m *Money) { m.PerDayFloor = 0 }), []string{"sms.money.per_day_floor: the day's budget would be nothing"}},
		{"free texts", money(func(m *Money) { m.Price, m.Prices = 0, map[string]Decimal{"GB": 0, "FR": dearest + 1} }), []string{
			"sms.money.price: want more than 0, at most 100000", "sms.money.prices.FR: want more than 0", "sms.money.prices.GB: want more than 0"}},
		{"a price for nowhere", money(func(m *Money) { m.Prices = map[string]Decimal{"Britain": 1} }), []string{"sms.money.prices.Britain: want a country's"}},
		{"a currency in small letters", money(func(m *Money) { m.Currency = "usd" }), []string{"sms.money.currency: want the currency's ISO 4217 code"}},
	})
}

// Our price list is in dollars: who counts in something else must not be billed by it.
func TestMoneyOfAnotherCurrency(t *testing.T) {
	_, err := load(disk{"main.yaml": minimal}, "LATCHKEY_SMS_MONEY_CURRENCY=JPY")
	wantProblems(t, err, "sms.money.price: the default is in USD: set it in your currency",
		"sms.money.per_day_floor: the default is in USD", "sms.money.per_day_person: the default is in USD")
	environ := []string{"LATCHKEY_SMS_MONEY_CURRENCY=JPY", "LATCHKEY_SMS_MONEY_PRICE=9", "LATCHKEY_SMS_MONEY_PER_DAY=3000", "LATCHKEY_SMS_MONEY_PRICES={JP: 8.5}"}
	c := mustLoad(t, disk{"main.yaml": minimal}, environ...)
	require.Equal(t, map[string]Decimal{"JP": 8_500_000}, c.SMS.Money.Prices)
}

func TestDefaultPrices(t *testing.T) {
	prices := mustLoad(t, disk{"main.yaml": minimal}).SMS.Money.Prices
	require.GreaterOrEqual(t, len(prices), 25)
	for country, price := range prices {
		require.Len(t, country, 2)
		require.Positive(t, price)
		require.Less(t, price, Decimal(millionths), country)
	}
}

func TestDevSettings(t *testing.T) {
	c, err := Load(LoadOptions{
		Mode: Dev, Files: []string{"../app/dev.yaml"},
		Base: func() Config { c := Defaults(); c.SecretKey = NewSecret(testKey); return c },
	})
	require.NoError(t, err)
	require.Equal(t, []string{"country"}, c.Limits.RecordOnly)
	require.Zero(t, c.Limits.Number.GuessesPerDay)
	require.Equal(t, Volume{}, c.SMS.Volume)
}
