package spend

import (
	"fmt"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// Text is one that is about to be sent.
type Text struct {
	// Country is the ISO 3166-1 alpha-2 code of the number's; empty if it has none.
	Country string
	// Block is an opaque tag of the number without its last four digits, a keyed digest: never digits.
	Block string
	// Stranger means that HR does not know the number.
	Stranger bool
	// Trusted and Listed tell where it was asked for: from a network known for the number, from a
	// network of the company.
	Trusted, Listed bool
	// Cost is that of all its segments.
	Cost Micros
}

// Verdict says what is to be done with a text.
type Verdict struct {
	// Rule keeps the text back; empty means: send it.
	Rule rule.Name
	// Why explains Rule to an admin.
	Why string
	// Noted are the record-only rules that the text has reached, as far as they come before Rule.
	Noted []rule.Name
	// Alarms are what operators are to be told, each once in its window over all replicas.
	Alarms []Alarm
	// Ticket gives the text back. It is the zero Ticket if the text was kept back.
	Ticket Ticket
}

// Ticket stands for one text that was counted.
type Ticket struct {
	id     string
	counts []Count
}

// Alarm is something that an operator ought to look at.
type Alarm struct {
	// Rule is the one that was reached, or that is about to be.
	Rule rule.Name
	// Country is that of a rule for one country.
	Country string
	// Percent of the day's money is spent, for a rule on money.
	Percent int
	// Strangers means that they have used up their part of the limit; others go on.
	Strangers bool
	// RecordOnly means that the rule refuses nothing.
	RecordOnly bool
}

// String says what happened.
func (a Alarm) String() string {
	text := a.Rule.Explain()
	if a.Percent == percentAlarm {
		text = fmt.Sprintf("%d %% of the day's money for texts is spent", a.Percent)
	}
	if a.Country != "" {
		text += " (" + a.Country + ")"
	}
	if a.Strangers {
		text += ": the part of numbers that HR does not know"
	}
	if a.RecordOnly {
		text += "; the rule only records"
	}
	return text
}

// nowhere explains that not a single country is allowed, which a new installation meets first.
const nowhere = "no texts to any country: no countries are set, and HR's people have no numbers yet; " +
	"set the allowed countries or let HR's list enter people"
