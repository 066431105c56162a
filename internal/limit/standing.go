package limit

import (
	"context"
	"fmt"
	"time"

	"github.com/latchkey-id/latchkey/internal/rule"
)

// standing is the level as last known.
type standing struct {
	level Level
	// openAt is when starts open again, if all guess no more.
	openAt time.Time
}

// Level is the one last known: at most a second old while Run runs and the store answers.
func (s *Service) Level() Level { return s.known.Load().level }

// observe returns the level that a guess was told, which is that of the guesses before it.
func (s *Service) observe(taken Taken) Level {
	if taken.Minute == 0 {
		return s.Level()
	}
	level := s.rules.level(taken.Total, s.people())
	if known := s.known.Load(); known.level != level {
		// Refresh will find out when it ends; until then a start may ask again after a minute. Should
		// another goroutine be quicker, its news is as good.
		s.known.CompareAndSwap(known, &standing{level: level, openAt: s.opts.Now().Add(time.Minute)})
	}
	return level
}

// Refresh asks the store for the level and, while it is not Calm, lists it as a block. The error is
// an outage.
func (s *Service) Refresh(ctx context.Context) error {
	if s.rules.AllPerHour <= 0 {
		return nil
	}
	all, err := s.store.All(ctx)
	if err != nil {
		return fmt.Errorf("limit: count of all: %w", err)
	}
	people, now := s.people(), s.opts.Now()
	protective, closed := s.rules.thresholds(people)
	next := &standing{level: s.rules.level(all.Total(), people)}
	if next.level >= Protective {
		s.noteLevel(rule.AllGuesses, now.Add(all.Until(protective)))
	}
	if next.level == Closed {
		next.openAt = now.Add(all.Until(closed))
		s.noteLevel(rule.AllGuessesClosed, next.openAt)
	}
	s.known.Store(next)
	s.tell(next.level)
	return nil
}

// noteLevel lists that all are held to less; who was refused by it is counted by Refuse.
func (s *Service) noteLevel(name rule.Name, until time.Time) {
	if !s.rules.RecordOnly[name] {
		s.notes.add(name, allSubject, s.opts.Now(), until, 0)
	}
}

// tell logs a change of level, which is an alarm when it rises.
func (s *Service) tell(level Level) {
	before := Level(s.told.Swap(int32(level))) //nolint:gosec // there are three levels
	switch {
	case level > before:
		s.opts.Log.Warn("too many wrong guesses of all together", "level", level.String(), "before", before.String())
	case level < before:
		s.opts.Log.Info("fewer wrong guesses of all together again", "level", level.String(), "before", before.String())
	}
}
