// NEAS: search an ensemble for Fashion-MNIST, whose paths share their first cells, and train it (docs/neas.md).
//
//	neas DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like abs, with the strategy
// of ensembles. What is found is an architecture as any other. The programs in examples/c and examples/cpp do the same,
// step by step. Ctrl-C ends it.
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

// 1.6 million multiply-accumulates at most; candidates cost no less than a million.
const budget = 1_600_000

const space = `{"channels": [8, 16, 32], "tail": 128,
 "operators": ["mbconv_k3_t3", "mbconv_k3_t6", "mbconv_k5_t3", "mbconv_k5_t6"]}`

// Two paths; after every round the 7 worst of all cells leave, until no more than 1000 single networks are left. Then
// three generations.
const search = `{"seed": 1, "strategy": {"neas": {"paths": 2, "shrink": {"drop": {"worst": 7}, "until": 1000},
  "evolution": {"population": 8, "parents": 4}}},
 "scorer": {"diversity": {"samples": 2}},
 "branches": "single",
 "objective": {"low": 1000000, "high": 1600000},
 "train": {"epochs": 1, "batch": 64, "lr": 0.1},
 "candidates": {"count": 24},
 "score": {"calibration": 256, "images": 1000}}`

const model = `{"seed": 1, "train": {"epochs": 2, "batch": 64, "lr": 0.1}, "calibration": 256}`

func openDataset(ctx context.Context, folder, part string) (*nse.Dataset, error) {
	return nse.OpenDataset(ctx, map[string]any{
		"format": "idx",
		"images": filepath.Join(folder, part+"-images-idx3-ubyte.gz"),
		"labels": filepath.Join(folder, part+"-labels-idx1-ubyte.gz"),
	})
}

// operatorsLeft counts those that have weights, of all cells.
func operatorsLeft(search *nse.Search) (int, error) {
	active, err := search.Active()
	left := 0
	for _, cell := range active {
		for _, has := range cell {
			if has {
				left++
			}
		}
	}
	return left, err
}

func main() {
	fraction := 0.2
	if len(os.Args) > 2 {
		fraction, _ = strconv.ParseFloat(os.Args[2], 64)
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: neas DATA [FRACTION]")
		os.Exit(2)
	}
	// Ctrl-C ends the context, and with it what is at work; a second one ends the program as usual.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1], fraction); err != nil {
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

func run(ctx context.Context, data string, fraction float64) error {
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
	space, err := nse.SpacePreset("nse-27-small", space)
	if err != nil {
		return err
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Train: train, Options: search})
	if err != nil {
		return err
	}
	defer search.Close()
	for done := false; !done; {
		if done, err = search.Step(ctx); err != nil {
			return err
		}
		left, err := operatorsLeft(search)
		if err != nil {
			return err
		}
		fmt.Printf("%d operators left\n", left)
	}

	best, err := search.Best(budget)
	if err != nil {
		return err
	}
	defer best.Arch.Close()
	json, err := best.Arch.JSON()
	if err != nil {
		return err
	}
	fmt.Printf("best: %s\naccuracy %.4f in the supernet\n", json, best.Accuracy)

	// Every path learns, and what they share gets the mean of their gradients; the model's output is the mean of theirs.
	model, err := nse.TrainModel(ctx, nse.TrainConfig{Arch: best.Arch, Train: train, Options: model})
	if err != nil {
		return err
	}
	defer model.Close()
	result, err := model.Evaluate(ctx, test)
	if err != nil {
		return err
	}
	if err := model.Export(ctx, "onnx", "ensemble.onnx"); err != nil {
		return err
	}
	fmt.Printf("test accuracy %.4f, model in ensemble.onnx\n", result.Accuracy)
	return nil
}
