package twilio

import (
	"net/http"

	"github.com/latchkey-id/latchkey/internal/sms"
)

// meaning is what a refusal means to us. The reason is in our words, for Twilio's message may
// repeat the number or the text.
type meaning struct {
	class  sms.Class
	reason string
}

// accountCodes refuse the account as a whole, whatever the destination.
var accountCodes = map[int]bool{
	20003: true, 20008: true, 20404: true, 21222: true, 21224: true, 30002: true,
}

// codes groups Twilio's error codes by what is done about them. Twilio changes codes and causes at
// times, so a code that is not here falls back to its HTTP status, and says so in its reason.
var codes = map[int]meaning{
	21211: {sms.NumberPermanent, "not a valid number"},
	21214: {sms.NumberPermanent, "number cannot be reached"},
	21217: {sms.NumberPermanent, "not a valid number"},
	21614: {sms.NumberPermanent, "not a mobile number"},
	21635: {sms.NumberPermanent, "a landline"},
	30005: {sms.NumberPermanent, "unknown handset"},
	30006: {sms.NumberPermanent, "a landline, or its network cannot be reached"},
	30038: {sms.NumberPermanent, "a Twilio number, which gets no codes"},
	63024: {sms.NumberPermanent, "not a valid recipient on this channel"},

	21610: {sms.OptedOut, "the person replied STOP"},

	30003: {sms.NumberTemporary, "handset off or out of reach"},
	30004: {sms.NumberTemporary, "blocked by the handset or its network"},
	30008: {sms.NumberTemporary, "not delivered, the network did not say why"},
	30017: {sms.NumberTemporary, "network congested"},

	30450: {sms.RiskBlocked, "held to be SMS pumping"},
	60410: {sms.RiskBlocked, "number range held to be fraudulent"},
	60605: {sms.RiskBlocked, "country blocked"},

	20003: {sms.OurConfig, "credentials refused, or account suspended"},
	20008: {sms.OurConfig, "test credentials"},
	20404: {sms.OurConfig, "no such account, or wrong address"},
	21222: {sms.OurConfig, "API key SID holds characters that it cannot"},
	21224: {sms.OurConfig, "API key secret holds characters that it cannot"},
	21212: {sms.OurConfig, "sender is not valid"},
	21408: {sms.OurConfig, "country switched off in Twilio's geo permissions"},
	21602: {sms.OurConfig, "empty text"},
	21603: {sms.OurConfig, "no sender"},
	21606: {sms.OurConfig, "sender cannot send texts"},
	21608: {sms.OurConfig, "trial account, or no approved profile"},
	21609: {sms.OurConfig, "status callback address is not valid"},
	21612: {sms.OurConfig, "this sender cannot reach this number"},
	21617: {sms.OurConfig, "text too long"},
	21659: {sms.OurConfig, "sender is not a number of this account"},
	21660: {sms.OurConfig, "sender belongs to another account"},
	21701: {sms.OurConfig, "no such messaging service"},
	21703: {sms.OurConfig, "messaging service has no sender"},
	21704: {sms.OurConfig, "messaging service has no sender for this number"},
	21705: {sms.OurConfig, "messaging service SID is not valid"},
	21709: {sms.OurConfig, "messaging service cannot send to this number"},
	21711: {sms.OurConfig, "messaging service cannot use this sender"},
	30002: {sms.OurConfig, "account suspended"},
	30007: {sms.OurConfig, "filtered for its content or sender"},
	30018: {sms.OurConfig, "destination needs a registered sender ID"},
	30024: {sms.OurConfig, "sender ID is not registered"},
	30029: {sms.OurConfig, "content retention setting not available"},
	30030: {sms.OurConfig, "address retention setting not available"},
	30032: {sms.OurConfig, "toll-free number is not verified"},
	30033: {sms.OurConfig, "10DLC campaign suspended"},
	30034: {sms.OurConfig, "number not in a 10DLC campaign"},
	30035: {sms.OurConfig, "10DLC number misconfigured"},
	30045: {sms.OurConfig, "parameter not valid"},
	90007: {sms.OurConfig, "parameter not valid"},

	20429: {sms.Rate, "too many requests"},
	21611: {sms.Rate, "sender's queue is full"},
	30001: {sms.Rate, "queue is full"},
	30022: {sms.Rate, "10DLC rate exceeded"},
	30023: {sms.Rate, "10DLC daily limit reached"},
	30027: {sms.Rate, "10DLC daily limit reached on one network"},
	60728: {sms.Rate, "account's hourly limit reached"},
	63018: {sms.Rate, "channel's rate exceeded"},
	63038: {sms.Rate, "account's daily limit reached"},

	30021: {sms.Provider, "Twilio failed inside"},
	30410: {sms.Provider, "network did not answer Twilio in time"},

	30036: {sms.Late, "waited longer than its validity period"},
}

// ClassOf returns the class of one of Twilio's error codes, from an answer or a status callback, and
// whether the code is known: an unknown one is worth an alarm. The class of an unknown code is empty.
func ClassOf(code int) (class sms.Class, known bool) {
	m, known := codes[code]
	return m.class, known
}

// accountByStatus reports whether an answer that has no code we know refuses the account as a whole:
// credentials that are refused or may not send, or an address that is not the API's.
func accountByStatus(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status/100 == 3
}

// byStatus is what an answer means that has no code we know.
func byStatus(status int) meaning {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return meaning{sms.OurConfig, "credentials refused, or they may not send"}
	case status == http.StatusTooManyRequests:
		return meaning{sms.Rate, "too many requests"}
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		// A gateway gave up on the API behind it, which may have gone on.
		return meaning{sms.UnknownOutcome, "a gateway gave up waiting"}
	case status >= 500:
		return meaning{sms.Provider, "Twilio or a gateway failed"}
	case status >= 400:
		return meaning{sms.OurConfig, "request refused for a reason that we do not know"}
	case status >= 300:
		return meaning{sms.OurConfig, "answered with a redirect, which is not followed: check base_url"}
	case status >= 200:
		return meaning{sms.UnknownOutcome, "accepted, but in an answer that cannot be read"}
	default:
		return meaning{sms.UnknownOutcome, "answered with a status that means nothing here"}
	}
}
