package nse

// A search inside the host's own training loop, which gives it one batch at a time.

// #include "shim.h"
import "C"

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// Phase is what a batch is for.
type Phase uint32

const (
	// PhaseDone: the search is complete; nothing can be pushed.
	PhaseDone Phase = C.NSE_PHASE_DONE
	// PhaseWeight: training images, for an optimizer step of the supernet.
	PhaseWeight Phase = C.NSE_PHASE_WEIGHT
	// PhaseArchitecture: held-out images, for a step of the fitness.
	PhaseArchitecture Phase = C.NSE_PHASE_ARCHITECTURE
	// PhaseCalibrate: training images without augmentation, for the batch-norm statistics of the candidates.
	PhaseCalibrate Phase = C.NSE_PHASE_CALIBRATE
	// PhaseEvaluate: held-out images, for the accuracy of the candidates.
	PhaseEvaluate Phase = C.NSE_PHASE_EVALUATE
	// PhaseEnd: there are no more images. Search.End says so.
	PhaseEnd Phase = C.NSE_PHASE_END
)

var phaseNames = map[Phase]string{
	PhaseDone: "done", PhaseWeight: "weight", PhaseArchitecture: "architecture", PhaseCalibrate: "calibrate",
	PhaseEvaluate: "evaluate", PhaseEnd: "end",
}

// String is "weight", for example.
func (p Phase) String() string {
	if name, ok := phaseNames[p]; ok {
		return name
	}
	return fmt.Sprintf("phase %d", uint32(p))
}

// Batch is one batch of the host's. It is read during the push only.
type Batch struct {
	// Images of the space's input, two or more, augmented and normalised as the host likes: image after image, channel by
	// channel, row by row.
	Images []float32
	// Labels has one label per image, below the classes of the space.
	Labels []uint32
	// LR is the learning rate of this weight step; 0: by the options, which must have pushed.steps_per_epoch then.
	LR float64
}

// Pushed is what became of a push, and what comes next.
type Pushed struct {
	// Next is what the next batch must be for.
	Next Phase
	// Completed rounds, of Rounds.
	Completed, Rounds int
	// Epoch under way in this round, from 1, of Epochs; the last one while candidates are scored.
	Epoch, Epochs int
	// Step: weight steps made in this round.
	Step int
	// Loss of the batch: the mean, of a weight or architecture step; else NaN.
	Loss float64
	// Accuracy of the batch, 0 to 1: of a weight step with the paths it drew, of an evaluation the mean over the
	// candidates; else NaN.
	Accuracy float64
	// LR is the learning rate of a weight step; else NaN.
	LR float64
}

// Push does one piece of work of a search whose config has Pushed, with a batch of the host's: an optimizer step of the
// supernet, a step of the fitness, or one batch of the scoring. Nothing is copied on this side.
//
// After an error nothing has happened, and the same can be pushed again; except ErrIO: the checkpoint could not be written,
// the batch has been used all the same, and Next says what comes next. So it is when OnEvent panics: it is told when the
// work is done. A ctx that ends is heeded as in Step, but a push that has done its work by then succeeds.
//
// ErrInvalidArgument: a phase that is not next, images or labels that do not fit the space, no learning rate, or a search
// that has datasets. ErrCancelled. ErrBusy. ErrDiverged. ErrOutOfMemory. ErrUnreachable, ErrTooFew: as Step, at the end of
// the last epoch or with the first batch after it. ErrTorch.
func (s *Search) Push(ctx context.Context, phase Phase, batch Batch) (Pushed, error) {
	if err := s.fits(batch); err != nil {
		return Pushed{}, err
	}
	return s.push(ctx, func(pushed *C.nse_pushed, e **C.nse_error) C.nse_status {
		return C.nsego_search_push(s.ptr, C.uint32_t(phase), C.uint32_t(len(batch.Labels)),
			(*C.float)(unsafe.SliceData(batch.Images)), (*C.uint32_t)(unsafe.SliceData(batch.Labels)), C.double(batch.LR), pushed, e)
	})
}

// PushDLPack is Push with tensors of another library: pointers to DLManagedTensorVersioned, float32 [count, channels, height, width]
// and whole numbers [count], on the CPU or a CUDA device, with any strides. The learning rate is that of Batch. The library calls both
// deleters, each once, before this returns, also when it fails. See nse_batch in nse.h.
//
// Errors are those of Push. ErrDevice: a tensor on a device that cannot be used.
func (s *Search) PushDLPack(ctx context.Context, phase Phase, images, labels unsafe.Pointer, lr float64) (Pushed, error) {
	push := func(search *C.nse_search, pushed *C.nse_pushed, e **C.nse_error) C.nse_status {
		return C.nsego_search_push_dlpack(search, C.uint32_t(phase), (*C.struct_DLManagedTensorVersioned)(images),
			(*C.struct_DLManagedTensorVersioned)(labels), C.double(lr), pushed, e)
	}
	taken := false
	pushed, err := s.push(ctx, func(pushed *C.nse_pushed, e **C.nse_error) C.nse_status {
		taken = true
		return push(s.ptr, pushed, e)
	})
	if !taken {
		// A search that is none takes them as well, and gives them back.
		push(nil, nil, nil)
	}
	return pushed, err
}

func (s *Search) push(ctx context.Context, call func(*C.nse_pushed, **C.nse_error) C.nse_status) (Pushed, error) {
	pushed := C.nse_pushed{struct_size: C.sizeof_nse_pushed}
	err := s.run(ctx, nil, func() error {
		var e *C.nse_error
		return check(call(&pushed, &e), &e)
	})
	return pushedOf(pushed, err)
}

// End says that there are no more images for what comes next: the end of an epoch, of the calibration, or of the evaluation.
// Errors are those of Push.
func (s *Search) End(ctx context.Context) (Pushed, error) {
	return s.Push(ctx, PhaseEnd, Batch{})
}

// Next says what comes next, and does nothing.
//
// ErrBusy: a Push is running. ErrInvalidArgument: this search has datasets.
func (s *Search) Next() (Pushed, error) {
	defer runtime.KeepAlive(s)
	pushed := C.nse_pushed{struct_size: C.sizeof_nse_pushed}
	var e *C.nse_error
	err := check(C.nse_search_push(s.handle(), nil, &pushed, &e), &e)
	return pushedOf(pushed, err)
}

// fits says whether there are as many values as the library will read; it only knows where they are.
func (s *Search) fits(batch Batch) error {
	if s.handle() == nil || s.image == 0 {
		return nil // for the library to say what is wrong
	}
	images, count := len(batch.Images), len(batch.Labels)
	if uint64(count) > math.MaxUint32 || images%s.image != 0 || images/s.image != count {
		return failure(ErrInvalidArgument, "batch: %d values and %d labels; the space has %d values for one image",
			images, count, s.image)
	}
	return nil
}

// imageSize is how many values an image of the space of this search has.
func (s *Search) imageSize() (int, error) {
	space, err := s.Space()
	if err != nil {
		return 0, err
	}
	defer space.Close()
	raw, err := space.JSON()
	if err != nil {
		return 0, err
	}
	var document struct {
		Input struct {
			Channels int `json:"channels"`
			Height   int `json:"height"`
			Width    int `json:"width"`
		} `json:"input"`
	}
	err = decode(raw, &document)
	return document.Input.Channels * document.Input.Height * document.Input.Width, err
}

func pushedOf(p C.nse_pushed, err error) (Pushed, error) {
	if err != nil {
		return Pushed{}, err
	}
	return Pushed{
		Next: Phase(p.next), Completed: int(p.completed), Rounds: int(p.rounds), Epoch: int(p.epoch), Epochs: int(p.epochs),
		Step: int(p.step), Loss: float64(p.loss), Accuracy: float64(p.accuracy), LR: float64(p.lr),
	}, nil
}
