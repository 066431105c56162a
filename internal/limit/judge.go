package limit

import (
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// verdict is what readings mean.
type verdict struct {
	// refusal is for everybody; shared for those who have not signed in with the number from there, as
	// what they share with others is used up: a network, or an address of a listed one; untrusted for those
	// who are not trusted, in protective mode. Of several rules it is the one that lasts longest: only
	// then the request can succeed.
	refusal, shared, untrusted *Error
	// noted are rules that would have refused. notedUntrusted are those that would have refused an untrusted
	// origin in protective mode.
	noted, notedUntrusted []rule.Name
}

func judge(meters []Meter, readings []Reading) verdict {
	var v verdict
	for i, m := range meters {
		for j, w := range m.Windows {
			waits := readings[i].Waits[j]
			switch {
			case w.Enforced && (m.Place.Around == Network || m.From.Listed):
				v.shared = longer(v.shared, m, w, waits.Full)
				v.untrusted = longer(v.untrusted, m, w, waits.Third)
			case w.Enforced:
				v.refusal = longer(v.refusal, m, w, waits.Full)
				v.untrusted = longer(v.untrusted, m, w, waits.Third)
			case waits.Full > 0:
				v.noted = append(v.noted, w.Rule)
			case waits.Third > 0:
				v.notedUntrusted = append(v.notedUntrusted, w.Rule)
			}
		}
	}
	return v
}

func longer(than *Error, m Meter, w Window, left time.Duration) *Error {
	if left <= 0 || than != nil && than.RetryAfter >= left {
		return than
	}
	return &Error{Rule: w.Rule, RetryAfter: left, Subject: m.subject()}
}

// Subjects of blocks begin with what they are.
const (
	sourceSubject  = "source:"
	networkSubject = "network:"
	numberSubject  = "number:"
	allSubject     = "all"
)

func (m Meter) subject() string {
	if m.Place.Around == Network {
		return networkSubject + string(m.From.Network)
	}
	return sourceSubject + string(m.From.Source)
}

// strict says what a level asks of an origin that is not trusted for the number: everything of listed ones is.
func (s *Service) strict(p *Pass, v verdict, level Level, from origin.Origin) {
	if level < Protective || from.Listed {
		return
	}
	if s.rules.RecordOnly[rule.AllGuesses] {
		if v.untrusted != nil {
			p.Noted = append(p.Noted, rule.AllGuesses)
		}
		return
	}
	p.Strict, p.Refusal = true, v.untrusted
	p.Noted = append(p.Noted, v.notedUntrusted...)
}
