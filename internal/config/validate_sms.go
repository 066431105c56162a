package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// Who gets texts (M1).
const (
	// RecipientsAnyone is everybody, with strangers out of their own purse.
	RecipientsAnyone = "anyone"
	// RecipientsRoster is HR's numbers only.
	RecipientsRoster = "roster"
)

// maxBrand leaves room for the code and the last line of a text of one segment (requirement M11).
const maxBrand = 30

func (v *validator) sms() {
	at := path{"sms"}
	v.label(at.key("brand"), v.SMS.Brand, maxBrand)
	between(v, at.key("queue_size"), v.SMS.QueueSize, 1, 100_000)
	between(v, at.key("workers"), v.SMS.Workers, 1, 20) // X1: at most 20 requests at once
	v.providers()
	v.oneOf(at.key("recipients"), v.SMS.Recipients, RecipientsAnyone, RecipientsRoster)
	v.countries(at.key("countries"), v.SMS.Countries)
	v.language(at.key("language"), v.SMS.Language)
	v.templates(at.key("templates").key("code"), v.SMS.Templates.Code)
	v.templates(at.key("templates").key("notice"), v.SMS.Templates.Notice)
	v.purses()
	v.money(at.key("money"), v.SMS.Money)
	between(v, at.key("keep_records"), v.SMS.KeepRecords, 24*time.Hour, maxSession)
}

// purses checks M4, M5 and M7. A 0 lifts a rule; of two numbers that belong together, both must be 0.
func (v *validator) purses() {
	at := path{"sms"}
	s, volume := v.SMS.Strangers, v.SMS.Volume
	v.counts(at.key("strangers"), mostOfAll, []count{
		{"per_hour", s.PerHour}, {"per_day", s.PerDay}, {"per_block_hour", s.PerBlockHour},
	})
	v.notAbove(at.key("strangers"), count{"per_hour", s.PerHour}, count{"per_day", s.PerDay})
	v.counts(at.key("strangers"), 100, []count{{"volume_percent", s.VolumePercent}})
	v.counts(at.key("volume"), mostOfAll, []count{
		{"per_country_day", volume.PerCountryDay}, {"per_minute", volume.PerMinute}, {"per_day", volume.PerDay},
	})
	v.counts(at.key("volume"), 1000, []count{
		{"per_country_day_person", volume.PerCountryDayPerson}, {"per_day_person", volume.PerDayPerson},
	})
	v.counts(at.key("volume"), 100, []count{{"per_minute_percent", volume.PerMinutePercent}})

	at = at.key("conversion")
	if v.SMS.Conversion.Sample != 0 {
		between(v, at.key("sample"), v.SMS.Conversion.Sample, 10, 1000)
	}
	between(v, at.key("percent"), v.SMS.Conversion.Percent, 0, 100)
	between(v, at.key("pause"), v.SMS.Conversion.Pause, time.Minute, 24*time.Hour)
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// dearest is above any price of a text, in any currency.
const dearest = 100_000 * Decimal(millionths)

// money checks M6. In another currency nothing of ours is right, so that all of it has to be said.
func (v *validator) money(at path, m Money) {
	if !currencyCode.MatchString(m.Currency) {
		v.fail(at.key("currency"), "want the currency's ISO 4217 code, such as EUR")
		return
	}
	v.price(at.key("price"), m.Price)
	for _, country := range slices.Sorted(maps.Keys(m.Prices)) {
		v.country(at.key("prices").key(country), country)
		v.price(at.key("prices").key(country), m.Prices[country])
	}
	if m.PerDay == 0 && m.PerDayFloor == 0 {
		v.fail(at.key("per_day_floor"), "the day's budget would be nothing: want more than 0, or a budget in per_day")
	}
	if m.Currency == pricesCurrency {
		return
	}
	const ours = "the default is in " + pricesCurrency + ": set it in your currency"
	given := func(key string) bool { return !v.origins.of(at.key(key)).IsZero() }
	if !given("price") {
		v.fail(at.key("price"), ours)
	}
	if m.PerDay == 0 && !given("per_day_floor") {
		v.fail(at.key("per_day_floor"), ours+", or a budget in per_day")
	}
	if m.PerDay == 0 && m.PerDayPerson != 0 && !given("per_day_person") {
		v.fail(at.key("per_day_person"), ours+", or a budget in per_day")
	}
}

func (v *validator) price(at path, price Decimal) {
	if price == 0 || price > dearest {
		v.fail(at, "want more than 0, at most %s: without a price there is no budget", dearest)
	}
}

func (v *validator) countries(at path, countries []string) {
	for i, country := range countries {
		v.country(at.index(i), country)
	}
	v.noRepeats(at, countries)
}

func (v *validator) country(at path, country string) {
	if !phone.KnownRegion(country) {
		v.fail(at, "want a country's ISO 3166 code in capitals, such as GB")
	}
}

// languageTag is the shape of a BCP 47 tag with at most a script and a region, as texts need it.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?$`)

func (v *validator) language(at path, tag string) {
	if !languageTag.MatchString(tag) {
		v.fail(at, "want a language's BCP 47 tag, such as de or pt-BR")
	}
}

// templates checks the languages only: what may stand in a text, the wording's own rules tell.
func (v *validator) templates(at path, templates map[string]string) {
	for _, tag := range slices.Sorted(maps.Keys(templates)) {
		v.language(at.key(tag), tag)
		if templates[tag] == "" {
			v.fail(at.key(tag), "is empty: write the text, or remove the key")
		}
	}
}

// callbacks: with the account's token, Twilio is asked to tell what becomes of texts, at an address that it
// must be able to reach (requirement X10). A stand-in on this machine can reach a loopback issuer.
func (v *validator) callbacks(at path, t Twilio) {
	if t.AuthToken.IsZero() {
		if !t.FormerAuthToken.IsZero() {
			v.fail(at.key("former_auth_token"), "set without auth_token: want the one in use there")
		}
		return
	}
	issuer, err := url.Parse(v.Issuer)
	if err != nil || v.Issuer == "" {
		return // the issuer's own mistake
	}
	loopback := isLoopback(issuer.Hostname())
	if issuer.Scheme != "https" && !loopback || loopback && t.BaseURL == "" {
		v.fail(at.key("auth_token"), "with it Twilio is asked to call the issuer, which it could not reach: "+
			"want an https issuer on a public host, or no auth_token")
	}
}
