// Package queue owns the jobs: it accepts, runs, cancels, resumes and removes them. Every change of a job is on the disk before
// anyone is told of it; after a kill the service goes on with what the disk says.
package queue

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/events"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/metrics"
	"github.com/nse-project/nse/examples/go/service/internal/store"
)

// Engine that does the work; [engine.Engine] is the one.
type Engine interface {
	Prepare(context.Context, job.Request, *engine.Found) (job.Plan, int, error)
	Run(context.Context, job.Record, engine.Files, engine.Sink) error
	Problem(error) *job.Problem
}

// Queue of jobs.
type Queue struct {
	settings config.Config
	store    *store.Store
	engine   Engine
	metrics  *metrics.Metrics
	log      *slog.Logger

	// creating is held while a new job is written, so that of two with one ID one is first.
	creating sync.Mutex
	// mutex guards what follows, and is never held while the disk is at work.
	mutex   sync.Mutex
	wake    *sync.Cond
	jobs    map[string]*entry
	waiting []*entry
	closing bool

	workers sync.WaitGroup
	ended   chan struct{}
}

// entry is a job in memory.
type entry struct {
	hub events.Hub
	// mutex makes transitions one after the other, and is held while the disk is at work. Readers do not take it: they look at view and
	// live.
	mutex  sync.Mutex
	record job.Record
	// cancel of the run; nil when none is under way.
	cancel context.CancelCauseFunc
	// unsaved: the disk has an older record, and takes this one when it can.
	unsaved bool
	// gone: deleted.
	gone bool

	view atomic.Pointer[job.Record]
	live atomic.Pointer[live]
}

// live is what a run has told so far.
type live struct {
	progress *job.Progress
	fitness  *job.Fitness
	warning  string
}

// Why runs are stopped.
var (
	errCancelled = errors.New("cancelled on request")
	errShutdown  = errors.New("the service ends")
)

// Open reads the jobs of the store, puts those that were waiting or at work into the queue, and begins.
func Open(settings config.Config, store *store.Store, engine Engine, metrics *metrics.Metrics, log *slog.Logger) *Queue {
	q := &Queue{
		settings: settings, store: store, engine: engine, metrics: metrics, log: log, jobs: map[string]*entry{}, ended: make(chan struct{}),
	}
	q.wake = sync.NewCond(&q.mutex)
	records, problems := store.Records()
	for _, problem := range problems {
		log.Error("a job cannot be read", "error", problem)
	}
	for _, record := range records {
		e := &entry{record: record}
		switch record.Job.State {
		case job.Running:
			log.Info("job goes on", "job", record.Job.ID)
			e.record.Job.State = job.Queued
		case job.Cancelling:
			e.record.Job.State = job.Cancelled
		}
		e.show()
		q.jobs[record.Job.ID] = e
		if e.record.Job.State == job.Queued {
			q.waiting = append(q.waiting, e)
		}
	}
	for range settings.Concurrent {
		q.workers.Go(q.work)
	}
	q.workers.Go(q.saveLater)
	metrics.Watch(q.List, store.Free)
	return q
}

// Close stops all runs, which save themselves and stay in the queue, and waits for them until ctx ends.
func (q *Queue) Close(ctx context.Context) error {
	q.mutex.Lock()
	if !q.closing {
		q.closing = true
		close(q.ended)
	}
	all := q.entries()
	q.mutex.Unlock()
	q.wake.Broadcast()
	for _, e := range all {
		e.mutex.Lock()
		if e.cancel != nil {
			e.cancel(errShutdown)
		}
		e.mutex.Unlock()
	}
	done := make(chan struct{})
	go func() { q.workers.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("jobs are still at work; they will go on from their last checkpoints")
	}
}

// EndStreams closes all event streams.
func (q *Queue) EndStreams() {
	q.mutex.Lock()
	all := q.entries()
	q.mutex.Unlock()
	for _, e := range all {
		e.hub.Close()
	}
}

func (q *Queue) entries() []*entry {
	all := make([]*entry, 0, len(q.jobs))
	for _, e := range q.jobs {
		all = append(all, e)
	}
	return all
}

// find a job.
func (q *Queue) find(id string) (*entry, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if e, known := q.jobs[id]; known {
		return e, nil
	}
	return nil, job.Errorf(http.StatusNotFound, "not_found", "there is no such job")
}

// List of all jobs, newest first.
func (q *Queue) List() []job.Job {
	q.mutex.Lock()
	all := q.entries()
	q.mutex.Unlock()
	jobs := make([]job.Job, len(all))
	for i, e := range all {
		jobs[i] = e.job()
	}
	slices.SortFunc(jobs, func(a, b job.Job) int {
		if order := b.Created.Compare(a.Created); order != 0 {
			return order
		}
		return strings.Compare(b.ID, a.ID)
	})
	return jobs
}

// Get a job, and what was asked for.
func (q *Queue) Get(id string) (job.Job, job.Record, error) {
	e, err := q.find(id)
	if err != nil {
		return job.Job{}, job.Record{}, err
	}
	return e.job(), *e.view.Load(), nil
}

// Result of a job so far.
func (q *Queue) Result(id string) (job.Result, error) {
	e, err := q.find(id)
	if err != nil {
		return job.Result{}, err
	}
	result, err := q.store.Result(id)
	if err != nil {
		q.log.Error("a result cannot be read", "job", id, "error", err)
		return result, job.Errorf(http.StatusInternalServerError, "damaged", "the result of the job cannot be read; the log of the service says why")
	}
	if now := e.live.Load(); now != nil && now.fitness != nil {
		result.Fitness = now.fitness
	}
	return result, nil
}

// Listen to a job; see [events.Hub.Listen].
func (q *Queue) Listen(id, last string) (*events.Listener, []events.Event, bool, string, error) {
	e, err := q.find(id)
	if err != nil {
		return nil, nil, false, "", err
	}
	listener, missed, known, now := e.hub.Listen(last)
	return listener, missed, known, now, nil
}

// Ready says why the service should not be given work, or nothing.
func (q *Queue) Ready() error {
	q.mutex.Lock()
	closing := q.closing
	q.mutex.Unlock()
	if closing {
		return job.Errorf(http.StatusServiceUnavailable, "shutting_down", "the service ends")
	}
	return q.room()
}

// room on the disk.
func (q *Queue) room() error {
	free, err := q.store.Free()
	if err != nil {
		q.log.Error("the disk does not say how much room it has", "error", err)
		return job.Errorf(http.StatusServiceUnavailable, "store", "the store does not answer")
	}
	if free < q.settings.Free {
		return job.Errorf(http.StatusInsufficientStorage, "disk_full", "the disk has %d bytes left, fewer than %d", free, q.settings.Free)
	}
	return nil
}

// job as it is now.
func (e *entry) job() job.Job {
	j := e.view.Load().Job
	if now := e.live.Load(); now != nil {
		if now.progress != nil {
			j.Progress = now.progress
		}
		j.Warning = now.warning
	}
	return j
}

// show makes the record what readers see, and tells listeners. The mutex is held, or nobody else has the entry.
func (e *entry) show() {
	view := e.record
	e.view.Store(&view)
	e.hub.Publish("job", e.job())
}

// now without the part of a time that JSON does not keep.
func now() time.Time {
	return time.Now().UTC().Round(time.Microsecond)
}
