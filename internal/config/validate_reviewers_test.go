package config

import (
	"testing"
)

// reviewer returns a change that adds a reviewer, itself changed.
func reviewer(change func(*Reviewer)) func(*Config) {
	return func(c *Config) {
		r := Reviewer{Phone: "+447700900999", Client: "web", Tier: "employee", Code: NewSecret("271828"), Until: "2026-10-30"}
		change(&r)
		c.Reviewers = map[string]Reviewer{"store": r}
	}
}

func code(text string) func(*Config) {
	return reviewer(func(r *Reviewer) { r.Code = NewSecret(text) })
}

func until(text string) func(*Config) {
	return reviewer(func(r *Reviewer) { r.Until = text })
}

func TestReviewers(t *testing.T) {
	const easy, digits, day = "reviewers.store.code: too easy", "reviewers.store.code: want six digits", "reviewers.store.until: want the last day as YYYY-MM-DD"
	checkRules(t, []oneChange{
		{"right, to the last of 90 days", reviewer(func(*Reviewer) {}), nil},
		{"a day too far", until("2026-10-31"), []string{"reviewers.store.until: want a day at most 90 days ahead"}},
		{"over for long", until("2020-01-01"), nil},
		{"no day", until(""), []string{day}},
		{"a time", until("2026-10-01T00:00:00Z"), []string{day}},
		{"no such day", until("2026-09-31"), []string{day}},
		{"no client", reviewer(func(r *Reviewer) { r.Client = "other" }), []string{"reviewers.store.client: want the id of a client"}},
		{"no tier", reviewer(func(r *Reviewer) { r.Tier = "boss" }), []string{"reviewers.store.tier: want one of employee, anonymous"}},
		{"a tier that the client refuses", func(c *Config) {
			web(func(w *Client) { w.Tiers = []string{"anonymous"} })(c)
			reviewer(func(*Reviewer) {})(c)
		}, []string{"reviewers.store.tier: not among the tiers that may sign in to its client"}},
		{"a tier that the client takes", func(c *Config) {
			web(func(w *Client) { w.Tiers = []string{"employee"} })(c)
			reviewer(func(*Reviewer) {})(c)
		}, nil},
		{"no country code", reviewer(func(r *Reviewer) { r.Phone = "07700900999" }), []string{"reviewers.store.phone: want a mobile number with + and the country code"}},
		{"no mobile", reviewer(func(r *Reviewer) { r.Phone = "+442079460018" }), []string{"reviewers.store.phone: want a mobile"}},
		{"no phone", reviewer(func(r *Reviewer) { r.Phone = "" }), []string{"reviewers.store.phone: want a mobile"}},
		{"no code", code(""), []string{digits}},
		{"five digits", code("27182"), []string{digits}},
		{"other digits", code("٢٧١٨٢٨"), []string{digits}},
		{"zeros", code("000000"), []string{easy}},
		{"ones", code("111111"), []string{easy}},
		{"upwards", code("123456"), []string{easy}},
		{"upwards from nothing", code("012345"), []string{easy}},
		{"downwards", code("654321"), []string{easy}},
		{"almost upwards", code("123457"), nil},
		{"a name", func(c *Config) {
			reviewer(func(*Reviewer) {})(c)
			c.Reviewers["a b"] = c.Reviewers["store"]
			delete(c.Reviewers, "store")
		}, []string{`reviewers."a b": want a name of 1 to 32`}},
		{"one twice, in other words", func(c *Config) {
			reviewer(func(*Reviewer) {})(c)
			second := c.Reviewers["store"]
			second.Phone = "+44 7700 900 999"
			c.Reviewers["other"] = second
		}, []string{"reviewers.store: the phone and the client of reviewers.other: keep one"}},
		{"one number at two clients", func(c *Config) {
			reviewer(func(*Reviewer) {})(c)
			second := c.Reviewers["store"]
			second.Client = "app"
			c.Clients["app"] = c.Clients["web"]
			c.Reviewers["other"] = second
		}, nil},
	})
}

func TestAReviewersCodeFromAFile(t *testing.T) {
	const settings = "reviewers: {store: {phone: \"+447700900999\", client: web, tier: employee, code_file: /run/code, until: 2020-01-01}}\n"
	c := mustLoad(t, disk{"main.yaml": minimal + settings, "/run/code": "271828\n"})
	if got := c.Reviewers["store"].Code.Reveal(); got != "271828" {
		t.Errorf("code = %q", got)
	}
	_, err := load(disk{"main.yaml": minimal + settings, "/run/code": "27182x"})
	wantProblems(t, err, "reviewers.store.code: want six digits (main.yaml:8 = /run/code)")
}
