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
	// OnEvent is told progress, on the goroutine that called TrainModel; may be nil. When it panics, the training is
	// cancelled and TrainModel panics with the same value. It must not end its goroutine (runtime.Goexit, which the
	// FailNow of a test uses).
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
	if err := before(ctx); err != nil {
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
	w := &work{ctx: ctx, onEvent: config.OnEvent}
	l := newListener()
	l.work.Store(w)
	var ptr *C.nse_model
	var e *C.nse_error
	status := C.nsego_model_train(config.Arch.handle(), config.Train.handle(), config.HeldOut.handle(), config.Init.handle(),
		options, C.uintptr_t(l.handle), &ptr, &e)
	if w.panicked != nil {
		C.nse_model_free(ptr)
	}
	if err := w.outcome(check(status, &e)); err != nil {
		return nil, err
	}
	return newModel(ptr), nil
}

func newModel(ptr *C.nse_model) *Model {
	m := &Model{ptr: ptr}
	m.net = runtime.AddCleanup(m, func(ptr *C.nse_model) { C.nse_model_free(ptr) }, ptr)
	return m
}

// Evaluation is how good a model is on a dataset.
type Evaluation struct {
	// Loss is the mean cross-entropy.
	Loss float64
	// Accuracy is top-1, 0 to 1.
	Accuracy float64
}

// Evaluate measures the model on a dataset. A ctx that has ended already starts nothing, with an error that is both
// ErrCancelled and ctx.Err(); an evaluation that has begun is not interrupted.
//
// ErrInvalidArgument: the images do not fit. ErrBusy: another call works on this model. ErrTorch.
func (m *Model) Evaluate(ctx context.Context, dataset *Dataset) (Evaluation, error) {
	defer runtime.KeepAlive(m)
	defer runtime.KeepAlive(dataset)
	if err := before(ctx); err != nil {
		return Evaluation{}, err
	}
	var loss, accuracy C.double
	var e *C.nse_error
	if err := check(C.nse_model_evaluate(m.handle(), dataset.handle(), &loss, &accuracy, &e), &e); err != nil {
		return Evaluation{}, err
	}
	return Evaluation{Loss: float64(loss), Accuracy: float64(accuracy)}, nil
}

// Close frees the model. Always nil; a second Close does nothing.
func (m *Model) Close() error {
	defer runtime.KeepAlive(m)
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
	return m.ptr
}
