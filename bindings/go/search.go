package nse

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"runtime"
	"unsafe"
)

// Search is a search under way: its space, its supernet and what it has found.
type Search struct {
	ptr      *C.nse_search
	net      runtime.Cleanup
	onEvent  func(Event)
	listener *listener
	// image is how many values an image has, of a search into which batches are pushed; else 0.
	image int
}

var _ io.Closer = (*Search)(nil)

// SearchConfig is what a search is made of. The search keeps what it uses; everything may be closed at once.
type SearchConfig struct {
	// Space to search. LoadSearch: nil, or the space of the checkpoint.
	Space *Space
	// Told makes a search that trains nothing and works with every library: Search.Ask gives architectures, and Search.Tell is told
	// how they did. Train and HeldOut are nil then, and OnEvent is not told anything. LoadSearch: as in the saved search.
	Told bool
	// Pushed makes a search that lives in a training loop of the host's, which gives it one batch at a time with Search.Push. Train
	// and HeldOut are nil then. LoadSearch: as in the saved search.
	Pushed bool
	// Train has the training images. LoadSearch: those of the saved search, as in HeldOut.
	Train *Dataset
	// HeldOut has images for architecture steps and scoring; nil: a part of Train is held out for them.
	HeldOut *Dataset
	// Options, see SearchOptionsSchema. Only "objective" must be there. LoadSearch: nil, or the options of the checkpoint,
	// of which "device", "threads", "checkpoint", "tensorboard" and "candidates" may differ.
	Options any
	// Latency has the times for the objective "latency", else nil. LoadSearch: nil, or the table of the checkpoint.
	Latency *Latency
	// Continued is a finished search to go on from, in a space with the same cells and other operators: its front is
	// active, protected and scored again, and what had its turn there does not come again. nil: none. LoadSearch: nil.
	Continued *Search
	// Start has, instead, architectures to begin with, as if they were the front of such a search, in this space or another
	// with the same cells: then what that space has and none of them uses does not come again. LoadSearch: nil.
	Start []*Arch
	// Comm has the ranks that share the search: all make the same calls with the same images, Space and Options (but "device",
	// "threads", "checkpoint" and "tensorboard"). Only rank 0 writes checkpoints and logs, and LoadSearch reads the file there, for
	// all. nil: this process alone.
	Comm *Comm
	// OnEvent is told progress, on the goroutine that called Step, Run or Push; may be nil. It may use the search, except for
	// those three, which are ErrBusy. When it panics, or ends its goroutine, the step is cancelled first; the search can go on.
	// (The batch of a Push has been used.)
	OnEvent func(Event)

	// look is what LookAtSearch wants.
	look bool
}

// SearchOptionsSchema is a JSON schema of the options of a search, with keys, defaults, ranges and help.
func SearchOptionsSchema() (json.RawMessage, error) {
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_options_schema(out, e)
	})
}

// OptionsPreset is a named set of options.
type OptionsPreset struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Options     json.RawMessage `json:"options"`
}

// SearchOptionsPresets lists the sets of options that the option "preset" knows; it lays the others over one.
func SearchOptionsPresets() ([]OptionsPreset, error) {
	return read[[]OptionsPreset](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_options_presets(out, e)
	})
}

// LookAtSearch reads a checkpoint of any search, to be looked at (results, history, report, options) and nothing else: neither images nor
// libtorch are needed.
//
// ErrIO. ErrFormat: no checkpoint, damaged, or of another version.
func LookAtSearch(ctx context.Context, path string) (*Search, error) {
	return LoadSearch(ctx, path, SearchConfig{look: true})
}

// NewSearch makes a search; nothing is trained yet.
//
// ErrConfig: options. ErrUnreachable: no architecture lies in the cost window; the detail says what is reachable.
// ErrInvalidArgument: the images do not fit the space; the objective is a latency and Latency is nil; Continued is not
// finished or has other cells. ErrMissingLatency. ErrBusy: Continued is, or another search has Comm. ErrCollective: another rank failed, or
// has other images or another search. ErrDevice. ErrUnsupported: a library without libtorch.
func NewSearch(ctx context.Context, config SearchConfig) (*Search, error) {
	start, count := config.start()
	return config.open(ctx, func(options *C.char, listener C.uintptr_t, out **C.nse_search, e **C.nse_error) C.nse_status {
		return C.nsego_search_create(config.flags(), config.Space.handle(), config.Train.handle(), config.HeldOut.handle(),
			options, config.Latency.handle(), config.Continued.handle(), start, count, config.Comm.handle(), listener, out, e)
	})
}

// LoadSearch makes a search from the checkpoint that Save, or the option "checkpoint", wrote to path. It goes on as if it
// had never stopped, on a CPU with the same number of threads to the last bit. Of the config only Train must be there,
// and HeldOut when the saved search had one.
//
// ErrIO. ErrFormat: no checkpoint, damaged, of another version, space, table or images. ErrConfig: options that differ.
// ErrBusy, ErrCollective: as NewSearch. ErrDevice. ErrUnsupported: a library without libtorch.
func LoadSearch(ctx context.Context, path string, config SearchConfig) (*Search, error) {
	cPath, err := cText("path", path)
	if err != nil {
		return nil, err
	}
	start, count := config.start()
	return config.open(ctx, func(options *C.char, listener C.uintptr_t, out **C.nse_search, e **C.nse_error) C.nse_status {
		return C.nsego_search_load(cPath, config.flags(), config.Space.handle(), config.Train.handle(),
			config.HeldOut.handle(), options, config.Latency.handle(), config.Continued.handle(), start, count, config.Comm.handle(), listener, out, e)
	})
}

func (c SearchConfig) flags() (flags C.uint32_t) {
	if c.Told {
		flags |= C.NSE_SEARCH_TOLD
	}
	if c.Pushed {
		flags |= C.NSE_SEARCH_PUSHED
	}
	if c.look {
		flags |= C.NSE_SEARCH_LOOK
	}
	return flags
}

// start has the handles of Start, in memory that lives as long as what it returns.
func (c SearchConfig) start() (**C.nse_arch, C.size_t) {
	handles := make([]*C.nse_arch, len(c.Start))
	for i, arch := range c.Start {
		handles[i] = arch.handle()
	}
	return unsafe.SliceData(handles), C.size_t(len(handles))
}

// open is what NewSearch and LoadSearch have in common.
func (c SearchConfig) open(
	ctx context.Context, call func(options *C.char, listener C.uintptr_t, out **C.nse_search, e **C.nse_error) C.nse_status,
) (*Search, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	options, err := cJSON("search options", c.Options)
	if err != nil {
		return nil, err
	}
	return unlessEnded(ctx, func() (*Search, error) {
		defer runtime.KeepAlive(c)
		l := newListener()
		wrap := func(ptr *C.nse_search) *Search {
			s := &Search{ptr: ptr, onEvent: c.OnEvent, listener: l}
			s.net = runtime.AddCleanup(s, func(ptr *C.nse_search) { C.nse_search_free(ptr) }, ptr)
			return s
		}
		s, err := object(wrap, func(out **C.nse_search, e **C.nse_error) C.nse_status {
			return call(options, C.uintptr_t(l.handle), out, e)
		})
		if err == nil && c.Pushed {
			if s.image, err = s.imageSize(); err != nil {
				s.Close()
				return nil, err
			}
		}
		return s, err
	})
}

// Step runs one round: train, sample, score, filter, retain, refill. It says whether that was the last one, or there was
// none left. After an error, a cancel included, the next Step goes on from the last finished piece of work and ends with
// the same result as an undisturbed round.
//
// When ctx ends, the step stops after its current batch with an error that is both ErrCancelled and ctx.Err(). A ctx that
// has ended already starts nothing.
//
// ErrCancelled: also by Cancel or Close. ErrBusy: another Step of this search is running, or a Save. ErrDiverged: the loss
// is no longer finite. ErrUnreachable: what is left of the space misses the cost window. ErrTooFew: it has fewer
// architectures than candidates are wanted (option candidates.too_few). ErrIO: the checkpoint could not be written; the
// one before is as it was, and the search goes on with the next Step. ErrCollective: another rank failed; what then goes on says
// nse_search_step in nse.h. ErrOutOfMemory. ErrTorch.
func (s *Search) Step(ctx context.Context) (done bool, err error) {
	return s.step(ctx, nil)
}

// Run goes over the progress of all rounds to come, and runs them meanwhile, on the goroutine of the loop:
//
//	for event, err := range search.Run(ctx) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//	// The search is complete.
//
// At an EventFinish the results are those of that round. A loop that is left cancels the round under way, and waits for its current
// batch; another Run, or Step, goes on from there. An error is the last thing that comes, and is one of Step.
func (s *Search) Run(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for left := false; ; {
			done, err := s.step(ctx, func(event Event) bool {
				left = !yield(event, nil)
				return !left
			})
			if left {
				return
			}
			if err != nil {
				yield(Event{}, err)
			}
			if done || err != nil {
				return
			}
		}
	}
}

// step is a Step whose events another function is told too.
func (s *Search) step(ctx context.Context, also func(Event) bool) (done bool, err error) {
	err = s.run(ctx, also, func() error {
		var e *C.nse_error
		status := C.nse_search_step(s.ptr, &e)
		done = status == C.NSE_DONE
		return check(status, &e)
	})
	return done, err
}

// run makes a call that works on the search, and delivers events; when ctx ends, the call is cancelled.
func (s *Search) run(ctx context.Context, also func(Event) bool, call func() error) error {
	defer runtime.KeepAlive(s)
	if s.handle() == nil {
		return failure(ErrInvalidHandle, "search: nil is not a search")
	}
	return s.listener.run(ctx, "search", both(always(s.onEvent), also), func() { C.nse_search_cancel(s.ptr, nil) }, call)
}

// Cancel asks the step, push or estimate that is running to stop after its current batch; it returns ErrCancelled. Without
// one it does nothing. It does not wait.
func (s *Search) Cancel() error {
	defer runtime.KeepAlive(s)
	var e *C.nse_error
	return check(C.nse_search_cancel(s.handle(), &e), &e)
}

// Save writes everything that LoadSearch needs to go on: also in the middle of a round, between two steps. An existing file
// is replaced, whole or not at all; its folder must exist. The option "checkpoint" saves while a step runs.
//
// ErrIO: the file is as it was. ErrBusy: a Step is running. ErrCancelled.
func (s *Search) Save(ctx context.Context, path string) error {
	cPath, err := cText("path", path)
	if err != nil {
		return err
	}
	_, err = unlessEnded(ctx, func() (struct{}, error) {
		defer runtime.KeepAlive(s)
		var e *C.nse_error
		return struct{}{}, check(C.nse_search_save(s.handle(), cPath, &e), &e)
	})
	return err
}

// Space of the search, which the caller closes.
func (s *Search) Space() (*Space, error) {
	defer runtime.KeepAlive(s)
	return object(newSpace, func(out **C.nse_space, e **C.nse_error) C.nse_status {
		return C.nse_search_space(s.handle(), out, e)
	})
}

// Options has all options of the search as a JSON object, defaults and those of a preset included.
func (s *Search) Options() (json.RawMessage, error) {
	defer runtime.KeepAlive(s)
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_options(s.handle(), out, e)
	})
}

// Close frees the search and does not wait. A running Step is cancelled. Always nil; a second Close does nothing.
func (s *Search) Close() error {
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
	ptr := s.ptr
	stress()
	return ptr
}
