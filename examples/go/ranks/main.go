// Ranks: a search shared by several processes, with a network of this program's own between them. What is found is the same for any
// number of them, and the same as examples/c/mpi.c finds.
//
//	ranks -rank 0 -size 2 -address 127.0.0.1:7000 DATA &
//	ranks -rank 1 -size 2 -address 127.0.0.1:7000 DATA
//
// DATA is a folder with the IDX files of Fashion-MNIST; the address is that of rank 0. Programs that are started by torchrun or Kubeflow need
// none of this: nse.LaunchedComm.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	nse "github.com/nse-project/nse/bindings/go"
)

// timeout of every wait for the other ranks: longer than a step.
const timeout = time.Minute

const space = `{"channels": [8, 16, 32], "stem_stride": 2, "tail": 64}`

const options = `{"seed": 1, "rounds": 2, "active": 4, "objective": {"low": 150000, "high": 350000}, "shards": 4,
 "threads": 1, "train": {"epochs": 1, "batch": 32}, "candidates": {"count": 8},
 "score": {"calibration": 128, "images": 256}}`

func load(ctx context.Context, folder string) (*nse.Dataset, error) {
	all, err := nse.OpenDataset(ctx, map[string]string{
		"format": "idx",
		"images": filepath.Join(folder, "train-images-idx3-ubyte.gz"),
		"labels": filepath.Join(folder, "train-labels-idx1-ubyte.gz"),
	})
	if err != nil {
		return nil, err
	}
	defer all.Close()
	rest, some, err := all.Split(0.02, 1)
	if err == nil {
		rest.Close()
	}
	return some, err
}

func run(ctx context.Context, rank, size int, address, data string) error {
	between, err := connect(ctx, rank, size, address, timeout)
	if err != nil {
		return err
	}
	defer between.Close()
	comm, err := nse.NewComm(ctx, nse.CommConfig{Rank: rank, Size: size, Collectives: between, Timeout: timeout})
	if err != nil {
		return err
	}
	defer comm.Close()
	train, err := load(ctx, data)
	if err != nil {
		return err
	}
	defer train.Close()
	space, err := nse.SpacePreset("nse-27-small", space)
	if err != nil {
		return err
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Train: train, Options: options, Comm: comm})
	if err != nil {
		return err
	}
	defer search.Close()
	for event, err := range search.Run(ctx) {
		if err != nil {
			return err
		}
		if event.Kind == nse.EventFinish {
			fmt.Fprintf(os.Stderr, "rank %d: round %d of %d\n", rank, event.Round, event.Rounds)
		}
	}
	front, err := search.Front()
	if err == nil && rank == 0 {
		fmt.Printf("%s\n", front.Raw)
	}
	return err
}

func main() {
	rank := flag.Int("rank", 0, "this process, from 0")
	size := flag.Int("size", 1, "number of processes")
	address := flag.String("address", "127.0.0.1:7000", "where rank 0 listens")
	flag.Parse()
	if flag.NArg() != 1 || *size < 1 || *rank < 0 || *rank >= *size {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	if err := run(ctx, *rank, *size, *address, flag.Arg(0)); err != nil {
		fmt.Fprintf(os.Stderr, "rank %d: %v\n", *rank, err)
		os.Exit(1)
	}
}
