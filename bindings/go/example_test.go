package nse_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"log/slog"
	"os"
	"time"

	nse "github.com/nse-project/nse/bindings/go"
)

// patterns is a source of images that are easy to tell apart: rows, columns, and a chequered board.
type patterns struct{ count int }

func (p patterns) Info() nse.DatasetInfo {
	return nse.DatasetInfo{Images: p.count, Classes: 3, Channels: 1, Height: 12, Width: 12}
}

func (p patterns) Fill(ctx context.Context, first int, pixels []byte, labels []uint32) error {
	for i := range labels {
		kind, phase := (first+i)%3, (first+i)/3%4
		for at := range 144 {
			y, x := (at/12+phase)/2%2, (at%12+phase)/2%2
			if [3]int{y, x, x ^ y}[kind] == 1 {
				pixels[i*144+at] = 200
			}
		}
		labels[i] = uint32(kind)
	}
	return nil
}

// Three cells for such images.
const space = `{"name": "patterns", "input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "stem": {"channels": 4, "stride": 1},
	"operators": ["mbconv_k3_t1", "mbconv_k3_t2", "conv_k3_t1", "rec_k3_t1"],
	"cells": [{"kind": "normal"}, {"kind": "reduce", "channels": 6}, {"kind": "normal"}], "tail": {"channels": 8}}`

// Two short rounds, inside a window of costs.
const options = `{"seed": 1, "rounds": 2, "active": 2, "threads": 1, "objective": {"low": 12000, "high": 100000},
	"train": {"epochs": 2, "batch": 8, "lr": 0.1}, "candidates": {"count": 8, "extras": 0}, "score": {"calibration": 48}}`

// A search from the beginning to a trained model.
func Example() {
	ctx := context.Background()
	images, err := nse.DatasetFromSource(ctx, patterns{120})
	if err != nil {
		log.Fatal(err)
	}
	defer images.Close()
	space, err := nse.SpaceFromJSON(space)
	if err != nil {
		log.Fatal(err)
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Train: images, Options: options})
	if err != nil {
		log.Fatal(err)
	}
	defer search.Close()
	for event, err := range search.Run(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if event.Kind == nse.EventFinish {
			fmt.Printf("round %d of %d is complete\n", event.Round, event.Rounds)
		}
	}

	best, err := search.Best(100_000)
	if err != nil {
		log.Fatal(err)
	}
	defer best.Arch.Close()
	model, err := nse.TrainModel(ctx, nse.TrainConfig{
		Arch: best.Arch, Train: images,
		Options: `{"seed": 1, "threads": 1, "train": {"epochs": 8, "batch": 8, "lr": 0.1, "augment": {"pad": 0, "flip": false}}}`,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	result, err := model.Evaluate(ctx, images)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("more than nine of ten are right:", result.Accuracy > 0.9)
	// Output:
	// round 1 of 2 is complete
	// round 2 of 2 is complete
	// more than nine of ten are right: true
}

// The costs of a network that is the same operator everywhere.
func ExampleUniformArch() {
	space, err := nse.SpacePreset("nse-27-small", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer space.Close()
	arch, err := nse.UniformArch(space, "mbconv_k3_t6")
	if err != nil {
		log.Fatal(err)
	}
	defer arch.Close()
	cost, err := arch.Cost()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cost.MACs, "multiply-accumulates,", cost.Params, "parameters")
	// Output: 5140640 multiply-accumulates, 188698 parameters
}

// Whether a budget can be met is known before any search.
func ExampleSpace_Budget() {
	space, err := nse.SpaceFromJSON(space)
	if err != nil {
		log.Fatal(err)
	}
	defer space.Close()
	for _, high := range []float64{5_000, 20_000} {
		reach, err := space.Budget(nse.Budget{Low: 0, High: high}, nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(high, reach.Satisfiable)
	}
	// Output:
	// 5000 false
	// 20000 true
}

// An error has a code, for errors.Is, and details, for programs.
func ExampleError() {
	_, err := nse.SpacePreset("nse-27-small", map[string]any{"chanels": []int{8, 16, 32}})
	var failed *nse.Error
	if errors.Is(err, nse.ErrConfig) && errors.As(err, &failed) {
		fmt.Println(failed.Code, failed.Detail().Pointer)
	}
	_, err = nse.OpenDataset(context.Background(), `{"format": "idx", "images": "none", "labels": "none"}`)
	fmt.Println(errors.Is(err, nse.ErrIO), errors.Is(err, fs.ErrNotExist))
	// Output:
	// NSE_ERR_CONFIG /chanels
	// true true
}

// A loop that is left, and another that goes on from there.
func ExampleSearch_Run() {
	ctx := context.Background()
	images, err := nse.DatasetFromSource(ctx, patterns{120})
	if err != nil {
		log.Fatal(err)
	}
	defer images.Close()
	space, err := nse.SpaceFromJSON(space)
	if err != nil {
		log.Fatal(err)
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Train: images, Options: options})
	if err != nil {
		log.Fatal(err)
	}
	defer search.Close()

	for event, err := range search.Run(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if event.Kind == nse.EventTrain && event.Step == 5 {
			break // enough for now
		}
	}
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, err := range search.Run(soon) {
		if err != nil {
			log.Fatal(err) // errors.Is(err, context.DeadlineExceeded) after a minute
		}
	}
	status, err := search.Status()
	fmt.Println(status.Completed, status.Done, err)
	// Output: 2 true <nil>
}

// Architectures are evaluated elsewhere: here by a formula.
func ExampleSearch_Ask() {
	space, err := nse.SpaceFromJSON(space)
	if err != nil {
		log.Fatal(err)
	}
	defer space.Close()
	search, err := nse.NewSearch(context.Background(), nse.SearchConfig{Space: space, Told: true, Options: options})
	if err != nil {
		log.Fatal(err)
	}
	defer search.Close()
	told := 0
	for {
		archs, done, err := search.Ask(4)
		if err != nil {
			log.Fatal(err)
		}
		if done {
			break
		}
		for _, arch := range archs {
			code, err := arch.Code()
			if err != nil {
				log.Fatal(err)
			}
			cost, err := arch.Cost()
			if err != nil {
				log.Fatal(err)
			}
			arch.Close()
			accuracy := 1 - 10_000/float64(10_000+cost.MACs)
			if _, err := search.Tell(nse.Result{Code: code, Accuracy: accuracy}); err != nil {
				log.Fatal(err)
			}
			told++
		}
	}
	front, err := search.Front()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(told, "were told, of the cheapest on the front", front.Members[0].MACs, "multiply-accumulates")
	// Output: 16 were told, of the cheapest on the front 24360 multiply-accumulates
}

// The messages of the library are records of log/slog.
func ExampleSetLog() {
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelWarn, // what a host will want to change; nothing here
	})
	if err := nse.SetLog(handler); err != nil {
		log.Fatal(err)
	}
	defer nse.SetLog(nil)
	space, err := nse.SpaceFromJSON(space)
	if err != nil {
		log.Fatal(err)
	}
	space.Close()
	fmt.Println("silent")
	// Output: silent
}
