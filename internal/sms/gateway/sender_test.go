package gateway_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

const secret = "hunter2hunter2"

func options(address string) gateway.Options {
	return gateway.Options{
		Name:    "acme",
		URL:     address,
		Headers: map[string]string{"Authorization": "Bearer " + secret},
		Body:    `{"to":"{to}","text":"{body}","ttl":{valid_seconds}}`,
		Timeout: time.Minute, // no test waits for it
		Now:     func() time.Time { return noon },
	}
}

func newSender(t *testing.T, opts gateway.Options) *gateway.Sender {
	t.Helper()
	s, err := gateway.New(opts)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func message(t *testing.T, text string) sms.Message {
	t.Helper()
	to, err := phone.Stored("+447700900123")
	require.NoError(t, err)
	return sms.Message{To: to, Body: text, ValidUntil: noon.Add(5 * time.Minute), Ref: "ref-1"}
}

// refusal sends a text that must fail and returns the error, which must hold nobody's data.
func refusal(t *testing.T, s *gateway.Sender) *sms.Error {
	t.Helper()
	receipt, err := s.Send(t.Context(), message(t, "012345 is your code"))
	require.Zero(t, receipt)
	e, ok := err.(*sms.Error)
	require.True(t, ok, "%v", err)
	require.NotEmpty(t, e.Reason)
	for _, private := range []string{"900123", "012345", secret, "127.0.0.1"} {
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), private)
	}
	return e
}

// hostile is what no caller can put into a text, and must be harmless all the same.
const hostile = "1\"2\\3\n4\r5&to=+15550001111#6%7{to}{{body}}\u2028ü€😀</x>\x00\xff\","

func TestValuesAreEscapedWhereTheyStand(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	t.Cleanup(web.Close)
	valid := strings.ToValidUTF8(hostile, "\ufffd")

	opts := options(web.URL + "/send?key=a%26b&to={to_digits}&from={from}&ref={ref}")
	opts.From, opts.Headers["Idempotency-Key"] = "A&B=C #1", "latchkey-{ref}"
	opts.Body = `{"to":"{to}","text":"{body}","ttl":{valid_seconds},"who":["{from}"]}`
	m := message(t, hostile)
	m.Ref = "a b\r\nX-Evil: 1&to=2"
	receipt, err := newSender(t, opts).Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, sms.Receipt{Provider: "acme"}, receipt)
	require.Equal(t, url.Values{"key": {"a&b"}, "to": {"447700900123"}, "from": {"A&B=C #1"}, "ref": {m.Ref}}, got.URL.Query())
	require.Equal(t, "Bearer "+secret, got.Header.Get("Authorization"))
	require.Equal(t, "latchkey-"+url.QueryEscape(m.Ref), got.Header.Get("Idempotency-Key"))
	require.Empty(t, got.Header.Get("X-Evil"))
	require.Equal(t, gateway.JSON, got.Header.Get("Content-Type"))
	var document map[string]any
	require.NoError(t, json.Unmarshal(body, &document))
	require.Equal(t, map[string]any{"to": "+447700900123", "text": valid, "ttl": 180.0, "who": []any{"A&B=C #1"}}, document)

	opts.ContentType, opts.Body, opts.Method = gateway.Form, "to={to}&text={body}&ttl={valid_seconds}", http.MethodPut
	_, err = newSender(t, opts).Send(t.Context(), message(t, hostile))
	require.NoError(t, err)
	form, err := url.ParseQuery(string(body))
	require.NoError(t, err)
	require.Equal(t, url.Values{"to": {"+447700900123"}, "text": {hostile}, "ttl": {"180"}}, form)
	require.Equal(t, http.MethodPut, got.Method)
}

func TestValidity(t *testing.T) {
	t.Parallel()
	var bodies []string
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
	}))
	t.Cleanup(web.Close)
	sender := newSender(t, options(web.URL))
	m := message(t, "a")
	m.ValidUntil = noon.Add(45700 * time.Millisecond)
	_, err := sender.Send(t.Context(), m)
	require.NoError(t, err)
	require.Contains(t, bodies[0], `"ttl":45`)
	m.ValidUntil = noon.Add(time.Second - 1)
	_, err = sender.Send(t.Context(), m)
	var e *sms.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, sms.Late, e.Class)
	require.Len(t, bodies, 1)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	bySuccess := func(o *gateway.Options) {
		o.Success = &gateway.Condition{Field: "/messages/0/status", Values: []string{"0", "queued", "true"}}
		o.Failure = &gateway.Condition{Field: "/messages/0/status", Values: []string{"5", "no credit"}}
		o.IDField = "/messages/0/id"
	}
	byID := func(o *gateway.Options) { o.IDField = "/id" }
	byStatus := func(o *gateway.Options) { o.SuccessStatus = []int{201} }
	plain := func(*gateway.Options) {}
	big := strings.Repeat(" ", 64<<10)
	for _, tc := range []struct {
		name   string
		edit   func(*gateway.Options)
		status int
		body   string
		want   sms.Error // the zero Error for a yes
		id     string
	}{
		{"any 2xx", plain, 202, "", sms.Error{}, ""},
		{"a page, without conditions", plain, 200, "<html>Log in</html>", sms.Error{}, ""},
		{"too long", plain, 200, big + "x", sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},
		{"just not too long", plain, 200, big, sms.Error{}, ""},

		{"yes", bySuccess, 200, `{"messages":[{"status":"queued","id":"x-1"}]}`, sms.Error{}, "x-1"},
		{"yes, as a number, with an id too long for a float", bySuccess, 200, `{"messages":[{"status":0,"id":12345678901234567890}]}`, sms.Error{}, "12345678901234567890"},
		{"yes, as a boolean, without id", bySuccess, 200, `{"messages":[{"status":true}]}`, sms.Error{}, ""},
		{"id with the number in it", bySuccess, 200, `{"messages":[{"status":0,"id":"447700900123-1"}]}`, sms.Error{}, ""},
		{"id that is no id", bySuccess, 200, `{"messages":[{"status":0,"id":"a\nb"}]}`, sms.Error{}, ""},
		{"no, by its field", bySuccess, 200, `{"messages":[{"status":5}]}`, sms.Error{Class: sms.Provider, Status: 200}, ""},
		{"no, with a status of its own", bySuccess, 402, `{"messages":[{"status":"no credit"}]}`, sms.Error{Class: sms.Provider, Status: 402}, ""},
		{"no, although it failed", bySuccess, 503, `{"messages":[{"status":5}]}`, sms.Error{Class: sms.Provider, Status: 503, RetryAfter: 3 * time.Second}, ""},
		{"no, in part of an answer", bySuccess, 503, `{"messages":[{"status":5}]}` + big, sms.Error{Class: sms.UnknownOutcome, Status: 503, RetryAfter: 3 * time.Second}, ""},
		{"failed, and says nothing of it", bySuccess, 503, "", sms.Error{Class: sms.UnknownOutcome, Status: 503, RetryAfter: 3 * time.Second}, ""},
		{"neither yes nor no", bySuccess, 200, `{"messages":[{"status":7}]}`, sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},
		{"a page", bySuccess, 200, "<html>Log in</html>", sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},
		{"nothing", bySuccess, 200, "", sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},
		{"another form", bySuccess, 200, `{"messages":{"0":1}}`, sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},
		{"two documents", bySuccess, 200, `{"messages":[{"status":0}]} {}`, sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},
		{"yes that is too long", bySuccess, 200, `{"messages":[{"status":0}]}` + big, sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},

		{"an id is a yes", byID, 200, `{"id":"1"}`, sms.Error{}, "1"},
		{"no id is none", byID, 200, `{"id":{}}`, sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},

		{"the success", byStatus, 201, "", sms.Error{}, ""},
		{"another 2xx", byStatus, 200, "", sms.Error{Class: sms.UnknownOutcome, Status: 200}, ""},

		{"400", plain, 400, "", sms.Error{Class: sms.OurConfig, Status: 400}, ""},
		{"401", plain, 401, "", sms.Error{Class: sms.OurConfig, Status: 401, Account: true}, ""},
		{"403", plain, 403, "", sms.Error{Class: sms.OurConfig, Status: 403, Account: true}, ""},
		{"408", plain, 408, "", sms.Error{Class: sms.UnknownOutcome, Status: 408}, ""},
		{"429", plain, 429, "", sms.Error{Class: sms.Rate, Status: 429, RetryAfter: 3 * time.Second}, ""},
		{"500", plain, 500, "", sms.Error{Class: sms.UnknownOutcome, Status: 500}, ""},
		{"502 as a page", plain, 502, "<html>", sms.Error{Class: sms.UnknownOutcome, Status: 502}, ""},
		{"503", plain, 503, "", sms.Error{Class: sms.UnknownOutcome, Status: 503, RetryAfter: 3 * time.Second}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				if tc.status == 429 || tc.status == 503 {
					w.Header().Set("Retry-After", "3")
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer web.Close()
			opts := options(web.URL)
			tc.edit(&opts)
			sender := newSender(t, opts)
			if tc.want == (sms.Error{}) {
				receipt, err := sender.Send(t.Context(), message(t, "a"))
				require.NoError(t, err)
				require.Equal(t, sms.Receipt{Provider: "acme", ID: tc.id}, receipt)
			} else {
				got := *refusal(t, sender)
				got.Reason = ""
				require.Equal(t, tc.want, got)
			}
			require.Equal(t, 1, asked)
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	t.Cleanup(elsewhere.Close)
	for _, location := range []string{elsewhere.URL, "/again", ":", ""} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}))
			e := refusal(t, newSender(t, options(web.URL)))
			require.Equal(t, sms.OurConfig, e.Class, "%d to %q", status, location)
			require.True(t, e.Account)
			web.Close()
		}
	}
	require.False(t, followed)
}

// raw serves one handler per connection, which gets the request's text.
func raw(t *testing.T, handle func(net.Conn)) (address string, requests func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var (
		mu    sync.Mutex
		count int
		all   sync.WaitGroup
	)
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				mu.Lock()
				count++
				mu.Unlock()
				handle(c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return "http://" + l.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return count
	}
}

func TestConnectionsThatGoWrong(t *testing.T) {
	t.Parallel()
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, text) }
	}
	hold := func(text string) func(net.Conn) { // until the client goes
		return func(c net.Conn) {
			_, _ = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c)
		}
	}
	for _, tc := range []struct {
		name   string
		handle func(net.Conn)
		status int
	}{
		{"closes without an answer", say(""), 0},
		{"closes within the head", say("HTTP/1.1 200 O"), 0},
		{"closes within the body", say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":"), 200},
		{"does not speak HTTP", say("220 mail.example.com ESMTP\r\n"), 0},
		{"never answers", hold(""), 0},
		{"never ends its answer", hold("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), 200},
		{"head without an end", say("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 1<<20)), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			address, requests := raw(t, tc.handle)
			opts := options(address)
			if strings.HasPrefix(tc.name, "never") {
				opts.Timeout = 100 * time.Millisecond
			}
			e := refusal(t, newSender(t, opts))
			require.Equal(t, sms.UnknownOutcome, e.Class)
			require.Equal(t, tc.status, e.Status)
			require.Equal(t, 1, requests())
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		e := refusal(t, newSender(t, options("http://"+l.Addr().String())))
		require.Equal(t, sms.Provider, e.Class)
		require.Contains(t, e.Reason, "connection refused")
	})
	t.Run("certificate not trusted", func(t *testing.T) {
		t.Parallel()
		web := httptest.NewUnstartedServer(http.NotFoundHandler())
		web.Config.ErrorLog = log.New(io.Discard, "", 0)
		web.StartTLS()
		defer web.Close()
		e := refusal(t, newSender(t, options(web.URL)))
		require.Equal(t, sms.Provider, e.Class)
		require.Contains(t, e.Reason, "certificate")
	})
}

// A second answer on the connection is nobody's: it must not become the next text's.
func TestASecondAnswerIsNobodys(t *testing.T) {
	t.Parallel()
	n := 0
	address, requests := raw(t, func(c net.Conn) {
		n++
		const answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"
		_, _ = fmt.Fprintf(c, answer+`{"id":"%da"}`+answer+`{"id":"%db"}`, n, n)
		_, _ = io.Copy(io.Discard, c)
	})
	opts := options(address)
	opts.IDField = "/id"
	sender := newSender(t, opts)
	for i := 1; i <= 5; i++ {
		receipt, err := sender.Send(t.Context(), message(t, "a"))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%da", i), receipt.ID)
		require.Equal(t, i, requests())
	}
}

func TestEachTextHasAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	from := map[string]bool{}
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { from[r.RemoteAddr] = true }))
	t.Cleanup(web.Close)
	sender := newSender(t, options(web.URL))
	for range 3 {
		_, err := sender.Send(t.Context(), message(t, "a"))
		require.NoError(t, err)
	}
	require.Len(t, from, 3)
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer web.Close()
	_, err := newSender(t, options(web.URL)).Send(t.Context(), message(t, "a"))
	require.NoError(t, err)
}
