package nse

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime/cgo"
	"sync/atomic"
)

// EventKind says what has just happened.
type EventKind uint32

const (
	// EventTrain: an optimizer step of the round under way; Step of Steps.
	EventTrain EventKind = C.NSE_EVENT_TRAIN
	// EventScore: candidates were scored; Step of Steps of the round.
	EventScore EventKind = C.NSE_EVENT_SCORE
	// EventFinish: a round, or a stand-alone training, is complete. Never left out; others may be when the callback is
	// slow.
	EventFinish EventKind = C.NSE_EVENT_FINISH
	// EventMeasure: an operator was timed; Step of Steps. Rounds and epochs are 0; Loss, Accuracy and ImagesPerSecond are
	// NaN.
	EventMeasure EventKind = C.NSE_EVENT_MEASURE
	// EventEvaluate: held-out images were evaluated behind an epoch of a stand-alone training; Loss and Accuracy are
	// theirs. Never left out.
	EventEvaluate EventKind = C.NSE_EVENT_EVALUATE
)

var kindNames = map[EventKind]string{
	EventTrain: "train", EventScore: "score", EventFinish: "finish", EventMeasure: "measure",
	EventEvaluate: "evaluate",
}

// String is "train", "score", "finish", "measure" or "evaluate".
func (k EventKind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("event %d", uint32(k))
}

// Event is progress. Its JSON form is that of the library, with null for NaN.
type Event struct {
	Kind EventKind
	// Round under way, or just completed, from 1.
	Round, Rounds int
	// Epoch is the pass over the training images under way, from 1.
	Epoch, Epochs int
	// Step: steps (or candidates) done, of Steps in this round.
	Step, Steps int
	// Loss in training, smoothed over some 20 steps.
	Loss float64
	// Accuracy, 0 to 1. EventTrain: in training, smoothed. EventScore and EventFinish of a search: best held-out
	// accuracy of the round so far.
	Accuracy float64
	// ImagesPerSecond in training, lately.
	ImagesPerSecond float64
	// Seconds since the search, the training or the measuring began in this process.
	Seconds float64
	// SecondsLeft estimates the whole rest; NaN while unknown.
	SecondsLeft float64
}

// number is a float64 whose JSON form is null when it is not finite.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func (n *number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

type eventJSON struct {
	Kind            string `json:"kind"`
	Round           int    `json:"round"`
	Rounds          int    `json:"rounds"`
	Epoch           int    `json:"epoch"`
	Epochs          int    `json:"epochs"`
	Step            int    `json:"step"`
	Steps           int    `json:"steps"`
	Loss            number `json:"loss"`
	Accuracy        number `json:"accuracy"`
	ImagesPerSecond number `json:"images_per_second"`
	Seconds         number `json:"seconds"`
	SecondsLeft     number `json:"seconds_left"`
}

// MarshalJSON writes the form that nse_search_status has.
func (e Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(eventJSON{
		Kind: e.Kind.String(), Round: e.Round, Rounds: e.Rounds, Epoch: e.Epoch, Epochs: e.Epochs, Step: e.Step,
		Steps: e.Steps, Loss: number(e.Loss), Accuracy: number(e.Accuracy), ImagesPerSecond: number(e.ImagesPerSecond),
		Seconds: number(e.Seconds), SecondsLeft: number(e.SecondsLeft),
	})
}

// UnmarshalJSON reads the form that MarshalJSON writes. The Kind of a name that this package does not know is 0.
func (e *Event) UnmarshalJSON(text []byte) error {
	var j eventJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*e = Event{
		Round: j.Round, Rounds: j.Rounds, Epoch: j.Epoch, Epochs: j.Epochs, Step: j.Step, Steps: j.Steps,
		Loss: float64(j.Loss), Accuracy: float64(j.Accuracy), ImagesPerSecond: float64(j.ImagesPerSecond),
		Seconds: float64(j.Seconds), SecondsLeft: float64(j.SecondsLeft),
	}
	for kind, name := range kindNames {
		if name == j.Kind {
			e.Kind = kind
		}
	}
	return nil
}

// listener is what the library's callback reaches. It knows the host's function only while a call of the host is at
// work: a function that uses its own search would otherwise keep that search alive for ever.
type listener struct {
	handle cgo.Handle
	work   atomic.Pointer[work]
	closed atomic.Bool
}

// newListener is alive until the library runs user_free.
func newListener() *listener {
	l := new(listener)
	l.handle = cgo.NewHandle(l)
	return l
}

// run makes a call that works on the listener's object, which has this name, and delivers events; when ctx ends, it is cancelled.
func (l *listener) run(ctx context.Context, name string, onEvent func(Event) bool, cancel func(), call func() error) error {
	if err := before(ctx); err != nil {
		return err
	}
	w := newWork(ctx, onEvent)
	// Here and not in the library, because a ctx must only ever cancel its own call.
	if !l.work.CompareAndSwap(nil, w) {
		return failure(ErrBusy, "%s is busy with another call", name)
	}
	defer l.work.Store(nil)
	// A cancel that overtakes the begin of the call is lost; then the next event, which looks at ctx too, stops it.
	cancelled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cancelled)
		cancel()
	})
	defer func() {
		if !stop() {
			// Not after the return: it could meet the next call.
			<-cancelled
		}
	}()
	return w.make(call)
}

// work is one call of the host that delivers events.
type work struct {
	relay
	ctx context.Context
	// onEvent says whether to go on; nil: nobody wants to know.
	onEvent func(Event) bool
}

func newWork(ctx context.Context, onEvent func(Event) bool) *work {
	return &work{newRelay(), ctx, onEvent}
}

// always is a function of a config as one that never stops.
func always(onEvent func(Event)) func(Event) bool {
	if onEvent == nil {
		return nil
	}
	return func(event Event) bool { onEvent(event); return true }
}

// both of two such functions; nil where none wants to know.
func both(first, second func(Event) bool) func(Event) bool {
	if first == nil {
		return second
	}
	if second == nil {
		return first
	}
	return func(event Event) bool { return first(event) && second(event) }
}

// make makes the call, and tells the host's function its events, here.
func (w *work) make(call func() error) (err error) {
	if w.onEvent == nil {
		err = call()
	} else {
		w.during(func() { err = call() })
	}
	if e, ok := err.(*Error); ok && errors.Is(e, ErrCancelled) && w.ctx.Err() != nil {
		return e.because(w.ctx)
	}
	return err
}

// watched makes a call that gives an object and delivers events.
func watched[Handle, Object any](
	ctx context.Context, onEvent func(Event), wrap func(Handle) *Object,
	call func(listener C.uintptr_t, out *Handle, e **C.nse_error) C.nse_status,
) (made *Object, err error) {
	if err := ready(); err != nil {
		return nil, err
	}
	if err := before(ctx); err != nil {
		return nil, err
	}
	w := newWork(ctx, always(onEvent))
	err = w.make(func() (err error) {
		// Of this call only: the library frees it at its end, whatever happens.
		l := newListener()
		l.work.Store(w)
		made, err = object(wrap, func(out *Handle, e **C.nse_error) C.nse_status { return call(C.uintptr_t(l.handle), out, e) })
		return err
	})
	return made, err
}

// tell hands an event to the host, and says whether to stop.
func (w *work) tell(event Event) (stop bool) {
	if w.onEvent != nil && !w.there(func() { stop = !w.onEvent(event) }) {
		return true
	}
	return stop || w.ctx.Err() != nil
}

//export nsegoEvent
func nsegoEvent(handle C.uintptr_t, e *C.nse_event) C.int32_t {
	stress()
	l := cgo.Handle(handle).Value().(*listener)
	stop := l.closed.Load()
	if w := l.work.Load(); w != nil {
		stop = w.tell(Event{
			Kind: EventKind(e.kind), Round: int(e.round), Rounds: int(e.rounds), Epoch: int(e.epoch),
			Epochs: int(e.epochs), Step: int(e.step), Steps: int(e.steps), Loss: float64(e.loss),
			Accuracy: float64(e.accuracy), ImagesPerSecond: float64(e.images_per_second), Seconds: float64(e.seconds),
			SecondsLeft: float64(e.seconds_left),
		}) || stop
	}
	if stop || l.closed.Load() {
		return 1
	}
	return 0
}

//export nsegoFree
func nsegoFree(handle C.uintptr_t) {
	cgo.Handle(handle).Delete()
}
