package main

// A worker: trains what it is told to, one architecture after the other.

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	nse "github.com/nse-project/nse/bindings/go"
)

// One thread, so that an accuracy does not depend on the machine's cores.
const model = `{"threads": 1, "train": {"epochs": 1, "batch": 32, "lr": 0.1}, "calibration": 512}`

// serve ends when there are no more codes.
func serve(ctx context.Context, data string) error {
	train, heldOut, err := load(ctx, data)
	if err != nil {
		return err
	}
	defer train.Close()
	defer heldOut.Close()
	space, err := openSpace()
	if err != nil {
		return err
	}
	defer space.Close()
	if _, err := os.Stdout.WriteString(ready); err != nil {
		return err
	}
	results := json.NewEncoder(os.Stdout)
	codes := bufio.NewScanner(os.Stdin)
	for codes.Scan() {
		result, err := trainOne(ctx, space, codes.Text(), train, heldOut)
		if err != nil {
			return err
		}
		if err := results.Encode(result); err != nil {
			return err
		}
	}
	return codes.Err()
}

func trainOne(ctx context.Context, space *nse.Space, code string, train, heldOut *nse.Dataset) (outcome, error) {
	result := outcome{Code: code}
	arch, err := nse.ArchFromCode(space, code)
	if err != nil {
		return result, err
	}
	defer arch.Close()
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
