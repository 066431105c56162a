package twiliotest

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// refusal is an error answer in Twilio's shape.
type refusal struct {
	status, code int
	message      string
}

func (r refusal) body() []byte {
	text, _ := json.Marshal(map[string]any{ // strings and numbers cannot fail
		"code": r.code, "message": r.message, "status": r.status,
		"more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(r.code),
	})
	return text
}

// Twilio's test numbers, and what each is answered with.
var (
	magicTo = map[string]int{
		"+15005550001": 21211,
		"+15005550002": 21612,
		"+15005550003": 21408,
		"+15005550004": 21610,
		"+15005550009": 21614,
	}
	magicFrom = map[string]int{
		"+15005550001": 21212,
		"+15005550007": 21606,
		"+15005550008": 21611,
	}
)

func magic(form url.Values) *refusal {
	if code, ok := magicTo[form.Get("To")]; ok {
		return &refusal{http.StatusBadRequest, code, "The 'To' number " + form.Get("To") + " is refused by its test rule"}
	}
	if code, ok := magicFrom[form.Get("From")]; ok {
		return &refusal{http.StatusBadRequest, code, "The 'From' number " + form.Get("From") + " is refused by its test rule"}
	}
	return nil
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{4,14}$`)

const (
	longestBody     = 1600
	longestValidity = 36000
)

// account checks whom the request comes from, and whose account it names.
func (s *Server) account(r *http.Request) *refusal {
	user, secret, ok := r.BasicAuth()
	if !ok || user != s.opts.APIKeySID || secret != s.opts.APIKeySecret {
		return &refusal{http.StatusUnauthorized, 20003, "Authenticate"}
	}
	if r.PathValue("AccountSid") != s.opts.AccountSID {
		return &refusal{http.StatusNotFound, 20404, "The requested resource " + r.URL.Path + " was not found"}
	}
	return nil
}

// undescribed checks what Twilio refuses although its description does not say so, and what it
// would swallow although it is surely a mistake.
func undescribed(r *http.Request, form url.Values) *refusal {
	bad := func(code int, format string, args ...any) *refusal {
		return &refusal{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return &refusal{http.StatusUnsupportedMediaType, 20001, "Content-Type is not a form"}
	}
	for name, values := range form {
		if parameters()[name] == nil {
			return bad(20001, "unknown parameter %q", name)
		}
		if len(values) > 1 && name != "MediaUrl" && name != "PersistentAction" {
			return bad(20001, "parameter %q given %d times", name, len(values))
		}
	}
	switch body := form.Get("Body"); {
	case form.Get("To") == "":
		return bad(21604, "A 'To' phone number is required.")
	case !e164.MatchString(form.Get("To")):
		return bad(21211, "The 'To' number %s is not a valid phone number.", form.Get("To"))
	case form.Get("From") == "" && form.Get("MessagingServiceSid") == "":
		return bad(21603, "A 'From' phone number is required.")
	case body == "":
		return bad(21602, "Message body is required.")
	case utf8.RuneCountInString(body) > longestBody:
		return bad(21617, "The concatenated message body exceeds the %d character limit.", longestBody)
	}
	if raw := form.Get("ValidityPeriod"); raw != "" {
		if n, err := strconv.Atoi(raw); err != nil || n < 1 || n > longestValidity {
			return bad(20001, "ValidityPeriod %s is not within 1 and %d", raw, longestValidity)
		}
	}
	return nil
}
