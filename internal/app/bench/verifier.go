package main

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// look is how often a verifier looks: what a time until a bit is served is exact to.
	look = 3 * time.Millisecond
	// lookTimeout is when a bit counts as lost.
	lookTimeout = time.Minute
)

// verifier fetches the list of a replica, as a service does that checks tokens; unlike one it never
// trusts what it has for long.
type verifier struct {
	url  string
	etag string
	body []byte
	list []byte
}

// fetch brings the list up to date. One that has not changed costs a 304.
func (v *verifier) fetch(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url, nil)
	if err != nil {
		return err
	}
	if v.etag != "" {
		request.Header.Set("If-None-Match", v.etag)
	}
	answer, err := prober.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	err = errors.Join(err, answer.Body.Close())
	switch {
	case err != nil:
		return err
	case answer.StatusCode == http.StatusNotModified:
		return nil
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", v.url, answer.Status)
	}
	list, err := decodeList(body)
	if err != nil {
		return fmt.Errorf("%s: %w", v.url, err)
	}
	v.etag, v.body, v.list = answer.Header.Get("ETag"), body, list
	return nil
}

// decodeList returns the bits of a Status List Token. Who signed it is not looked at.
func decodeList(token []byte) ([]byte, error) {
	parts := bytes.Split(token, []byte("."))
	if len(parts) != 3 {
		return nil, errors.New("the list is no JWT")
	}
	payload := base64.NewDecoder(base64.RawURLEncoding, bytes.NewReader(parts[1]))
	var claims struct {
		StatusList struct {
			Bits int    `json:"bits"`
			List string `json:"lst"`
		} `json:"status_list"`
	}
	if err := json.NewDecoder(payload).Decode(&claims); err != nil {
		return nil, fmt.Errorf("read the list's claims: %w", err)
	}
	if claims.StatusList.Bits != 1 {
		return nil, fmt.Errorf("the list has %d bits a token, want 1", claims.StatusList.Bits)
	}
	compressed := base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(claims.StatusList.List))
	z, err := zlib.NewReader(compressed)
	if err != nil {
		return nil, fmt.Errorf("open the list: %w", err)
	}
	list, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("decompress the list: %w", err)
	}
	return list, nil
}

// revoked reports whether the bit of a place is set.
func revoked(list []byte, index int) bool {
	return index/8 < len(list) && list[index/8]>>(index%8)&1 == 1
}

// await returns once the list shows all of the places as revoked.
func (v *verifier) await(ctx context.Context, places ...int) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	for {
		if err := v.fetch(ctx); err != nil {
			return err
		}
		if !slices.ContainsFunc(places, func(index int) bool { return !revoked(v.list, index) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not show a revocation: %w", v.url, ctx.Err())
		case <-time.After(look):
		}
	}
}
