package nse

// #include "shim.h"
import "C"

import (
	"io"
	"math"
	"math/bits"
	"runtime"
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
// ErrConfig, ErrIO. ErrFormat: a file is truncated, damaged or has a label out of range.
func OpenDataset(document any) (*Dataset, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	cDocument, err := cJSON("dataset", document)
	if err != nil {
		return nil, err
	}
	var ptr *C.nse_dataset
	var e *C.nse_error
	if err := check(C.nse_dataset_open(cDocument, &ptr, &e), &e); err != nil {
		return nil, err
	}
	return newDataset(ptr), nil
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
	if err := ready(); err != nil {
		return nil, err
	}
	// The library reads as many bytes as the shape says: that they are there is for this side to see.
	bytes := uint64(1)
	count := len(images.Labels)
	if err := sizes("images", images.Channels, images.Height, images.Width, count, images.Classes); err != nil {
		return nil, err
	}
	for _, n := range []int{images.Channels, images.Height, images.Width, count} {
		var over uint64
		if over, bytes = bits.Mul64(bytes, uint64(n)); over != 0 {
			return nil, failure(ErrInvalidArgument, "images: more bytes than memory can have")
		}
	}
	if bytes != uint64(len(images.Pixels)) {
		return nil, failure(ErrInvalidArgument, "images: %d bytes for %d images of %dx%dx%d",
			len(images.Pixels), count, images.Channels, images.Height, images.Width)
	}
	var ptr *C.nse_dataset
	var e *C.nse_error
	status := C.nsego_dataset_from_memory(
		C.uint32_t(images.Channels), C.uint32_t(images.Height), C.uint32_t(images.Width), C.uint32_t(count),
		C.uint32_t(images.Classes), (*C.uint8_t)(unsafe.SliceData(images.Pixels)),
		(*C.uint32_t)(unsafe.SliceData(images.Labels)), &ptr, &e)
	if err := check(status, &e); err != nil {
		return nil, err
	}
	return newDataset(ptr), nil
}

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
	Images   int `json:"images"`
	Classes  int `json:"classes"`
	Channels int `json:"channels"`
	Height   int `json:"height"`
	Width    int `json:"width"`
}

// Info is the size of the dataset.
func (d *Dataset) Info() (DatasetInfo, error) {
	defer runtime.KeepAlive(d)
	var info DatasetInfo
	raw, err := readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_dataset_info(d.handle(), out, e)
	})
	if err == nil {
		err = decode(raw, &info)
	}
	return info, err
}

// Close frees the dataset. What uses it lives on. Always nil; a second Close does nothing.
func (d *Dataset) Close() error {
	defer runtime.KeepAlive(d)
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
	return d.ptr
}
