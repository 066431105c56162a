package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/sms"
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
	// Failures say by the answer, whatever its status, that the text was not sent. The first that holds
	// counts.
	Failures []Failure
	// IDField is a JSON pointer to the provider's own name for the text.
	IDField string
	// FailureClasses are the classes of answers by their status, from 300 to 599, where they are others
	// than the package's.
	FailureClasses map[int]sms.Class
	// Timeout bounds one Send from connecting to the end of the answer. Default 5 s.
	Timeout time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Failure is how an answer says no.
type Failure struct {
	Condition
	// Class is what the refusal means; Account says that it is meant for all destinations.
	Class   sms.Class
	Account bool
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

// check returns every mistake that stands by itself, each with the key of the setting.
func (o Options) check() error {
	var errs []error
	fail := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s.%s: "+format, append([]any{o.Path, key}, args...)...))
	}
	if o.Name == "" {
		fail("name", "missing: routes and the record of texts name the provider")
	}
	if o.Method != http.MethodPost && o.Method != http.MethodPut {
		fail("method", "want POST or PUT: a GET would carry the code in the URL, which servers log")
	}
	if o.Timeout < 0 {
		fail("timeout", "want a duration above zero, such as 5s")
	}
	for _, status := range o.SuccessStatus {
		if status < 200 || status > 299 {
			fail("success_status", "%d: want statuses from 200 to 299", status)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(o.FailureClasses)) {
		if status < 300 || status > 599 {
			fail("failure_classes", "%d: want statuses from 300 to 599", status)
		}
		if class := o.FailureClasses[status]; !known(class) {
			fail("failure_classes", "%d: no class %q: want one of %s", status, class, classNames())
		}
	}
	for i, f := range o.Failures {
		if !known(f.Class) {
			fail(fmt.Sprintf("failures[%d].class", i), "no class %q: want one of %s", f.Class, classNames())
		}
	}
	return errors.Join(errs...)
}

// classes are those that an answer can have.
var classes = []sms.Class{
	sms.NumberPermanent, sms.NumberTemporary, sms.OptedOut, sms.RiskBlocked, sms.OurConfig, sms.Rate,
	sms.Provider, sms.UnknownOutcome, sms.Late,
}

func known(c sms.Class) bool { return slices.Contains(classes, c) }

func classNames() string {
	names := make([]string, len(classes))
	for i, c := range classes {
		names[i] = string(c)
	}
	return strings.Join(names, ", ")
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
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	headerValue = regexp.MustCompile(`^[\t -~]*$`)
	// reserved are headers that the request has of itself.
	reserved = []string{"Host", "Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Te", "Trailer", "Upgrade", "Expect"}
)
