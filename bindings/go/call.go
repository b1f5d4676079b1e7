package nse

// What the calls of the library have in common: objects and documents that come out, text and JSON that go in.

// #include "shim.h"
import "C"

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unsafe"
)

// object makes a call that gives an object: a Handle of C, wrapped.
func object[Handle, Object any](wrap func(Handle) *Object, call func(out *Handle, e **C.nse_error) C.nse_status) (*Object, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	var handle Handle
	var e *C.nse_error
	if err := check(call(&handle, &e), &e); err != nil {
		return nil, err
	}
	return wrap(handle), nil
}

// readText makes a call that gives text, and copies it.
func readText(call func(*C.nse_buffer, **C.nse_error) C.nse_status) ([]byte, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	var buffer C.nse_buffer
	var e *C.nse_error
	if err := check(call(&buffer, &e), &e); err != nil {
		return nil, err
	}
	defer C.nse_buffer_free(&buffer)
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(buffer.data)), int(buffer.len))), nil
}

// read makes a call that gives a document, and reads it.
func read[T any](call func(*C.nse_buffer, **C.nse_error) C.nse_status) (T, error) {
	var value T
	text, err := readText(call)
	if err == nil {
		err = decode(text, &value)
	}
	return value, err
}

// decode reads a document that the library wrote.
func decode(document []byte, into any) error {
	if err := json.Unmarshal(document, into); err != nil {
		message := fmt.Sprintf("libnse %s wrote what this package cannot read: %v", Version(), err)
		return &Error{Code: ErrFormat, Message: message, causes: []error{err}}
	}
	return nil
}

// cText is text for the length of one call: Go memory, which C does not keep. C ends text at the first NUL, so text with
// one inside is refused instead of cut off.
func cText(name, text string) (*C.char, error) {
	if at := strings.IndexByte(text, 0); at >= 0 {
		return nil, failure(ErrInvalidArgument, "%s: a NUL at byte %d", name, at)
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text + "\x00"))), nil
}

// cJSON is a document for the length of one call: JSON text as it is, anything else marshalled, nil as NULL.
func cJSON(name string, document any) (*C.char, error) {
	switch document := document.(type) {
	case nil:
		return nil, nil
	case string:
		return cText(name, document)
	case []byte:
		return cText(name, string(document))
	case json.RawMessage:
		return cText(name, string(document))
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, &Error{Code: ErrConfig, Message: fmt.Sprintf("%s: %v", name, err), causes: []error{err}}
	}
	return cText(name, string(text))
}
