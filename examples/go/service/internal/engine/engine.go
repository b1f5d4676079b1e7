// Package engine is the only one that makes the library work: it looks at requests, runs searches and trainings, and turns what
// they say into jobs' words. It keeps nothing between calls.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	nse "github.com/nse-project/nse/bindings/go"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/dataset"
	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// Engine runs jobs.
type Engine struct {
	settings config.Config
	data     *dataset.Book
	log      *slog.Logger
	// looking at requests: the library makes the search for it, so only some at a time.
	looking chan struct{}
}

// New engine.
func New(settings config.Config, data *dataset.Book, log *slog.Logger) *Engine {
	return &Engine{settings: settings, data: data, log: log, looking: make(chan struct{}, 2)}
}

// Files of a job, for the library to write.
type Files struct {
	Checkpoint, Model string
	// Saved: there is a checkpoint to go on from.
	Saved bool
}

// Sink is told how a run goes, on the goroutine of the run.
type Sink interface {
	// Progress comes with every step: it must be quick.
	Progress(job.Progress)
	// Watched says whether it is time for the fitness, which is not free.
	Watched() bool
	Fitness(job.Fitness)
	// Result of the rounds so far, to be kept before anything else happens.
	Result(job.Result) error
	// Warning that the run goes on, but not as it should; "" takes it back.
	Warning(string)
}

// Run a job to its end. When ctx ends, it saves what there is and returns the cause.
func (e *Engine) Run(ctx context.Context, record job.Record, files Files, sink Sink) error {
	if record.Job.Kind == job.Train {
		return e.train(ctx, record, files, sink)
	}
	return e.search(ctx, record, files, sink)
}

// patience tries again what may go better later: when the disk is full, or memory is short. What was done is kept by the library.
type patience struct {
	engine *Engine
	sink   Sink
	failed int
}

// again says whether to try again after err, and waits before it does. A false one has the error to end with.
func (p *patience) again(ctx context.Context, err error) (bool, error) {
	if !transient(err) {
		return false, err
	}
	if p.failed >= p.engine.settings.Retries {
		return false, fmt.Errorf("after %d tries: %w", p.failed+1, err)
	}
	pause := time.Duration(math.Ldexp(float64(p.engine.settings.Retry.Duration()), p.failed))
	p.failed++
	p.sink.Warning(fmt.Sprintf("try %d of %d failed, the next is in %v: %s", p.failed, p.engine.settings.Retries+1, pause, p.engine.Problem(err).Detail))
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-timer.C:
		return true, nil
	}
}

// calm takes the warning back.
func (p *patience) calm() {
	if p.failed > 0 {
		p.failed = 0
		p.sink.Warning("")
	}
}

// errKeep is what Sink.Result could not keep.
type errKeep struct{ error }

func (e errKeep) Unwrap() error { return e.error }

func transient(err error) bool {
	var keep errKeep
	return errors.Is(err, nse.ErrIO) || errors.Is(err, nse.ErrOutOfMemory) || errors.Is(err, nse.ErrBusy) || errors.As(err, &keep)
}

// progress of the library in jobs' words.
func progress(event nse.Event) job.Progress {
	return job.Progress{
		Kind: event.Kind.String(), Round: event.Round, Rounds: event.Rounds, Epoch: event.Epoch, Epochs: event.Epochs,
		Step: event.Step, Steps: event.Steps, Loss: finite(event.Loss), Accuracy: finite(event.Accuracy),
		ImagesPerSecond: finite(event.ImagesPerSecond), SecondsLeft: finite(event.SecondsLeft),
	}
}

// finite is nil for a number that JSON does not have.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// options of a plan with what the operator decides.
func (e *Engine) options(plan job.Plan, more map[string]any) (json.RawMessage, error) {
	var options map[string]any
	if err := json.Unmarshal(plan.Options, &options); err != nil {
		return nil, err
	}
	for key, value := range more {
		options[key] = value
	}
	if e.settings.Threads > 0 {
		options["threads"] = e.settings.Threads
	}
	return json.Marshal(options)
}
