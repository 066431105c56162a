package limit

import (
	"sync"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// notes gather blocks in memory until they are listed, so that a refusal costs no round trip.
type notes struct {
	mu      sync.Mutex
	waiting map[noteKey]Block
}

type noteKey struct {
	rule    rule.Name
	subject string
}

// add merges a refusal into those that wait. Beyond MaxBlocks new ones are not kept: the list has no
// room for them either.
func (n *notes) add(name rule.Name, subject string, since, until time.Time, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := noteKey{name, subject}
	b, known := n.waiting[key]
	if !known {
		if len(n.waiting) >= MaxBlocks {
			return
		}
		b = Block{Rule: name, Subject: subject, Since: since}
	}
	if until.After(b.Until) {
		b.Until = until
	}
	b.Count += count
	if n.waiting == nil {
		n.waiting = map[noteKey]Block{}
	}
	n.waiting[key] = b
}

func (n *notes) drop(name rule.Name, subject string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.waiting, noteKey{name, subject})
}

// drain returns those that wait, with their IDs.
func (n *notes) drain() []Block {
	n.mu.Lock()
	waiting := n.waiting
	n.waiting = nil
	n.mu.Unlock()
	blocks := make([]Block, 0, len(waiting))
	for _, b := range waiting {
		b.ID = blockID(b.Rule, b.Subject)
		blocks = append(blocks, b)
	}
	return blocks
}

// restore keeps blocks that could not be listed for the next time.
func (n *notes) restore(blocks []Block) {
	for _, b := range blocks {
		n.add(b.Rule, b.Subject, b.Since, b.Until, b.Count)
	}
}

// NoteBlock says that a rule has just refused subject, and does so until then; a number's subject is made
// by NumberSubject. It never waits: Run lists the block, within about a second. What Start, Guess and Refuse
// refuse is noted by them.
func (s *Service) NoteBlock(name rule.Name, subject string, until time.Time) {
	s.notes.add(name, subject, s.opts.Now(), until, 1)
}
