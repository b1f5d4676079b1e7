// Jobs: stand-alone trainings of many architectures as independent jobs. A search asks for architectures, worker processes train one
// each, and it does not matter which of them die, or whether this process does: started again, it ends with the same front.
//
//	jobs [-workers 2] [-limit 10m] [-log jobs.log] DATA
//
// DATA is a folder with the IDX files of Fashion-MNIST. The log has what was found, a line for each architecture; another run with it
// trains none of these again. A worker is this program with -work; it reads codes and writes results, so it could as well be started by
// ssh or a queue of jobs. Ctrl-C ends all.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	nse "github.com/nse-project/nse/bindings/go"
)

const space = `{"channels": [8, 16, 32], "stem_stride": 2, "tail": 64}`

const options = `{"seed": 1, "rounds": 2, "active": 4, "objective": {"low": 150000, "high": 350000},
 "candidates": {"count": 8, "extras": 0}}`

func openSpace() (*nse.Space, error) {
	return nse.SpacePreset("nse-27-small", space)
}

// waiting is an architecture that was asked for and not told yet.
type waiting struct {
	code   string
	result chan outcome
}

// search asks and tells. It tells in the order asked, and always has as many under way: then what it asks for depends on nothing else,
// and a run that was cut off asks for the same again.
func search(ctx context.Context, workers int, train func(ctx context.Context, code string) outcome) error {
	space, err := openSpace()
	if err != nil {
		return err
	}
	defer space.Close()
	search, err := nse.NewSearch(ctx, nse.SearchConfig{Space: space, Told: true, Options: options})
	if err != nil {
		return err
	}
	defer search.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	var queue []waiting
	for {
		// More than there are workers, so that none waits for a slow one.
		for len(queue) < 2*workers {
			archs, _, err := search.Ask(1)
			if err != nil {
				return err
			}
			if len(archs) == 0 {
				break
			}
			code, err := archs[0].Code()
			archs[0].Close()
			if err != nil {
				return err
			}
			next := waiting{code, make(chan outcome, 1)}
			queue = append(queue, next)
			go func() {
				result := train(ctx, next.code)
				if result.err != nil { // what the others do is of no use any more
					cancel(result.err)
				}
				next.result <- result
			}()
		}
		if len(queue) == 0 {
			break
		}
		first := queue[0]
		queue = queue[1:]
		result := <-first.result
		if result.err != nil {
			return context.Cause(ctx)
		}
		if _, err := search.Tell(nse.Result{Code: first.code, Accuracy: result.Accuracy, Failed: result.Failed}); err != nil {
			return err
		}
		fmt.Printf("%s: accuracy %.4f\n", first.code, result.Accuracy)
	}
	front, err := search.Front()
	if err == nil {
		fmt.Printf("%s\n", front.Raw)
	}
	return err
}

func run(ctx context.Context, workers int, limit time.Duration, path, data string) error {
	log, err := openLog(path)
	if err != nil {
		return err
	}
	defer log.Close()
	crew, err := newCrew(ctx, workers, limit, data)
	if err != nil {
		return err
	}
	defer crew.Close()
	return search(ctx, workers, func(ctx context.Context, code string) outcome {
		if known, ok := log.known(code); ok {
			return known
		}
		result := crew.train(ctx, code)
		if result.err == nil {
			result.err = log.add(result)
		}
		return result
	})
}

func main() {
	workers := flag.Int("workers", 2, "number of worker processes")
	limit := flag.Duration("limit", 10*time.Minute, "a worker that takes longer for a training is killed")
	log := flag.String("log", "jobs.log", "file of results")
	work := flag.Bool("work", false, "be a worker: codes on stdin, results on stdout")
	flag.Parse()
	if flag.NArg() != 1 || *workers < 1 || *limit <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	var err error
	if *work {
		err = serve(ctx, flag.Arg(0))
	} else {
		err = run(ctx, *workers, *limit, *log, flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
