package inbox

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
)

// kept is how many texts are kept, of all numbers together.
const kept = 200

// Entry is a text as its reader would see it.
type Entry struct {
	To   phone.Number
	Body string
	// Code is what a phone would fill in: the code on the last line. Empty if there is none.
	Code   string
	SentAt time.Time
}

// Inbox is an sms.Sender that keeps the newest 200 texts. It is safe for concurrent use.
type Inbox struct {
	now func() time.Time

	mu      sync.Mutex
	entries []Entry // oldest first
	sent    int
}

// New returns an empty Inbox; now is the clock.
func New(now func() time.Time) *Inbox {
	return &Inbox{now: now}
}

// Send keeps m. It never fails.
func (b *Inbox) Send(_ context.Context, m sms.Message) (sms.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.entries) == kept {
		b.entries = slices.Delete(b.entries, 0, 1)
	}
	b.entries = append(b.entries, Entry{To: m.To, Body: m.Body, Code: codeIn(m.Body), SentAt: b.now()})
	b.sent++
	return sms.Receipt{ID: fmt.Sprintf("inbox-%d", b.sent)}, nil
}

// Messages returns the texts to one number, or to all if to is zero, newest first.
func (b *Inbox) Messages(to phone.Number) []Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := []Entry{}
	for _, e := range slices.Backward(b.entries) {
		if to.IsZero() || e.To == to {
			found = append(found, e)
		}
	}
	return found
}

// boundCode is the last line "@host #code" of an origin-bound one-time code. It is as strict as the
// phones are, so that a text they could not read shows no code here either.
var boundCode = regexp.MustCompile(`(?:^|\n)@[^ \n]+ #([^ \n]+)(?: [^\n]*)?$`)

func codeIn(body string) string {
	found := boundCode.FindStringSubmatch(body)
	if found == nil {
		return ""
	}
	return found[1]
}
