// PNAS: search a cell for Fashion-MNIST that grows block by block (docs/pnas.md).
//
//	pnas DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like the search of the
// quickstart, in a space of blocks, with "strategy" in place of what evolution is told ("rounds", "active", "candidates").
// The programs in examples/c and examples/cpp do the same, step by step. Ctrl-C ends it.
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

// Three million multiply-accumulates at most.
const budget = 3_000_000

// Three cells of up to three blocks, with two operators: 10 cells of one block.
const space = `{"input": {"channels": 1, "height": 28, "width": 28}, "channels": 8, "cells": 3, "nodes": 3,
 "operators": ["sep_conv_3x3", "max_pool_3x3"]}`

// All cells of one block; then the three of two blocks, and of three, that are foretold to be best.
const search = `{"seed": 1, "strategy": {"grow": {"beam": 3}},
 "objective": {"low": 0, "high": 3000000},
 "train": {"epochs": 1, "batch": 64, "lr": 0.1},
 "score": {"calibration": 128, "images": 300}}`

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

// bestSoFar says which cell is the most accurate; accuracies are those of cells that were trained alone.
func bestSoFar(search *nse.Search) error {
	best, err := search.Best(budget)
	if err != nil {
		return err
	}
	defer best.Arch.Close()
	json, err := best.Arch.JSON()
	if err != nil {
		return err
	}
	fmt.Printf("\naccuracy %.4f: %s\n", best.Accuracy, json)
	return nil
}

func main() {
	fraction := 0.2
	if len(os.Args) > 2 {
		fraction, _ = strconv.ParseFloat(os.Args[2], 64)
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: pnas DATA [FRACTION]")
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
	space, err := nse.SpacePreset("pnas-cifar", space)
	if err != nil {
		return err
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Train: train, Options: search})
	if err != nil {
		return err
	}
	defer search.Close()
	for event, err := range search.Run(ctx) {
		if err != nil {
			return err
		}
		show(event)
		if event.Kind != nse.EventFinish {
			continue
		}
		if err := bestSoFar(search); err != nil {
			return err
		}
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
	fmt.Printf("best: %s\n%d multiply-accumulates, %d parameters, accuracy %.4f\n", json, cost.MACs,
		cost.Params, best.Accuracy)
	return nil
}
