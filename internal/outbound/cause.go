package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Cause names the reason for a lack of an answer in words free of addresses and people's data, which
// the errors of net and net/http are not.
func Cause(err error) string {
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

// longestAsked is as long as we take a Retry-After for, whatever it says.
const longestAsked = 24 * time.Hour

// RetryAfter reads Retry-After, in seconds or as a date (RFC 9110 §10.2.3); 0 if there is none.
func RetryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), int(longestAsked/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), longestAsked)
	}
	return 0
}
