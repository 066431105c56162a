package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/devpage"
	"github.com/latchkey-id/latchkey/internal/devpage/sample"
	"github.com/latchkey-id/latchkey/internal/directory"
	"github.com/latchkey-id/latchkey/internal/directory/hrfeed"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/sms/inbox"
	"github.com/latchkey-id/latchkey/internal/store/sql"
	"github.com/latchkey-id/latchkey/internal/tier"
)

// What the sample is made of.
const (
	sampleSource   = "sample"
	sampleAudience = "https://api.example.com"
	sampleClient   = "app"
	samplePerson   = "+447700900001"
	sampleStranger = "+447700900123"
	// devProvider takes dev's texts.
	devProvider = "inbox"
)

type devCommand struct {
	Listen string `placeholder:"ADDR" help:"Public address (default 127.0.0.1:8080)."`
	Data   string `default:".latchkey" placeholder:"DIR" help:"Where the database and the secret key are kept; an empty value keeps nothing."`
	Config string `short:"c" placeholder:"FILE" help:"Settings laid over those of dev."`
}

// Run serves with everything embedded until ctx ends.
func (cmd devCommand) Run(ctx context.Context, env Env) error {
	begun := time.Now()
	c, err := loadDev(env, cmd.Data, cmd.Config)
	if err != nil {
		return err
	}
	if cmd.Listen != "" {
		c.Listen = cmd.Listen
	}
	at, err := listenDev(ctx, &c)
	if err != nil {
		return fmt.Errorf("%w\nTry another address: latchkey dev --listen 127.0.0.1:8090", err)
	}
	box := inbox.New(time.Now)
	c.SMS.Order = []string{devProvider}
	s, err := newServer(ctx, c, at, map[string]sms.Sender{devProvider: box}, newLogger(c, env), env)
	if err != nil {
		return err
	}
	if err := loadSample(ctx, s.store, newParser(c)); err != nil {
		at.close()
		s.close()
		return err
	}
	pages := devpage.New(devpage.Options{
		Staff:    func(ctx context.Context) ([]devpage.Person, error) { return sampleStaff(ctx, s.store, s.tiers) },
		Inbox:    texted{box, s.queue},
		Phone:    newParser(c),
		ClientID: sampleClient, Audience: sampleAudience, Issuer: c.Issuer, Strangers: []string{sampleStranger},
	})
	pages.Register(s.public.Echo.Group(""))
	welcome(env.Stdout, c, at, cmd.Data, time.Since(begun))
	return s.run(ctx)
}

// listenDev takes the addresses. The two inner ones may be in use by another dev: then any free
// port will do. Where the sample issuer stands at another port, it follows.
func listenDev(ctx context.Context, c *config.Config) (listeners, error) {
	at, err := listen(ctx, *c)
	if errors.Is(err, errInner) {
		inner := *c
		inner.Admin.Listen, inner.Ops.Listen = "127.0.0.1:0", "127.0.0.1:0"
		at, err = listen(ctx, inner)
	}
	if err != nil {
		return at, err
	}
	const sampleIssuer = "http://127.0.0.1:8080/"
	if address, ok := at.public.Addr().(*net.TCPAddr); ok && c.Issuer == sampleIssuer {
		c.Issuer = fmt.Sprintf("http://127.0.0.1:%d/", address.Port)
	}
	return at, nil
}

// loadSample brings the sample people in on the first start. Later they are as the developer's own
// imports have left them.
func loadSample(ctx context.Context, store *sql.Store, parser phone.Parser) error {
	there, err := store.Users(ctx, sampleSource, 1)
	if err != nil || len(there) > 0 {
		return err
	}
	feed, err := hrfeed.Read(bytes.NewReader(sample.Staff()), hrfeed.Options{
		Source: sampleSource, Mode: directory.Full, Phone: parser,
	})
	if err != nil {
		return fmt.Errorf("sample people: %w", err)
	}
	_, err = directory.Reconcile(ctx, store, feed, directory.Options{Confirmed: true, Actor: "dev"})
	return err
}

// maxSampleStaff bounds the list on the start page.
const maxSampleStaff = 100

func sampleStaff(ctx context.Context, store *sql.Store, tiers *tier.Table) ([]devpage.Person, error) {
	users, err := store.Users(ctx, sampleSource, maxSampleStaff)
	if err != nil {
		return nil, err
	}
	holders := map[phone.Number]int{}
	for _, user := range users {
		if user.Active && !user.Phone.IsZero() {
			holders[user.Phone]++
		}
	}
	people := make([]devpage.Person, len(users))
	for i, user := range users {
		p := devpage.Person{
			Name: user.Name, Phone: user.Phone.E164(), Department: user.Department, Title: user.Title,
			Active: user.Active, Tier: tiers.Anonymous().Name,
		}
		switch {
		case !user.Active:
			p.Note = "left the company"
		case user.Phone.IsZero():
			p.Tier, p.Note = tiers.Resolve(user).Name, "no mobile number"
		case holders[user.Phone] > 1:
			p.Note = "shares a number"
		default:
			p.Tier = tiers.Resolve(user).Name
		}
		people[i] = p
	}
	return people, nil
}

// texted shows the inbox to the pages.
type texted struct {
	box   *inbox.Inbox
	queue *sms.Queue
}

// lookAgain and lookFor are for whoever looks into the inbox right after asking for a code.
const lookAgain, lookFor = 2 * time.Millisecond, 2 * time.Second

// Texts implements devpage.Inbox. A text that was asked for is there, though it is sent after the answer.
func (t texted) Texts(to phone.Number) []devpage.Text {
	for deadline := time.Now().Add(lookFor); !t.queue.Idle() && time.Now().Before(deadline); {
		time.Sleep(lookAgain)
	}
	entries := t.box.Messages(to)
	all := make([]devpage.Text, len(entries))
	for i, e := range entries {
		all[i] = devpage.Text{To: e.To, Body: e.Body, Code: e.Code, SentAt: e.SentAt}
	}
	return all
}

// welcome tells a newcomer what runs where, and what to try next.
func welcome(w io.Writer, c config.Config, at listeners, data string, took time.Duration) {
	kept := data + "  (--data '' keeps nothing; delete it to start anew)"
	if data == "" {
		kept = "none kept"
	}
	base := strings.TrimSuffix(c.Issuer, "/")
	if address, ok := at.public.Addr().(*net.TCPAddr); ok && !address.IP.IsLoopback() {
		fmt.Fprintf(w, "\n  WARNING: %s can be reached from other machines, and whoever reaches it reads every code.\n", address)
	}
	fmt.Fprintf(w, `
  Latchkey dev is ready (%.1f s).

    Start page   %[2]s/              sign in as one of the sample people
    SMS inbox    %[2]s/dev/inbox     texts arrive here, on no phone
    Health       http://%[3]s/readyz   (metrics: /metrics)
    Data         %[4]s

  Sign in as Amara Okafor, an employee. Ask for a code:

%[5]s

  and trade it for tokens:

%[6]s

  %[7]s is a number that HR does not know: it gets the tier "anonymous".
  Ctrl-C stops.

`, took.Seconds(), base, at.ops.Addr(), kept, startCommand(base, samplePerson), tokenCommand(base, samplePerson), sampleStranger)
}

// startCommand and tokenCommand can be pasted as they are; the second reads the code out of the inbox.
func startCommand(base, number string) string {
	return fmt.Sprintf(`curl -s %s/passwordless/start -H 'Content-Type: application/json' \
  -d '{"client_id":"%s","connection":"sms","phone_number":"%s"}'`, base, sampleClient, number)
}

func tokenCommand(base, number string) string {
	return fmt.Sprintf(`curl -s %[1]s/oauth/token --data-urlencode username=%[2]s \
  -d grant_type=http://auth0.com/oauth/grant-type/passwordless/otp \
  -d client_id=%[3]s -d realm=sms -d audience=%[4]s \
  -d otp=$(curl -s '%[1]s/dev/inbox.json?to=%%2B%[5]s' | grep -o '"code":"[0-9]*' | head -1 | tr -dc 0-9)`,
		base, number, sampleClient, sampleAudience, strings.TrimPrefix(number, "+"))
}
