package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const passwordlessGrant = "http://auth0.com/oauth/grant-type/passwordless/otp"

// Scopes that are asked for: without and with a refresh token.
const (
	signInScope = "openid profile email"
	stayScope   = signInScope + " offline_access"
)

// app is a client application with its people's phones.
type app struct {
	http    *http.Client
	inbox   *inbox
	baseURL string
	client  string
	// algorithm is what the tokens must be signed with.
	algorithm string
	// from is the address that a proxy says a request comes from; empty without a proxy.
	from string
}

// tokens are what the token endpoint answers with.
type tokens struct {
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
}

// signIn is one whole sign-in.
func (a app) signIn(ctx context.Context, number, scope string) (tokens, timing, error) {
	var got tokens
	var t timing
	var err error
	if t.start, err = a.start(ctx, number); err != nil {
		return got, t, err
	}
	code, err := a.inbox.await(ctx, number)
	if err != nil {
		return got, t, err
	}
	begun := time.Now()
	if err := a.post(ctx, "/oauth/token", map[string]string{
		"grant_type": passwordlessGrant, "client_id": a.client, "realm": "sms", "username": number, "otp": code,
		"audience": audience, "scope": scope,
	}, &got); err != nil {
		return got, t, err
	}
	t.token = time.Since(begun)
	return got, t, a.check(got)
}

// start asks for a code and returns how long the answer took.
func (a app) start(ctx context.Context, number string) (time.Duration, error) {
	begun := time.Now()
	err := a.post(ctx, startPath, a.startParameters(number), nil)
	return time.Since(begun), err
}

const startPath = "/passwordless/start"

func (a app) startParameters(number string) map[string]string {
	return map[string]string{"client_id": a.client, "connection": "sms", "phone_number": number}
}

// check sees that what is measured is what was asked for.
func (a app) check(got tokens) error {
	for _, token := range []string{got.Access, got.ID} {
		head, _, _ := strings.Cut(token, ".")
		header, err := base64.RawURLEncoding.DecodeString(head)
		if err != nil || !bytes.Contains(header, []byte(`"alg":"`+a.algorithm+`"`)) {
			return fmt.Errorf("a token is not signed with %s", a.algorithm)
		}
	}
	return nil
}

func (a app) post(ctx context.Context, path string, parameters map[string]string, into any) error {
	request, err := a.request(ctx, path, parameters)
	if err != nil {
		return err
	}
	return do(a.http, request, into)
}

func (a app) request(ctx context.Context, path string, parameters map[string]string) (*http.Request, error) {
	body, err := json.Marshal(parameters)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.baseURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if a.from != "" {
		request.Header.Set("X-Forwarded-For", a.from)
	}
	return request, nil
}

// do sends a request, which must be answered with 200 and JSON.
func do(client *http.Client, request *http.Request, into any) error {
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", request.URL.Path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
