package twilio

import (
	"github.com/latchkey-id/latchkey/internal/outbound"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// noAnswer is the error of a call that ended before the head of an answer came.
func (h *hop) noAnswer() *sms.Error {
	if h.err == nil {
		return &sms.Error{Class: sms.OurConfig, Account: true, Reason: "twilio-go refused to build the request"}
	}
	if h.trace.Written() {
		return &sms.Error{Class: sms.UnknownOutcome, Reason: "no answer after the request was written: " + outbound.Cause(h.err)}
	}
	return &sms.Error{Class: sms.Provider, Reason: "could not connect: " + outbound.Cause(h.err)}
}
