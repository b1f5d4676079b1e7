// PNAS: search a cell for Fashion-MNIST that grows block by block (docs/pnas.md).
//
//	pnas DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like the search of the
// quickstart, in a space of blocks and with another "strategy". The programs in examples/c and examples/cpp do the same,
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
	// Each cell of a round is trained by itself, and then scored.
	cells := 0
	for event, err := range search.Run(ctx) {
		if err != nil {
			return err
		}
		switch event.Kind {
		case nse.EventScore:
			cells++
		case nse.EventFinish:
			fmt.Printf("%d cells\n", cells)
			cells = 0
		}
	}

	// Of any size; accuracies are those of cells that were trained alone.
	best, err := search.Best(budget)
	if err != nil {
		return err
	}
	defer best.Arch.Close()
	json, err := best.Arch.JSON()
	if err != nil {
		return err
	}
	fmt.Printf("best: %s\naccuracy %.4f\n", json, best.Accuracy)
	return nil
}
