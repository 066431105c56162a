package twilio

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/latchkey-id/latchkey/internal/sms"
)

// noAnswer is the error of a call that ended before the head of an answer came.
func (h *hop) noAnswer() *sms.Error {
	if h.err == nil {
		return &sms.Error{Class: sms.OurConfig, Reason: "twilio-go refused to build the request"}
	}
	if h.written.Load() {
		return &sms.Error{Class: sms.UnknownOutcome, Reason: "no answer after the request was written: " + cause(h.err)}
	}
	return &sms.Error{Class: sms.Provider, Reason: "could not connect: " + cause(h.err)}
}

// cause names the reason for a lack of an answer in words free of addresses and people's data,
// which the errors of net and net/http are not.
func cause(err error) string {
	var (
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		timeout     net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timed out"
	case errors.As(err, &dns):
		return "the host's name cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route to the host"
	case errors.As(err, &certificate):
		return "the host's certificate is not trusted"
	case errors.As(err, &record), errors.As(err, &alert):
		return "TLS failed"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	default:
		return "connection broken"
	}
}
