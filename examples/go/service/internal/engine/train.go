package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	nse "github.com/nse-project/nse/bindings/go"

	"github.com/nse-project/nse/examples/go/service/internal/dataset"
	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// train trains the architecture of a job, evaluates the model and exports it. A training that is stopped begins anew, and
// ends with the same model.
func (e *Engine) train(ctx context.Context, record job.Record, files Files, sink Sink) error {
	set, err := e.data.Open(ctx, record.Request.Data)
	if err != nil {
		return err
	}
	space, err := nse.SpaceFromJSON(record.Plan.Space)
	if err != nil {
		return err
	}
	defer space.Close()
	arch, err := nse.ArchFromJSON(space, record.Plan.Architecture)
	if err != nil {
		return err
	}
	defer arch.Close()
	options, err := e.options(record.Plan, nil)
	if err != nil {
		return err
	}
	patience := &patience{engine: e, sink: sink}
	var model *nse.Model
	err = patience.until(ctx, func() (err error) {
		model, err = nse.TrainModel(ctx, nse.TrainConfig{
			Arch: arch, Train: set.Train, Options: options, OnEvent: func(event nse.Event) { sink.Progress(progress(event)) },
		})
		return err
	})
	if err != nil {
		return err
	}
	defer model.Close()
	result := job.Result{Completed: 1, Rounds: 1, Model: &job.Model{}}
	if err := evaluate(ctx, model, set, result.Model); err != nil {
		return err
	}
	if err := describe(arch, result.Model); err != nil {
		return err
	}
	return patience.until(ctx, func() error {
		if err := model.Export(context.WithoutCancel(ctx), "torchscript", files.Model); err != nil {
			return err
		}
		var err error
		if result.Model.Bytes, result.Model.SHA256, err = digest(files.Model); err != nil {
			return errKeep{err}
		}
		if err := sink.Result(result); err != nil {
			return errKeep{fmt.Errorf("the result could not be kept: %w", err)}
		}
		return nil
	})
}

// until tries until it succeeds, fails for good, or ctx ends.
func (p *patience) until(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			p.calm()
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		again, last := p.again(ctx, err)
		if !again {
			return last
		}
	}
}

func evaluate(ctx context.Context, model *nse.Model, set dataset.Set, into *job.Model) error {
	images := set.Train
	into.Images = "train"
	switch {
	case set.Test != nil:
		images, into.Images = set.Test, "test"
	case set.HeldOut != nil:
		images, into.Images = set.HeldOut, "held_out"
	}
	evaluation, err := model.Evaluate(ctx, images)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	into.Loss, into.Accuracy = evaluation.Loss, evaluation.Accuracy
	return err
}

func describe(arch *nse.Arch, into *job.Model) error {
	cost, err := arch.Cost()
	if err != nil {
		return err
	}
	into.MACs, into.Params = cost.MACs, cost.Params
	into.Code, err = arch.Code()
	return err
}

func digest(path string) (bytes int64, sum string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	bytes, err = io.Copy(hash, file)
	return bytes, hex.EncodeToString(hash.Sum(nil)), err
}
