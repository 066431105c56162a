package keyringtest

import (
	"context"
	"time"

	"github.com/latchkey-id/latchkey/internal/keyring"
)

// Line is one replica's way to a record.
type Line struct {
	keyring.Record
	// Before is called ahead of each call with the method's name, After behind it: an error is the answer
	// instead, of a call that has not arrived or whose answer is lost. Either may be nil.
	Before, After func(ctx context.Context, method string) error
}

func through[T any](ctx context.Context, l *Line, method string, call func() (T, error)) (T, error) {
	var none T
	if l.Before != nil {
		if err := l.Before(ctx, method); err != nil {
			return none, err
		}
	}
	answer, err := call()
	if l.After != nil {
		if lost := l.After(ctx, method); lost != nil {
			return none, lost
		}
	}
	return answer, err
}

func (l *Line) do(ctx context.Context, method string, call func() error) error {
	_, err := through(ctx, l, method, func() (struct{}, error) { return struct{}{}, call() })
	return err
}

// KeySet implements keyring.Store.
func (l *Line) KeySet(ctx context.Context) (keyring.Snapshot, error) {
	return through(ctx, l, "KeySet", func() (keyring.Snapshot, error) { return l.Record.KeySet(ctx) })
}

// ChangeKeys implements keyring.Store.
func (l *Line) ChangeKeys(ctx context.Context, c keyring.Change) error {
	return l.do(ctx, "ChangeKeys", func() error { return l.Record.ChangeKeys(ctx, c) })
}

// KeyRevision implements keyring.Record.
func (l *Line) KeyRevision(ctx context.Context) (int64, error) {
	return through(ctx, l, "KeyRevision", func() (int64, error) { return l.Record.KeyRevision(ctx) })
}

// Attend implements keyring.Record.
func (l *Line) Attend(ctx context.Context, r keyring.Replica) error {
	return l.do(ctx, "Attend", func() error { return l.Record.Attend(ctx, r) })
}

// Leave implements keyring.Record.
func (l *Line) Leave(ctx context.Context, id string) error {
	return l.do(ctx, "Leave", func() error { return l.Record.Leave(ctx, id) })
}

// ClaimKeys implements keyring.Record.
func (l *Line) ClaimKeys(ctx context.Context, length time.Duration) (bool, error) {
	return through(ctx, l, "ClaimKeys", func() (bool, error) { return l.Record.ClaimKeys(ctx, length) })
}

// ReleaseKeys implements keyring.Record.
func (l *Line) ReleaseKeys(ctx context.Context) error {
	return l.do(ctx, "ReleaseKeys", func() error { return l.Record.ReleaseKeys(ctx) })
}
