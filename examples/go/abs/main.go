// ABS: search a network for Fashion-MNIST in a space that shrinks, by the angles of its operators (docs/abs.md).
//
//	abs DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Against the quickstart one
// option has changed: "strategy", in place of what evolution is told ("rounds", "active"). The whole space has weights,
// so it is a smaller one, with one branch open per cell, as ABS has it. The programs in examples/c and examples/cpp do
// the same, step by step. Ctrl-C ends it.
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

const space = `{"channels": [8, 16, 32], "tail": 128,
 "operators": ["mbconv_k3_t3", "mbconv_k3_t6", "mbconv_k5_t3", "mbconv_k5_t6", "mbconv_k7_t3", "mbconv_k7_t6"]}`

// After every round the 7 worst of all cells leave, until no more than 10,000 architectures are left.
const search = `{"seed": 1, "strategy": {"shrink": {"drop": {"worst": 7}, "until": 10000}},
 "branches": "single",
 "objective": {"low": 700000, "high": 1000000},
 "train": {"epochs": 1, "batch": 64, "lr": 0.1},
 "candidates": {"count": 12, "extras": 4},
 "score": {"calibration": 256, "images": 1000}}`

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
		fmt.Fprintln(os.Stderr, "usage: abs DATA [FRACTION]")
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
	left, err := operatorsLeft(search)
	if err != nil {
		return err
	}
	fmt.Printf("%d operators\n", left)
	for event, err := range search.Run(ctx) {
		if err != nil {
			return err
		}
		show(event)
		if event.Kind != nse.EventFinish {
			continue
		}
		left, err := operatorsLeft(search)
		if err != nil {
			return err
		}
		fmt.Printf("\n%d operators left\n", left)
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
	cost, err := best.Arch.Cost()
	if err != nil {
		return err
	}
	fmt.Printf("best: %s\n%d multiply-accumulates, %d parameters, accuracy %.4f in the supernet\n", json, cost.MACs,
		cost.Params, best.Accuracy)
	return nil
}
