package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/latchkey-id/latchkey/internal/audit"
	"github.com/latchkey-id/latchkey/internal/config"
	"github.com/latchkey-id/latchkey/internal/phone"
	"github.com/latchkey-id/latchkey/internal/rule"
	"github.com/latchkey-id/latchkey/internal/sms"
	"github.com/latchkey-id/latchkey/internal/spend"
	"github.com/latchkey-id/latchkey/internal/store/sql"
)

type smsCommand struct {
	Report smsReport `cmd:"" help:"Show what became of texts and what they cost, by day and country."`
	Test   smsTest   `cmd:"" help:"Send one text, past all limits, and say what the provider says to it."`
}

type smsReport struct {
	Days    int    `default:"7" help:"How many days, today (UTC) included; 1 to 90."`
	Country string `placeholder:"CC" help:"Only this country, by its ISO 3166 code."`
	where
	output
}

// maxReportDays is how far back a report goes.
const maxReportDays = 90

// smsReportJSON is the report, as it is printed.
type smsReportJSON struct {
	From     time.Time       `json:"from"`
	To       time.Time       `json:"to"`
	Currency string          `json:"currency"`
	Rows     []smsRowJSON    `json:"rows"`
	Numbers  []smsNumberJSON `json:"people_without_texts"`
}

type smsRowJSON struct {
	Day       string         `json:"day"`
	Country   string         `json:"country"`
	Sent      int            `json:"sent"`
	Delivered int            `json:"delivered"`
	Redeemed  int            `json:"redeemed"`
	Strangers int            `json:"strangers"`
	Segments  int            `json:"segments"`
	Cost      string         `json:"cost"`
	Failed    map[string]int `json:"failed"`
	Withheld  map[string]int `json:"withheld"`
}

type smsNumberJSON struct {
	Phone      string    `json:"phone"`
	Class      string    `json:"class"`
	Reason     string    `json:"reason,omitempty"`
	Until      time.Time `json:"until"`
	Source     string    `json:"source"`
	ExternalID string    `json:"external_id"`
	Name       string    `json:"name"`
}

// Run prints the report, and whose numbers HR should look at.
func (cmd smsReport) Run(ctx context.Context, env Env) error {
	if cmd.Days < 1 || cmd.Days > maxReportDays {
		return usageError{fmt.Errorf("--days: want 1 to %d", maxReportDays)}
	}
	if cmd.Country = strings.ToUpper(cmd.Country); cmd.Country != "" && !phone.KnownRegion(cmd.Country) {
		return usageError{errors.New("--country: want an ISO 3166 code, such as GB")}
	}
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	return withRecord(ctx, c, func(store *sql.Store) error {
		now, err := store.Clock(ctx)
		if err != nil {
			return err
		}
		from := now.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-cmd.Days)
		rows, err := store.TextReport(ctx, from, now)
		if err != nil {
			return err
		}
		if cmd.Country != "" {
			rows = slices.DeleteFunc(rows, func(r sms.ReportRow) bool { return r.Country != cmd.Country })
		}
		numbers, err := store.UndeliverableNumbers(ctx, maxListed, phone.Number{}, true)
		if err != nil {
			return err
		}
		report := newReportJSON(from, now, c, rows, numbers)
		if cmd.json() {
			return writeJSON(env.Stdout, report)
		}
		if len(rows) == 0 {
			fmt.Fprintf(env.Stderr, "No texts since %s.\n", from.Format(time.DateOnly))
		}
		return report.write(env.Stdout)
	})
}

func newReportJSON(from, to time.Time, c config.Config, rows []sms.ReportRow, numbers []sms.UndeliverableNumber) smsReportJSON {
	report := smsReportJSON{From: from, To: to.UTC(), Currency: c.SMS.Money.Currency, Rows: []smsRowJSON{}, Numbers: []smsNumberJSON{}}
	for _, r := range rows {
		row := smsRowJSON{
			Day: r.Day.Format(time.DateOnly), Country: orUnknown(r.Country), Sent: r.Sent, Delivered: r.Delivered, Redeemed: r.Redeemed,
			Strangers: r.Strangers, Segments: r.Segments, Cost: spend.Micros(r.Cost).String(),
			Failed: map[string]int{}, Withheld: map[string]int{},
		}
		for class, n := range r.Failed {
			row.Failed[string(class)] += n
		}
		for name, n := range r.Withheld {
			row.Withheld[string(name)] += n
		}
		report.Rows = append(report.Rows, row)
	}
	for _, n := range numbers {
		for _, h := range n.Holders {
			report.Numbers = append(report.Numbers, smsNumberJSON{
				Phone: n.To.E164(), Class: string(n.Class), Reason: n.Reason, Until: n.Until,
				Source: h.Source, ExternalID: h.ExternalID, Name: h.Name,
			})
		}
	}
	return report
}

func (r smsReportJSON) write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Rows) > 0 {
		fmt.Fprintf(table, "DAY\tCOUNTRY\tSENT\tDELIVERED\tREDEEMED\tSTRANGERS\tCOST %s\tFAILED\tWITHHELD\n", r.Currency)
	}
	for _, row := range r.Rows {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\n", row.Day, row.Country, row.Sent, row.Delivered, row.Redeemed,
			row.Strangers, row.Cost, tally(row.Failed), tally(row.Withheld))
	}
	if err := table.Flush(); err != nil || len(r.Numbers) == 0 {
		return err
	}
	fmt.Fprintln(w, "\nPeople whose number could not get texts in the last 30 days (for HR to check):")
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tID\tNAME\tPHONE\tWHY")
	for _, n := range r.Numbers {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", n.Source, n.ExternalID, n.Name, n.Phone, strings.TrimSuffix(whyNone(sms.Class(n.Class))+": "+n.Reason, ": "))
	}
	return table.Flush()
}

// whyNone says in words why a number is sent no texts.
func whyNone(class sms.Class) string {
	if class == sms.OptedOut {
		return "the person replied STOP"
	}
	return rule.Undeliverable.Explain()
}

// tally is "3 rate, 1 provider", the most first.
func tally(n map[string]int) string {
	if len(n) == 0 {
		return "-"
	}
	names := slices.SortedFunc(maps.Keys(n), func(a, b string) int {
		if n[a] != n[b] {
			return n[b] - n[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", n[name], name)
	}
	return strings.Join(names, ", ")
}

type smsTest struct {
	Phone    string `arg:"" help:"Your own number, as in +447700900123."`
	Provider string `placeholder:"NAME" help:"By this provider, whatever the routes say."`
	Language string `placeholder:"TAG" help:"In this language, such as de."`
	where
	output
}

// testCode is in the text of a test: nobody gets in with it.
const testCode = "000000"

// smsTestJSON is the outcome, as it is printed.
type smsTestJSON struct {
	Provider   string `json:"provider"`
	ProviderID string `json:"provider_id,omitempty"`
	Country    string `json:"country"`
	Language   string `json:"language"`
	Body       string `json:"body"`
	Segments   int    `json:"segments"`
	Cost       string `json:"cost"`
	Class      string `json:"class,omitempty"`
	Code       int    `json:"code,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

// Run sends one text past all limits, and records and audits it.
func (cmd smsTest) Run(ctx context.Context, env Env) error {
	c, err := cmd.load(env)
	if err != nil {
		return err
	}
	if cmd.Dev {
		return errors.New("dev sends no texts: see its inbox")
	}
	number, err := newParser(c).Parse(cmd.Phone)
	if err != nil {
		return usageError{errors.New("not a mobile number: " + phoneMistake(err))}
	}
	ways, err := newProviders(c)
	if err != nil {
		return err
	}
	defer ways.close()
	sender, err := cmd.sender(c, ways)
	if err != nil {
		return err
	}
	words, err := newWording(c)
	if err != nil {
		return err
	}
	language := words.Pick(cmd.Language, "", number.Country())
	message := sms.Message{
		To: number, Body: words.Code(language, "", testCode, c.Codes.Lifetime), Kind: sms.KindTest, Country: number.Country(), ValidUntil: time.Now().Add(c.Codes.Lifetime),
	}
	return withRecord(ctx, c, func(store *sql.Store) error {
		receipt, sendErr := sender.Send(ctx, message)
		var failure *sms.Error
		errors.As(sendErr, &failure)
		segments, _ := sms.Segments(message.Body)
		outcome := smsTestJSON{
			Provider: receipt.Provider, ProviderID: receipt.ID, Country: number.Country(), Language: string(language), Body: message.Body,
			Segments: segments, Cost: newPrices(c).Of(number.Country(), segments).String() + " " + c.SMS.Money.Currency,
		}
		record := sms.Record{
			At: time.Now(), To: number, Country: number.Country(), Kind: sms.KindTest, Segments: segments,
			Cost: sms.Micros(newPrices(c).Of(number.Country(), segments)), Provider: receipt.Provider, ProviderID: receipt.ID,
		}
		if failure != nil {
			outcome.Class, outcome.Code, outcome.Reason = string(failure.Class), failure.Code, failure.Reason
			outcome.Provider, record.Provider = failure.Provider, failure.Provider
			record.Class, record.Code, record.Rule = failure.Class, failure.Code, string(failure.Rule)
			if failure.Definite() {
				record.Cost = 0
			}
		}
		if err := cmd.keep(ctx, store, record); err != nil {
			return err
		}
		if cmd.json() {
			err = writeJSON(env.Stdout, outcome)
		} else {
			err = outcome.write(env.Stdout)
		}
		if failure != nil {
			return errors.Join(err, errReported)
		}
		return err
	})
}

// sender is the provider that was named, or whichever the routes lead to.
func (cmd smsTest) sender(c config.Config, ways *providers) (sms.Sender, error) {
	senders := ways.senders
	if cmd.Provider != "" {
		only, ok := senders[cmd.Provider]
		if !ok {
			return nil, usageError{fmt.Errorf("--provider: there is none called %q: want %s",
				cmd.Provider, strings.Join(slices.Sorted(maps.Keys(senders)), ", "))}
		}
		senders = map[string]sms.Sender{cmd.Provider: only}
		c.SMS.Order, c.SMS.Routes = []string{cmd.Provider}, nil
	}
	return newRouter(c, senders, slog.New(slog.DiscardHandler), func(sms.Standing) {})
}

func (cmd smsTest) keep(ctx context.Context, store *sql.Store, record sms.Record) error {
	detail := map[string]any{"provider": record.Provider, "country": record.Country}
	if record.Class != "" {
		detail["class"] = string(record.Class)
	}
	return errors.Join(
		store.RecordTexts(ctx, []sms.Record{record}),
		store.Record(ctx, audit.Event{
			At: record.At, Kind: audit.TextTested, Actor: operator(), Phone: record.To.Masked(), Detail: detail,
		}))
}

func (o smsTestJSON) write(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", indented(o.Body))
	fmt.Fprintf(w, "%s, %s, %s, %s by the price list\n", orUnknown(o.Country), o.Language, plural(o.Segments, "segment", "segments"), o.Cost)
	if o.Class != "" {
		fmt.Fprintf(w, "Not sent by %s: %s (%s", orUnknown(o.Provider), o.Reason, o.Class)
		if o.Code != 0 {
			fmt.Fprintf(w, ", code %d", o.Code)
		}
		fmt.Fprintln(w, ")")
		return nil
	}
	fmt.Fprintf(w, "Accepted by %s as %s. That is not delivered yet: look at the phone.\n", o.Provider, o.ProviderID)
	return nil
}

func indented(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = "    " + line
		}
	}
	return strings.Join(lines, "\n")
}
