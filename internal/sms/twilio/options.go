package twilio

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/outbound"
)

// DefaultBaseURL is Twilio's API.
const DefaultBaseURL = "https://api.twilio.com"

// Options are the settings of one account. They hold a secret: do not print them.
type Options struct {
	// Name is what the provider is called in routes, metrics and the record of texts; default
	// "twilio". Path is where its settings are, for errors; default "sms.twilio".
	Name string
	Path string
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
	// Senders are used instead, in the shape of From, for numbers of the ISO 3166-1 alpha-2 country that
	// they stand under.
	Senders map[string]string
	// StatusCallback is the public URL of our webhook; empty asks Twilio for no news of our own (a
	// messaging service may have an address of its own). NewWebhook, which takes the same, checks it.
	StatusCallback string
	// Timeout bounds one Send or Check from connecting to the end of the answer. Default 5 s.
	Timeout time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "twilio"
	}
	if o.Path == "" {
		o.Path = defaultPath
	}
	if o.Timeout == 0 {
		o.Timeout = outbound.Timeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

const defaultPath = "sms.twilio"

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
		checkSID(o.Path, "account_sid", o.AccountSID, "AC"),
		checkSID(o.Path, "api_key_sid", o.APIKeySID, "SK"),
		o.checkSecret(),
		o.checkSender(),
		o.checkSenders(),
		o.checkTimeout(),
	)
}

func checkSID(path, key, sid, prefix string) error {
	if len(sid) == 34 && sid[:2] == prefix && secretShape.MatchString(sid) {
		return nil
	}
	if sid == "" {
		return fmt.Errorf("%s.%s: missing: set it to the SID that begins with %s", path, key, prefix)
	}
	// The value is not repeated: people paste secrets into the wrong field.
	return fmt.Errorf("%s.%s: want %s and 32 letters or digits", path, key, prefix)
}

func (o Options) checkSecret() error {
	if secretShape.MatchString(o.APIKeySecret) {
		return nil
	}
	return fmt.Errorf("%s.api_key_secret: want the secret that Twilio showed with the API key, letters and digits only", o.Path)
}

func (o Options) checkSender() error {
	switch {
	case o.MessagingServiceSID != "" && o.From != "":
		return fmt.Errorf("%s.from: set either it or %s.messaging_service_sid, not both", o.Path, o.Path)
	case o.MessagingServiceSID != "":
		return checkSID(o.Path, "messaging_service_sid", o.MessagingServiceSID, "MG")
	case o.From == "":
		return fmt.Errorf("%s.messaging_service_sid: set it, or %s.from: a text needs a sender", o.Path, o.Path)
	case isNumber(o.From), isName(o.From):
		return nil
	}
	return fmt.Errorf("%s.from: %s", o.Path, wantSender)
}

const wantSender = "want a number as +447700900123, a short code, " +
	"or a name of at most 11 ASCII letters, digits and spaces with at least one letter"

func isNumber(sender string) bool {
	return numberShape.MatchString(sender) || shortCodeShape.MatchString(sender)
}

func isName(sender string) bool { return len(sender) <= longestName && nameShape.MatchString(sender) }

func (o Options) checkTimeout() error {
	if o.Timeout < 0 {
		return fmt.Errorf("%s.timeout: want a duration above zero, such as 5s", o.Path)
	}
	return nil
}

// checkPublic checks a URL under which Twilio is to reach us; http only to this machine, for a stand-in. It
// refuses what Twilio would (21609) or what would carry news of people's texts in clear.
func checkPublic(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(raw, "?#"):
		return errors.New("want an address such as https://id.example.com/webhooks/twilio/status")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return errors.New("want https: the news name people's numbers")
	case strings.Contains(u.Hostname(), "_"):
		return errors.New("has an underscore in its host name, which Twilio does not call: use another name")
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseBaseURL returns an address whose path, if any, has no slash at its end.
func (o Options) parseBaseURL() (*url.URL, error) {
	raw := o.BaseURL
	if raw == "" {
		raw = DefaultBaseURL
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s.base_url: want an address such as %s", o.Path, DefaultBaseURL)
	}
	u.Path = strings.TrimRight(u.Path, "/") // the API's paths begin with one
	return u, nil
}
