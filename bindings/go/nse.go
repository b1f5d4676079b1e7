// Package nse is neural architecture search as a library: a search space, images and a budget go in, architectures and
// trained models come out. It is a thin binding of libnse; nse.h beside this file is the manual of every function, and
// the names here are those of C: nse_search_step is [Search.Step].
//
// # Building
//
// cgo asks pkg-config for the library, so nse.pc must be found: PKG_CONFIG_PATH says where it is, when that is not where the system
// looks. A program that was built with the tag nse_dlopen needs no libnse to build, and loads it when it runs: by [Load], or at the
// first use.
//
// # Objects
//
// [Space], [Dataset], [Arch], [Latency], [Search], [Model] and [Restoration] are made by functions of this package. They hold memory
// that the garbage collector does not see: call Close when done. An object that was forgotten is freed some time after it
// became unreachable. Objects keep alive what they use, so Close works in any order and at any time, also while another
// goroutine uses the object. A closed object, a nil one and a zero value answer with an error that is [ErrInvalidHandle].
//
// All methods may be called from several goroutines. Of [Search.Step], [Search.Run], [Search.Push], [Search.Estimate] and
// [Search.Save] one runs at a time on a search, and of [Model.Evaluate] and [Model.Export] one on a model; a second one gets
// [ErrBusy].
//
// # Contexts
//
// Whatever takes long has a context. When it has ended already, nothing begins; when it ends, the call returns with an error that is
// both [ErrCancelled] and the context's own, and the cause of that. Rounds, pushes, estimates, trainings and measurings stop after
// their current batch, and a search goes on from there, to the same result. What the library cannot cut short (reading files, looking
// at images, evaluating, saving, exporting) is not waited for any longer: it goes on in the background, its object is busy for that
// long, and what comes of it is closed. A file is written whole or not at all.
//
// # Functions of the host
//
// OnEvent, the body of a loop over [Search.Run] and the Fill of a [Source] run on the goroutine that made the call, with no frames of
// C below: they may panic, or end their goroutine. Only a handler of [SetLog] is called on other threads.
//
// # Errors
//
// Every error is an [*Error]; test it with [errors.Is] and the codes ErrConfig, ErrCancelled and so on, and read its
// [Error.Detail].
//
// # Options
//
// Options and documents are of type any: JSON as a string, a []byte or a [json.RawMessage], or any value that
// [encoding/json] turns into it. nil stands for "all defaults". They are strict: an unknown key is [ErrConfig].
package nse

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
)

// RuntimeInfo is what runs in this process.
type RuntimeInfo struct {
	NSE struct {
		Version string `json:"version"`
		ABI     uint32 `json:"abi"`
		// Torch is false in a build without libtorch: it has everything but training.
		Torch bool `json:"torch"`
	} `json:"nse"`
	// Runtime is nil in a build without libtorch.
	Runtime *struct {
		LibTorch struct {
			Version string `json:"version"`
			// File that libtorch was loaded from; empty when unknown.
			File string `json:"file"`
			// MadeFor is the version that the library was made for.
			MadeFor string `json:"made_for"`
			// Others are more files of libtorch in this process.
			Others []string `json:"others"`
			// BeforeNSE: it was in the process before nse; nil when unknown.
			BeforeNSE *bool `json:"before_nse"`
			// Threads that tensor work uses; 0 when there is a Problem.
			Threads int `json:"threads"`
			// Problem is why it is refused, with ErrTorchMismatch; empty when it is not.
			Problem string `json:"problem"`
		} `json:"libtorch"`
		CUDA struct {
			Available bool `json:"available"`
			Devices   int  `json:"devices"`
			// Reason why CUDA is not available; empty when it is.
			Reason string `json:"reason"`
		} `json:"cuda"`
	} `json:"runtime"`
	OpenMP struct {
		// Libraries are the files of OpenMP runtimes in this process.
		Libraries []string `json:"libraries"`
		// Warning says that there are two kinds, which slow each other down, or crash; empty when there are not.
		Warning string `json:"warning"`
	} `json:"openmp"`
	// Raw is the whole document, with keys that a newer library may have.
	Raw json.RawMessage `json:"-"`
}

// Runtime says what runs here: versions, the libtorch in use, its devices and why CUDA is off. It loads libtorch's CUDA
// half when there is one.
//
// ErrCancelled.
func Runtime(ctx context.Context) (RuntimeInfo, error) {
	return unlessEnded(ctx, func() (info RuntimeInfo, err error) {
		info.Raw, err = readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status { return C.nse_runtime_info(out, e) })
		if err == nil {
			err = decode(info.Raw, &info)
		}
		return info, err
	})
}

// Preset is a name of [SpacePreset] or [ArchPreset].
type Preset struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// SpacePresets lists the spaces that [SpacePreset] knows.
func SpacePresets() ([]Preset, error) {
	return read[[]Preset](func(out *C.nse_buffer, e **C.nse_error) C.nse_status { return C.nse_space_presets(out, e) })
}
