// Asktell: a search that asks for architectures, and workers of this program that say how good they are.
//
//	asktell DATA
//
// DATA is a folder with the four IDX files of Fashion-MNIST. A worker here is a goroutine that trains what it is given for a moment;
// it could as well be a machine far away. The programs in examples/c and examples/cpp do the same, step by step. Ctrl-C ends it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"

	nse "github.com/nse-project/nse/bindings/go"
)

const workers = 4

const space = `{"channels": [8, 16, 32], "stem_stride": 2, "tail": 64}`

const options = `{"seed": 1, "rounds": 2, "active": 4, "objective": {"low": 150000, "high": 350000},
 "candidates": {"count": 8, "extras": 0}}`

const model = `{"train": {"epochs": 1, "batch": 32, "lr": 0.1}, "calibration": 512}`

// load gives images to train on, and others to evaluate with.
func load(ctx context.Context, folder string) (train, heldOut *nse.Dataset, err error) {
	all, err := nse.OpenDataset(ctx, map[string]string{
		"format": "idx",
		"images": filepath.Join(folder, "train-images-idx3-ubyte.gz"),
		"labels": filepath.Join(folder, "train-labels-idx1-ubyte.gz"),
	})
	if err != nil {
		return nil, nil, err
	}
	defer all.Close()
	rest, some, err := all.Split(0.03, 0)
	if err != nil {
		return nil, nil, err
	}
	defer rest.Close()
	defer some.Close()
	return some.Split(0.3, 0)
}

// work is what a worker does with one architecture.
func work(ctx context.Context, arch *nse.Arch, train, heldOut *nse.Dataset) (result nse.Result, err error) {
	if result.Code, err = arch.Code(); err != nil {
		return result, err
	}
	trained, err := nse.TrainModel(ctx, nse.TrainConfig{Arch: arch, Train: train, Options: model})
	if errors.Is(err, nse.ErrDiverged) { // that is a result too
		result.Failed = true
		return result, nil
	}
	if err != nil {
		return result, err
	}
	defer trained.Close()
	evaluation, err := trained.Evaluate(ctx, heldOut)
	result.Accuracy = evaluation.Accuracy
	return result, err
}

// evaluate has a worker for each architecture.
func evaluate(ctx context.Context, archs []*nse.Arch, train, heldOut *nse.Dataset) ([]nse.Result, error) {
	results, errs := make([]nse.Result, len(archs)), make([]error, len(archs))
	var group sync.WaitGroup
	for i, arch := range archs {
		group.Add(1)
		go func() {
			defer group.Done()
			defer arch.Close()
			results[i], errs[i] = work(ctx, arch, train, heldOut)
		}()
	}
	group.Wait()
	return results, errors.Join(errs...)
}

func run(ctx context.Context, data string) error {
	train, heldOut, err := load(ctx, data)
	if err != nil {
		return err
	}
	defer train.Close()
	defer heldOut.Close()
	space, err := nse.SpacePreset("nse-27-small", space)
	if err != nil {
		return err
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Told: true, Options: options})
	if err != nil {
		return err
	}
	defer search.Close()

	for {
		archs, done, err := search.Ask(workers)
		if err != nil {
			return err
		}
		if done {
			break
		}
		results, err := evaluate(ctx, archs, train, heldOut)
		if err != nil {
			return err
		}
		// Told in the order asked: then the same search gives the same architectures every time. Any other order will do.
		for _, result := range results {
			if _, err := search.Tell(result); err != nil {
				return err
			}
			fmt.Printf("%s: accuracy %.4f\n", result.Code, result.Accuracy)
		}
	}
	front, err := search.Front()
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", front.Raw)
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: asktell DATA")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
