package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/outbound"
)

// Content types of the request.
const (
	JSON = "application/json"
	Form = "application/x-www-form-urlencoded"
)

// Options are the settings of one provider. They hold secrets: do not print them.
type Options struct {
	// Name is what the provider is called in routes, metrics and the record of texts. Path is where its
	// settings are, for errors; default "sms.providers." and the name.
	Name string
	Path string
	// URL may hold placeholders in its query. It is https, or http to this machine.
	URL string
	// Method is POST, the default, or PUT. A GET would carry the code in the URL.
	Method string
	// Headers are sent with each request, for credentials above all.
	Headers map[string]string
	// ContentType is JSON, the default, or Form; Body the request's, with placeholders.
	ContentType string
	Body        string
	// From stands for {from}.
	From string
	// SuccessStatus are the statuses of a text that was taken; default all from 200 to 299.
	SuccessStatus []int
	// Success has to hold as well, if it is set. Without it, and without an IDField, the status alone
	// decides: a login page answered with 200 would be taken for a success.
	Success *Condition
	// Failure says by the answer, whatever its status, that the text was not sent.
	Failure *Condition
	// IDField is a JSON pointer to the provider's own name for the text.
	IDField string
	// Timeout bounds one Send from connecting to the end of the answer. Default 5 s.
	Timeout time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Path == "" {
		o.Path = "sms.providers." + o.Name
	}
	if o.Method == "" {
		o.Method = http.MethodPost
	}
	if o.ContentType == "" {
		o.ContentType = JSON
	}
	if o.Timeout == 0 {
		o.Timeout = outbound.Timeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// check tells fail every mistake that stands by itself, each with the key of the setting.
func (o Options) check(fail func(key string, err error)) {
	if o.Name == "" {
		fail("name", errors.New("missing: routes and the record of texts name the provider"))
	}
	if o.Method != http.MethodPost && o.Method != http.MethodPut {
		fail("method", errors.New("want POST or PUT: a GET would carry the code in the URL, which servers log"))
	}
	if o.Timeout < 0 {
		fail("timeout", errors.New("want a duration above zero, such as 5s"))
	}
	for _, status := range o.SuccessStatus {
		if status < 200 || status > 299 {
			fail("success_status", fmt.Errorf("%d: want statuses from 200 to 299", status))
		}
	}
	o.Success.check(func(key string, err error) { fail("success_"+key, err) })
	o.Failure.check(func(key string, err error) { fail("failure_"+key, err) })
	if o.IDField != "" && !pointer.MatchString(o.IDField) {
		fail("id_field", errPointer)
	}
}

// checkURL checks the part before the query, and that the whole can be parsed once it is filled in.
func checkURL(filled string) error {
	u, err := url.Parse(filled)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || strings.Contains(filled, "#"):
		return errors.New("want an address such as https://sms.example.com/send, credentials go into headers")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return errors.New("want https: it carries codes and numbers; http goes to this machine only")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

var (
	// headerName is a token (RFC 9110 §5.6.2).
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")
	headerValue = regexp.MustCompile(`^[\t -~]*$`)
	// reserved are headers that the request has of itself.
	reserved = []string{"Host", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Te", "Trailer", "Upgrade", "Expect"}
)
