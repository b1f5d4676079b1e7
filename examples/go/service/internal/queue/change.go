package queue

// What clients do to jobs. Of two who do something at once, one is first: transitions of a job are one after the other.

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/store"
)

// Submit a request. A key, or an ID in the request, makes it safe to send it again: created is false when the job was there.
func (q *Queue) Submit(ctx context.Context, request job.Request, digest, key string) (j job.Job, created bool, err error) {
	id := request.ID
	switch {
	case id != "" && key != "":
		return j, false, job.Errorf(http.StatusBadRequest, "invalid_request", "an id and an Idempotency-Key say the same; give one of them").At("/id")
	case key != "":
		sum := sha256.Sum256([]byte(key))
		id = "key-" + hex.EncodeToString(sum[:16])
	case id == "":
		id = time.Now().UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:12])
	}
	if j, err, there := q.again(id, digest); there {
		return j, false, err
	}
	if err := q.admit(); err != nil {
		return j, false, err
	}
	found, err := q.found(request.Search)
	if err != nil {
		return j, false, err
	}
	plan, rounds, err := q.engine.Prepare(ctx, request, found)
	if err != nil {
		return j, false, q.engine.Problem(err)
	}

	q.creating.Lock()
	defer q.creating.Unlock()
	// It may have come twice at the same time, and others too.
	if j, err, there := q.again(id, digest); there {
		return j, false, err
	}
	if err := q.admit(); err != nil {
		return j, false, err
	}
	at := now()
	e := &entry{record: job.Record{
		Format: job.Format1, Request: request, Plan: plan, Digest: digest,
		Job: job.Job{
			ID: id, Kind: request.Kind, Name: request.Name, Data: request.Data, State: job.Queued, Created: at, Changed: at, Rounds: rounds,
		},
	}}
	if err := q.store.Create(e.record); err != nil {
		if errors.Is(err, store.ErrTaken) {
			return j, false, job.Errorf(http.StatusConflict, "id_taken", "the id is taken by a job that cannot be read; the log of the service says why").At("/id")
		}
		return j, false, q.notKept(id, err)
	}
	e.show()
	q.mutex.Lock()
	q.jobs[id] = e
	q.mutex.Unlock()
	q.push(e)
	q.log.Info("job accepted", "job", id, "kind", request.Kind, "data", request.Data)
	return e.job(), true, nil
}

// again says whether a job with this ID is there, and whether the same was asked for.
func (q *Queue) again(id, digest string) (j job.Job, err error, there bool) {
	e, err := q.find(id)
	if err != nil {
		return j, nil, false
	}
	if e.view.Load().Digest != digest {
		return j, job.Errorf(http.StatusConflict, "id_taken", "job %q is there already, and was asked for something else", id).At("/id"), true
	}
	return e.job(), nil, true
}

// admit says whether there is room for one more.
func (q *Queue) admit() error {
	if err := q.Ready(); err != nil {
		return err
	}
	q.mutex.Lock()
	all := q.entries()
	q.mutex.Unlock()
	if len(all) >= q.settings.Jobs {
		return job.Errorf(http.StatusTooManyRequests, "too_many_jobs", "there are %d jobs, the limit; delete some", len(all))
	}
	return q.short(all)
}

// short says whether the queue is short enough.
func (q *Queue) short(all []*entry) error {
	queued := 0
	for _, e := range all {
		if e.view.Load().Job.State == job.Queued {
			queued++
		}
	}
	if queued >= q.settings.Queue {
		return job.Errorf(http.StatusTooManyRequests, "queue_full", "%d jobs wait, the limit; try later", queued)
	}
	return nil
}

// found is the search that a training names.
func (q *Queue) found(id string) (*engine.Found, error) {
	if id == "" {
		return nil, nil
	}
	e, err := q.find(id)
	if err != nil {
		return nil, job.Errorf(http.StatusUnprocessableEntity, "not_found", "there is no such job").At("/search")
	}
	record := e.view.Load()
	if record.Job.Kind != job.Search {
		return nil, job.Errorf(http.StatusUnprocessableEntity, "invalid_request", "job %q is not a search", id).At("/search")
	}
	result, err := q.Result(id)
	return &engine.Found{Plan: record.Plan, Result: result}, err
}

// Cancel a job: at once when it waits, after its current batch when it runs. A job that is cancelled already stays so.
func (q *Queue) Cancel(id string) (job.Job, error) {
	return q.transition(id, func(e *entry) error {
		state := job.Cancelled
		switch e.record.Job.State {
		case job.Cancelled, job.Cancelling:
			return nil
		case job.Done, job.Failed:
			return job.Errorf(http.StatusConflict, "settled", "the job is %s already", e.record.Job.State)
		default:
			if e.cancel != nil {
				state = job.Cancelling
			}
		}
		if err := q.change(e, func(r *job.Record) { r.Job.State = state }); err != nil {
			return err
		}
		if e.cancel != nil {
			e.cancel(errCancelled)
		}
		q.log.Info("job is "+string(state), "job", id)
		return nil
	})
}

// Resume a job that was cancelled or has failed; it goes on from its checkpoint, or with afresh begins again. A job that waits
// or runs already goes on. When it was just about to stop, it does, and then goes on.
func (q *Queue) Resume(id string, afresh bool) (job.Job, error) {
	if err := q.Ready(); err != nil {
		return job.Job{}, err
	}
	return q.transition(id, func(e *entry) error {
		switch state := e.record.Job.State; {
		case state == job.Done:
			return job.Errorf(http.StatusConflict, "settled", "the job is done")
		case !state.Settled() && afresh:
			return job.Errorf(http.StatusConflict, "not_settled", "the job is %s; cancel it first", state)
		case state == job.Queued || state == job.Running:
			return nil
		}
		q.mutex.Lock()
		all := q.entries()
		q.mutex.Unlock()
		if err := q.short(all); err != nil {
			return err
		}
		err := q.change(e, func(r *job.Record) {
			r.Job.State, r.Job.Error, r.Job.Warning, r.Attempts = job.Queued, nil, "", 0
			if afresh {
				r.Afresh, r.Job.Completed, r.Job.Best, r.Job.Progress = true, 0, nil, nil
			}
		})
		if err != nil {
			return err
		}
		// A run that is about to stop puts it into the queue itself.
		if e.cancel == nil {
			q.push(e)
		}
		q.log.Info("job resumed", "job", id, "afresh", afresh)
		return nil
	})
}

// Delete a job that is settled, with all its files.
func (q *Queue) Delete(id string) error {
	_, err := q.transition(id, func(e *entry) error {
		if !e.record.Job.State.Settled() || e.cancel != nil {
			return job.Errorf(http.StatusConflict, "not_settled", "the job is %s; cancel it first", e.record.Job.State)
		}
		if err := q.store.Delete(id); err != nil {
			return q.notKept(id, err)
		}
		e.gone, e.unsaved = true, false
		q.mutex.Lock()
		delete(q.jobs, id)
		q.mutex.Unlock()
		e.hub.Publish("deleted", map[string]string{"id": id})
		e.hub.Close()
		q.log.Info("job deleted", "job", id)
		return nil
	})
	return err
}

// transition makes one change of a job at a time.
func (q *Queue) transition(id string, do func(*entry) error) (job.Job, error) {
	e, err := q.find(id)
	if err != nil {
		return job.Job{}, err
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.gone {
		return job.Job{}, job.Errorf(http.StatusNotFound, "not_found", "there is no such job")
	}
	err = do(e)
	return e.job(), err
}

// change writes a new record, and only then makes it what the job is: when the disk fails, nothing has happened. The mutex is held.
func (q *Queue) change(e *entry, edit func(*job.Record)) error {
	next := e.record
	edit(&next)
	next.Job.Changed = now()
	if err := q.store.Save(next); err != nil {
		return q.notKept(next.Job.ID, err)
	}
	e.record, e.unsaved = next, false
	e.show()
	return nil
}

func (q *Queue) notKept(id string, err error) error {
	q.log.Error("the store failed", "job", id, "error", err)
	return job.Errorf(http.StatusInsufficientStorage, "store", "the change could not be written, and was not made; the log of the service says why")
}

// push puts a job at the end of the queue.
func (q *Queue) push(e *entry) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.waiting = append(q.waiting, e)
	q.wake.Signal()
}
