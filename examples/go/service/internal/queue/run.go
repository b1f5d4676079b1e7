package queue

// The workers: each takes the job that waits longest, runs it, and writes down what became of it.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// mostAttempts to run a job from one checkpoint, when each takes the process down.
const mostAttempts = 5

func (q *Queue) work() {
	for {
		e := q.pop()
		if e == nil {
			return
		}
		ctx, record, ready := q.begin(e)
		if !ready {
			continue
		}
		err := q.run(ctx, e, record)
		q.end(e, err)
	}
}

// pop waits for the next job; nil when the service ends.
func (q *Queue) pop() *entry {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for len(q.waiting) == 0 && !q.closing {
		q.wake.Wait()
	}
	if q.closing {
		return nil
	}
	e := q.waiting[0]
	q.waiting = q.waiting[1:]
	return e
}

// begin makes a job that waits a job that runs. It may wait no more: it was cancelled, or taken from an earlier place in the queue.
func (q *Queue) begin(e *entry) (context.Context, job.Record, bool) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.gone || e.cancel != nil || e.record.Job.State != job.Queued {
		return nil, e.record, false
	}
	id := e.record.Job.ID
	if e.record.Afresh {
		if err := q.store.DropCheckpoint(id); err != nil {
			q.settle(e, func(r *job.Record) {
				r.Job.State, r.Job.Error = job.Failed, job.Errorf(0, "store", "the old checkpoint could not be removed")
			})
			q.log.Error("a checkpoint cannot be removed", "job", id, "error", err)
			return nil, e.record, false
		}
	}
	_, written := q.store.Checkpoint(id)
	if e.record.Attempts >= mostAttempts && e.record.Mark.Equal(written) {
		q.settle(e, func(r *job.Record) {
			r.Job.State = job.Failed
			r.Job.Error = job.Errorf(0, "crashed", "the service ended %d times while this job ran, and it came no further", r.Attempts)
		})
		return nil, e.record, false
	}
	// When the disk does not take it, the job waits on the disk, which comes to the same after a kill.
	q.settle(e, func(r *job.Record) {
		if !r.Mark.Equal(written) {
			r.Attempts = 0
		}
		r.Attempts++
		r.Mark, r.Afresh = written, false
		r.Job.State, r.Job.Started, r.Job.Finished, r.Job.Error = job.Running, now(), time.Time{}, nil
	})
	ctx, cancel := context.WithCancelCause(context.Background())
	e.cancel = cancel
	q.mutex.Lock()
	closing := q.closing
	q.mutex.Unlock()
	if closing {
		cancel(errShutdown)
	}
	return ctx, e.record, true
}

// run makes the engine work. A panic of the service's own is the failure of this job, and of nothing else.
func (q *Queue) run(ctx context.Context, e *entry, record job.Record) (err error) {
	defer func() {
		if value := recover(); value != nil {
			q.log.Error("a job panicked", "job", record.Job.ID, "panic", value, "stack", string(debug.Stack()))
			err = job.Errorf(http.StatusInternalServerError, "internal", "a bug of the service; its log has more")
		}
	}()
	q.log.Info("job runs", "job", record.Job.ID, "attempt", record.Attempts)
	e.live.Store(&live{})
	checkpoint, written := q.store.Checkpoint(record.Job.ID)
	files := engine.Files{Checkpoint: checkpoint, Saved: !written.IsZero(), Model: q.store.ModelPath(record.Job.ID)}
	return q.engine.Run(ctx, record, files, &sink{queue: q, entry: e, kind: record.Job.Kind})
}

// end writes down what became of a run.
func (q *Queue) end(e *entry, err error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.cancel(nil)
	e.cancel = nil
	var problem *job.Problem
	state := job.Done
	switch {
	case err == nil:
	case errors.Is(err, errShutdown) || errors.Is(err, errCancelled):
		// Queued: it was resumed before it had stopped, or the service ends.
		state = job.Queued
		if e.record.Job.State == job.Cancelling {
			state = job.Cancelled
		}
	default:
		state = job.Failed
		problem = q.engine.Problem(err)
		problem = &job.Problem{Code: problem.Code, Detail: problem.Detail, Reason: problem.Reason}
		q.log.Error("job failed", "job", e.record.Job.ID, "error", err)
	}
	last := e.job()
	e.live.Store(nil)
	q.settle(e, func(r *job.Record) {
		r.Attempts = 0
		r.Job.State, r.Job.Error, r.Job.Finished = state, problem, now()
		r.Job.Progress = last.Progress
	})
	q.log.Info("job is "+string(state), "job", e.record.Job.ID)
	q.metrics.Settled(e.record.Job.Kind, state)
	if state == job.Queued {
		q.push(e)
	}
}

// settle makes a change that has happened, whatever the disk says; the disk gets it as soon as it can. The mutex is held.
func (q *Queue) settle(e *entry, edit func(*job.Record)) {
	edit(&e.record)
	e.record.Job.Changed = now()
	e.unsaved = true
	q.save(e)
	e.show()
}

// save writes what is not yet on the disk. The mutex is held.
func (q *Queue) save(e *entry) {
	if !e.unsaved {
		return
	}
	if err := q.store.Save(e.record); err != nil {
		q.log.Error("a job could not be written; it is tried again", "job", e.record.Job.ID, "error", err)
		return
	}
	e.unsaved = false
	if e.record.Job.State == job.Done {
		// All that counts is in the result, and the checkpoint can be large. It goes only now: until this record was on the
		// disk it was needed.
		if err := q.store.DropCheckpoint(e.record.Job.ID); err != nil {
			q.log.Warn("a checkpoint cannot be removed", "job", e.record.Job.ID, "error", err)
		}
	}
}

// saveLater tries again to write what the disk did not take.
func (q *Queue) saveLater() {
	ticker := time.NewTicker(q.settings.Retry.Duration())
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-q.ended:
			return
		}
		q.mutex.Lock()
		all := q.entries()
		q.mutex.Unlock()
		for _, e := range all {
			if e.mutex.TryLock() {
				q.save(e)
				e.mutex.Unlock()
			}
		}
	}
}

// sink takes what a run tells. All calls come from one goroutine.
type sink struct {
	queue *Queue
	entry *entry
	kind  job.Kind

	told, watched time.Time
	// The step before, and when the round began in this process; zero when it began in another.
	last  job.Progress
	at    time.Time
	began time.Time
}

const watchEvery = time.Second

func (s *sink) Progress(p job.Progress) {
	at := time.Now()
	s.measure(p, at)
	if p.Kind != "finish" && at.Sub(s.told) < s.queue.settings.Progress.Duration() {
		return
	}
	s.told = at
	s.update(func(l *live) { l.progress = &p })
	s.entry.hub.Publish("progress", p)
}

// measure the time since the event before; some events may have been left out.
func (s *sink) measure(p job.Progress, at time.Time) {
	if p.Kind != "finish" {
		if steps := p.Step - s.last.Step; p.Kind == s.last.Kind && p.Round == s.last.Round && steps > 0 {
			s.queue.metrics.Step(s.kind, p.Kind, at.Sub(s.at)/time.Duration(steps))
		}
		if p.Kind == "train" && p.Step == 1 {
			s.began = at
		}
	} else if !s.began.IsZero() {
		s.queue.metrics.Round(s.kind, at.Sub(s.began))
		s.began = time.Time{}
	}
	s.last, s.at = p, at
}

func (s *sink) Watched() bool {
	return time.Since(s.watched) >= watchEvery
}

func (s *sink) Fitness(fitness job.Fitness) {
	s.watched = time.Now()
	s.update(func(l *live) { l.fitness = &fitness })
	s.entry.hub.Publish("fitness", fitness)
}

func (s *sink) Warning(text string) {
	if text != "" {
		s.queue.metrics.Warned(s.kind)
		s.queue.log.Warn("job is in trouble", "job", s.entry.view.Load().Job.ID, "warning", text)
	}
	s.update(func(l *live) { l.warning = text })
	s.entry.hub.Publish("job", s.entry.job())
}

func (s *sink) Result(result job.Result) error {
	e := s.entry
	if err := s.queue.store.SaveResult(e.view.Load().Job.ID, result); err != nil {
		return err
	}
	best := bestOf(result)
	s.update(func(l *live) { l.fitness = nil })
	e.mutex.Lock()
	defer e.mutex.Unlock()
	err := s.queue.change(e, func(r *job.Record) {
		r.Job.Completed, r.Job.Rounds, r.Job.Best = result.Completed, result.Rounds, best
	})
	if err != nil {
		return fmt.Errorf("the record: %w", err)
	}
	e.hub.Publish("round", map[string]int{"completed": result.Completed, "rounds": result.Rounds})
	return nil
}

func bestOf(result job.Result) (best *float64) {
	if result.Model != nil {
		return &result.Model.Accuracy
	}
	for _, member := range result.Fronts[result.Objective].Members {
		if best == nil || member.Accuracy > *best {
			best = &member.Accuracy
		}
	}
	return best
}

func (s *sink) update(edit func(*live)) {
	next := *s.entry.live.Load()
	edit(&next)
	s.entry.live.Store(&next)
}
