// Hostdata: a trainer with a loop of its own, and a search in it. Loader, normalisation, augmentation, schedule and log are the
// trainer's; the search is given one batch after another, and says what it wants next. In the end the library trains what was found
// on the same images, which the loader writes for it.
//
//	hostdata DATA
//
// DATA is a folder with the IDX files of Fashion-MNIST. The programs in examples/c and examples/cpp do the same, step by step.
// Ctrl-C ends it.
package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/signal"

	nse "github.com/nse-project/nse/bindings/go"
)

const (
	batchSize = 32
	epochs    = 2
)

const space = `{"channels": [8, 16, 32], "stem_stride": 2, "tail": 64}`

const options = `{"seed": 1, "rounds": 2, "active": 4, "objective": {"low": 150000, "high": 350000},
 "train": {"epochs": 2}, "fitness": {"interval": 4},
 "candidates": {"count": 12, "extras": 4}, "score": {"calibration": 256}}`

const model = `{"train": {"epochs": 2, "batch": 32, "lr": 0.1}}`

// learningRate is a cosine over the steps of a round.
func learningRate(step int) float64 {
	steps := epochs * math.Ceil(float64(trainImages)/batchSize)
	return 0.05 * (1 + math.Cos(math.Pi*float64(step)/steps))
}

// search is the training loop, with a search in it.
func search(ctx context.Context, loader *loader) (*nse.Arch, error) {
	space, err := nse.SpacePreset("nse-27-small", space)
	if err != nil {
		return nil, err
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Pushed: true, Options: options})
	if err != nil {
		return nil, err
	}
	defer search.Close()

	now, err := search.Next()
	for err == nil && now.Next != nse.PhaseDone {
		phase, completed := now.Next, now.Completed
		batch, ok := loader.next(phase)
		if !ok {
			phase = nse.PhaseEnd
		}
		if phase == nse.PhaseWeight {
			batch.LR = learningRate(now.Step)
		}
		if now, err = search.Push(ctx, phase, batch); err != nil {
			break
		}
		if phase == nse.PhaseWeight && now.Step%30 == 0 {
			fmt.Printf("round %d, epoch %d, step %d: loss %.3f, accuracy %.3f, learning rate %.4f\n", now.Completed+1, now.Epoch,
				now.Step, now.Loss, now.Accuracy, now.LR)
		}
		if now.Completed > completed {
			fmt.Printf("round %d is complete\n", now.Completed)
		}
	}
	if err != nil {
		return nil, err
	}

	front, err := search.Front()
	if err != nil {
		return nil, err
	}
	for _, member := range front.Members {
		fmt.Printf("front: %d multiply-accumulates, accuracy %.4f\n", member.MACs, member.Accuracy)
	}
	best, err := search.Best(350_000)
	if err != nil {
		return nil, err
	}
	json, err := best.Arch.JSON()
	if err != nil {
		return nil, err
	}
	fmt.Printf("best: %s\n", json)
	return best.Arch, nil
}

// train has the library train an architecture, on images that the loader writes.
func train(ctx context.Context, arch *nse.Arch, loader *loader) error {
	images, err := nse.DatasetFromSource(ctx, loader.images(0, trainImages))
	if err != nil {
		return err
	}
	defer images.Close()
	heldOut, err := nse.DatasetFromSource(ctx, loader.images(trainImages, heldOutImages))
	if err != nil {
		return err
	}
	defer heldOut.Close()
	model, err := nse.TrainModel(ctx, nse.TrainConfig{Arch: arch, Train: images, Options: model})
	if err != nil {
		return err
	}
	defer model.Close()
	result, err := model.Evaluate(ctx, heldOut)
	if err != nil {
		return err
	}
	fmt.Printf("trained alone: accuracy %.4f\n", result.Accuracy)
	return nil
}

func run(ctx context.Context, data string) error {
	loader, err := open(data)
	if err != nil {
		return err
	}
	best, err := search(ctx, loader)
	if err != nil {
		return err
	}
	defer best.Close()
	return train(ctx, best, loader)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: hostdata DATA")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
