package nse

// Calls of the library that take long: contexts, and functions of the host that are called back.

import (
	"context"
	"io"
)

// before is the error of a call that is not made because ctx has ended.
func before(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return failure(ErrCancelled, "cancelled before it began: %v", context.Cause(ctx)).because(ctx)
}

// unlessEnded makes a call that the library cannot cut short, and does not wait for its end when ctx ends earlier: it goes on in
// the background then, and what it gives is closed.
func unlessEnded[T any](ctx context.Context, call func() (T, error)) (T, error) {
	var none T
	if err := before(ctx); err != nil {
		return none, err
	}
	if ctx.Done() == nil {
		return call()
	}
	type outcome struct {
		value T
		err   error
	}
	ended := make(chan outcome, 1)
	go func() {
		value, err := call()
		ended <- outcome{value, err}
	}()
	select {
	case end := <-ended:
		return end.value, end.err
	case <-ctx.Done():
		go func() {
			end := <-ended
			if object, ok := any(end.value).(io.Closer); ok && end.err == nil {
				object.Close()
			}
		}()
		return none, failure(ErrCancelled, "cancelled, and no longer waited for: %v", context.Cause(ctx)).because(ctx)
	}
}

// relay brings functions of the host that C calls back to the goroutine that made the call. There they have no frames of C below
// them: a panic, or the end of the goroutine (FailNow of a test), goes its usual way.
type relay struct {
	calls chan func()
	// gone is closed when nobody runs anything any more.
	gone chan struct{}
}

func newRelay() relay {
	return relay{calls: make(chan func()), gone: make(chan struct{})}
}

// during makes a call of C on a goroutine of its own and runs here, meanwhile, what comes back. It returns, or goes on with a panic,
// when the call has returned.
func (r relay) during(call func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		call()
	}()
	defer func() {
		close(r.gone)
		<-ended
	}()
	for {
		select {
		case f := <-r.calls:
			f()
		case <-ended:
			return
		}
	}
}

// there runs f on the goroutine that made the call, and says whether it returned.
func (r relay) there(f func()) bool {
	returned := make(chan struct{})
	select {
	case r.calls <- func() { f(); close(returned) }:
	case <-r.gone:
		return false
	}
	select {
	case <-returned:
		return true
	case <-r.gone:
		return false
	}
}
