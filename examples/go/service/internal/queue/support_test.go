package queue

// With an engine that does what the test says, so that every order of things can be tried.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/metrics"
	"github.com/nse-project/nse/examples/go/service/internal/store"
)

// fake engine: a run lasts until it is told to end, or stopped.
type fake struct {
	run     func(ctx context.Context, record job.Record, files engine.Files, sink engine.Sink) error
	running atomic.Int32
	most    atomic.Int32
	runs    atomic.Int32
}

func (f *fake) Prepare(_ context.Context, request job.Request, _ *engine.Found) (job.Plan, int, error) {
	if request.Name == "refused" {
		return job.Plan{}, 0, job.Errorf(http.StatusUnprocessableEntity, "invalid_request", "refused")
	}
	return job.Plan{Space: []byte("{}"), Options: []byte("{}")}, 2, nil
}

func (f *fake) Problem(err error) *job.Problem {
	var problem *job.Problem
	if errors.As(err, &problem) {
		return problem
	}
	return job.Errorf(http.StatusInternalServerError, "internal", "%v", err)
}

func (f *fake) Run(ctx context.Context, record job.Record, files engine.Files, sink engine.Sink) error {
	now := f.running.Add(1)
	defer f.running.Add(-1)
	for most := f.most.Load(); now > most && !f.most.CompareAndSwap(most, now); most = f.most.Load() {
	}
	f.runs.Add(1)
	return f.run(ctx, record, files, sink)
}

// untilStopped is a run that never ends by itself.
func untilStopped(ctx context.Context, _ job.Record, _ engine.Files, _ engine.Sink) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func atOnce(context.Context, job.Record, engine.Files, engine.Sink) error { return nil }

func settings(t *testing.T) config.Config {
	c := config.Default()
	c.Folder, c.Retry, c.Free = t.TempDir(), 0.01, 1
	return c
}

func start(t *testing.T, c config.Config, f *fake) (*Queue, *store.Store) {
	t.Helper()
	s, err := store.Open(c.Folder)
	if err != nil {
		t.Fatal(err)
	}
	q := Open(c, s, f, metrics.New("test"), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { stop(t, q, s) })
	return q, s
}

func stop(t *testing.T, q *Queue, s *store.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	if err := q.Close(ctx); err != nil {
		t.Error(err)
	}
	s.Close()
}

func submit(t *testing.T, q *Queue, id string) {
	t.Helper()
	if _, _, err := q.Submit(t.Context(), job.Request{ID: id, Kind: job.Search}, "digest", ""); err != nil {
		t.Fatal(err)
	}
}

func state(q *Queue, id string) job.State {
	j, _, err := q.Get(id)
	if err != nil {
		return job.State(err.Error())
	}
	return j.State
}

func eventually(t *testing.T, q *Queue, id string, want job.State) {
	t.Helper()
	until(t, fmt.Sprintf("%s is %s, not %s", id, state(q, id), want), func() bool { return state(q, id) == want })
}

func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Minute); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// refused checks the status of a problem.
func refused(t *testing.T, err error, status int) {
	t.Helper()
	var problem *job.Problem
	if !errors.As(err, &problem) || problem.Status != status {
		t.Errorf("%v, expected %d", err, status)
	}
}
