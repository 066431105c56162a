package oauth

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// maxBody bounds a request's body (O2); the longest honest one is under 2 KiB.
const maxBody = 16 << 10

// params are a request's parameters, from JSON or a form alike (wire contract 1). A parameter
// without a value counts as left out (RFC 6749 §3.1).
type params struct {
	values map[string]string
	// mistyped are JSON members that are no strings: of no harm in members that nobody reads.
	mistyped map[string]bool
}

// parse reads the body. Errors are *Error with the code invalid_request.
func parse(c echo.Context) (params, error) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return params{}, refuse(http.StatusRequestEntityTooLarge, "invalid_request", "The request is larger than 16 KiB.")
	case err != nil:
		return params{}, invalidRequest("The request could not be read.").with(err)
	case len(body) == 0:
		return params{}, invalidRequest("The request has no body.")
	case !utf8.Valid(body):
		return params{}, invalidRequest("The request is not UTF-8.")
	}
	p := params{values: map[string]string{}, mistyped: map[string]bool{}}
	media, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	switch {
	case err == nil && media == echo.MIMEApplicationJSON:
		err = p.readJSON(body)
	case err == nil && media == echo.MIMEApplicationForm:
		err = p.readForm(string(body))
	default:
		return params{}, refuse(http.StatusUnsupportedMediaType, "invalid_request",
			"Content-Type must be application/json or application/x-www-form-urlencoded.")
	}
	if err != nil {
		return params{}, err
	}
	return p, p.refuseQuery(c.Request().URL.RawQuery)
}

// readForm refuses repeats: which of two values counts is how two readers of one request come to
// differ (RFC 6749 §3.2).
func (p params) readForm(body string) error {
	form, err := url.ParseQuery(body)
	if err != nil {
		return invalidRequest("The form is malformed.")
	}
	for name, values := range form {
		if len(values) > 1 {
			return invalidRequest("A parameter is repeated.")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return invalidRequest("The form is not UTF-8.")
		}
		p.values[name] = values[0]
	}
	return nil
}

// readJSON takes one object, whose members it reads one by one to see repeats, which
// encoding/json would let pass.
func (p params) readJSON(body []byte) error {
	malformed := invalidRequest("The request is not a JSON object.")
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // a number is never read, so its size is no fault
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return malformed
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		var value any
		if err != nil || !ok || decoder.Decode(&value) != nil {
			return malformed
		}
		if _, repeated := p.values[name]; repeated || p.mistyped[name] {
			return invalidRequest("A member is repeated.")
		}
		switch value := value.(type) {
		case string:
			p.values[name] = value
		case nil:
			p.values[name] = ""
		case bool:
			p.values[name], p.mistyped[name] = strconv.FormatBool(value), true
		default:
			p.mistyped[name] = true
		}
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return malformed
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return malformed
	}
	return nil
}

// refuseQuery keeps numbers, codes and secrets out of URLs, which proxies log (O2).
func (p params) refuseQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return invalidRequest("The query is malformed.")
	}
	for _, name := range []string{"client_id", "client_secret", "phone_number", "username", "otp", "password", "refresh_token", "token"} {
		if query.Has(name) {
			return invalidRequest("%s belongs in the body, never in the URL.", name)
		}
	}
	return nil
}

// get returns a parameter that may be left out.
func (p params) get(name string) (string, error) {
	if p.mistyped[name] {
		return "", invalidRequest("%s must be a string.", name)
	}
	return p.values[name], nil
}

// may returns parameters that may be left out, in the order of names.
func (p params) may(names ...string) ([]string, error) {
	values := make([]string, len(names))
	for i, name := range names {
		var err error
		if values[i], err = p.get(name); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// flag returns whether a parameter is true; JSON may have it as a boolean.
func (p params) flag(name string) (bool, error) {
	switch p.values[name] {
	case "true":
		return true, nil
	case "", "false":
		if !p.mistyped[name] || p.values[name] == "false" {
			return false, nil
		}
	}
	return false, invalidRequest("%s must be true or false.", name)
}

// need returns parameters that must be there, in the order of names.
func (p params) need(names ...string) ([]string, error) {
	values := make([]string, len(names))
	for i, name := range names {
		value, err := p.get(name)
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(value) == "" {
			return nil, invalidRequest("%s is missing.", name)
		}
		values[i] = value
	}
	return values, nil
}
