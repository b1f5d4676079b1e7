package nse

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"io"
	"runtime"
)

// Latency is a look-up table: the time of every operation, by kind, input size, channels, kernel, stride, padding, dilation
// and groups. Searches and descriptions use it as it is when they are given it; later changes do not reach them.
type Latency struct {
	ptr *C.nse_latency
	net runtime.Cleanup
}

var _ io.Closer = (*Latency)(nil)

func newLatency(ptr *C.nse_latency) *Latency {
	l := &Latency{ptr: ptr}
	l.net = runtime.AddCleanup(l, func(ptr *C.nse_latency) { C.nse_latency_free(ptr) }, ptr)
	return l
}

// NewLatency makes an empty table, to fill with Set. The unit says what the times are in, for people: for example "ms".
//
// ErrInvalidArgument: unit.
func NewLatency(unit string) (*Latency, error) {
	cUnit, err := cText("unit", unit)
	if err != nil {
		return nil, err
	}
	return object(newLatency, func(out **C.nse_latency, e **C.nse_error) C.nse_status {
		return C.nse_latency_create(cUnit, out, e)
	})
}

// ParseLatency reads a table from its text, CSV or JSON.
//
// ErrConfig: the detail has the line of a CSV text, or the JSON pointer.
func ParseLatency(text string) (*Latency, error) {
	cTable, err := cText("text", text)
	if err != nil {
		return nil, err
	}
	return object(newLatency, func(out **C.nse_latency, e **C.nse_error) C.nse_status {
		return C.nse_latency_parse(cTable, out, e)
	})
}

// MeasureConfig is what is to be measured.
type MeasureConfig struct {
	// Space: every operation that one of its architectures can need is timed.
	Space *Space
	// Options, see MeasureOptionsSchema. nil: all defaults.
	Options any
	// OnEvent is told progress, on the goroutine that called MeasureLatency; may be nil. When it panics, or ends its goroutine, the
	// measuring is cancelled first.
	OnEvent func(Event)
}

// MeasureOptionsSchema is a JSON schema of the options of a measuring, with keys, defaults, ranges and help.
func MeasureOptionsSchema() (json.RawMessage, error) {
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_measure_options_schema(out, e)
	})
}

// MeasureLatency times every operation that an architecture of a space can need, on the device of the options: the median
// of several passes after a warm-up, in milliseconds per batch. When ctx ends, it stops after the current operation with
// an error that is both ErrCancelled and ctx.Err(). A ctx that has ended already starts nothing.
//
// ErrConfig: options. ErrCancelled. ErrDevice. ErrTorch. ErrUnsupported: a library without libtorch.
func MeasureLatency(ctx context.Context, config MeasureConfig) (*Latency, error) {
	defer runtime.KeepAlive(config)
	if err := ready(); err != nil {
		return nil, err
	}
	options, err := cJSON("measure options", config.Options)
	if err != nil {
		return nil, err
	}
	return watched(ctx, config.OnEvent, newLatency,
		func(listener C.uintptr_t, out **C.nse_latency, e **C.nse_error) C.nse_status {
			return C.nsego_latency_measure(config.Space.handle(), options, listener, out, e)
		})
}

// MeasureArch times a whole network of an architecture, in milliseconds per batch, to hold a table against what it predicts. The options
// are those of MeasureLatency.
//
// ErrConfig: options. ErrDevice. ErrCancelled. ErrTorch. ErrUnsupported: a library without libtorch.
func MeasureArch(ctx context.Context, arch *Arch, options any) (float64, error) {
	cOptions, err := cJSON("measure options", options)
	if err != nil {
		return 0, err
	}
	return unlessEnded(ctx, func() (float64, error) {
		defer runtime.KeepAlive(arch)
		var time C.double
		var e *C.nse_error
		err := check(C.nse_latency_measure_arch(arch.handle(), cOptions, &time, &e), &e)
		return float64(time), err
	})
}

// Set gives one operation its time. The key is the first nine columns of a row of the CSV form, as Missing lists them, for
// example "conv,28,64,64,3,1,1,1,64". The time is finite, 0 or more, for one batch, in the unit of the table.
//
// ErrInvalidArgument: key or time.
func (l *Latency) Set(key string, time float64) error {
	defer runtime.KeepAlive(l)
	cKey, err := cText("key", key)
	if err != nil {
		return err
	}
	var e *C.nse_error
	return check(C.nse_latency_set(l.handle(), cKey, C.double(time), &e), &e)
}

// CSV is the table as lines of text; ParseLatency gives the same table back.
func (l *Latency) CSV() (string, error) {
	raw, err := l.text("csv")
	return string(raw), err
}

// JSON is the table as a document; ParseLatency gives the same table back.
func (l *Latency) JSON() (json.RawMessage, error) {
	return l.text("json")
}

func (l *Latency) text(format string) ([]byte, error) {
	defer runtime.KeepAlive(l)
	cFormat, err := cText("format", format)
	if err != nil {
		return nil, err
	}
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_latency_to_text(l.handle(), cFormat, out, e)
	})
}

// Missing lists what an architecture of a space can need and the table lacks, as keys for Set.
func (l *Latency) Missing(space *Space) ([]string, error) {
	defer runtime.KeepAlive(l)
	defer runtime.KeepAlive(space)
	return read[[]string](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_latency_missing(l.handle(), space.handle(), out, e)
	})
}

// Arch is the latency of an architecture, in the unit of the table: stem, open operators, the additions that join them,
// tail, pooling and classifier.
//
// ErrMissingLatency: the detail lists what the table lacks.
func (l *Latency) Arch(arch *Arch) (float64, error) {
	defer runtime.KeepAlive(l)
	defer runtime.KeepAlive(arch)
	var time C.double
	var e *C.nse_error
	if err := check(C.nse_latency_arch(l.handle(), arch.handle(), &time, &e), &e); err != nil {
		return 0, err
	}
	return float64(time), nil
}

// Close frees the table. What uses it lives on. Always nil; a second Close does nothing.
func (l *Latency) Close() error {
	if l.handle() == nil {
		return nil
	}
	l.net.Stop()
	C.nse_latency_free(l.ptr)
	return nil
}

func (l *Latency) handle() *C.nse_latency {
	if l == nil {
		return nil
	}
	ptr := l.ptr
	stress()
	return ptr
}
