package main

// The workers, as the process that has them sees them: each trains one architecture at a time, and one that dies, or takes too long, is
// replaced. Its architecture goes to another.

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// attempts at an architecture: one that takes its workers with it has failed. Workers that do not even start are the end.
const attempts = 3

// ready is what a worker says first.
const ready = "ready\n"

// outcome of a training.
type outcome struct {
	Code     string  `json:"code"`
	Accuracy float64 `json:"accuracy"`
	Failed   bool    `json:"failed,omitempty"`
	err      error
}

type crew struct {
	ctx     context.Context
	limit   time.Duration
	command []string
	// idle has a place for each worker: nil where one is to be started.
	idle chan *worker
}

type worker struct {
	process *exec.Cmd
	codes   io.WriteCloser
	results *bufio.Reader
}

func newCrew(ctx context.Context, workers int, limit time.Duration, data string) (*crew, error) {
	self, err := os.Executable()
	c := &crew{ctx: ctx, limit: limit, command: []string{self, "-work", data}, idle: make(chan *worker, workers)}
	for range workers {
		c.idle <- nil
	}
	return c, err
}

// Close ends the workers: there are no more codes to read.
func (c *crew) Close() {
	for range cap(c.idle) {
		if w := <-c.idle; w != nil {
			w.codes.Close()
			w.process.Wait()
		}
	}
}

func (c *crew) start() (*worker, error) {
	process := exec.CommandContext(c.ctx, c.command[0], c.command[1:]...)
	process.Stderr = os.Stderr
	codes, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	results, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	w := &worker{process, codes, bufio.NewReader(results)}
	if line, err := w.results.ReadString('\n'); line != ready {
		process.Process.Kill()
		return nil, fmt.Errorf("a worker did not start: %v, %v", err, process.Wait())
	}
	return w, nil
}

// train hands an architecture to the next worker that is free.
func (c *crew) train(ctx context.Context, code string) outcome {
	for attempt := 1; ; attempt++ {
		var w *worker
		select {
		case w = <-c.idle:
		case <-ctx.Done():
			return outcome{err: ctx.Err()}
		}
		var err error
		if w == nil {
			w, err = c.start()
		}
		var result outcome
		if err == nil {
			fmt.Fprintf(os.Stderr, "worker %d trains %s\n", w.process.Process.Pid, code)
			result, err = w.work(ctx, code, c.limit)
		}
		if err == nil {
			c.idle <- w
			return result
		}
		c.idle <- nil
		if ctx.Err() != nil {
			return outcome{err: ctx.Err()}
		}
		fmt.Fprintf(os.Stderr, "%v; attempt %d at %s\n", err, attempt, code)
		if attempt == attempts && w == nil {
			return outcome{err: err}
		}
		if attempt == attempts {
			return outcome{Code: code, Failed: true}
		}
	}
}

// work has one architecture trained. An error is the end of the worker, and so is that of ctx.
func (w *worker) work(ctx context.Context, code string, limit time.Duration) (result outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { w.process.Process.Kill() })
	defer stop()
	var line []byte
	if _, err = fmt.Fprintln(w.codes, code); err == nil {
		line, err = w.results.ReadBytes('\n')
	}
	if err == nil {
		if err = json.Unmarshal(line, &result); err == nil && result.Code == code {
			return result, nil
		}
	}
	w.process.Process.Kill()
	return result, fmt.Errorf("worker %d is lost: %v, %v", w.process.Process.Pid, err, w.process.Wait())
}
