package api

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/events"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/tiny"
)

// Many clients that submit, look, listen, cancel, resume and delete at once: every answer is one of those documented, and at the
// end the service is as good as new.
func TestLoad(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Concurrent, c.Queue = 4, 8 })
	const clients, each = 12, 12
	var counts [600]atomic.Int32
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for i := range each {
				id := fmt.Sprintf("load-%d-%d", client, i)
				send := func(method, path string, body any) {
					counts[s.send(method, path, body).status].Add(1)
				}
				send("POST", "/api/v1/jobs", tiny.Search(1, map[string]any{"id": id}))
				send("GET", path(id), nil)
				send("GET", path(id, "/fitness"), nil)
				switch i % 3 {
				case 0:
					send("POST", path(id, "/cancel"), nil)
					send("POST", path(id, "/resume"), nil)
				case 1:
					send("POST", path(id, "/cancel"), nil)
					send("DELETE", path(id), nil)
				case 2:
					send("GET", "/api/v1/jobs?limit=5", nil)
					send("GET", "/metrics", nil)
				}
			}
		})
	}
	all.Wait()
	for status := range counts {
		switch count := counts[status].Load(); {
		case count == 0:
		case status == http.StatusOK || status == http.StatusCreated || status == http.StatusAccepted || status == http.StatusNoContent:
		case status == http.StatusNotFound || status == http.StatusConflict || status == http.StatusTooManyRequests:
		default:
			t.Errorf("%d answers with status %d", count, status)
		}
	}
	if counts[http.StatusCreated].Load() == 0 || counts[http.StatusTooManyRequests].Load() == 0 {
		t.Errorf("%d accepted, %d refused", counts[http.StatusCreated].Load(), counts[http.StatusTooManyRequests].Load())
	}
	for _, j := range s.service.Queue.List() {
		if !j.State.Settled() {
			if _, err := s.service.Queue.Cancel(j.ID); err != nil {
				continue // It was done just now.
			}
		}
	}
	id := s.submit(tiny.Search(1, map[string]any{"id": "last"}))
	s.stream(id, "", func(event events.Event) bool { return isState(job.Done)(event) })
	if failed := get[struct{ Jobs []job.Job }](s, "/api/v1/jobs?state=failed"); len(failed.Jobs) != 0 {
		t.Errorf("%+v", failed)
	}
}
