package nse

// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"io"
	"runtime"
)

// Model is a trained stand-alone network.
type Model struct {
	ptr *C.nse_model
	net runtime.Cleanup
}

var _ io.Closer = (*Model)(nil)

func newModel(ptr *C.nse_model) *Model {
	m := &Model{ptr: ptr}
	m.net = runtime.AddCleanup(m, func(ptr *C.nse_model) { C.nse_model_free(ptr) }, ptr)
	return m
}

// TrainConfig is what a stand-alone training is made of.
type TrainConfig struct {
	// Arch to train; may be nil with Init.
	Arch *Arch
	// Train has the training images.
	Train *Dataset
	// HeldOut has images that are only evaluated, behind every epoch; may be nil.
	HeldOut *Dataset
	// Init is a model of the same architecture whose weights, variant and normalisation the training begins with; may be
	// nil. It may have had other classes.
	Init *Model
	// Options, see ModelOptionsSchema. nil: all defaults.
	Options any
	// OnEvent is told progress, on the goroutine that called TrainModel; may be nil. When it panics, or ends its goroutine, the
	// training is cancelled first.
	OnEvent func(Event)
}

// ModelOptionsSchema is a JSON schema of the options of a stand-alone training, with keys, defaults, ranges and help.
func ModelOptionsSchema() (json.RawMessage, error) {
	return readText(func(out *C.nse_buffer, e **C.nse_error) C.nse_status {
		return C.nse_model_options_schema(out, e)
	})
}

// TrainModel trains an architecture, from fresh weights or those of another model. When ctx ends, it stops after the
// current batch with an error that is both ErrCancelled and ctx.Err(). A ctx that has ended already starts nothing. With
// the options checkpoint.path and checkpoint.resume it goes on where it was stopped, and ends with the same bits.
//
// ErrConfig: options. ErrInvalidArgument: images or Init do not fit. ErrCancelled. ErrDiverged. ErrIO and ErrFormat: the
// checkpoint. ErrBusy: Init. ErrDevice. ErrTorch. ErrUnsupported: a library without libtorch.
func TrainModel(ctx context.Context, config TrainConfig) (*Model, error) {
	defer runtime.KeepAlive(config)
	if err := ready(); err != nil {
		return nil, err
	}
	options, err := cJSON("model options", config.Options)
	if err != nil {
		return nil, err
	}
	if config.HeldOut != nil && config.HeldOut.handle() == nil {
		return nil, failure(ErrInvalidHandle, "HeldOut: this dataset is closed")
	}
	if config.Init != nil && config.Init.handle() == nil {
		return nil, failure(ErrInvalidHandle, "Init: this model is closed")
	}
	return watched(ctx, config.OnEvent, newModel,
		func(listener C.uintptr_t, out **C.nse_model, e **C.nse_error) C.nse_status {
			return C.nsego_model_train(config.Arch.handle(), config.Train.handle(), config.HeldOut.handle(), config.Init.handle(), options, listener, out, e)
		})
}

// Evaluation is how good a model is on a dataset.
type Evaluation struct {
	// Loss is the mean cross-entropy.
	Loss float64
	// Accuracy is top-1, 0 to 1.
	Accuracy float64
}

// Evaluate measures the model on a dataset.
//
// ErrInvalidArgument: the images do not fit. ErrBusy: another call works on this model. ErrCancelled. ErrTorch.
func (m *Model) Evaluate(ctx context.Context, dataset *Dataset) (Evaluation, error) {
	return unlessEnded(ctx, func() (Evaluation, error) {
		defer runtime.KeepAlive(m)
		defer runtime.KeepAlive(dataset)
		var loss, accuracy C.double
		var e *C.nse_error
		err := check(C.nse_model_evaluate(m.handle(), dataset.handle(), &loss, &accuracy, &e), &e)
		return Evaluation{Loss: float64(loss), Accuracy: float64(accuracy)}, err
	})
}

// Close frees the model. Always nil; a second Close does nothing.
func (m *Model) Close() error {
	if m.handle() == nil {
		return nil
	}
	m.net.Stop()
	C.nse_model_free(m.ptr)
	return nil
}

func (m *Model) handle() *C.nse_model {
	if m == nil {
		return nil
	}
	ptr := m.ptr
	stress()
	return ptr
}
