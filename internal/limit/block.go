package limit

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/latchkey-id/latchkey/internal/origin"
	"github.com/latchkey-id/latchkey/internal/rule"
)

// Block is one rule that refuses somebody just now (T10).
type Block struct {
	// ID names the block to an admin; it is the same whenever the same rule refuses the same subject.
	ID   string
	Rule rule.Name
	// Subject is who is refused: "source:" and "network:" with an address, "all", or NumberSubject.
	Subject string
	// Since is the first refusal, Until the end.
	Since, Until time.Time
	// Count is how often it refused, as far as the list has heard.
	Count int
}

// NumberSubject is the subject of a block of a number, whose tag is a keyed digest without spaces. shown is the
// number as an admin may see it.
func NumberSubject(tag, shown string) string { return numberSubject + tag + " " + shown }

// Number takes a NumberSubject apart.
func (b Block) Number() (tag, shown string, ok bool) {
	subject, ok := strings.CutPrefix(b.Subject, numberSubject)
	tag, shown, _ = strings.Cut(subject, " ")
	return tag, shown, ok
}

// idLetters are those that nobody mistakes for another (Crockford's base 32); ten of them are 50 bits,
// enough to tell MaxBlocks apart.
var idLetters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const idLength = 10

func blockID(name rule.Name, subject string) string {
	sum := sha256.Sum256([]byte(string(name) + "\x00" + subject))
	return idLetters.EncodeToString(sum[:])[:idLength]
}

// Blocks returns at most limit blocks, those that last longest first. The error is an outage.
func (s *Service) Blocks(ctx context.Context, limit int) ([]Block, error) {
	blocks, err := s.store.Noted(ctx, limit)
	if err != nil {
		return nil, fmt.Errorf("limit: list blocks: %w", err)
	}
	return blocks, nil
}

// Lift ends a block that Blocks listed, and forgets what was counted towards it; a number's counts are
// the caller's to forget. Whoever else is refused because of the same count is free as well. The error is
// ErrNoBlock, or an outage, after which it can be tried again.
func (s *Service) Lift(ctx context.Context, id string) (Block, error) {
	block, err := s.store.Block(ctx, strings.ToLower(strings.TrimSpace(id)))
	if err != nil {
		return Block{}, fmt.Errorf("limit: find the block: %w", err)
	}
	if err := s.forget(ctx, block); err != nil {
		return Block{}, fmt.Errorf("limit: forget what was counted: %w", err)
	}
	var ids []string
	for _, name := range sameCount(block.Rule) {
		ids = append(ids, blockID(name, block.Subject))
		s.notes.drop(name, block.Subject)
	}
	if err := s.store.Remove(ctx, ids...); err != nil {
		return Block{}, fmt.Errorf("limit: take the block off the list: %w", err)
	}
	return block, nil
}

func (s *Service) forget(ctx context.Context, b Block) error {
	if b.Subject == allSubject {
		if err := s.store.ForgetAll(ctx); err != nil {
			return err
		}
		return s.Refresh(ctx)
	}
	from, known := originOf(b.Subject)
	place, counted := counts[b.Rule]
	if !known || !counted {
		return nil
	}
	return s.store.Forget(ctx, from, place)
}

// counts says by what each rule of T3 counts.
var counts = map[rule.Name]Place{
	rule.SourceGuesses:     {Source, Guesses},
	rule.SourceNumbers:     {Source, Numbers},
	rule.SourceStarts:      {Source, Starts},
	rule.SourceStartsHour:  {Source, Starts},
	rule.NetworkGuesses:    {Network, Guesses},
	rule.NetworkNumbers:    {Network, Numbers},
	rule.NetworkStarts:     {Network, Starts},
	rule.NetworkStartsHour: {Network, Starts},
}

// sameCount returns the rules that are free once the count of name is forgotten, itself among them.
func sameCount(name rule.Name) []rule.Name {
	if name == rule.AllGuesses || name == rule.AllGuessesClosed {
		return []rule.Name{rule.AllGuesses, rule.AllGuessesClosed}
	}
	same := []rule.Name{name}
	for other, place := range counts {
		if place == counts[name] && other != name {
			same = append(same, other)
		}
	}
	return same
}

// originOf returns where the meters of a subject stand.
func originOf(subject string) (origin.Origin, bool) {
	if network, ok := strings.CutPrefix(subject, networkSubject); ok {
		return origin.Origin{Network: origin.Network(network)}, true
	}
	source, ok := strings.CutPrefix(subject, sourceSubject)
	if !ok {
		return origin.Origin{}, false
	}
	if prefix, err := netip.ParsePrefix(source); err == nil {
		return origin.Company(nil).Of(prefix.Addr()), true
	}
	addr, _ := netip.ParseAddr(source) // what is no address is origin.Unknown, whose address is the zero one
	return origin.Company(nil).Of(addr), true
}
