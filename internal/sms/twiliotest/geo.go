package twiliotest

import (
	"encoding/json"
	"net/http"
)

// Of Twilio's accounts API, which the description in testdata does not hold.
const geoPath = "/v1/Messaging/GeoPermissions"

type geoPermission struct {
	CountryCode string `json:"country_code"`
	Type        string `json:"type"`
	Enabled     bool   `json:"enabled"`
}

// AllowCountries sets the geo permissions: of the countries given, those that texts may go to. Without
// it, a key may not read them. What is sent is not refused by them; script that.
func (s *Server) AllowCountries(countries map[string]bool) {
	list := []geoPermission{}
	for country, on := range countries {
		list = append(list, geoPermission{country, "country", on})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.geo = list
}

func (s *Server) geoPermissions(w http.ResponseWriter, r *http.Request) {
	if f := s.take(&call{Request: r}); f.Status != 0 || f.Cut {
		f.write(w)
		return
	}
	user, secret, ok := r.BasicAuth()
	s.mu.Lock()
	geo := s.geo
	s.mu.Unlock()
	switch {
	case !ok || user != s.opts.APIKeySID || secret != s.opts.APIKeySecret:
		answer(w, refusal{http.StatusUnauthorized, 20003, "Authenticate"})
	case geo == nil:
		answer(w, refusal{http.StatusForbidden, 70051, "Authorization Denied"})
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"permissions": geo})
	}
}
