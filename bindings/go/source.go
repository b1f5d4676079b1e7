package nse

// Images that a Go value writes, and tensors of other libraries.

// #include "shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime/cgo"
	"unsafe"
)

// Source is images of the host's own, read or made as they are wanted.
type Source interface {
	// Info says how many images there are, and of what size. It is asked once, before Fill.
	Info() DatasetInfo
	// Fill writes the images from first on, as many as there is room for labels: pixels image after image, channel by
	// channel, row by row, and labels from 0. The slices are the library's, and of use during the call only. An error ends
	// it all. The context is that of DatasetFromSource.
	Fill(ctx context.Context, first int, pixels []byte, labels []uint32) error
}

// writer is what the library's callback reaches, for the length of one call.
type writer struct {
	relay
	ctx    context.Context
	source Source
	info   DatasetInfo
	err    error
}

// fill hands the room to the host, and says whether that went well.
func (w *writer) fill(first int, pixels []byte, labels []uint32) C.int32_t {
	returned := w.there(func() {
		if w.err = w.ctx.Err(); w.err == nil {
			w.err = w.source.Fill(w.ctx, first, pixels, labels)
		}
	})
	if !returned || w.err != nil {
		return 1
	}
	return 0
}

//export nsegoFill
func nsegoFill(handle C.uintptr_t, first, count C.uint32_t, pixels *C.uint8_t, labels *C.uint32_t) C.int32_t {
	stress()
	w := cgo.Handle(handle).Value().(*writer)
	bytes := int(count) * w.info.Channels * w.info.Height * w.info.Width
	return w.fill(int(first), unsafe.Slice((*byte)(pixels), bytes), unsafe.Slice((*uint32)(labels), int(count)))
}

// DatasetFromSource has a source write all images, once, in order and some at a time, on this goroutine. What it leaves out
// is a black pixel, and a label that is an error. When ctx ends, it is not asked for more.
//
// ErrCallback: Fill returned an error, which this one wraps. ErrInvalidArgument: no images, or a label out of range.
// ErrCancelled.
func DatasetFromSource(ctx context.Context, source Source) (*Dataset, error) {
	if err := before(ctx); err != nil {
		return nil, err
	}
	if source == nil {
		return nil, failure(ErrInvalidArgument, "source: must not be nil")
	}
	info := source.Info()
	if err := sizes("source", info.Channels, info.Height, info.Width, info.Images, info.Classes); err != nil {
		return nil, err
	}
	w := &writer{relay: newRelay(), ctx: ctx, source: source, info: info}
	var dataset *Dataset
	var err error
	w.during(func() {
		dataset, err = object(newDataset, func(out **C.nse_dataset, e **C.nse_error) C.nse_status {
			// The handle is freed by the library, whatever happens.
			return C.nsego_dataset_from_source(info.shape(), C.uintptr_t(cgo.NewHandle(w)), out, e)
		})
	})
	if e, ok := err.(*Error); ok && w.err != nil {
		if ctx.Err() != nil && errors.Is(w.err, ctx.Err()) {
			return nil, failure(ErrCancelled, "source: cancelled: %v", context.Cause(ctx)).because(ctx)
		}
		e.Message = fmt.Sprintf("%s: %v", e.Message, w.err)
		e.causes = append(e.causes, w.err)
	}
	return dataset, err
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
