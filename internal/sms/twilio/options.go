package twilio

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// DefaultBaseURL is Twilio's API.
const DefaultBaseURL = "https://api.twilio.com"

// Options are the settings under sms.twilio. They hold a secret: do not print them.
type Options struct {
	// BaseURL is where the API is; empty means DefaultBaseURL. Another one is for a stand-in, or
	// for a region (https://api.dublin.ie1.twilio.com).
	BaseURL    string
	AccountSID string
	// APIKeySID and APIKeySecret are a restricted API key that may only create messages.
	APIKeySID    string
	APIKeySecret string
	// MessagingServiceSID lets Twilio pick the sender by country. Exactly one of it and From
	// is set.
	MessagingServiceSID string
	// From is a number in E.164 form, a short code, or a name of up to 11 ASCII letters, digits
	// and spaces with at least one letter.
	From string
	// Timeout bounds one Send or Check from connecting to the end of the answer. Default 5 s.
	Timeout time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

var (
	secretShape    = regexp.MustCompile(`^[A-Za-z0-9]+$`) // twilio-go refuses any other, at each call
	numberShape    = regexp.MustCompile(`^\+[1-9][0-9]{4,14}$`)
	shortCodeShape = regexp.MustCompile(`^[0-9]{3,8}$`)
	nameShape      = regexp.MustCompile(`^[A-Za-z0-9 ]{0,10}[A-Za-z][A-Za-z0-9 ]{0,10}$`)
)

const longestName = 11

// check returns every mistake in o, each with the key of the setting.
func (o Options) check() error {
	return errors.Join(
		checkSID("account_sid", o.AccountSID, "AC"),
		checkSID("api_key_sid", o.APIKeySID, "SK"),
		o.checkSecret(),
		o.checkSender(),
		o.checkTimeout(),
	)
}

func checkSID(key, sid, prefix string) error {
	if len(sid) == 34 && sid[:2] == prefix && secretShape.MatchString(sid) {
		return nil
	}
	if sid == "" {
		return fmt.Errorf("sms.twilio.%s: missing: set it to the SID that begins with %s", key, prefix)
	}
	// The value is not repeated: people paste secrets into the wrong field.
	return fmt.Errorf("sms.twilio.%s: want %s and 32 letters or digits", key, prefix)
}

func (o Options) checkSecret() error {
	if secretShape.MatchString(o.APIKeySecret) {
		return nil
	}
	return errors.New("sms.twilio.api_key_secret: want the secret that Twilio showed with the API key, letters and digits only")
}

func (o Options) checkSender() error {
	switch {
	case o.MessagingServiceSID != "" && o.From != "":
		return errors.New("sms.twilio.from: set either it or sms.twilio.messaging_service_sid, not both")
	case o.MessagingServiceSID != "":
		return checkSID("messaging_service_sid", o.MessagingServiceSID, "MG")
	case o.From == "":
		return errors.New("sms.twilio.messaging_service_sid: set it, or sms.twilio.from: a text needs a sender")
	case numberShape.MatchString(o.From), shortCodeShape.MatchString(o.From),
		len(o.From) <= longestName && nameShape.MatchString(o.From):
		return nil
	}
	return errors.New("sms.twilio.from: want a number as +447700900123, a short code, " +
		"or a name of at most 11 ASCII letters, digits and spaces with at least one letter")
}

func (o Options) checkTimeout() error {
	if o.Timeout < 0 {
		return errors.New("sms.twilio.timeout: want a duration above zero, such as 5s")
	}
	return nil
}

// parseBaseURL returns an address whose path, if any, has no slash at its end.
func parseBaseURL(raw string) (*url.URL, error) {
	if raw == "" {
		raw = DefaultBaseURL
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("sms.twilio.base_url: want an address such as " + DefaultBaseURL)
	}
	u.Path = strings.TrimRight(u.Path, "/") // the API's paths begin with one
	return u, nil
}
