package config

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/latchkey-id/latchkey/internal/phone"
)

// reviewerDays is for how long a reviewer can be let in ahead (C11).
const reviewerDays = 90

var sixDigits = regexp.MustCompile(`^[0-9]{6}$`)

// reviewers checks C11. One whose end has passed is no mistake: it must not keep a server from starting.
func (v *validator) reviewers() {
	at := path{"reviewers"}
	type door struct {
		number phone.Number
		client string
	}
	seen := map[door]path{}
	for _, name := range slices.Sorted(maps.Keys(v.Reviewers)) {
		at, r := at.key(name), v.Reviewers[name]
		v.operatorName(at, name)
		v.reviewer(at, r)
		number, err := (phone.Parser{AllowFictional: true}).Parse(r.Phone)
		if err != nil {
			v.fail(at.key("phone"), "want a mobile number with + and the country code; those that regulators keep for films will do")
			continue
		}
		if other, taken := seen[door{number, r.Client}]; taken {
			v.fail(at, "the phone and the client of %s: keep one", other)
		}
		seen[door{number, r.Client}] = at
	}
}

func (v *validator) reviewer(at path, r Reviewer) {
	client, ok := v.Clients[r.Client]
	if !ok {
		v.fail(at.key("client"), "want the id of a client")
	}
	var tiers []string
	for _, t := range v.Tiers {
		tiers = append(tiers, t.Name)
	}
	v.oneOf(at.key("tier"), r.Tier, tiers...)
	if slices.Contains(tiers, r.Tier) && len(client.Tiers) > 0 && !slices.Contains(client.Tiers, r.Tier) {
		v.fail(at.key("tier"), "not among the tiers that may sign in to its client")
	}
	switch code := r.Code.Reveal(); {
	case !sixDigits.MatchString(code):
		v.fail(at.key("code"), "want six digits")
	case tooEasy(code):
		v.fail(at.key("code"), "too easy: want six digits that nobody tries first")
	}
	last, err := time.Parse(time.DateOnly, r.Until)
	switch {
	case err != nil:
		v.fail(at.key("until"), "want the last day as YYYY-MM-DD")
	case last.After(v.now.UTC().AddDate(0, 0, reviewerDays)):
		v.fail(at.key("until"), "want a day at most %d days ahead", reviewerDays)
	}
}

// tooEasy reports codes of one digit, and those that count up or down.
func tooEasy(code string) bool {
	step := int(code[1]) - int(code[0])
	for i := 2; i < len(code); i++ {
		if int(code[i])-int(code[i-1]) != step {
			return false
		}
	}
	return step >= -1 && step <= 1
}
