package queue

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/job"
)

func TestJobsWaitTheirTurn(t *testing.T) {
	c := settings(t)
	c.Concurrent = 2
	var order []string
	var mutex sync.Mutex
	gate := make(chan struct{})
	f := &fake{run: func(_ context.Context, record job.Record, _ engine.Files, _ engine.Sink) error {
		mutex.Lock()
		order = append(order, record.Job.ID)
		mutex.Unlock()
		<-gate
		return nil
	}}
	q, _ := start(t, c, f)
	names := []string{"a", "b", "c", "d", "e", "f"}
	for i, id := range names {
		submit(t, q, id)
		if i < 2 {
			eventually(t, q, id, job.Running)
		}
	}
	if got := state(q, "c"); got != job.Queued {
		t.Error(got)
	}
	started := func() int {
		mutex.Lock()
		defer mutex.Unlock()
		return len(order)
	}
	for i := range names {
		gate <- struct{}{}
		for i+2 < len(names) && started() < i+3 { // the next one is at work before another may begin
			time.Sleep(time.Millisecond)
		}
	}
	for _, id := range names {
		eventually(t, q, id, job.Done)
	}
	slices.Sort(order[:2])
	if f.most.Load() != 2 || !slices.Equal(order, names) {
		t.Errorf("%d at once, in the order %v", f.most.Load(), order)
	}
}

func TestLimits(t *testing.T) {
	c := settings(t)
	c.Queue, c.Jobs = 2, 4
	q, _ := start(t, c, &fake{run: untilStopped})
	submit(t, q, "a")
	eventually(t, q, "a", job.Running)
	submit(t, q, "b")
	submit(t, q, "c")
	more := func(id string) error {
		_, _, err := q.Submit(t.Context(), job.Request{ID: id, Kind: job.Search}, "digest", "")
		return err
	}
	refused(t, more("d"), http.StatusTooManyRequests)
	if _, err := q.Cancel("c"); err != nil {
		t.Fatal(err)
	}
	if err := more("d"); err != nil {
		t.Fatal(err)
	}
	_, err := q.Resume("c", false)
	refused(t, err, http.StatusTooManyRequests)
	if _, err := q.Cancel("d"); err != nil {
		t.Fatal(err)
	}
	refused(t, more("e"), http.StatusTooManyRequests)
	if err := q.Delete("d"); err != nil {
		t.Fatal(err)
	}
	if err := more("e"); err != nil {
		t.Error(err)
	}
	_, _, err = q.Submit(t.Context(), job.Request{Name: "refused", Kind: job.Search}, "digest", "")
	refused(t, err, http.StatusTooManyRequests)
}

func TestSubmittedTwiceIsOneJob(t *testing.T) {
	q, _ := start(t, settings(t), &fake{run: atOnce})
	for _, key := range []string{"", "a key of any kind/../\x00"} {
		request := job.Request{Kind: job.Search}
		if key == "" {
			request.ID = "mine"
		}
		var created atomic.Int32
		var ids sync.Map
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				j, first, err := q.Submit(t.Context(), request, "digest", key)
				if err != nil {
					t.Error(err)
				}
				if first {
					created.Add(1)
				}
				ids.Store(j.ID, true)
			})
		}
		all.Wait()
		count := 0
		ids.Range(func(_, _ any) bool { count++; return true })
		if created.Load() != 1 || count != 1 {
			t.Errorf("%d created, %d ids", created.Load(), count)
		}
		_, _, err := q.Submit(t.Context(), request, "another", key)
		refused(t, err, http.StatusConflict)
	}
	_, _, err := q.Submit(t.Context(), job.Request{ID: "a", Kind: job.Search}, "digest", "key")
	refused(t, err, http.StatusBadRequest)
}

func TestTransitions(t *testing.T) {
	c := settings(t)
	end := make(chan error)
	f := &fake{run: func(ctx context.Context, _ job.Record, _ engine.Files, _ engine.Sink) error {
		select {
		case err := <-end:
			return err
		case <-ctx.Done():
			// Stopping takes a while: a batch is finished first.
			if err := <-end; err != nil {
				return err
			}
			return context.Cause(ctx)
		}
	}}
	q, _ := start(t, c, f)
	change := func(do func() (job.Job, error), want job.State, status int) {
		t.Helper()
		j, err := do()
		if status != 0 {
			refused(t, err, status)
		} else if err != nil || j.State != want {
			t.Errorf("%s, %v, expected %s", j.State, err, want)
		}
	}
	cancel := func() (job.Job, error) { return q.Cancel("a") }
	resume := func() (job.Job, error) { return q.Resume("a", false) }
	remove := func() (job.Job, error) { return job.Job{}, q.Delete("a") }

	submit(t, q, "a")
	eventually(t, q, "a", job.Running)
	change(resume, job.Running, 0)
	change(remove, "", http.StatusConflict)
	change(cancel, job.Cancelling, 0)
	change(cancel, job.Cancelling, 0)
	change(remove, "", http.StatusConflict)
	// Resumed before it has stopped: it stops, and goes on.
	change(resume, job.Queued, 0)
	change(cancel, job.Cancelling, 0)
	change(resume, job.Queued, 0)
	end <- nil
	until(t, "it did not go on", func() bool { return f.runs.Load() == 2 && state(q, "a") == job.Running })
	change(cancel, job.Cancelling, 0)
	end <- nil
	eventually(t, q, "a", job.Cancelled)
	change(cancel, job.Cancelled, 0)
	change(resume, job.Queued, 0)
	eventually(t, q, "a", job.Running)
	end <- errors.New("something")
	eventually(t, q, "a", job.Failed)
	if j, _, _ := q.Get("a"); j.Error == nil || j.Error.Detail != "something" {
		t.Errorf("%v", j.Error)
	}
	change(cancel, "", http.StatusConflict)
	change(resume, job.Queued, 0)
	eventually(t, q, "a", job.Running)
	end <- nil
	eventually(t, q, "a", job.Done)
	change(cancel, "", http.StatusConflict)
	change(resume, "", http.StatusConflict)
	change(remove, "", 0)
	change(cancel, "", http.StatusNotFound)
	change(resume, "", http.StatusNotFound)
	change(remove, "", http.StatusNotFound)
}

// Many clients press everything at once. Whatever the order, the job ends in one state that all agree on, runs once at a time, and
// can still be used.
func TestStormOfCancelsAndResumes(t *testing.T) {
	c := settings(t)
	c.Concurrent = 3
	var together atomic.Int32
	f := &fake{run: func(ctx context.Context, _ job.Record, _ engine.Files, _ engine.Sink) error {
		if together.Add(1) > 1 {
			t.Error("the job runs twice at once")
		}
		defer together.Add(-1)
		<-ctx.Done()
		time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		return context.Cause(ctx)
	}}
	q, s := start(t, c, f)
	submit(t, q, "a")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				var err error
				if rand.IntN(2) == 0 {
					_, err = q.Cancel("a")
				} else {
					_, err = q.Resume("a", false)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if _, err := q.Cancel("a"); err != nil {
		t.Error(err)
	}
	eventually(t, q, "a", job.Cancelled)
	until(t, "the disk does not agree", func() bool {
		records, _ := s.Records()
		return len(records) == 1 && records[0].Job.State == job.Cancelled
	})
	if _, err := q.Resume("a", false); err != nil {
		t.Error(err)
	}
	eventually(t, q, "a", job.Running)
}

func TestAPanicIsTheFailureOfItsJob(t *testing.T) {
	f := &fake{run: func(_ context.Context, record job.Record, _ engine.Files, _ engine.Sink) error {
		if record.Job.ID == "bad" {
			panic("a secret")
		}
		return nil
	}}
	q, _ := start(t, settings(t), f)
	submit(t, q, "bad")
	submit(t, q, "good")
	eventually(t, q, "good", job.Done)
	eventually(t, q, "bad", job.Failed)
	if j, _, _ := q.Get("bad"); j.Error.Detail != "a bug of the service; its log has more" {
		t.Error(j.Error)
	}
}

// move the jobs of a store away and back: until then every write fails, as on a disk that is broken.
func broken(t *testing.T, c config.Config) (mend func()) {
	t.Helper()
	jobs, away := filepath.Join(c.Folder, "jobs"), filepath.Join(c.Folder, "away")
	if err := os.Rename(jobs, away); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Rename(away, jobs); err != nil {
			t.Fatal(err)
		}
	}
}

func TestABrokenDisk(t *testing.T) {
	c := settings(t)
	end := make(chan struct{})
	f := &fake{run: func(ctx context.Context, _ job.Record, _ engine.Files, _ engine.Sink) error {
		select {
		case <-end:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}}
	q, s := start(t, c, f)
	submit(t, q, "a")
	eventually(t, q, "a", job.Running)
	submit(t, q, "b")
	mend := broken(t, c)
	// What a client asks for is refused, and has not happened.
	_, _, err := q.Submit(t.Context(), job.Request{ID: "c", Kind: job.Search}, "digest", "")
	refused(t, err, http.StatusInsufficientStorage)
	_, err = q.Cancel("a")
	refused(t, err, http.StatusInsufficientStorage)
	_, err = q.Cancel("b")
	refused(t, err, http.StatusInsufficientStorage)
	if state(q, "a") != job.Running || state(q, "b") != job.Queued || len(q.List()) != 2 {
		t.Errorf("%v", q.List())
	}
	// What happens by itself has happened, and the disk is told as soon as it listens.
	end <- struct{}{}
	eventually(t, q, "a", job.Done)
	mend()
	until(t, "the disk was not told", func() bool {
		records, _ := s.Records()
		return len(records) == 2 && records[0].Job.State == job.Done && records[1].Job.State == job.Running
	})
}

func TestTooLittleRoom(t *testing.T) {
	c := settings(t)
	c.Free = 1 << 62
	q, _ := start(t, c, &fake{run: atOnce})
	refused(t, q.Ready(), http.StatusInsufficientStorage)
	_, _, err := q.Submit(t.Context(), job.Request{Kind: job.Search}, "digest", "")
	refused(t, err, http.StatusInsufficientStorage)
}
