package nse

// A search whose candidates are evaluated by the host: SearchConfig.Told.

// #include "shim.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Result is how an architecture did.
type Result struct {
	// Code of the architecture, see Arch.Code.
	Code string
	// Accuracy, 0 to 1; of a failure it means nothing.
	Accuracy float64
	// Cost as measured, in the unit of the objective; nil: as computed.
	Cost *float64
	// Failed says that it could not be evaluated: it counts in its round, teaches nothing, and is never on a front.
	Failed bool
}

// Effect is what became of a result.
type Effect uint32

const (
	// Counted: asked in the round under way. The fitness learns from it.
	Counted Effect = C.NSE_TOLD_COUNTED
	// Repeated: told before, and the same. Nothing changes.
	Repeated Effect = C.NSE_TOLD_REPEATED
	// Late: asked in a round that is closed. It is kept, and may join the front.
	Late Effect = C.NSE_TOLD_LATE
	// Unasked: never asked, or forgotten. It is kept, may join the front, and is not asked any more.
	Unasked Effect = C.NSE_TOLD_UNASKED
)

var effectNames = map[Effect]string{Counted: "counted", Repeated: "repeated", Late: "late", Unasked: "unasked"}

// String is "counted", for example.
func (e Effect) String() string {
	if name, ok := effectNames[e]; ok {
		return name
	}
	return fmt.Sprintf("effect %d", uint32(e))
}

// Ask gives up to count architectures to evaluate, which the caller closes: inside the cost window, none of them asked or told
// before. None, and not done: there are no more until a result is told. It waits briefly for other calls of Ask and Tell.
//
// ErrInvalidArgument: a search that trains. ErrUnreachable.
func (s *Search) Ask(count int) (archs []*Arch, done bool, err error) {
	defer runtime.KeepAlive(s)
	if count < 1 {
		return nil, false, failure(ErrInvalidArgument, "count: %d architectures are none", count)
	}
	handles := make([]*C.nse_arch, count)
	var e *C.nse_error
	status := C.nse_search_ask(s.handle(), C.size_t(count), unsafe.SliceData(handles), nil, &e)
	if err := check(status, &e); err != nil {
		return nil, false, err
	}
	for _, handle := range handles {
		if handle != nil {
			archs = append(archs, newArch(handle))
		}
	}
	return archs, status == C.NSE_DONE, nil
}

// Tell says how an architecture did: at any time and in any order, also after the last round. It waits briefly for other calls of
// Ask and Tell.
//
// ErrConflict: another result of it is known; nothing changes. ErrInvalidArgument: not a code of the space, an accuracy outside
// 0 to 1, a cost that is none, or a search that trains. ErrIO: the checkpoint could not be written; the result is kept.
func (s *Search) Tell(result Result) (Effect, error) {
	defer runtime.KeepAlive(s)
	code, err := cText("result.code", result.Code)
	if err != nil {
		return 0, err
	}
	var flags C.uint32_t
	var cost C.double
	if result.Failed {
		flags |= C.NSE_RESULT_FAILED
	}
	if result.Cost != nil {
		flags |= C.NSE_RESULT_COST
		cost = C.double(*result.Cost)
	}
	var effect C.uint32_t
	var e *C.nse_error
	status := C.nsego_search_tell(s.handle(), flags, code, C.double(result.Accuracy), cost, &effect, &e)
	return Effect(effect), check(status, &e)
}

// Forget says that an architecture which was asked will not be told: it may be asked again. Nothing changes when it was told, or
// never asked.
func (s *Search) Forget(code string) error {
	defer runtime.KeepAlive(s)
	cCode, err := cText("code", code)
	if err != nil {
		return err
	}
	var e *C.nse_error
	return check(C.nse_search_forget(s.handle(), cCode, &e), &e)
}

// Pending is an architecture that was asked and not told.
type Pending struct {
	Code string `json:"code"`
	// Round in which it was asked, from 1.
	Round uint64 `json:"round"`
}

// Pending lists what was asked and not told.
func (s *Search) Pending() ([]Pending, error) {
	defer runtime.KeepAlive(s)
	return read[[]Pending](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_search_pending(s.handle(), out, e)
	})
}
