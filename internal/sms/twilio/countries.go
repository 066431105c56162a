package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	accounts "github.com/twilio/twilio-go/rest/accounts/v1"

	"github.com/latchkey-id/latchkey/internal/outbound"
)

// ErrMayNotRead means that the API key, as is right for one that only sends, may not read geo
// permissions.
var ErrMayNotRead = errors.New("the API key may not read geo permissions: compare them in Twilio's console, under Messaging, Settings")

const accountsHost = "accounts.twilio.com"

var countryShape = regexp.MustCompile(`^[A-Z]{2}$`)

// Countries returns the ISO 3166-1 alpha-2 countries that the account's geo permissions let texts go to,
// sorted. They should be the ones that we allow (security requirement M2). Call Check first: to it alone
// wrong credentials are no ErrMayNotRead.
func (s *Sender) Countries(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	h := s.hop(ctx)
	h.base = s.accountsBase()
	answer, err := accounts.NewApiService(s.handler(h)).FetchMessagingGeopermissions(nil)
	switch {
	case h.status == 0 && h.err != nil:
		return nil, fmt.Errorf("cannot reach %s: %s", h.base.Host, outbound.Cause(h.err))
	case h.status == http.StatusUnauthorized, h.status == http.StatusForbidden:
		return nil, ErrMayNotRead
	case err != nil, !is2xx(h.status), answer.Permissions == nil:
		return nil, fmt.Errorf("%s does not tell geo permissions as Twilio does (HTTP status %d)", h.base.Host, h.status)
	}
	return enabled(*answer.Permissions)
}

// accountsBase is where the accounts API is: a host of its own at Twilio, whatever the region, and the
// base URL at a stand-in.
func (s *Sender) accountsBase() *url.URL {
	if host := s.base.Hostname(); host == "twilio.com" || strings.HasSuffix(host, ".twilio.com") {
		return &url.URL{Scheme: "https", Host: accountsHost}
	}
	return s.base
}

// enabled reads the list, whose form the library leaves open.
func enabled(permissions any) ([]string, error) {
	var list []struct {
		CountryCode string `json:"country_code"`
		Type        string `json:"type"`
		Enabled     bool   `json:"enabled"`
	}
	raw, err := json.Marshal(permissions)
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return nil, errors.New("geo permissions come in a form that Latchkey does not know")
	}
	countries := []string{}
	for _, each := range list {
		country := strings.ToUpper(each.CountryCode)
		if each.Enabled && (each.Type == "" || each.Type == "country") && countryShape.MatchString(country) {
			countries = append(countries, country)
		}
	}
	slices.Sort(countries)
	return slices.Compact(countries), nil
}
