package nse

// Images as planes of numbers.

// #include "shim.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// Picture is an image: plane after plane, row by row. Black is 0 and white is 1; noise may go beyond, from -1 to 2.
type Picture struct {
	// Channels is 1 or 3.
	Channels, Height, Width int
	// Values are Channels x Height x Width numbers.
	Values []float32
}

// Compare says how near two images are: the PSNR in decibels, infinite for equal images, and the SSIM, -1 to 1, NaN where a side is below
// 11. The formulas are in nse.h, at nse_picture_compare.
//
// ErrInvalidArgument: no images, or of different shapes.
func (p Picture) Compare(other Picture) (psnr, ssim float64, err error) {
	if err := ready(); err != nil {
		return 0, 0, err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	a, err := p.raw("a", &pin)
	if err != nil {
		return 0, 0, err
	}
	b, err := other.raw("b", &pin)
	if err != nil {
		return 0, 0, err
	}
	var x, y C.double
	var e *C.nse_error
	err = check(C.nsego_picture_compare(a, b, &x, &y, &e), &e)
	return float64(x), float64(y), err
}

// raw is the picture as C sees it, for as long as pin holds.
func (p Picture) raw(name string, pin *runtime.Pinner) (C.nsego_picture, error) {
	for _, size := range []int{p.Channels, p.Height, p.Width} {
		if size < 1 || size > 1<<14 {
			return C.nsego_picture{}, failure(ErrInvalidArgument, "%s: %d x %d x %d: a size is not in 1 to %d", name, p.Channels, p.Height, p.Width, 1<<14)
		}
	}
	if len(p.Values) != p.Channels*p.Height*p.Width {
		return C.nsego_picture{}, failure(ErrInvalidArgument, "%s: %d values for %d x %d x %d", name, len(p.Values), p.Channels, p.Height, p.Width)
	}
	data := unsafe.SliceData(p.Values)
	pin.Pin(data)
	return C.nsego_picture{
		channels: C.uint32_t(p.Channels), height: C.uint32_t(p.Height), width: C.uint32_t(p.Width), data: (*C.float)(data),
	}, nil
}
