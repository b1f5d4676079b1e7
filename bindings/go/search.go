package nse

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"io"
	"runtime"
)

// Search is a search under way: its space, its supernet and what it has found.
type Search struct {
	ptr      *C.nse_search
	net      runtime.Cleanup
	onEvent  func(Event)
	listener *listener
}

var _ io.Closer = (*Search)(nil)

// SearchConfig is what a search is made of. The search keeps what it uses; everything may be closed at once.
type SearchConfig struct {
	// Space to search.
	Space *Space
	// Train has the training images.
	Train *Dataset
	// HeldOut has images for architecture steps and scoring; nil: a part of Train is held out for them.
	HeldOut *Dataset
	// Options, see SearchOptionsSchema. Only "objective" must be there.
	Options any
	// OnEvent is told progress, on the goroutine that called Step; may be nil. It may use the search, except Step, which
	// is ErrBusy. When it panics, the step is cancelled and Step panics with the same value; the search can go on. It
	// must not end its goroutine (runtime.Goexit, which the FailNow of a test uses).
	OnEvent func(Event)
}

// SearchOptionsSchema is a JSON schema of the options of a search, with keys, defaults, ranges and help.
func SearchOptionsSchema() (json.RawMessage, error) {
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_options_schema(out, e)
	})
}

// NewSearch makes a search; nothing is trained yet.
//
// ErrConfig: options. ErrUnreachable: no architecture lies in the cost window; the detail says what is reachable.
// ErrInvalidArgument: the images do not fit the space. ErrDevice. ErrUnsupported: a library without libtorch.
func NewSearch(config SearchConfig) (*Search, error) {
	defer runtime.KeepAlive(config)
	if err := ready(); err != nil {
		return nil, err
	}
	options, err := cJSON("search options", config.Options)
	if err != nil {
		return nil, err
	}
	l := newListener()
	var ptr *C.nse_search
	var e *C.nse_error
	status := C.nsego_search_create(config.Space.handle(), config.Train.handle(), config.HeldOut.handle(), options,
		C.uintptr_t(l.handle), &ptr, &e)
	if err := check(status, &e); err != nil {
		return nil, err
	}
	s := &Search{ptr: ptr, onEvent: config.OnEvent, listener: l}
	s.net = runtime.AddCleanup(s, func(ptr *C.nse_search) { C.nse_search_free(ptr) }, ptr)
	return s, nil
}

// Step runs one round: train, sample, score, filter, retain, refill. It says whether that was the last one, or there was
// none left. After an error, a cancel included, the next Step goes on from the last finished piece of work and ends with
// the same result as an undisturbed round.
//
// When ctx ends, the step stops after its current batch with an error that is both ErrCancelled and ctx.Err(). A ctx that
// has ended already starts nothing.
//
// ErrCancelled: also by Cancel or Close. ErrBusy: another Step of this search is running. ErrDiverged: the loss is no
// longer finite. ErrUnreachable: what is left of the space misses the cost window. ErrTorch.
func (s *Search) Step(ctx context.Context) (done bool, err error) {
	defer runtime.KeepAlive(s)
	if s.handle() == nil {
		return false, failure(ErrInvalidHandle, "search: nil is not a search")
	}
	if err := before(ctx); err != nil {
		return false, err
	}
	w := &work{ctx: ctx, onEvent: s.onEvent}
	// Here and not in the library, because a ctx must only ever cancel its own step.
	if !s.listener.work.CompareAndSwap(nil, w) {
		return false, failure(ErrBusy, "search is busy with another call")
	}
	defer s.listener.work.Store(nil)
	// A cancel that overtakes the begin of the step is lost; then the next event, which looks at ctx too, stops it.
	cancelled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cancelled)
		C.nse_search_cancel(s.ptr)
	})
	var e *C.nse_error
	status := C.nse_search_step(s.ptr, &e)
	if !stop() {
		// Not after the return: it could meet the next step.
		<-cancelled
	}
	err = w.outcome(check(status, &e))
	return status == C.NSE_DONE, err
}

// Cancel asks the step that is running to stop after its current batch; it returns ErrCancelled. Without a running step
// it does nothing. It does not wait.
func (s *Search) Cancel() error {
	defer runtime.KeepAlive(s)
	status := C.nse_search_cancel(s.handle())
	if status >= 0 {
		return nil
	}
	return failureOf(Code(status))
}

// Close frees the search and does not wait. A running Step is cancelled. Always nil; a second Close does nothing.
func (s *Search) Close() error {
	defer runtime.KeepAlive(s)
	if s.handle() == nil {
		return nil
	}
	s.net.Stop()
	// A step that has only just begun does not see the free; its next event does.
	s.listener.closed.Store(true)
	C.nse_search_free(s.ptr)
	return nil
}

func (s *Search) handle() *C.nse_search {
	if s == nil {
		return nil
	}
	return s.ptr
}
