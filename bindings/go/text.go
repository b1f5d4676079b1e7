package nse

// Text and JSON on their way in and out.

// #include "nse.h"
import "C"

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unsafe"
)

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

// decode reads a document that the library wrote.
func decode(document []byte, into any) error {
	if err := json.Unmarshal(document, into); err != nil {
		message := fmt.Sprintf("libnse %s wrote what this package cannot read: %v", Version(), err)
		return &Error{Code: ErrFormat, Message: message, causes: []error{err}}
	}
	return nil
}
