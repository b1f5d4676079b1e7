package nse

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"syscall"
)

// Code is the kind of an error. Every code is itself an error, for [errors.Is]:
//
//	if errors.Is(err, nse.ErrNotFound) { ... }
type Code int32

// ErrNotLoaded: there is no libnse, in a program that was built to load it (tag nse_dlopen). It is a code of this package, not of the
// library.
const ErrNotLoaded Code = math.MinInt32

// The codes of the library. Numbers are never used again for something else.
const (
	// ErrInvalidArgument: an argument has a value that is not allowed.
	ErrInvalidArgument Code = C.NSE_ERR_INVALID_ARGUMENT
	// ErrInvalidHandle: an object is nil or closed.
	ErrInvalidHandle Code = C.NSE_ERR_INVALID_HANDLE
	// ErrConfig: a JSON document does not parse, has an unknown key, or a value out of range. Detail has the pointer, or
	// the line of a CSV text.
	ErrConfig Code = C.NSE_ERR_CONFIG
	// ErrIO: a file could not be read or written. The error is also the operating system's, such as fs.ErrNotExist.
	ErrIO Code = C.NSE_ERR_IO
	// ErrFormat: a file was read and is not what it should be.
	ErrFormat Code = C.NSE_ERR_FORMAT
	// ErrBusy: another call is at work on the same object.
	ErrBusy Code = C.NSE_ERR_BUSY
	// ErrCancelled: cancelled by a context, by Search.Cancel or by Close. What was done so far is kept.
	ErrCancelled Code = C.NSE_ERR_CANCELLED
	// ErrCallback: a function of the host did not succeed. The error wraps what it returned.
	ErrCallback Code = C.NSE_ERR_CALLBACK
	// ErrCollective: the processes that share a run did not all do their part, or have not the same images. What this one had before
	// the step is kept.
	ErrCollective Code = C.NSE_ERR_COLLECTIVE
	// ErrOutOfMemory: the device, or the machine, has no memory for it. Nothing is lost, and the call can be made again.
	ErrOutOfMemory Code = C.NSE_ERR_OUT_OF_MEMORY
	// ErrDevice: the device does not exist or cannot be used.
	ErrDevice Code = C.NSE_ERR_DEVICE
	// ErrTorch: libtorch reported an error.
	ErrTorch Code = C.NSE_ERR_TORCH
	// ErrTorchMismatch: the libtorch of this process is not one that the library was made for. Detail has both.
	ErrTorchMismatch Code = C.NSE_ERR_TORCH_MISMATCH
	// ErrUnsupported: this build of the library cannot do it.
	ErrUnsupported Code = C.NSE_ERR_UNSUPPORTED
	// ErrBufferTooSmall: an array is too small. Does not come out of this package.
	ErrBufferTooSmall Code = C.NSE_ERR_BUFFER_TOO_SMALL
	// ErrABI: this package and the library that was loaded do not fit together.
	ErrABI Code = C.NSE_ERR_ABI
	// ErrForked: the process was forked after the library was used.
	ErrForked Code = C.NSE_ERR_FORKED
	// ErrPoisoned: an earlier internal error made this object unusable. It can only be closed.
	ErrPoisoned Code = C.NSE_ERR_POISONED
	// ErrPanic: a bug in the library.
	ErrPanic Code = C.NSE_ERR_PANIC
	// ErrNotFound: there is no such thing, for example no architecture within the budget.
	ErrNotFound Code = C.NSE_ERR_NOT_FOUND
	// ErrUnreachable: no architecture costs what was asked for, and Detail says what is reachable; or hardly any does.
	ErrUnreachable Code = C.NSE_ERR_UNREACHABLE
	// ErrDiverged: a loss became infinite or not a number. The state before that step is kept.
	ErrDiverged Code = C.NSE_ERR_DIVERGED
	// ErrTooFew: fewer different architectures exist than candidates are wanted. Detail says how many there are.
	ErrTooFew Code = C.NSE_ERR_TOO_FEW
	// ErrMissingLatency: the latency table does not have every entry that the space needs. Detail lists what is missing.
	ErrMissingLatency Code = C.NSE_ERR_MISSING_LATENCY
	// ErrConflict: another result of the same architecture is known. Detail's Raw has both.
	ErrConflict Code = C.NSE_ERR_CONFLICT
)

// codeNames also serve where there is no library to ask.
var codeNames = map[Code]string{
	ErrNotLoaded:       "not loaded",
	ErrInvalidArgument: "NSE_ERR_INVALID_ARGUMENT",
	ErrInvalidHandle:   "NSE_ERR_INVALID_HANDLE",
	ErrConfig:          "NSE_ERR_CONFIG",
	ErrIO:              "NSE_ERR_IO",
	ErrFormat:          "NSE_ERR_FORMAT",
	ErrBusy:            "NSE_ERR_BUSY",
	ErrCancelled:       "NSE_ERR_CANCELLED",
	ErrCallback:        "NSE_ERR_CALLBACK",
	ErrCollective:      "NSE_ERR_COLLECTIVE",
	ErrOutOfMemory:     "NSE_ERR_OUT_OF_MEMORY",
	ErrDevice:          "NSE_ERR_DEVICE",
	ErrTorch:           "NSE_ERR_TORCH",
	ErrTorchMismatch:   "NSE_ERR_TORCH_MISMATCH",
	ErrUnsupported:     "NSE_ERR_UNSUPPORTED",
	ErrBufferTooSmall:  "NSE_ERR_BUFFER_TOO_SMALL",
	ErrABI:             "NSE_ERR_ABI",
	ErrForked:          "NSE_ERR_FORKED",
	ErrPoisoned:        "NSE_ERR_POISONED",
	ErrPanic:           "NSE_ERR_PANIC",
	ErrNotFound:        "NSE_ERR_NOT_FOUND",
	ErrUnreachable:     "NSE_ERR_UNREACHABLE",
	ErrDiverged:        "NSE_ERR_DIVERGED",
	ErrTooFew:          "NSE_ERR_TOO_FEW",
	ErrMissingLatency:  "NSE_ERR_MISSING_LATENCY",
	ErrConflict:        "NSE_ERR_CONFLICT",
}

// Error is the name in C, for example "NSE_ERR_CONFIG".
func (c Code) Error() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	// Of a newer library, perhaps.
	if name := C.GoString(C.nse_status_name(C.nse_status(c))); name != "" {
		return name
	}
	return "unknown status"
}

// Error is what every function of this package returns when it fails. It wraps its Code and, where there is one, the
// cause: the context's error, or the operating system's.
type Error struct {
	Code Code
	// Message is one line that names the offending value.
	Message string

	detail json.RawMessage
	causes []error
}

// Detail is an error for programs. Which fields are set depends on the code.
type Detail struct {
	// Document and Pointer of ErrConfig: which document, and the place in it as a JSON pointer (RFC 6901); in a CSV text
	// "line 3", for example.
	Document string `json:"document"`
	Pointer  string `json:"pointer"`
	// Argument of ErrInvalidArgument and ErrInvalidHandle, by its name in C.
	Argument string `json:"argument"`
	// Path of ErrIO and ErrFormat, and the operating system's error number, 0 when there is none.
	Path    string `json:"path"`
	OSError int    `json:"os_error"`
	// The window of ErrUnreachable, what the space reaches, and the nearest costs, nil where there is none.
	// Unit is "macs", for example.
	Unit     string   `json:"unit"`
	Low      float64  `json:"low"`
	High     float64  `json:"high"`
	Least    float64  `json:"least"`
	Greatest float64  `json:"greatest"`
	Below    *float64 `json:"below"`
	Above    *float64 `json:"above"`
	// Round and Step of ErrDiverged, from 1.
	Round uint64 `json:"round"`
	Step  uint64 `json:"step"`
	// Wanted candidates of ErrTooFew, those Found, and those Known besides: the front of the round before.
	Wanted int `json:"wanted"`
	Found  int `json:"found"`
	Known  int `json:"known"`
	// Missing of ErrMissingLatency: keys for Latency.Set.
	Missing []string `json:"missing"`
	// HostCode of ErrCallback is what a function of the host returned to the library.
	HostCode int32 `json:"code"`
	// Device of ErrDevice.
	Device string `json:"device"`
	// The libtorch of ErrTorchMismatch, the version that the library was made for, more files of libtorch in the process, and the
	// file of the library.
	TorchVersion string   `json:"version"`
	TorchFile    string   `json:"file"`
	TorchMadeFor string   `json:"made_for"`
	TorchOthers  []string `json:"others"`
	NSE          string   `json:"nse"`
	// Raw is the whole document, with keys that a newer library may have; nil when the library gave none.
	Raw json.RawMessage `json:"-"`
}

// Error is the message, one line.
func (e *Error) Error() string {
	return "nse: " + e.Message
}

// Detail reads the details, which the library gives as JSON.
func (e *Error) Detail() Detail {
	detail := Detail{Raw: e.detail}
	if e.detail != nil {
		// What a newer library may write in another way stays zero here, and is in Raw.
		_ = json.Unmarshal(e.detail, &detail)
	}
	return detail
}

// Unwrap is for [errors.Is] and [errors.As].
func (e *Error) Unwrap() []error {
	all := append([]error{e.Code}, e.causes...)
	if e.Code == ErrIO {
		if number := e.Detail().OSError; number != 0 {
			all = append(all, syscall.Errno(number))
		}
	}
	return all
}

// check makes the error of a call that failed, and frees the library's.
func check(status C.nse_status, e **C.nse_error) error {
	if status >= 0 {
		return nil
	}
	if *e == nil {
		return failureOf(Code(status))
	}
	defer C.nse_error_free(*e)
	err := &Error{Code: Code(status), Message: C.GoString(C.nse_error_message(*e))}
	var buffer C.nse_buffer
	if C.nse_error_detail(*e, &buffer) >= 0 {
		err.detail = json.RawMessage(C.GoStringN(buffer.data, C.int(buffer.len)))
		C.nse_buffer_free(&buffer)
	}
	return err
}

// failureOf is the error of a status that came without an error object.
func failureOf(code Code) *Error {
	return &Error{Code: code, Message: code.Error()}
}

// failure is an error that this package finds itself.
func failure(code Code, format string, values ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, values...)}
}

// because adds the reason to a call that ended because ctx did.
func (e *Error) because(ctx context.Context) *Error {
	e.causes = append(e.causes, ctx.Err())
	if cause := context.Cause(ctx); cause != ctx.Err() {
		e.causes = append(e.causes, cause)
	}
	return e
}
