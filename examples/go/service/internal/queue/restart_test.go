package queue

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/store"
)

func TestTheEndOfTheServiceInterruptsJobs(t *testing.T) {
	c := settings(t)
	q, s := start(t, c, &fake{run: untilStopped})
	for _, id := range []string{"a", "b", "c"} {
		submit(t, q, id)
	}
	eventually(t, q, "a", job.Running)
	if _, err := q.Cancel("c"); err != nil {
		t.Fatal(err)
	}
	stop(t, q, s)
	refused(t, q.Ready(), http.StatusServiceUnavailable)
	for id, want := range map[string]job.State{"a": job.Queued, "b": job.Queued, "c": job.Cancelled} {
		if got := state(q, id); got != want {
			t.Errorf("%s is %s, expected %s", id, got, want)
		}
	}
	// The next service goes on, and what a client had sent is known.
	q, _ = start(t, c, &fake{run: atOnce})
	eventually(t, q, "a", job.Done)
	eventually(t, q, "b", job.Done)
	if got := state(q, "c"); got != job.Cancelled {
		t.Error(got)
	}
	if _, created, err := q.Submit(t.Context(), job.Request{ID: "a", Kind: job.Search}, "digest", ""); created || err != nil {
		t.Errorf("%v, %v", created, err)
	}
}

// killed leaves the store as a service that was killed does, with its jobs in a state.
func killed(t *testing.T, c config.Config, state job.State, edit func(*job.Record)) {
	t.Helper()
	s, err := store.Open(c.Folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	record := job.Record{Format: job.Format1, Digest: "digest", Job: job.Job{ID: "a", Kind: job.Search, State: state}}
	if edit != nil {
		edit(&record)
	}
	if err := s.Create(record); err != nil {
		t.Fatal(err)
	}
}

func TestAfterAKill(t *testing.T) {
	for before, after := range map[job.State]job.State{
		job.Queued: job.Done, job.Running: job.Done, job.Cancelling: job.Cancelled, job.Cancelled: job.Cancelled, job.Failed: job.Failed, job.Done: job.Done,
	} {
		t.Run(string(before), func(t *testing.T) {
			c := settings(t)
			killed(t, c, before, nil)
			f := &fake{run: atOnce}
			q, _ := start(t, c, f)
			eventually(t, q, "a", after)
			if ran := f.runs.Load() == 1; ran != (before == job.Queued || before == job.Running) {
				t.Errorf("%d runs", f.runs.Load())
			}
		})
	}
}

// A job that takes the process down must not do so for ever.
func TestAJobThatCrashesTheServiceIsGivenUp(t *testing.T) {
	c := settings(t)
	killed(t, c, job.Running, func(r *job.Record) { r.Attempts = mostAttempts })
	f := &fake{run: untilStopped}
	q, s := start(t, c, f)
	eventually(t, q, "a", job.Failed)
	if j, _, _ := q.Get("a"); j.Error.Code != "crashed" || f.runs.Load() != 0 {
		t.Errorf("%v, %d runs", j.Error, f.runs.Load())
	}
	// Somebody may insist.
	if _, err := q.Resume("a", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, q, "a", job.Running)
	if _, record, _ := q.Get("a"); record.Attempts != 1 {
		t.Errorf("%d attempts", record.Attempts)
	}
	stop(t, q, s)

	// With a new checkpoint since the last attempt it is on its way.
	checkpoint := filepath.Join(c.Folder, "jobs", "a", "search.nse")
	if err := os.WriteFile(checkpoint, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rewrite(t, c, func(r *job.Record) { r.Attempts, r.Mark = mostAttempts, time.Unix(1, 0) })
	q, _ = start(t, c, f)
	eventually(t, q, "a", job.Running)
}

func rewrite(t *testing.T, c config.Config, edit func(*job.Record)) {
	t.Helper()
	s, err := store.Open(c.Folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	records, _ := s.Records()
	edit(&records[0])
	if err := s.Save(records[0]); err != nil {
		t.Fatal(err)
	}
}

// The checkpoint goes when the job is done, and not before; afresh leaves it aside.
func TestCheckpointsComeAndGo(t *testing.T) {
	c := settings(t)
	saved := make(chan bool)
	end := make(chan error)
	f := &fake{run: func(_ context.Context, _ job.Record, files engine.Files, _ engine.Sink) error {
		saved <- files.Saved
		if err := os.WriteFile(files.Checkpoint, []byte("weights"), 0o600); err != nil {
			t.Error(err)
		}
		return <-end
	}}
	q, s := start(t, c, f)
	exists := func() bool { _, written := s.Checkpoint("a"); return !written.IsZero() }
	submit(t, q, "a")
	if <-saved {
		t.Error("a checkpoint before the first run")
	}
	end <- errors.New("damaged")
	eventually(t, q, "a", job.Failed)
	if !exists() {
		t.Fatal("the checkpoint is gone")
	}
	for afresh, want := range map[bool]bool{false: true, true: false} {
		if _, err := q.Resume("a", afresh); err != nil {
			t.Fatal(err)
		}
		if got := <-saved; got != want {
			t.Errorf("afresh %v: saved %v", afresh, got)
		}
		end <- errors.New("damaged")
		eventually(t, q, "a", job.Failed)
	}
	if _, err := q.Resume("a", false); err != nil {
		t.Fatal(err)
	}
	<-saved
	end <- nil
	eventually(t, q, "a", job.Done)
	until(t, "the checkpoint is still there", func() bool { return !exists() })
}

// A run that does not listen holds up the end of the service for no longer than the limit.
func TestTheEndHasALimit(t *testing.T) {
	gate := make(chan struct{})
	q, _ := start(t, settings(t), &fake{run: func(context.Context, job.Record, engine.Files, engine.Sink) error { <-gate; return nil }})
	submit(t, q, "a")
	eventually(t, q, "a", job.Running)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := q.Close(ctx); err == nil {
		t.Error("no error")
	}
	close(gate)
}
