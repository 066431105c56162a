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

// timing is how long the two answers of one sign-in took.
type timing struct{ start, token time.Duration }

// app is a client application with its people's phones.
type app struct {
	http    *http.Client
	inbox   *inbox
	baseURL string
	client  string
	// algorithm is what the tokens must be signed with.
	algorithm string
}

// signIn is one whole sign-in.
func (a app) signIn(ctx context.Context, number string) (timing, error) {
	var t timing
	begun := time.Now()
	if err := a.post(ctx, "/passwordless/start", map[string]string{
		"client_id": a.client, "connection": "sms", "phone_number": number,
	}, nil); err != nil {
		return t, err
	}
	t.start = time.Since(begun)
	code, err := a.inbox.await(ctx, number)
	if err != nil {
		return t, err
	}
	var tokens struct {
		Access string `json:"access_token"`
		ID     string `json:"id_token"`
	}
	begun = time.Now()
	if err := a.post(ctx, "/oauth/token", map[string]string{
		"grant_type": passwordlessGrant, "client_id": a.client, "realm": "sms", "username": number, "otp": code,
		"audience": audience, "scope": "openid profile email",
	}, &tokens); err != nil {
		return t, err
	}
	t.token = time.Since(begun)
	return t, errors.Join(a.check(tokens.Access), a.check(tokens.ID))
}

// check sees that what is measured is what was asked for.
func (a app) check(token string) error {
	head, _, _ := strings.Cut(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || !bytes.Contains(header, []byte(`"alg":"`+a.algorithm+`"`)) {
		return fmt.Errorf("the token is not signed with %s", a.algorithm)
	}
	return nil
}

func (a app) post(ctx context.Context, path string, parameters map[string]string, into any) error {
	body, err := json.Marshal(parameters)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.baseURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s: %s", path, answer.Status, text)
	case into != nil:
		return json.Unmarshal(text, into)
	}
	return nil
}
