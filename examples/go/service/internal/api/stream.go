package api

// Progress as server-sent events.

import (
	"fmt"
	"net/http"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/events"
	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// events of a job until it is deleted, the client goes or the service ends. A client that comes back with Last-Event-ID gets what
// it missed, or, when that is no longer known, the job as it is.
func (s *Service) events(w http.ResponseWriter, r *http.Request) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return job.Errorf(http.StatusServiceUnavailable, "too_many_streams", "%d event streams are open, the limit", cap(s.streams))
	}
	id := r.PathValue("id")
	listener, missed, known, at, err := s.Queue.Listen(id, r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	defer listener.Close()
	s.Metrics.Streams.Inc()
	defer s.Metrics.Streams.Dec()

	w.Header().Set("Content-Type", "text/event-stream")
	// Some proxies would keep events back.
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	out := &stream{w: w, control: http.NewResponseController(w), limit: s.Settings.Write.Duration()}
	out.send("retry: 2000\n\n")
	if known {
		for _, event := range missed {
			out.event(event)
		}
	} else if j, _, err := s.Queue.Get(id); err == nil {
		out.event(events.New(at, "job", j))
	}
	heartbeat := time.NewTicker(s.Settings.Heartbeat.Duration())
	defer heartbeat.Stop()
	for out.err == nil {
		select {
		case event, more := <-listener.C:
			if !more {
				if listener.Slow {
					s.Metrics.StreamsDropped.Inc()
				}
				return nil
			}
			out.event(event)
		case <-heartbeat.C:
			out.send(": alive\n\n")
		case <-r.Context().Done():
			return nil
		}
	}
	return nil
}

// stream writes until the first failure. Every write has the time that a whole answer has otherwise.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	err     error
}

func (s *stream) event(event events.Event) {
	s.send(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", event.ID, event.Kind, event.Data))
}

func (s *stream) send(text string) {
	if s.err != nil {
		return
	}
	if s.err = s.control.SetWriteDeadline(time.Now().Add(s.limit)); s.err != nil {
		return
	}
	if _, s.err = s.w.Write([]byte(text)); s.err == nil {
		s.err = s.control.Flush()
	}
}

// slowest client that a large answer waits for, in bytes per second.
const slowest = 64 << 10

// patient gives an answer of so many bytes the time it takes.
func (s *Service) patient(w http.ResponseWriter, bytes int64) {
	limit := s.Settings.Write.Duration() + time.Duration(bytes/slowest)*time.Second
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit)); err != nil {
		s.Log.Debug("no deadline for an answer", "error", err)
	}
}
