package directory

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// Diff compares a feed with the users of its source, given in any order, and returns what has to
// change. It is pure: it reads current once and writes nothing. The error is that of current, or
// tells what is wrong with a feed that no reader should have built.
//
// A person on a rejected line is left alone: neither entered, nor changed, nor a leaver. A
// rejected line that may be about anybody keeps everybody from leaving by absence; who is marked
// inactive on a line of their own still leaves. Somebody who is inactive here and in the feed
// stays as they were when they left, so that applying one feed twice does nothing the second time.
func Diff(current iter.Seq2[User, error], feed Feed) (ChangeSet, error) {
	d, err := newDiffer(feed)
	if err != nil {
		return ChangeSet{}, err
	}
	for user, err := range current {
		if err != nil {
			return ChangeSet{}, fmt.Errorf("read the users of source %q: %w", feed.Source, err)
		}
		if user.Source != feed.Source {
			return ChangeSet{}, fmt.Errorf("user %s is of source %q, not of %q", user.ID, user.Source, feed.Source)
		}
		d.compare(user)
	}
	return d.finish(), nil
}

type differ struct {
	feed Feed
	// index finds a person in feed.People; known marks those who are users already.
	index map[string]int
	known []bool
	// protected are the external ids on rejected lines.
	protected map[string]bool
	missing   []User
	changes   ChangeSet
}

func newDiffer(feed Feed) (*differ, error) {
	switch {
	case feed.Source == "":
		return nil, fmt.Errorf("the feed names no source")
	case feed.Mode != Full && feed.Mode != Delta:
		return nil, fmt.Errorf("the feed's mode is %q: want %q or %q", feed.Mode, Full, Delta)
	}
	d := &differ{
		feed:      feed,
		index:     make(map[string]int, len(feed.People)),
		known:     make([]bool, len(feed.People)),
		protected: map[string]bool{},
		changes:   ChangeSet{Source: feed.Source, Mode: feed.Mode, People: len(feed.People)},
	}
	for i, person := range feed.People {
		if person.ExternalID == "" {
			return nil, fmt.Errorf("the feed's person %d has no external id", i+1)
		}
		if _, twice := d.index[person.ExternalID]; twice {
			return nil, fmt.Errorf("the feed holds external id %q twice", person.ExternalID)
		}
		d.index[person.ExternalID] = i
	}
	for _, problem := range feed.Problems {
		switch {
		case !problem.Rejected:
		case problem.ExternalID != "":
			d.protected[problem.ExternalID] = true
		default:
			d.changes.WithheldLines = append(d.changes.WithheldLines, problem.Line)
		}
	}
	return d, nil
}

func (d *differ) compare(user User) {
	if user.Active {
		d.changes.ActiveBefore++
	}
	i, listed := d.index[user.ExternalID]
	if listed {
		d.known[i] = true
	}
	if d.protected[user.ExternalID] {
		return
	}
	if !listed {
		if user.Active && d.feed.Mode == Full {
			d.missing = append(d.missing, user)
		}
		return
	}
	person := d.feed.People[i].keeping(d.feed.Silent, user.Person)
	fields := user.Changed(person)
	switch {
	case !user.Active && !person.Active, len(fields) == 0:
		d.changes.Unchanged++
	case user.Active && !person.Active:
		d.changes.Leave = append(d.changes.Leave, Leaving{User: user, Reason: MarkedInactive})
	default:
		d.changes.Change = append(d.changes.Change, Change{User: user, Person: person, Fields: fields})
	}
}

func (d *differ) finish() ChangeSet {
	cs := d.changes
	for i, person := range d.feed.People {
		if !d.known[i] && !d.protected[person.ExternalID] {
			cs.Enter = append(cs.Enter, person)
		}
	}
	if len(cs.WithheldLines) > 0 {
		cs.LeaversWithheld = len(d.missing)
	} else {
		for _, user := range d.missing {
			cs.Leave = append(cs.Leave, Leaving{User: user, Reason: Missing})
		}
	}
	slices.SortFunc(cs.Change, func(a, b Change) int { return byName(a.User, b.User) })
	slices.SortFunc(cs.Leave, func(a, b Leaving) int { return byName(a.User, b.User) })
	return cs
}

func byName(a, b User) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ExternalID, b.ExternalID))
}
