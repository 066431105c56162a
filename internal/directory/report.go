package directory

// Report tells what a run did, or in a dry run would do, and why.
type Report struct {
	Source string
	Mode   Mode
	DryRun bool
	// Applied means that Changes are written for good.
	Applied bool
	Changes ChangeSet
	// Problems are in order of line.
	Problems []Problem
	// Ignored are headers of columns that mean nothing to us.
	Ignored []string
	// Conflicts are the numbers that several active people share after the change.
	Conflicts []Conflict
	// SessionsEnded counts what the change signs out.
	SessionsEnded int
	// Refused is nil, or the *GuardError or *StrictError that holds the feed back.
	Refused error
}

// Counts is a report in numbers. Nobody is counted twice.
type Counts struct {
	Entered         int `json:"entered"`
	Changed         int `json:"changed"`
	Rehired         int `json:"rehired"`
	Left            int `json:"left"`
	Unchanged       int `json:"unchanged"`
	RejectedLines   int `json:"rejected_lines"`
	Problems        int `json:"problems"`
	Conflicts       int `json:"conflicts"`
	LeaversWithheld int `json:"leavers_withheld"`
	SessionsEnded   int `json:"sessions_ended"`
}

// Counts returns the report in numbers; Changed does not include Rehired.
func (r Report) Counts() Counts {
	rejected := map[int]bool{}
	for _, p := range r.Problems {
		if p.Rejected {
			rejected[p.Line] = true
		}
	}
	rehired := r.Changes.Rehired()
	return Counts{
		Entered:         len(r.Changes.Enter),
		Changed:         len(r.Changes.Change) - rehired,
		Rehired:         rehired,
		Left:            len(r.Changes.Leave),
		Unchanged:       r.Changes.Unchanged,
		RejectedLines:   len(rejected),
		Problems:        len(r.Problems),
		Conflicts:       len(r.Conflicts),
		LeaversWithheld: r.Changes.LeaversWithheld,
		SessionsEnded:   r.SessionsEnded,
	}
}

// delta is one field's change with numbers masked. Both sides are equal if two numbers end alike.
type delta struct {
	Field  Field  `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

func (c Change) deltas() []delta {
	all := make([]delta, len(c.Fields))
	for i, field := range c.Fields {
		all[i] = delta{field, c.User.show(field), c.Person.show(field)}
	}
	return all
}
