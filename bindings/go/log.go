package nse

// #include "shim.h"
import "C"

import (
	"context"
	"log/slog"
	"runtime/cgo"
	"time"
)

// LevelTrace is the level of messages about every optimizer step.
const LevelTrace = slog.LevelDebug - 4

// SetLog sends the messages of the library, for the whole process, to handler instead of to where they went; nil: nowhere, as at
// the beginning. Every record has the attribute "target", the part of the library that speaks: "search", "checkpoint", "model",
// "torch", "openmp" and others.
//
// The handler is called on threads of the library too, and on several at once; a slow one holds up its own thread only. A message
// whose handling panics is lost.
func SetLog(handler slog.Handler) error {
	if err := ready(); err != nil {
		return err
	}
	var e *C.nse_error
	if handler == nil {
		return check(C.nse_set_log(nil, &e), &e)
	}
	// The handle is freed by the library, whatever happens.
	return check(C.nsego_set_log(C.uintptr_t(cgo.NewHandle(handler)), &e), &e)
}

// SetLogLevel sets the level of the log, for the whole process; [slog.LevelInfo] at the beginning. Messages below it are not even
// made, those of the level and above are the handler's to refuse. Above [slog.LevelError] there are none.
func SetLogLevel(level slog.Level) error {
	if err := ready(); err != nil {
		return err
	}
	if code := Code(C.nse_set_log_level(levelToC(level))); code < 0 {
		return failureOf(code)
	}
	return nil
}

// levels of C, from NSE_LOG_ERROR on.
var levels = [...]slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, LevelTrace}

// levelToC is the number of the levels that are at least this one.
func levelToC(level slog.Level) (c C.int32_t) {
	for _, known := range levels {
		if known >= level {
			c++
		}
	}
	return c
}

//export nsegoLog
func nsegoLog(handle C.uintptr_t, level C.int32_t, target, message *C.char, length C.size_t) {
	// A panic must not cross C, and there is no call of the host that it could come out of.
	defer func() { _ = recover() }()
	handler := cgo.Handle(handle).Value().(slog.Handler)
	at := levels[min(max(int(level), 1), len(levels))-1]
	if !handler.Enabled(context.Background(), at) {
		return
	}
	record := slog.NewRecord(time.Now(), at, C.GoStringN(message, C.int(length)), 0)
	record.AddAttrs(slog.String("target", C.GoString(target)))
	_ = handler.Handle(context.Background(), record)
}

// Shutdown ends all threads of the library. What runs is cancelled, and returns [ErrCancelled] where goroutines wait for it.
// Searches and models can still be looked at, but not step, save, evaluate or export any more: save first what should go on later.
// New ones may be made.
//
// It waits for the threads until ctx ends, and then gives [ErrCancelled] with the context's error; the threads end all the same,
// soon. Not to be called by a handler of [SetLog], on a thread that would have to end first.
func Shutdown(ctx context.Context) error {
	if err := ready(); err != nil {
		return err
	}
	// Short waits, for ctx may end without a deadline.
	const slice = 20 // milliseconds
	for wait := C.uint32_t(0); ; wait = slice {
		var e *C.nse_error
		status := C.nse_shutdown(wait, &e)
		if err := check(status, &e); err != nil {
			return err
		}
		if status == C.NSE_OK {
			return nil
		}
		if ctx.Err() != nil {
			return failure(ErrCancelled, "shutdown: threads are still at work: %v", context.Cause(ctx)).because(ctx)
		}
	}
}
