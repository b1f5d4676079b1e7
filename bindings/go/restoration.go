package nse

// One image restored without training data, and the search for the network that does it best.

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"runtime"
	"unsafe"
)

// Restoration is one image to restore, and the search for the network that does it best.
type Restoration struct {
	ptr      *C.nse_restoration
	net      runtime.Cleanup
	onEvent  func(Event)
	listener *listener
}

var _ io.Closer = (*Restoration)(nil)

// RestorationConfig is what a restoration is made of. The images are copied.
type RestorationConfig struct {
	// Picture is the damaged image; of a super-resolution the small one.
	Picture Picture
	// Mask of an image to inpaint: one channel, 1 for a known pixel and 0 for a missing one. Otherwise nil.
	Mask *Picture
	// Reference is how the restored image should be, if that is known; may be nil.
	Reference *Picture
	// Options, see RestorationOptionsSchema. Only "task" must be there. LoadRestoration: nil, or those of the checkpoint, of which "device",
	// "threads", "checkpoint", "search.parallel" and "search.generations" may differ.
	Options any
	// OnEvent is told progress, on the goroutine that called Step or Restore; may be nil.
	OnEvent func(Event)
}

// RestorationOptionsSchema is a JSON schema of the options of a restoration, with keys, defaults, ranges and help.
func RestorationOptionsSchema() (json.RawMessage, error) {
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_restoration_options_schema(out, e)
	})
}

// NewRestoration makes a restoration, and draws the first networks to search among; nothing is fitted yet.
//
// ErrConfig: options; also when no random genome has a network inside search.max_params and search.max_macs. ErrInvalidArgument: images
// of a wrong shape, or with other values; a mask with another task than "inpaint", or none with it.
func NewRestoration(config RestorationConfig) (*Restoration, error) {
	return config.open(nil)
}

// LoadRestoration makes a restoration from the checkpoint that Save, or the option "checkpoint", wrote to path. It goes on as if it had
// never stopped, on a CPU with the same number of threads to the last bit.
//
// When ctx ends it is not waited for any more, with an error that is both ErrCancelled and ctx.Err().
//
// ErrIO. ErrFormat: no checkpoint of a restoration, damaged, or of other images. ErrConfig: options that differ.
func LoadRestoration(ctx context.Context, path string, config RestorationConfig) (*Restoration, error) {
	cPath, err := cText("path", path)
	if err != nil {
		return nil, err
	}
	return unlessEnded(ctx, func() (*Restoration, error) { return config.open(cPath) })
}

func (c RestorationConfig) open(path *C.char) (*Restoration, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	options, err := cJSON("restoration options", c.Options)
	if err != nil {
		return nil, err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	var pictures [3]C.nsego_picture
	for i, picture := range []*Picture{&c.Picture, c.Mask, c.Reference} {
		if picture == nil {
			continue
		}
		if pictures[i], err = picture.raw([]string{"Picture", "Mask", "Reference"}[i], &pin); err != nil {
			return nil, err
		}
	}
	l := newListener()
	wrap := func(ptr *C.nse_restoration) *Restoration {
		r := &Restoration{ptr: ptr, onEvent: c.OnEvent, listener: l}
		r.net = runtime.AddCleanup(r, func(ptr *C.nse_restoration) { C.nse_restoration_free(ptr) }, ptr)
		return r
	}
	return object(wrap, func(out **C.nse_restoration, e **C.nse_error) C.nse_status {
		return C.nsego_restoration_make(path, pictures[0], pictures[1], pictures[2], options, C.uintptr_t(l.handle), out, e)
	})
}

// Step runs one generation: fits every network of it that nothing is known of, and draws the next. It says whether that was the last one,
// or there was none left. After an error, a cancel included, the next Step goes on, and ends with the same result.
//
// When ctx ends, it stops with an error that is both ErrCancelled and ctx.Err().
//
// ErrCancelled. ErrBusy: another Step or Restore is at work. ErrOutOfMemory. ErrIO: the checkpoint could not be written; nothing is
// lost. ErrDevice. ErrTorch. ErrUnsupported: a library without libtorch.
func (r *Restoration) Step(ctx context.Context) (done bool, err error) {
	err = r.run(ctx, func() error {
		var e *C.nse_error
		status := C.nse_restoration_step(r.ptr, &e)
		done = status == C.NSE_DONE
		return check(status, &e)
	})
	return done, err
}

// RestoredFit is what there is to say of a restored image.
type RestoredFit struct {
	// Code of the network: a genome, "classic" or "classic-inpaint".
	Code   string `json:"code"`
	Params uint64 `json:"params"`
	// Macs are the multiply-accumulates of one forward pass.
	Macs uint64 `json:"macs"`
	// Fitness in decibels; the image is that of BestStep, of Steps that were made.
	Fitness  float64 `json:"fitness"`
	BestStep uint64  `json:"best_step"`
	Steps    uint64  `json:"steps"`
	// Diverged: the loss became no number, and what was best before counts.
	Diverged bool `json:"diverged"`
	// PSNR and SSIM to the reference; nil where there is none.
	PSNR *float64 `json:"psnr"`
	SSIM *float64 `json:"ssim"`
	// Raw is the whole document.
	Raw json.RawMessage `json:"-"`
}

// Restore fits one network from fresh weights, and gives what it makes of the image. code: a genome, "classic" or "classic-inpaint" (the
// networks of Deep Image Prior), or "": the fittest that is known. When ctx ends, it stops as Step does.
//
// ErrNotFound: code is "", and nothing is known. ErrInvalidArgument: no genome, or none with a network; the message says why. ErrDiverged.
// ErrCancelled. ErrBusy. ErrDevice. ErrTorch. ErrUnsupported: a library without libtorch.
func (r *Restoration) Restore(ctx context.Context, code string) (picture Picture, fit RestoredFit, err error) {
	cCode := (*C.char)(nil)
	if code != "" {
		if cCode, err = cText("code", code); err != nil {
			return Picture{}, RestoredFit{}, err
		}
	}
	err = r.run(ctx, func() error {
		var channels, height, width C.uint32_t
		var e *C.nse_error
		if err := check(C.nse_restoration_shape(r.ptr, &channels, &height, &width, &e), &e); err != nil {
			return err
		}
		picture = Picture{Channels: int(channels), Height: int(height), Width: int(width)}
		picture.Values = make([]float32, picture.Channels*picture.Height*picture.Width)
		fit.Raw, err = readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
			return C.nse_restoration_run(r.ptr, cCode, (*C.float)(unsafe.SliceData(picture.Values)), C.size_t(len(picture.Values)), out, e)
		})
		if err != nil {
			return err
		}
		return decode(fit.Raw, &fit)
	})
	if err != nil {
		return Picture{}, RestoredFit{}, err
	}
	return picture, fit, nil
}

// run makes a call that works on the restoration, and delivers events; when ctx ends, the call is cancelled.
func (r *Restoration) run(ctx context.Context, call func() error) error {
	defer runtime.KeepAlive(r)
	if r.handle() == nil {
		return failure(ErrInvalidHandle, "restoration: nil is not a restoration")
	}
	return r.listener.run(ctx, "restoration", always(r.onEvent), func() { C.nse_restoration_cancel(r.ptr, nil) }, call)
}

// Ask gives up to count networks, by their codes, to be fitted elsewhere, in place of steps or between them: none of them asked or told
// before. None, and not done: there are no more until a result is told.
//
// ErrInvalidArgument: a count of none.
func (r *Restoration) Ask(count int) (codes []string, done bool, err error) {
	defer runtime.KeepAlive(r)
	if count < 1 {
		return nil, false, failure(ErrInvalidArgument, "count: %d networks are none", count)
	}
	codes, err = read[[]string](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		status := C.nse_restoration_ask(r.handle(), C.size_t(count), out, e)
		done = status == C.NSE_DONE
		return status
	})
	return codes, done, err
}

// Tell says how fit a network is, in decibels; NaN: it failed. At any time and in any order.
//
// ErrConflict: another result of it is known. ErrInvalidArgument: no genome of this search, none with a network, or one that costs too
// much. ErrConfig: a genome in JSON that is none.
func (r *Restoration) Tell(code string, fitness float64) (Effect, error) {
	defer runtime.KeepAlive(r)
	cCode, err := cText("code", code)
	if err != nil {
		return 0, err
	}
	var effect C.uint32_t
	var e *C.nse_error
	status := C.nse_restoration_tell(r.handle(), cCode, C.double(fitness), &effect, &e)
	return Effect(effect), check(status, &e)
}

// Forget says that a network which was asked for will not be told: it may be asked for again.
func (r *Restoration) Forget(code string) error {
	defer runtime.KeepAlive(r)
	cCode, err := cText("code", code)
	if err != nil {
		return err
	}
	var e *C.nse_error
	return check(C.nse_restoration_forget(r.handle(), cCode, &e), &e)
}

// RestorationMember is a network with what is known of it.
type RestorationMember struct {
	Code string `json:"code"`
	// Fitness in decibels, the mean over its fits.
	Fitness float64 `json:"fitness"`
	Params  uint64  `json:"params"`
	Macs    uint64  `json:"macs"`
	// Generation in which it was found, from 1.
	Generation uint64 `json:"generation"`
}

// RestorationReport is how a restoration stands.
type RestorationReport struct {
	// Generation has so many complete ones, of Generations.
	Generation  uint64 `json:"generation"`
	Generations uint64 `json:"generations"`
	Done        bool   `json:"done"`
	// Networks that are known, and those of them that failed.
	Networks uint64 `json:"networks"`
	Failed   uint64 `json:"failed"`
	// Best is nil while nothing is known.
	Best *RestorationMember `json:"best"`
	// Front by cost and fitness, the cheapest first.
	Front []RestorationMember `json:"front"`
	// Raw is the whole document, with the options, the history and the fits of every member; see nse_restoration_report.
	Raw json.RawMessage `json:"-"`
}

// Report says how the restoration stands; also while a Step runs.
func (r *Restoration) Report() (report RestorationReport, err error) {
	defer runtime.KeepAlive(r)
	report.Raw, err = readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_restoration_report(r.handle(), out, e)
	})
	if err == nil {
		err = decode(report.Raw, &report)
	}
	return report, err
}

// Cancel asks the Step or Restore that is running to stop; it returns ErrCancelled. Without one it does nothing. It does not wait.
func (r *Restoration) Cancel() error {
	defer runtime.KeepAlive(r)
	var e *C.nse_error
	return check(C.nse_restoration_cancel(r.handle(), &e), &e)
}

// Save writes what LoadRestoration needs to go on. An existing file is replaced, whole or not at all; its folder must exist.
//
// ErrIO: the file is as it was. ErrCancelled.
func (r *Restoration) Save(ctx context.Context, path string) error {
	cPath, err := cText("path", path)
	if err != nil {
		return err
	}
	_, err = unlessEnded(ctx, func() (struct{}, error) {
		defer runtime.KeepAlive(r)
		var e *C.nse_error
		return struct{}{}, check(C.nse_restoration_save(r.handle(), cPath, &e), &e)
	})
	return err
}

// Close frees the restoration and does not wait. A running Step is cancelled. Always nil; a second Close does nothing.
func (r *Restoration) Close() error {
	if r.handle() == nil {
		return nil
	}
	r.net.Stop()
	r.listener.closed.Store(true)
	C.nse_restoration_free(r.ptr)
	return nil
}

func (r *Restoration) handle() *C.nse_restoration {
	if r == nil {
		return nil
	}
	ptr := r.ptr
	stress()
	return ptr
}

// GenomeStage is the encoder or the decoder of a unit.
type GenomeStage struct {
	Residual bool `json:"residual"`
	Kernel   int  `json:"kernel"`
	Channels int  `json:"channels"`
}

// GenomeSkip goes from an encoder to a decoder.
type GenomeSkip struct {
	Open     bool `json:"open"`
	Channels int  `json:"channels"`
}

// GenomeUnit is a unit of a genome.
type GenomeUnit struct {
	Encoder GenomeStage `json:"encoder"`
	Decoder GenomeStage `json:"decoder"`
	// Skips go to the decoder of every unit, in order.
	Skips []GenomeSkip `json:"skips"`
}

// Genome is what a genome says.
type Genome struct {
	Code string `json:"code"`
	// Bits are "0110...", the first first.
	Bits  string       `json:"bits"`
	Units []GenomeUnit `json:"units"`
	// Params and Macs of its network for the image; 0 where there is none.
	Params uint64 `json:"params"`
	Macs   uint64 `json:"macs"`
	// Infeasible is why there is no network; empty where there is one.
	Infeasible string `json:"infeasible"`
}

// DescribeGenome says what a genome is, and what its network costs for an image of so many channels, so high and wide, with noise of
// inputChannels (32 unless the option train.input_channels says otherwise). genome: its code, "classic" or "classic-inpaint", or a
// document {"units": [...]}, which may be a map or a struct.
//
// ErrInvalidArgument, ErrConfig: no genome; the message names what is wrong.
func DescribeGenome(genome any, channels, height, width, inputChannels int) (Genome, error) {
	text, err := cJSON("genome", genome)
	if err != nil {
		return Genome{}, err
	}
	for _, size := range []int{channels, height, width, inputChannels} {
		if size < 0 || int64(size) > math.MaxUint32 {
			return Genome{}, failure(ErrInvalidArgument, "%d is no size", size)
		}
	}
	return read[Genome](func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_genome_describe(text, C.uint32_t(channels), C.uint32_t(height), C.uint32_t(width), C.uint32_t(inputChannels), out, e)
	})
}
