package directory

import "encoding/json"

// The shape of a report for programs. Members are only ever added; lists are never null, numbers
// are masked.
type (
	reportWire struct {
		Source         string         `json:"source"`
		Mode           Mode           `json:"mode"`
		DryRun         bool           `json:"dry_run"`
		Applied        bool           `json:"applied"`
		Refused        string         `json:"refused,omitempty"`
		Counts         Counts         `json:"counts"`
		Entered        []personWire   `json:"entered"`
		Changed        []changeWire   `json:"changed"`
		Left           []leaverWire   `json:"left"`
		Problems       []problemWire  `json:"problems"`
		Conflicts      []conflictWire `json:"conflicts"`
		WithheldLines  []int          `json:"withheld_lines"`
		IgnoredColumns []string       `json:"ignored_columns"`
	}
	personWire struct {
		ExternalID string `json:"external_id"`
		Name       string `json:"name"`
		Department string `json:"department"`
		Phone      string `json:"phone"`
		Active     bool   `json:"active"`
	}
	userWire struct {
		UserID     string `json:"user_id"`
		Source     string `json:"source"`
		ExternalID string `json:"external_id"`
		Name       string `json:"name"`
	}
	changeWire struct {
		userWire
		Rehired bool    `json:"rehired"`
		Fields  []delta `json:"fields"`
	}
	leaverWire struct {
		userWire
		Reason Reason `json:"reason"`
	}
	problemWire struct {
		Line       int    `json:"line"`
		Column     string `json:"column"`
		Reason     string `json:"reason"`
		ExternalID string `json:"external_id"`
		Rejected   bool   `json:"rejected"`
	}
	conflictWire struct {
		Phone string     `json:"phone"`
		Users []userWire `json:"users"`
	}
)

// MarshalJSON renders the report for programs, complete and with masked numbers.
func (r Report) MarshalJSON() ([]byte, error) {
	wire := reportWire{
		Source:         r.Source,
		Mode:           r.Mode,
		DryRun:         r.DryRun,
		Applied:        r.Applied,
		Counts:         r.Counts(),
		Entered:        each(r.Changes.Enter, newPersonWire),
		Changed:        each(r.Changes.Change, newChangeWire),
		Left:           each(r.Changes.Leave, newLeaverWire),
		Problems:       each(r.Problems, newProblemWire),
		Conflicts:      each(r.Conflicts, newConflictWire),
		WithheldLines:  append([]int{}, r.Changes.WithheldLines...),
		IgnoredColumns: append([]string{}, r.Ignored...),
	}
	if r.Refused != nil {
		wire.Refused = r.Refused.Error()
	}
	return json.Marshal(wire)
}

func each[From, To any](all []From, convert func(From) To) []To {
	out := make([]To, len(all))
	for i, one := range all {
		out[i] = convert(one)
	}
	return out
}

func newPersonWire(p Person) personWire {
	return personWire{p.ExternalID, p.Name, p.Department, p.Phone.Masked(), p.Active}
}

func newUserWire(u User) userWire { return userWire{u.ID, u.Source, u.ExternalID, u.Name} }

func newChangeWire(c Change) changeWire {
	return changeWire{newUserWire(c.User), c.Rehired(), c.deltas()}
}

func newLeaverWire(l Leaving) leaverWire { return leaverWire{newUserWire(l.User), l.Reason} }

func newProblemWire(p Problem) problemWire { return problemWire(p) }

func newConflictWire(c Conflict) conflictWire {
	return conflictWire{c.Phone.Masked(), each(c.Users, newUserWire)}
}
