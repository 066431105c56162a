package gateway

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// outcome says what an answer means for m. Nothing of the answer but its status and the text's id leaves
// here, for it may repeat the number or the code.
func (s *Sender) outcome(a answer, m sms.Message) (sms.Receipt, error) {
	e := &sms.Error{Status: a.status, RetryAfter: outbound.RetryAfter(a.header, s.opts.Now())}
	if a.whole && s.opts.Failure.holds(a.body) {
		e.Class, e.Reason = sms.Provider, "the answer says so, by the failure's condition"
		return sms.Receipt{}, e
	}
	if a.status/100 != 2 {
		s.byStatus(a.status, e)
		return sms.Receipt{}, e
	}
	id := s.id(a, m.To)
	if reason := s.doubt(a, id); reason != "" {
		e.Class, e.Reason = sms.UnknownOutcome, reason
		return sms.Receipt{}, e
	}
	return sms.Receipt{Provider: s.opts.Name, ID: id}, nil
}

// doubt says why an answer with 2xx does not mean that the text was taken; "" if it does.
func (s *Sender) doubt(a answer, id string) string {
	switch {
	case len(s.opts.SuccessStatus) > 0 && !slices.Contains(s.opts.SuccessStatus, a.status):
		return "a status that is neither among the successes nor a failure"
	case !a.whole:
		return "accepted, but in an answer that breaks off or is too long"
	case s.opts.Success != nil && !s.opts.Success.holds(a.body):
		return "an answer that fulfils neither the success's condition nor the failure's"
	case s.opts.Success == nil && s.opts.IDField != "" && id == "":
		return "accepted, but in an answer without an id"
	}
	return ""
}

// idShape is what goes into logs and the record. Anything else may be text of the caller's.
var idShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:|-]{0,127}$`)

// id returns the provider's own name for the text, "" if there is none that can be kept: one with the
// person's number in it cannot.
func (s *Sender) id(a answer, to phone.Number) string {
	if s.opts.IDField == "" || !a.whole {
		return ""
	}
	id, _ := at(a.body, s.opts.IDField)
	if !idShape.MatchString(id) || strings.Contains(id, strings.TrimPrefix(to.E164(), "+")) {
		return ""
	}
	return id
}

// byStatus sets what an answer means that says no by its status.
func (s *Sender) byStatus(status int, e *sms.Error) {
	e.Account = status/100 == 3 || status == http.StatusUnauthorized || status == http.StatusForbidden
	switch {
	case status/100 == 3:
		e.Class, e.Reason = sms.OurConfig, "answered with a redirect, which is not followed: check url"
	case e.Account:
		e.Class, e.Reason = sms.OurConfig, "credentials refused: check headers"
	case status == http.StatusRequestTimeout:
		e.Class, e.Reason = sms.UnknownOutcome, "the gateway gave up waiting"
	case status == http.StatusTooManyRequests:
		e.Class, e.Reason = sms.Rate, "too many requests"
	case status/100 == 4:
		e.Class, e.Reason = sms.OurConfig, "request refused"
	default:
		e.Class, e.Reason = sms.UnknownOutcome, "the gateway failed, perhaps after it had sent"
	}
}
