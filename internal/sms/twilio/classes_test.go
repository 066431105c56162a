package twilio_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/twiliotest"
)

// found is what one text that fails does.
type found struct {
	class    sms.Class
	requests int    // to Twilio, by one text, when there is no other provider
	takeover bool   // a second provider, where there is one, sends it
	breaker  string // that is open after a text to a second number
}

// TestEachErrorClass drives the stand-in through every code of twilio/README 4 and every other way to
// fail, by queue and router: what is asked again, what another provider takes over, what is left alone.
func TestEachErrorClass(t *testing.T) {
	t.Parallel()
	wholeAccount := []int{20003, 20008, 20404, 30002}
	var out strings.Builder
	lines := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(lines, "failure\tclass\trequests\tsecond provider\tbreaker")
	check := func(name string, fault twiliotest.Fault, want found) {
		got := drive(t, fault, false)
		got.takeover = drive(t, fault, true).takeover
		require.Equal(t, want, got, name)
		second := "not asked"
		if got.takeover {
			second = "sends"
		}
		_, _ = fmt.Fprintf(lines, "%s\t%s\t%d\t%s\t%s\n", name, got.class, got.requests, second, got.breaker)
	}
	for _, class := range []sms.Class{
		sms.NumberPermanent, sms.OptedOut, sms.NumberTemporary, sms.RiskBlocked, sms.OurConfig, sms.Rate, sms.Provider, sms.Late,
	} {
		for _, code := range table[class] {
			status, want := http.StatusBadRequest, found{class: class, requests: 1, breaker: "-"}
			switch {
			case class == sms.OurConfig && slices.Contains(wholeAccount, code):
				want.takeover, want.breaker = true, "account"
			case class == sms.OurConfig:
				want.takeover, want.breaker = true, "GB"
			case code == 20429:
				status, want.takeover, want.requests = http.StatusTooManyRequests, true, 3
			case class == sms.Rate:
				want.takeover = true
			case class == sms.Provider:
				status, want.takeover, want.requests = http.StatusInternalServerError, true, 2
			}
			check(fmt.Sprint(code), twiliotest.Refused(status, code), want)
		}
	}
	unknown := found{sms.UnknownOutcome, 1, false, "-"}
	down := found{sms.Provider, 2, true, "-"}
	for _, tc := range []struct {
		name  string
		fault twiliotest.Fault
		want  found
	}{
		{"401 without a code", twiliotest.HTML(401), found{sms.OurConfig, 1, true, "account"}},
		{"400 with an unknown code", twiliotest.Refused(400, 29999), found{sms.OurConfig, 1, true, "GB"}},
		{"redirect", twiliotest.Redirect(307, "https://example.com"), found{sms.OurConfig, 1, true, "account"}},
		{"429, try in an hour", twiliotest.TooMany("3600"), found{sms.Rate, 1, true, "-"}},
		{"HTML 502", twiliotest.HTML(502), down},
		{"empty 503", twiliotest.Empty(503), down},
		{"500 cut off", twiliotest.CutMidAnswer(500), down},
		{"504", twiliotest.HTML(504), unknown},
		{"accepts and never answers", twiliotest.Held(make(chan struct{})), unknown},
		{"cut off before the answer", twiliotest.Cut(), unknown},
		{"201 cut off", twiliotest.CutMidAnswer(201), unknown},
		{"201 as a page", twiliotest.HTML(201), unknown},
	} {
		check(tc.name, tc.fault, tc.want)
	}
	require.NoError(t, lines.Flush())
	t.Log("\n" + out.String())
}

// second is a provider that sends everything.
type second struct{}

func (second) Send(context.Context, sms.Message) (sms.Receipt, error) {
	return sms.Receipt{ID: "1"}, nil
}

// drive sends one text to a stand-in that fails as fault says each time, and tells what happened.
func drive(t *testing.T, fault twiliotest.Fault, withSecond bool) found {
	t.Helper()
	server, base := standIn(t)
	server.Script(slices.Repeat([]twiliotest.Fault{fault}, 9)...)
	opts := options(base)
	if fault.Hold != nil {
		opts.Timeout = 50 * time.Millisecond
	}
	order := []string{"twilio"}
	if withSecond {
		order = append(order, "second")
	}
	router, err := sms.NewRouter(map[string]sms.Sender{"twilio": newSender(t, opts), "second": second{}}, nil, order,
		sms.RouterOptions{Now: opts.Now})
	require.NoError(t, err)
	over := make(chan found, 1)
	q := sms.NewQueue(router, sms.QueueOptions{
		Now: opts.Now,
		AfterFunc: func(_ time.Duration, f func()) func() bool { // no test waits
			go f()
			return func() bool { return false }
		},
		OnResult: func(_ context.Context, _ sms.Message, r sms.Receipt, err error) {
			if err == nil {
				over <- found{takeover: r.Provider == "second"}
				return
			}
			over <- found{class: err.(*sms.Error).Class}
		},
	})
	require.NoError(t, q.Enqueue(message(t)))
	got := <-over
	require.NoError(t, q.Drain(t.Context()))
	got.requests, got.breaker = len(server.Messages()), "-"
	// A country's breaker opens when a second number meets the same: one may be odd.
	other := message(t)
	other.To, err = phone.Stored("+447700900124")
	require.NoError(t, err)
	if !withSecond && got.class == sms.OurConfig {
		_, _ = router.Send(t.Context(), other)
	}
	for _, s := range router.Standings() {
		switch {
		case s.Open && s.Country == "":
			got.breaker = "account"
		case s.Open:
			got.breaker = s.Country
		}
	}
	if withSecond {
		require.Equal(t, 1, got.requests, "where a second provider takes over, the first is not asked again")
	}
	return got
}

// Five texts in a row that Twilio fails to answer open its breaker; then nobody asks it for 30 s.
func TestOutageOpensTheBreaker(t *testing.T) {
	t.Parallel()
	server, base := standIn(t)
	server.Script(slices.Repeat([]twiliotest.Fault{twiliotest.HTML(502), twiliotest.Cut()}, 9)...)
	now := noon
	opts := options(base)
	opts.Now = func() time.Time { return now }
	router, err := sms.NewRouter(map[string]sms.Sender{"twilio": newSender(t, opts)}, nil, []string{"twilio"},
		sms.RouterOptions{Now: opts.Now})
	require.NoError(t, err)
	for i := range 8 { // several numbers: for one it may be the number
		m := message(t)
		m.To, err = phone.Stored(fmt.Sprintf("+44770090020%d", i))
		require.NoError(t, err)
		_, err = router.Send(t.Context(), m)
		require.Error(t, err)
	}
	require.Len(t, server.Messages(), 5)
	require.ErrorContains(t, router.Available(), "twilio: Twilio or a gateway failed")
	now = now.Add(30 * time.Second)
	_, err = router.Send(t.Context(), message(t))
	require.Error(t, err)
	require.Len(t, server.Messages(), 6, "one trial")
	require.Error(t, router.Available())
}
