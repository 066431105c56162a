package statuslist_test

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/keyring"
	"github.com/latchkey-id/latchkey/internal/statuslist"
)

// status is step 3 to 7 of the draft's Validation Rules (§8.3), with nothing but their words: the
// status of the Referenced Token that says uri and idx, after the signature and typ were checked.
func status(verified []byte, uri string, idx int, now time.Time) (int, error) {
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(verified, &claims); err != nil {
		return 0, err
	}
	var subject string
	var issued, expires, ttl float64
	var list struct {
		Bits int    `json:"bits"`
		Lst  string `json:"lst"`
	}
	for name, to := range map[string]any{"sub": &subject, "iat": &issued, "exp": &expires, "ttl": &ttl, "status_list": &list} {
		if err := json.Unmarshal(claims[name], to); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case subject != uri:
		return 0, errors.New("sub is not uri")
	case issued > float64(now.Unix()):
		return 0, errors.New("issued in the future")
	case float64(now.Unix()) >= expires:
		return 0, errors.New("expired")
	case ttl <= 0:
		return 0, errors.New("ttl is not positive")
	case !slices.Contains([]int{1, 2, 4, 8}, list.Bits):
		return 0, errors.New("bits")
	}
	array, err := decompress(list.Lst)
	if err != nil {
		return 0, err
	}
	if idx < 0 || idx >= len(array)*8/list.Bits {
		return 0, errors.New("index out of bounds")
	}
	at := idx * list.Bits
	return int(array[at/8]) >> (at % 8) & (1<<list.Bits - 1), nil
}

func decompress(lst string) ([]byte, error) {
	compressed, err := base64.RawURLEncoding.Strict().DecodeString(lst)
	if err != nil {
		return nil, err
	}
	z, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// decoded is a token that somebody else would verify.
type decoded struct {
	header, payload []byte
	iat, exp        time.Time
	array           []byte
}

func decode(t testing.TB, body []byte) decoded {
	t.Helper()
	parts := strings.Split(string(body), ".")
	require.Len(t, parts, 3)
	var d decoded
	var err error
	d.header, err = base64.RawURLEncoding.DecodeString(parts[0])
	require.NoError(t, err)
	d.payload, err = base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims struct {
		IssuedAt int64 `json:"iat"`
		Expires  int64 `json:"exp"`
		List     struct {
			Lst string `json:"lst"`
		} `json:"status_list"`
	}
	require.NoError(t, json.Unmarshal(d.payload, &claims))
	d.iat, d.exp = time.Unix(claims.IssuedAt, 0).UTC(), time.Unix(claims.Expires, 0).UTC()
	d.array, err = decompress(claims.List.Lst)
	require.NoError(t, err)
	require.Len(t, d.array, statuslist.Size/8)
	return d
}

// revoked returns the indexes that are set.
func (d decoded) revoked() []int {
	set := []int{}
	for i := range len(d.array) * 8 {
		if d.array[i/8]>>(i%8)&1 == 1 {
			set = append(set, i)
		}
	}
	return set
}

func TestAVerifierReadsTheStatus(t *testing.T) {
	f := newFixture("one", "two")
	o := f.options()
	o.Keys = realRing(t)
	board := statuslist.NewBoard(o)
	f.store.revoke("one", 0, 9, statuslist.Size-1)
	f.store.revoke("two", 8)
	require.NoError(t, board.Poll(t.Context()))

	for _, tc := range []struct {
		list string
		idx  int
		want int
	}{
		{"one", 0, 1}, {"one", 1, 0}, {"one", 7, 0}, {"one", 8, 0}, {"one", 9, 1}, {"one", 10, 0},
		{"one", statuslist.Size - 1, 1}, {"one", statuslist.Size - 8, 0}, {"two", 8, 1}, {"two", 0, 0}, {"two", 15, 0},
	} {
		served, err := board.Token(tc.list)
		require.NoError(t, err)
		verified, err := realRing(t).Verify(string(served.Body), statuslist.Type)
		require.NoError(t, err)
		got, err := status(verified, board.URI(tc.list), tc.idx, f.clock.Now())
		require.NoError(t, err)
		require.Equal(t, tc.want, got, "%s %d", tc.list, tc.idx)

		_, err = realRing(t).Verify(string(served.Body), "at+jwt")
		require.ErrorIs(t, err, keyring.ErrSignature, "it passes for an access token")
		for name, err := range map[string]error{
			"another list": second(status(verified, board.URI("three"), tc.idx, f.clock.Now())),
			"out of range": second(status(verified, board.URI(tc.list), statuslist.Size, f.clock.Now())),
			"expired":      second(status(verified, board.URI(tc.list), tc.idx, f.clock.Now().Add(statuslist.Lifetime))),
		} {
			require.Error(t, err, name)
		}
	}
}

func second(_ int, err error) error { return err }

func TestTokenMemberByMember(t *testing.T) {
	f := newFixture("k3jq7mzw2a")
	f.store.revoke("k3jq7mzw2a", 3)
	f.poll(t)
	d := f.list(t, "k3jq7mzw2a")
	require.JSONEq(t, `{"alg":"RS256","kid":"","typ":"statuslist+jwt"}`, string(d.header))

	var claims map[string]any
	require.NoError(t, json.Unmarshal(d.payload, &claims))
	list, ok := claims["status_list"].(map[string]any)
	require.True(t, ok)
	lst, ok := list["lst"].(string)
	require.True(t, ok)
	array, err := decompress(lst)
	require.NoError(t, err)
	require.Equal(t, byte(8), array[0])
	window := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.Equal(t, map[string]any{
		"sub":         "https://id.example.com/status-lists/k3jq7mzw2a",
		"iat":         float64(window.Unix()),
		"exp":         float64(window.Unix() + 300),
		"ttl":         float64(60),
		"status_list": map[string]any{"bits": float64(1), "lst": lst},
	}, claims)
	require.Equal(t, "application/"+statuslist.Type, statuslist.MediaType)
	require.Equal(t, 5*time.Minute, statuslist.Lifetime)
}
