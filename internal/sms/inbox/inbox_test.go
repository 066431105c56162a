package inbox_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/inbox"
)

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

func number(t *testing.T, e164 string) phone.Number {
	t.Helper()
	n, err := phone.Stored(e164)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func send(t *testing.T, box *inbox.Inbox, to phone.Number, body string) {
	t.Helper()
	if r, err := box.Send(t.Context(), sms.Message{To: to, Body: body}); err != nil || r.ID == "" {
		t.Fatalf("Send = %v, %v", r, err)
	}
}

func TestMessages(t *testing.T) {
	now := noon
	box := inbox.New(func() time.Time { return now })
	alice, bob := number(t, "+447700900123"), number(t, "+447700900124")
	send(t, box, alice, "012345 is your Latchkey code. It expires in 5 min.\n\n@id.example.com #012345")
	now = now.Add(time.Minute)
	send(t, box, bob, "hello")
	send(t, box, alice, "000000 is your Latchkey code. It expires in 1 min.\n\n@id.example.com #000000")

	got := box.Messages(alice)
	if len(got) != 2 || got[0].Code != "000000" || got[1].Code != "012345" {
		t.Fatalf("Messages(alice) = %+v, want the newest first", got)
	}
	if got[1].To != alice || !got[1].SentAt.Equal(noon) || !got[0].SentAt.Equal(now) {
		t.Errorf("Messages(alice) = %+v", got)
	}
	if all := box.Messages(phone.Number{}); len(all) != 3 || all[1].Body != "hello" || all[1].Code != "" {
		t.Errorf("Messages of all = %+v", all)
	}
	if none := box.Messages(number(t, "+447700900125")); none == nil || len(none) != 0 {
		t.Errorf("Messages of a stranger = %#v, want an empty list", none)
	}
}

func TestCodeIsReadAsPhonesRead(t *testing.T) {
	for _, tc := range []struct{ name, body, code string }{
		{"last line", "123456 is your code\n\n@id.example.com #012345", "012345"},
		{"only line", "@id.example.com #012345", "012345"},
		{"text after a space is ignored", "x\n@id.example.com #012345 FA+9qCX9VSu", "012345"},
		{"full stop becomes part of it", "x\n@id.example.com #012345.", "012345."},
		{"trailing newline", "x\n@id.example.com #012345\n", ""},
		{"two spaces", "x\n@id.example.com  #012345", ""},
		{"not the last line", "@id.example.com #012345\nx", ""},
		{"not first on the line", "x @id.example.com #012345", ""},
		{"no code", "hello", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			box := inbox.New(time.Now)
			send(t, box, number(t, "+447700900123"), tc.body)
			if got := box.Messages(phone.Number{})[0].Code; got != tc.code {
				t.Errorf("code %q, want %q", got, tc.code)
			}
		})
	}
}

func TestKeepsTheNewest200(t *testing.T) {
	box := inbox.New(time.Now)
	to := number(t, "+447700900123")
	for i := range 250 {
		send(t, box, to, fmt.Sprint(i))
	}
	got := box.Messages(to)
	if len(got) != 200 || got[0].Body != "249" || got[199].Body != "50" {
		t.Errorf("%d kept, from %s to %s; want 200, from 249 to 50", len(got), got[0].Body, got[len(got)-1].Body)
	}
}

func TestConcurrentUse(t *testing.T) {
	box := inbox.New(time.Now)
	to := number(t, "+447700900123")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				_, _ = box.Send(t.Context(), sms.Message{To: to, Body: "x"})
				_ = box.Messages(to)
			}
		})
	}
	all.Wait()
	if n := len(box.Messages(to)); n != 200 {
		t.Errorf("%d kept, want 200", n)
	}
}
