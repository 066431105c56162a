package bare

import (
	"net/http"
	"net/url"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"
)

// Twilio is the account, and where its API is.
type Twilio struct {
	BaseURL                             string
	AccountSID, APIKeySID, APIKeySecret string
	MessagingServiceSID                 string
}

func newTwilio(t Twilio) (*api.ApiService, error) {
	base, err := url.Parse(t.BaseURL)
	if err != nil {
		return nil, err
	}
	c := &client.Client{
		Credentials: client.NewCredentials(t.APIKeySID, t.APIKeySecret),
		HTTPClient:  &http.Client{Transport: redirect{base, &http.Transport{MaxIdleConnsPerHost: connections}}},
	}
	c.SetAccountSid(t.AccountSID)
	return api.NewApiService(&client.RequestHandler{Client: c}), nil
}

func (s *server) send(to, body string) error {
	params := (&api.CreateMessageParams{}).SetTo(to).SetBody(body).SetValidityPeriod(180).
		SetMessagingServiceSid(s.settings.Twilio.MessagingServiceSID)
	_, err := s.twilio.CreateMessage(params)
	return err
}

// redirect sends what twilio-go addresses to Twilio to another base URL.
type redirect struct {
	base *url.URL
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t redirect) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = t.base.Scheme, t.base.Host, t.base.Host
	return t.next.RoundTrip(r)
}
