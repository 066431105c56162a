package twiliotest

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// The Messages part of Twilio's OpenAPI document of 14 Apr 2026 (twilio/twilio-oai, d50069b).
//
//go:embed testdata/twilio_api_v2010.messages.json
var description []byte

const messagesPath = "/2010-04-01/Accounts/{AccountSid}/Messages.json"

// loadSpec panics on an error: the document is part of this package.
var loadSpec = sync.OnceValue(func() *openapi3.T {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		panic(fmt.Sprintf("twiliotest: load the API description: %v", err))
	}
	doc.Servers = nil // the stand-in has another address
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
	}
	// One of the document's examples is not a date-time.
	if err := doc.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		panic(fmt.Sprintf("twiliotest: the API description: %v", err))
	}
	return doc
})

// exchange ties a request to its place in the description. The request's body must be readable
// again after each use.
func exchange(r *http.Request) *openapi3filter.RequestValidationInput {
	doc := loadSpec()
	item := doc.Paths.Value(messagesPath)
	return &openapi3filter.RequestValidationInput{
		Request:    r,
		PathParams: map[string]string{"AccountSid": r.PathValue("AccountSid")},
		Route: &routers.Route{
			Spec:      doc,
			Path:      messagesPath,
			PathItem:  item,
			Method:    r.Method,
			Operation: item.GetOperation(r.Method),
		},
		// Credentials are checked before, against the ones that this server knows.
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
}

func checkRequest(r *http.Request) error {
	return openapi3filter.ValidateRequest(r.Context(), exchange(r))
}

func checkAnswer(r *http.Request, status int, header http.Header, body []byte) error {
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: exchange(r),
		Status:                 status,
		Header:                 header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}
	in.SetBodyBytes(bytes.Clone(body))
	return openapi3filter.ValidateResponse(r.Context(), in)
}

// parameters are the names that creating a message accepts.
var parameters = sync.OnceValue(func() openapi3.Schemas {
	post := loadSpec().Paths.Value(messagesPath).Post
	return post.RequestBody.Value.Content.Get("application/x-www-form-urlencoded").Schema.Value.Properties
})
