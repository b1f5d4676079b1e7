// Async: rounds that run in a goroutine, in a program that has other things to do; cancelled halfway, and gone on with.
//
//	async DATA
//
// DATA is a folder with the four IDX files of Fashion-MNIST. Ctrl-C cancels too; then the search is saved in async.nse, and a second
// start goes on from there. The programs in examples/c and examples/cpp do the same, step by step.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"

	nse "github.com/nse-project/nse/bindings/go"
)

const space = `{"channels": [8, 16, 32], "stem_stride": 2, "tail": 64}`

const options = `{"seed": 1, "rounds": 2, "active": 4, "objective": {"low": 150000, "high": 350000},
 "train": {"epochs": 1, "batch": 32, "lr": 0.1},
 "candidates": {"count": 12, "extras": 4}, "score": {"calibration": 256}}`

const saved = "async.nse"

// The step of the first round at which this program changes its mind.
const cancelAt = 10

var errInterrupted = errors.New("saved in " + saved)

func openDataset(ctx context.Context, folder string) (*nse.Dataset, error) {
	all, err := nse.OpenDataset(ctx, map[string]string{
		"format": "idx",
		"images": filepath.Join(folder, "train-images-idx3-ubyte.gz"),
		"labels": filepath.Join(folder, "train-labels-idx1-ubyte.gz"),
	})
	if err != nil {
		return nil, err
	}
	defer all.Close()
	rest, some, err := all.Split(0.04, 0)
	if err != nil {
		return nil, err
	}
	rest.Close()
	return some, nil
}

// open makes the search, or goes on with the one that was saved.
func open(ctx context.Context, train *nse.Dataset) (search *nse.Search, fresh bool, err error) {
	space, err := nse.SpacePreset("nse-27-small", space)
	if err != nil {
		return nil, false, err
	}
	defer space.Close()
	config := nse.SearchConfig{Space: space, Train: train, Options: options}
	search, err = nse.LoadSearch(ctx, saved, config)
	if errors.Is(err, fs.ErrNotExist) {
		search, err = nse.NewSearch(ctx, config)
		return search, true, err
	}
	if err == nil {
		fmt.Printf("going on from %s\n", saved)
	}
	return search, false, err
}

// update is an event, or the error that was the end.
type update struct {
	nse.Event
	err error
}

// begin runs all rounds to come in a goroutine of their own, until ctx ends. The channel is to be read to its end.
func begin(ctx context.Context, search *nse.Search) <-chan update {
	updates := make(chan update)
	go func() {
		defer close(updates)
		for event, err := range search.Run(ctx) {
			updates <- update{event, err}
		}
	}()
	return updates
}

// watch runs the search until it is complete, or ctx ends, or cancelAt is reached where it matters.
func watch(ctx context.Context, search *nse.Search, changesMind bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Here the program does whatever else it is for: a select has room for more.
	for now := range begin(ctx, search) {
		switch {
		case now.err != nil:
			return now.err
		case now.Kind == nse.EventFinish:
			fmt.Printf("\nround %d is complete\n", now.Round)
		default:
			fmt.Printf("\rround %d, step %d/%d   ", now.Round, now.Step, now.Steps)
			if changesMind && now.Step >= cancelAt {
				cancel()
			}
		}
	}
	return nil
}

func run(ctx context.Context, data string) error {
	train, err := openDataset(ctx, data)
	if err != nil {
		return err
	}
	defer train.Close()
	search, fresh, err := open(ctx, train)
	if err != nil {
		return err
	}
	defer search.Close()

	err = watch(ctx, search, fresh)
	if errors.Is(err, nse.ErrCancelled) && ctx.Err() == nil {
		fmt.Printf("\ncancelled, and going on\n")
		err = watch(ctx, search, false)
	}
	if errors.Is(err, nse.ErrCancelled) {
		// Not with a context that has ended.
		return errors.Join(errInterrupted, search.Save(context.Background(), saved))
	}
	if err != nil {
		return err
	}
	if err := os.Remove(saved); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
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
		fmt.Fprintln(os.Stderr, "usage: async DATA")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "\n%v\n", err)
	}
	switch {
	case errors.Is(err, errInterrupted):
		os.Exit(130)
	case err != nil:
		os.Exit(1)
	}
}
