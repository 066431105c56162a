package spend

import (
	"fmt"
	"hash/fnv"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// Mode is what follows when a check is reached.
type Mode int

// The modes.
const (
	// Refuse keeps the text back.
	Refuse Mode = iota
	// Record notes it.
	Record
	// Watch raises the alarm and nothing else.
	Watch
)

// Check is reached when Counter with Add would be more than Limit, or more than as many times Limit as
// operators have raised it. With Paused it is reached while that country is paused.
type Check struct {
	Rule    rule.Name
	Counter Counter
	Add     int64
	Limit   int64
	// Raised is the counter of how often operators have added another Limit.
	Raised Counter
	// Told is the counter that holds how far operators have been told; without a name nobody is.
	Told Counter
	// Paused is the country whose pause is checked, instead of a counter.
	Paused string
	Mode   Mode
	// Country, Percent and Strangers are for the alarm; Strangers means that Limit is only their part.
	Country   string
	Percent   int
	Strangers bool
}

// Plan is what a store is to do about one text: take the checks in order up to the first that
// refuses, and if none does, add the counts.
type Plan struct {
	// Refused and Noted are rules that need no counter.
	Refused rule.Name
	Noted   []rule.Name
	Checks  []Check
	Counts  []Count
}

// Names of counters. Those of a country end with it.
const (
	texts     = "texts"
	strangers = "strangers"
	spent     = "spent"
	more      = "more:"
	told      = "told:"
)

// blocks is how many counters blocks share. Several blocks on one counter only get less, and an
// hour's counters stay within a few MB whatever is set.
const blocks = 1 << 14

// Plan returns what is to be done about a text.
func (r Rules) Plan(p People, t Text) Plan {
	plan := Plan{}
	for _, static := range []struct {
		rule    rule.Name
		reached bool
	}{
		{rule.Roster, r.Roster && t.Stranger},
		{rule.Country, !r.allows(t.Country, p)},
	} {
		switch {
		case !static.reached:
		case r.RecordOnly[static.rule]:
			plan.Noted = append(plan.Noted, static.rule)
		default:
			plan.Refused = static.rule
			return plan
		}
	}
	plan.Checks = r.checks(p, t)
	plan.Counts = counts(t)
	return plan
}

// checks are in the order in which the first that refuses is the reason: the narrowest first.
func (r Rules) checks(p People, t Text) []Check {
	var c checklist
	if t.Stranger {
		r.strangerChecks(&c, p, t)
	}
	c.texts(rule.CountryDay, r.countryDay(p, t.Country), Counter{Day, texts + ":" + t.Country}, t.Country)
	if !t.Listed {
		c.texts(rule.AllMinute, r.allMinute(p), Counter{Minute, texts}, "")
	}
	c.texts(rule.AllDay, r.allDay(p), Counter{Day, texts}, "")
	if !t.Stranger && (t.Trusted || t.Listed) {
		// Whoever asks for staff's codes from many addresses must not use up what staff need at places
		// that are known for them (T5): operators hear of it, and money is what stops these, if anything.
		for i := range c {
			c[i].Mode = Watch
		}
	}
	r.moneyChecks(&c, p, t)
	for i := range c {
		if r.RecordOnly[c[i].Rule] && c[i].Mode == Refuse {
			c[i].Mode = Record
		}
	}
	return c
}

func (r Rules) strangerChecks(c *checklist, p People, t Text) {
	if r.ConversionSample != 0 && t.Country != "" {
		*c = append(*c, Check{Rule: rule.Conversion, Paused: t.Country})
	}
	c.texts(rule.StrangersBlock, fixed(r.StrangersBlockHour), blockOf(t), "")
	c.texts(rule.StrangersHour, fixed(r.StrangersHour), Counter{Hour, strangers}, "")
	c.texts(rule.StrangersDay, fixed(r.StrangersDay), Counter{Day, strangers}, "")
	if r.StrangersPercent == 0 {
		return
	}
	percent := int64(r.StrangersPercent)
	c.part(rule.CountryDay, r.countryDay(p, t.Country).part(percent), Counter{Day, strangers + ":" + t.Country}, t.Country)
	c.part(rule.AllDay, r.allDay(p).part(percent), Counter{Day, strangers}, "")
}

// moneyChecks also watch the shares that stop somebody else's texts, and the first alarm.
func (r Rules) moneyChecks(c *checklist, p People, t Text) {
	budget := r.budget(p)
	if t.Stranger {
		c.money(rule.BudgetStrangers, budget, percentStrangers, t.Cost, Refuse)
	}
	if !t.Trusted && !t.Listed {
		c.money(rule.BudgetUntrusted, budget, percentUntrusted, t.Cost, Refuse)
	}
	c.money(rule.BudgetStrangers, budget, percentAlarm, t.Cost, Watch)
	c.money(rule.BudgetStrangers, budget, percentStrangers, t.Cost, Watch)
	c.money(rule.BudgetUntrusted, budget, percentUntrusted, t.Cost, Watch)
}

type checklist []Check

// texts appends a limit on a number of texts.
func (c *checklist) texts(name rule.Name, l limit, counter Counter, country string) {
	if l.lifted {
		return
	}
	raised, _ := raisedBy(name, country)
	window := counter.Window
	if window != Day {
		window = Hour // every minute would be too often
	}
	*c = append(*c, Check{
		Rule: name, Counter: counter, Add: 1, Limit: l.most, Raised: raised,
		Told: Counter{window, told + string(name) + ":" + country}, Country: country,
	})
}

// part appends the strangers' part of a limit.
func (c *checklist) part(name rule.Name, l limit, counter Counter, country string) {
	if l.lifted {
		return
	}
	c.texts(name, l, counter, country)
	last := &(*c)[len(*c)-1]
	last.Strangers = true
	last.Told.Name += ":" + strangers
}

// money appends a share of the day's money. Who is watched has reached it by spending just as much;
// a text that costs nothing stops at it too.
func (c *checklist) money(name rule.Name, budget limit, percent int, cost Micros, mode Mode) {
	if budget.lifted {
		return
	}
	raised, _ := raisedBy(name, "")
	most := budget.part(int64(percent)).most
	if mode == Watch {
		most--
	}
	*c = append(*c, Check{
		Rule: name, Counter: Counter{Day, spent}, Add: max(1, int64(cost)), Limit: most, Raised: raised,
		Told: Counter{Day, fmt.Sprintf("%sbudget:%d", told, percent)}, Percent: percent, Mode: mode,
	})
}

// raisedBy returns the counter of how often operators have raised the limit of a rule today, or in
// this hour or minute, if they can.
func raisedBy(name rule.Name, country string) (Counter, bool) {
	switch name {
	case rule.StrangersBlock:
		return Counter{Hour, more + "blocks"}, true
	case rule.StrangersHour:
		return Counter{Hour, more + strangers}, true
	case rule.StrangersDay:
		return Counter{Day, more + strangers}, true
	case rule.CountryDay:
		return Counter{Day, more + texts + ":" + country}, true
	case rule.AllMinute:
		return Counter{Minute, more + texts}, true
	case rule.AllDay:
		return Counter{Day, more + texts}, true
	case rule.BudgetStrangers, rule.BudgetUntrusted:
		return Counter{Day, more + spent}, true
	}
	return Counter{}, false
}

// counts are the same whatever the rules, so that a rule that is set later today finds what went out.
func counts(t Text) []Count {
	c := []Count{
		{Counter{Day, texts + ":" + t.Country}, 1},
		{Counter{Day, texts}, 1},
		{Counter{Day, spent}, max(0, int64(t.Cost))},
	}
	if !t.Listed {
		c = append(c, Count{Counter{Minute, texts}, 1})
	}
	if t.Stranger {
		c = append(c, Count{blockOf(t), 1}, Count{Counter{Hour, strangers}, 1}, Count{Counter{Day, strangers}, 1},
			Count{Counter{Day, strangers + ":" + t.Country}, 1})
	}
	return c
}

func blockOf(t Text) Counter {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(t.Block)) // never fails
	return Counter{Blocks, fmt.Sprintf("%x", sum.Sum32()%blocks)}
}
