package nse

// Models to files and memory, and back.

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"unsafe"
)

// Epoch is what became of one epoch of a training.
type Epoch struct {
	// Epoch from 1, and optimizer steps so far.
	Epoch, Step int
	// Loss and Accuracy: means over the batches as they were trained on: changed, mixed, with smoothed labels.
	Loss, Accuracy float64
	// HeldOut: on the held-out images, with the weights themselves; EMA: with their moving average. nil where there is
	// none, or it was not its turn.
	HeldOut *Evaluation `json:"held_out"`
	EMA     *Evaluation
	// LR is the learning rate of the last step.
	LR float64
	// Seconds since the start of the training; pauses between two processes are not counted.
	Seconds float64
}

// History has every epoch of the training; none for a model that was loaded or taken from a search.
//
// ErrBusy: another call works on this model.
func (m *Model) History() ([]Epoch, error) {
	defer runtime.KeepAlive(m)
	raw, err := readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_model_history(m.handle(), out, e)
	})
	if err != nil {
		return nil, err
	}
	var epochs []Epoch
	return epochs, decode(raw, &epochs)
}

// Arch is the architecture of the model, in its space.
//
// ErrBusy: another call works on this model.
func (m *Model) Arch() (*Arch, error) {
	defer runtime.KeepAlive(m)
	return object(newArch, func(out **C.nse_arch, e **C.nse_error) C.nse_status {
		return C.nse_model_arch(m.handle(), out, e)
	})
}

// Describe says what the model is, and what becomes of an image in front of it: the text nse.json of exported files.
//
// ErrBusy: another call works on this model.
func (m *Model) Describe() (json.RawMessage, error) {
	defer runtime.KeepAlive(m)
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_model_describe(m.handle(), out, e)
	})
}

// ExportSchema is a JSON schema of what Export takes as a JSON object.
func ExportSchema() (json.RawMessage, error) {
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_model_export_schema(out, e)
	})
}

// Export writes the model to a file, whole or not at all; an existing file is replaced.
//
// Format "torchscript" is an archive that libtorch and PyTorch load, "onnx" ONNX with operator set 17. Both take normalised
// images, 32-bit floats [n, channels, height, width], and give logits [n, classes]. "safetensors" is read by LoadModel. A
// JSON object says more: {"format": "onnx", "fold": true, "normalise": true}, see ExportSchema. In each file is what
// Describe gives.
//
// ErrInvalidArgument: no such format. ErrConfig: the JSON object. ErrIO. ErrBusy: another call works on this model.
// ErrCancelled. ErrTorch.
func (m *Model) Export(ctx context.Context, format, path string) error {
	cFormat, err := cText("format", format)
	if err != nil {
		return err
	}
	cPath, err := cText("path", path)
	if err != nil {
		return err
	}
	_, err = unlessEnded(ctx, func() (struct{}, error) {
		defer runtime.KeepAlive(m)
		var e *C.nse_error
		return struct{}{}, check(C.nse_model_export(m.handle(), cFormat, cPath, &e), &e)
	})
	return err
}

// ExportMemory gives the bytes that Export would write.
//
// ErrInvalidArgument: no such format. ErrConfig: the JSON object. ErrBusy: another call works on this model. ErrTorch.
func (m *Model) ExportMemory(ctx context.Context, format string) ([]byte, error) {
	cFormat, err := cText("format", format)
	if err != nil {
		return nil, err
	}
	return unlessEnded(ctx, func() ([]byte, error) {
		defer runtime.KeepAlive(m)
		return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
			return C.nse_model_export_memory(m.handle(), cFormat, out, e)
		})
	})
}

// LoadModel reads a model that Export wrote as "safetensors". Device is "cpu", "cuda" or "cuda:N"; "" is "cpu".
//
// ErrIO. ErrFormat: not such a file, or damaged. ErrDevice. ErrTorch. ErrUnsupported: a library without libtorch.
func LoadModel(ctx context.Context, path, device string) (*Model, error) {
	cPath, err := cText("path", path)
	if err != nil {
		return nil, err
	}
	return loaded(ctx, device, func(device *C.char, out **C.nse_model, e **C.nse_error) C.nse_status {
		return C.nse_model_load(cPath, device, out, e)
	})
}

// LoadModelMemory is LoadModel for the bytes of such a file.
//
// ErrInvalidArgument: not such bytes, or damaged. ErrDevice. ErrTorch. ErrUnsupported: a library without libtorch.
func LoadModelMemory(ctx context.Context, data []byte, device string) (*Model, error) {
	return loaded(ctx, device, func(device *C.char, out **C.nse_model, e **C.nse_error) C.nse_status {
		return C.nse_model_load_memory((*C.uint8_t)(unsafe.SliceData(data)), C.size_t(len(data)), device, out, e)
	})
}

func loaded(ctx context.Context, device string, load func(*C.char, **C.nse_model, **C.nse_error) C.nse_status) (*Model, error) {
	if device == "" {
		device = "cpu"
	}
	cDevice, err := cText("device", device)
	if err != nil {
		return nil, err
	}
	return unlessEnded(ctx, func() (*Model, error) {
		return object(newModel, func(out **C.nse_model, e **C.nse_error) C.nse_status { return load(cDevice, out, e) })
	})
}

// ModelFromSearch is the network of an architecture with the weights that it has in the supernet of a search: to be
// evaluated, exported, or trained on (TrainConfig.Init). All its operators must be active, as those of the front are.
//
// ErrInvalidArgument: the search is pushed or told, or the architecture is of another space. ErrNotFound: there are no
// weights, or not of every operator. ErrBusy: a step runs. ErrTorch.
func ModelFromSearch(ctx context.Context, search *Search, arch *Arch) (*Model, error) {
	return unlessEnded(ctx, func() (*Model, error) {
		defer runtime.KeepAlive(search)
		defer runtime.KeepAlive(arch)
		return object(newModel, func(out **C.nse_model, e **C.nse_error) C.nse_status {
			return C.nse_model_from_search(search.handle(), arch.handle(), out, e)
		})
	})
}
