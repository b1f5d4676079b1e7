package nse

// Images that a Go function writes, and tensors of other libraries. Go memory itself is only ever copied: C may not keep it.

// #include "shim.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// Source is images that a function writes.
type Source struct {
	Channels, Height, Width int
	// Count is the number of images.
	Count int
	// Classes: labels are below this; 0 stands for the greatest label + 1.
	Classes int
	// Fill writes the images from first on, as many as there is room for labels: pixels image after image, channel by
	// channel, row by row, and labels from 0. The slices are the library's, and of use during the call only. An error ends
	// it all.
	Fill func(first int, pixels []byte, labels []uint32) error
}

// writer is what the library's callback reaches, for the length of one call.
type writer struct {
	source   Source
	err      error
	panicked any
}

// fill hands the room to the host, and says whether that went well. A panic must not cross C: it waits for the end of the
// call.
func (w *writer) fill(first int, pixels []byte, labels []uint32) (code C.int32_t) {
	defer func() {
		if value := recover(); value != nil {
			w.panicked, code = value, -1
		}
	}()
	if w.err = w.source.Fill(first, pixels, labels); w.err != nil {
		return 1
	}
	return 0
}

//export nsegoFill
func nsegoFill(handle C.uintptr_t, first, count C.uint32_t, pixels *C.uint8_t, labels *C.uint32_t) C.int32_t {
	w := cgo.Handle(handle).Value().(*writer)
	bytes := int(count) * w.source.Channels * w.source.Height * w.source.Width
	return w.fill(int(first), unsafe.Slice((*byte)(pixels), bytes), unsafe.Slice((*uint32)(labels), int(count)))
}

// DatasetFromSource has a function write all images, once, in order and some at a time, on this goroutine. What it leaves out
// is a black pixel, and a label that is an error. Its panic goes on from here.
//
// ErrCallback: Fill returned an error, which this one wraps. ErrInvalidArgument: no images, or a label out of range.
func DatasetFromSource(source Source) (*Dataset, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	if err := sizes("source", source.Channels, source.Height, source.Width, source.Count, source.Classes); err != nil {
		return nil, err
	}
	if source.Fill == nil {
		return nil, failure(ErrInvalidArgument, "source: Fill must not be nil")
	}
	w := &writer{source: source}
	var ptr *C.nse_dataset
	var e *C.nse_error
	// The handle is freed by the library, whatever happens.
	status := C.nsego_dataset_from_source(
		C.uint32_t(source.Channels), C.uint32_t(source.Height), C.uint32_t(source.Width), C.uint32_t(source.Count),
		C.uint32_t(source.Classes), C.uintptr_t(cgo.NewHandle(w)), &ptr, &e)
	err := check(status, &e)
	if w.panicked != nil {
		panic(w.panicked)
	}
	if err != nil {
		if e, ok := err.(*Error); ok && w.err != nil {
			e.Message = fmt.Sprintf("%s: %v", e.Message, w.err)
			e.causes = append(e.causes, w.err)
		}
		return nil, err
	}
	return newDataset(ptr), nil
}

// DatasetFromDLPack takes over images, uint8 [count, channels, height, width], and labels, whole numbers [count]: pointers to
// DLManagedTensorVersioned in C memory, as other libraries give them. Classes: labels are below this; 0 stands for the greatest
// label + 1. With borrow the images are used where they are, if they are compact, and must not change until
// nothing needs them any more; else they are copied.
//
// The library calls both deleters, each once, also when this fails (but not for ErrABI: then nothing was taken), and from any
// thread. See nse_dataset_from_dlpack in nse.h.
//
// ErrInvalidArgument. ErrDevice: not in memory of the CPU.
func DatasetFromDLPack(images, labels unsafe.Pointer, classes int, borrow bool) (*Dataset, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	// A number that does not fit must not keep the library from giving the tensors back.
	wrong := sizes("classes", classes)
	var flags C.uint32_t
	if borrow {
		flags = C.NSE_BORROW
	}
	var ptr *C.nse_dataset
	var e *C.nse_error
	status := C.nse_dataset_from_dlpack((*C.struct_DLManagedTensorVersioned)(images),
		(*C.struct_DLManagedTensorVersioned)(labels), C.uint32_t(max(classes, 0)), flags, &ptr, &e)
	if err := check(status, &e); err != nil {
		return nil, err
	}
	if wrong != nil {
		C.nse_dataset_free(ptr)
		return nil, wrong
	}
	return newDataset(ptr), nil
}
