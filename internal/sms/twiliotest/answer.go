package twiliotest

import (
	"net/http"
	"time"
)

// message is Twilio's message resource, as far as a fresh one has values.
type message struct {
	SID                 string  `json:"sid"`
	AccountSID          string  `json:"account_sid"`
	MessagingServiceSID *string `json:"messaging_service_sid"`
	To                  string  `json:"to"`
	From                *string `json:"from"`
	Body                string  `json:"body"`
	Status              string  `json:"status"`
	Direction           string  `json:"direction"`
	NumSegments         string  `json:"num_segments"`
	NumMedia            string  `json:"num_media"`
	DateCreated         string  `json:"date_created"`
	DateUpdated         string  `json:"date_updated"`
	DateSent            *string `json:"date_sent"`
	ErrorCode           *int    `json:"error_code"`
	ErrorMessage        *string `json:"error_message"`
	Price               *string `json:"price"`
	PriceUnit           *string `json:"price_unit"`
	APIVersion          string  `json:"api_version"`
	URI                 string  `json:"uri"`
}

// create accepts a message. With a messaging service the sender is not chosen yet: no from, no
// segments.
func (s *Server) create(c *call) (status int, value any) {
	form := c.message.Form
	now := time.Now().UTC().Format(time.RFC1123Z)
	sid := s.accept(c.message)
	m := message{
		SID: sid, AccountSID: s.opts.AccountSID,
		To: form.Get("To"), Body: form.Get("Body"),
		Status: "queued", Direction: "outbound-api", NumSegments: "1", NumMedia: "0",
		DateCreated: now, DateUpdated: now,
		APIVersion: "2010-04-01",
		URI:        s.path("Messages/" + sid + ".json"),
	}
	if service := form.Get("MessagingServiceSid"); service != "" {
		m.MessagingServiceSID, m.Status, m.NumSegments = &service, "accepted", "0"
	} else {
		from := form.Get("From")
		m.From = &from
	}
	return http.StatusCreated, m
}

// list answers with an empty page: what was sent is not shown, for nobody asks for it.
func (s *Server) list(c *call) (status int, value any) {
	self := s.path("Messages.json?" + c.URL.RawQuery)
	return http.StatusOK, map[string]any{
		"messages": []message{}, "page": 0, "page_size": 50, "start": 0, "end": 0,
		"uri": self, "first_page_uri": self, "next_page_uri": nil, "previous_page_uri": nil,
	}
}

func (s *Server) path(rest string) string {
	return "/2010-04-01/Accounts/" + s.opts.AccountSID + "/" + rest
}
