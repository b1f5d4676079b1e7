// BNAS: search cells with binary weights for Fashion-MNIST, by sampled networks (docs/bnas.md).
//
//	bnas DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like the search of the
// quickstart, in a space of stacked cells whose weights are binary, with "strategy" in place of what evolution is told
// ("rounds", "active", "candidates"). The budget is one of bits. The programs in examples/c and examples/cpp do the same,
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

// Bits at most: 1 for every binary weight, 32 for every other number.
const budget = 300_000

// Three cells of two nodes, with four choices for every edge.
const space = `{"input": {"channels": 1, "height": 28, "width": 28}, "channels": 8, "cells": 3, "nodes": 2,
 "operators": ["none", "skip_connect", "max_pool_3x3", "sep_conv_3x3"]}`

// Every round samples networks of the worse half of each edge's operators, trains each of them a little, and takes the
// worst operator away.
const search = `{"seed": 1, "strategy": {"eliminate": {"times": 1, "epochs": 0.5}},
 "scorer": {"accuracy": {"samples": 1}}, "channel_sampling": 2,
 "objective": {"cost": "bits", "low": 0, "high": 300000},
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
		fmt.Fprintln(os.Stderr, "usage: bnas DATA [FRACTION]")
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
	space, err := nse.SpacePreset("bnas-cifar", space)
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
