// Quickstart: search a network for Fashion-MNIST inside a budget, train it, export it.
//
//	quickstart DATA OUT [FRACTION]
//
// DATA is a folder with the four IDX files, OUT a folder for the results, FRACTION the part of the training images to
// use. The programs in examples/c and examples/cpp do the same, step by step. Ctrl-C ends it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"

	nse "github.com/nse-project/nse/bindings/go"
)

// One million multiply-accumulates at most; candidates cost no less than 0.7 million.
const budget = 1_000_000

const space = `{"channels": [8, 16, 32], "tail": 128}`

const search = `{"seed": 1, "rounds": 2, "active": 4,
 "objective": {"low": 700000, "high": 1000000},
 "train": {"epochs": 1, "batch": 64, "lr": 0.1},
 "candidates": {"count": 12, "extras": 4},
 "score": {"calibration": 256, "images": 1000}}`

const model = `{"train": {"epochs": 2, "batch": 64, "lr": 0.1}}`

func openDataset(ctx context.Context, folder, part string) (*nse.Dataset, error) {
	return nse.OpenDataset(ctx, map[string]any{
		"format": "idx",
		"images": filepath.Join(folder, part+"-images-idx3-ubyte.gz"),
		"labels": filepath.Join(folder, part+"-labels-idx1-ubyte.gz"),
	})
}

func show(event nse.Event) {
	if event.Step%10 == 0 && event.Kind != nse.EventFinish {
		name := "train"
		if event.Kind == nse.EventScore {
			name = "score"
		}
		fmt.Printf("\r%s round %d/%d, step %d/%d, loss %.3f, %.0f images/s, %.0f s left   ", name, event.Round, event.Rounds,
			event.Step, event.Steps, event.Loss, event.ImagesPerSecond, event.SecondsLeft)
	}
}

func main() {
	fraction := 0.2
	if len(os.Args) > 3 {
		fraction, _ = strconv.ParseFloat(os.Args[3], 64)
	}
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: quickstart DATA OUT [FRACTION]")
		os.Exit(2)
	}
	// Ctrl-C ends the context, and with it what is at work; a second one ends the program as usual.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1], os.Args[2], fraction); err != nil {
		// The library's own words.
		var failed *nse.Error
		if errors.As(err, &failed) {
			fmt.Fprintf(os.Stderr, "%v: %s\n", failed.Code, failed.Message)
		} else {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

func run(ctx context.Context, data, out string, fraction float64) error {
	all, err := openDataset(ctx, data, "train")
	if err != nil {
		return err
	}
	defer all.Close()
	test, err := openDataset(ctx, data, "t10k")
	if err != nil {
		return err
	}
	defer test.Close()
	rest, train, err := all.Split(fraction, 0)
	if err != nil {
		return err
	}
	defer rest.Close()
	defer train.Close()

	best, err := find(ctx, train)
	if err != nil {
		return err
	}
	defer best.Close()

	model, err := nse.TrainModel(ctx, nse.TrainConfig{Arch: best, Train: train, Options: model, OnEvent: show})
	if err != nil {
		return err
	}
	defer model.Close()
	result, err := model.Evaluate(ctx, test)
	if err != nil {
		return err
	}
	path := filepath.Join(out, "model.pt")
	if err := model.Export(ctx, "torchscript", path); err != nil {
		return err
	}
	fmt.Printf("\ntest accuracy %.4f, model in %s\n", result.Accuracy, path)
	return nil
}

// find searches the space for the most accurate architecture inside the budget.
func find(ctx context.Context, train *nse.Dataset) (*nse.Arch, error) {
	space, err := nse.SpacePreset("nse-27-small", space)
	if err != nil {
		return nil, err
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Train: train, Options: search})
	if err != nil {
		return nil, err
	}
	defer search.Close()
	for event, err := range search.Run(ctx) {
		if err != nil {
			return nil, err
		}
		show(event)
		if event.Kind != nse.EventFinish {
			continue
		}
		front, err := search.Front()
		if err != nil {
			return nil, err
		}
		fmt.Printf("\nfront of %d architectures\n", len(front.Members))
	}

	best, err := search.Best(budget)
	if err != nil {
		return nil, err
	}
	json, err := best.Arch.JSON()
	if err != nil {
		return nil, err
	}
	cost, err := best.Arch.Cost()
	if err != nil {
		return nil, err
	}
	fmt.Printf("best: %s\n%d multiply-accumulates, %d parameters, accuracy %.4f in the supernet\n", json, cost.MACs,
		cost.Params, best.Accuracy)
	return best.Arch, nil
}
