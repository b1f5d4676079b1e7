package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/events"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/tiny"
)

// stream reads events until stop says so, or the stream ends; comments are events of kind "comment".
func (t *tester) stream(id, last string, stop func(events.Event) bool) (all []events.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", t.url+path(id, "/events"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := t.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	t.described(request, response, nil)
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	var event events.Event
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			event.ID = value
		case "event":
			event.Kind = value
		case "data":
			event.Data = []byte(value)
			if !json.Valid(event.Data) {
				t.Fatalf("%q", value)
			}
		case "":
			if value == "alive" {
				event.Kind = "comment"
			}
			if event.Kind == "" {
				continue
			}
			all = append(all, event)
			if stop(event) {
				return all
			}
			event = events.Event{}
		}
	}
	return all
}

func isState(want job.State) func(events.Event) bool {
	return func(event events.Event) bool {
		var j job.Job
		return event.Kind == "job" && json.Unmarshal(event.Data, &j) == nil && j.State == want
	}
}

func TestEventsTellWhatHappens(t *testing.T) {
	s := serve(t, nil)
	id := s.submit(tiny.Search(4, nil))
	all := s.stream(id, "", isState(job.Done))
	kinds := map[string]int{}
	for _, event := range all {
		kinds[event.Kind]++
	}
	if all[0].Kind != "job" || kinds["progress"] < 3 || kinds["round"] != 2 || kinds["fitness"] == 0 {
		t.Errorf("%v", kinds)
	}
	// Who comes back gets what it missed, and nothing twice.
	middle := len(all) - 3
	again := s.stream(id, all[middle].ID, isState(job.Done))
	if len(again) != 2 || again[0].ID != all[middle+1].ID || string(again[1].Data) != string(all[middle+2].Data) {
		t.Errorf("%v", again)
	}
	// Who comes from another time gets the job as it is.
	for _, last := range []string{"earlier-17", "\xff", strings.Repeat("x", 1000)} {
		if late := s.stream(id, last, func(events.Event) bool { return true }); !isState(job.Done)(late[0]) {
			t.Errorf("%s", late[0].Data)
		}
	}
	s.fails(s.send("GET", path("nobody", "/events"), nil), http.StatusNotFound, "not_found", "")
}

func TestHeartbeatsAndTheEnd(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Heartbeat = 0.02 })
	id := s.submit(tiny.Search(1, nil))
	s.reach(id, job.Done)
	beats := 0
	all := s.stream(id, "", func(event events.Event) bool {
		if event.Kind != "comment" {
			return false
		}
		if beats++; beats == 3 && s.send("DELETE", path(id), nil).status != http.StatusNoContent {
			t.Error("not deleted")
		}
		return false
	})
	if last := all[len(all)-1]; last.Kind != "deleted" || beats < 3 {
		t.Errorf("%d beats, %+v", beats, last)
	}
}

func TestStreamsAreLimited(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Streams = 1 })
	id := s.submit(tiny.Search(1, nil))
	s.stream(id, "", func(events.Event) bool {
		answer := s.send("GET", path(id, "/events"), nil)
		s.fails(answer, http.StatusServiceUnavailable, "too_many_streams", "")
		if answer.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		return true
	})
	// The place is free again as soon as the service notices.
	await(t, "the stream is still open", func() bool { return len(s.service.streams) == 0 })
	s.stream(id, "", func(events.Event) bool { return true })
}

// A client that opens a stream and reads nothing is dropped; the job and the others do not notice.
func TestAClientThatDoesNotRead(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Write, c.Progress = 0.2, 0 })
	id := s.submit(tiny.Search(100_000, nil))
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path(id, "/events"))
	await(t, "it was not heard", func() bool { return len(s.service.streams) == 1 })
	await(t, "it was not dropped", func() bool { return len(s.service.streams) == 0 })
	if s.stream(id, "", func(event events.Event) bool { return event.Kind == "progress" }) == nil {
		t.Error("nothing for others")
	}
	s.send("POST", path(id, "/cancel"), nil)
	s.reach(id, job.Cancelled)
}

func await(t *testing.T, never string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Minute); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(never)
		}
	}
}
