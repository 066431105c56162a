package sms

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// work sends until there is nothing left to send and nothing more to come.
func (q *Queue) work(ctx context.Context) {
	for {
		j := q.pop()
		if j == nil {
			return
		}
		q.handle(ctx, j)
	}
}

// handle makes one try, then parks the job for another or reports how it ended.
func (q *Queue) handle(ctx context.Context, j *job) {
	receipt, err := q.try(ctx, j.message)
	q.settle()
	j.tries++
	var e *Error
	if errors.As(err, &e) && q.park(j, e) {
		q.opts.Log.WarnContext(ctx, "text will be tried again",
			"to", j.message.To, "class", e.Class, "code", e.Code, "status", e.Status, "tries", j.tries, "error", e)
		return
	}
	_ = q.guard(ctx, "OnResult", func() {
		q.opts.OnResult(context.WithoutCancel(ctx), j.message, receipt, err)
	})
}

// settle takes a job whose try is over out of the count of those that Drain would cut off.
func (q *Queue) settle() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sending--
}

// try sends m once. Its error is nil or an *Error.
func (q *Queue) try(ctx context.Context, m Message) (receipt Receipt, err error) {
	if !q.opts.Now().Before(m.ValidUntil) {
		return Receipt{}, &Error{Class: Late, Reason: "its code was over before it could be sent"}
	}
	if !q.guard(ctx, "Sender", func() { receipt, err = q.sender.Send(ctx, m) }) {
		return Receipt{}, &Error{Class: UnknownOutcome, Reason: "the sender panicked"}
	}
	var e *Error
	if err != nil && !errors.As(err, &e) {
		// Not what Sender promises, so nothing is known; the text of such an error may hold a number.
		return Receipt{}, &Error{Class: UnknownOutcome, Reason: fmt.Sprintf("the sender returned a %T", err)}
	}
	if e != nil {
		return receipt, e // what is known all the same
	}
	return receipt, nil
}

// guard runs f and reports whether it came back. A panic in one text must not take the sign-in
// service down with it. Its value is logged only where it cannot hold a number or a code.
func (q *Queue) guard(ctx context.Context, what string, f func()) (ok bool) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		said := fmt.Sprintf("%T", p)
		if e, isRuntime := p.(runtime.Error); isRuntime {
			said = e.Error()
		}
		q.opts.Log.ErrorContext(ctx, "panic while sending a text", "in", what, "panic", said, "stack", string(debug.Stack()))
	}()
	f()
	return true
}
