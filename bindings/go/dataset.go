package nse

// #include "shim.h"
import "C"

import (
	"context"
	"io"
	"math"
	"math/bits"
	"runtime"
	"runtime/cgo"
	"unsafe"
)

// Dataset is labelled images in memory. Immutable; parts of a dataset share its images.
type Dataset struct {
	ptr *C.nse_dataset
	net runtime.Cleanup
}

var _ io.Closer = (*Dataset)(nil)

func newDataset(ptr *C.nse_dataset) *Dataset {
	d := &Dataset{ptr: ptr}
	d.net = runtime.AddCleanup(d, func(ptr *C.nse_dataset) { C.nse_dataset_free(ptr) }, ptr)
	return d
}

// OpenDataset reads images and labels from the files that a document names:
// {"format": "idx", "images": path, "labels": path, "classes": 10}. IDX files may be gzip-compressed; classes may be left
// out.
//
// ErrConfig, ErrIO. ErrFormat: a file is truncated, damaged or has a label out of range. ErrCancelled.
func OpenDataset(ctx context.Context, document any) (*Dataset, error) {
	cDocument, err := cJSON("dataset", document)
	if err != nil {
		return nil, err
	}
	return unlessEnded(ctx, func() (*Dataset, error) {
		return object(newDataset, func(out **C.nse_dataset, e **C.nse_error) C.nse_status {
			return C.nse_dataset_open(cDocument, out, e)
		})
	})
}

// Images are images in the caller's memory.
type Images struct {
	Channels, Height, Width int
	// Classes: labels are below this; 0 stands for the greatest label + 1.
	Classes int
	// Pixels has one byte per value: image after image, channel by channel, row by row.
	Pixels []byte
	// Labels has one label per image, from 0.
	Labels []uint32
}

// DatasetFromMemory copies images and labels.
//
// ErrInvalidArgument: no images, a label out of range, or not as many pixels as the shape says.
func DatasetFromMemory(images Images) (*Dataset, error) {
	if err := images.fit(); err != nil {
		return nil, err
	}
	return object(newDataset, func(out **C.nse_dataset, e **C.nse_error) C.nse_status {
		return C.nsego_dataset_from_memory(images.shape(), images.pixels(), images.labels(), out, e)
	})
}

// DatasetBorrow is DatasetFromMemory without a copy: the pixels are used where they are, in Go's memory, which is pinned, or in any
// other, such as a mapped file. They must not change until released is called: once, when nothing needs them any more (no dataset,
// no part of one, no search that was given one) or when this fails, on a goroutine of its own. It may be nil.
//
// ErrInvalidArgument: as DatasetFromMemory.
func DatasetBorrow(images Images, released func()) (*Dataset, error) {
	if released == nil {
		released = func() {}
	}
	loan := &loan{released: released}
	err := ready()
	if err == nil {
		err = images.fit()
	}
	if err != nil {
		loan.end()
		return nil, err
	}
	loan.pin.Pin(unsafe.SliceData(images.Pixels))
	// The handle is freed by the library, whatever happens.
	return object(newDataset, func(out **C.nse_dataset, e **C.nse_error) C.nse_status {
		return C.nsego_dataset_borrow(images.shape(), images.pixels(), images.labels(), C.uintptr_t(cgo.NewHandle(loan)), out, e)
	})
}

// loan is pixels that the library uses where they are.
type loan struct {
	pin      runtime.Pinner
	released func()
}

func (l *loan) end() {
	l.pin.Unpin()
	go l.released()
}

//export nsegoRelease
func nsegoRelease(handle C.uintptr_t) {
	h := cgo.Handle(handle)
	defer h.Delete()
	h.Value().(*loan).end()
}

// fit says whether there are as many pixels as the shape says: the library reads that many.
func (i Images) fit() error {
	bytes := uint64(1)
	count := len(i.Labels)
	if err := sizes("images", i.Channels, i.Height, i.Width, count, i.Classes); err != nil {
		return err
	}
	for _, n := range []int{i.Channels, i.Height, i.Width, count} {
		var over uint64
		if over, bytes = bits.Mul64(bytes, uint64(n)); over != 0 {
			return failure(ErrInvalidArgument, "images: more bytes than memory can have")
		}
	}
	if bytes != uint64(len(i.Pixels)) {
		return failure(ErrInvalidArgument, "images: %d bytes for %d images of %dx%dx%d",
			len(i.Pixels), count, i.Channels, i.Height, i.Width)
	}
	return nil
}

func (i Images) shape() C.nsego_shape {
	return DatasetInfo{len(i.Labels), i.Classes, i.Channels, i.Height, i.Width}.shape()
}

func (i Images) pixels() *C.uint8_t  { return (*C.uint8_t)(unsafe.SliceData(i.Pixels)) }
func (i Images) labels() *C.uint32_t { return (*C.uint32_t)(unsafe.SliceData(i.Labels)) }

// sizes says whether all numbers fit C's.
func sizes(name string, numbers ...int) error {
	for _, n := range numbers {
		if n < 0 || uint64(n) > math.MaxUint32 {
			return failure(ErrInvalidArgument, "%s: %d is not in 0 to %d", name, n, uint32(math.MaxUint32))
		}
	}
	return nil
}

// Split makes two disjoint datasets, at random but always alike for the same seed. The second one gets the fraction of
// the images, above 0 and below 1, so that neither is empty. No pixel is copied.
//
// ErrInvalidArgument: fraction.
func (d *Dataset) Split(fraction float64, seed uint64) (first, second *Dataset, err error) {
	defer runtime.KeepAlive(d)
	var a, b *C.nse_dataset
	var e *C.nse_error
	status := C.nse_dataset_split(d.handle(), C.double(fraction), C.uint64_t(seed), &a, &b, &e)
	if err := check(status, &e); err != nil {
		return nil, nil, err
	}
	return newDataset(a), newDataset(b), nil
}

// DatasetInfo is the size of a dataset.
type DatasetInfo struct {
	Images int `json:"images"`
	// Classes: labels are below this. In what a Source says, 0 stands for the greatest label + 1.
	Classes  int `json:"classes"`
	Channels int `json:"channels"`
	Height   int `json:"height"`
	Width    int `json:"width"`
}

func (i DatasetInfo) shape() C.nsego_shape {
	return C.nsego_shape{
		channels: C.uint32_t(i.Channels), height: C.uint32_t(i.Height), width: C.uint32_t(i.Width),
		count: C.uint32_t(i.Images), classes: C.uint32_t(i.Classes),
	}
}

// Info is the size of the dataset.
func (d *Dataset) Info() (DatasetInfo, error) {
	defer runtime.KeepAlive(d)
	return read[DatasetInfo](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_dataset_info(d.handle(), out, e)
	})
}

// Close frees the dataset. What uses it lives on. Always nil; a second Close does nothing.
func (d *Dataset) Close() error {
	if d.handle() == nil {
		return nil
	}
	d.net.Stop()
	C.nse_dataset_free(d.ptr)
	return nil
}

func (d *Dataset) handle() *C.nse_dataset {
	if d == nil {
		return nil
	}
	ptr := d.ptr
	stress()
	return ptr
}
