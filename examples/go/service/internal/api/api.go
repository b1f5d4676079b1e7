// Package api is the service's HTTP: routes, what they take and what they answer. It decides nothing about jobs.
package api

import (
	"embed"
	"log/slog"
	"net/http"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/dataset"
	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/metrics"
	"github.com/nse-project/nse/examples/go/service/internal/page"
	"github.com/nse-project/nse/examples/go/service/internal/queue"
	"github.com/nse-project/nse/examples/go/service/internal/store"
)

//go:embed openapi.yaml
var description embed.FS

// Service is what the routes need.
type Service struct {
	Settings config.Config
	Queue    *queue.Queue
	Engine   *engine.Engine
	Data     *dataset.Book
	Store    *store.Store
	Metrics  *metrics.Metrics
	Log      *slog.Logger

	streams chan struct{}
}

// Route is a pattern of [http.ServeMux] and who answers. An error that is returned becomes a problem document.
type Route struct {
	Pattern string
	answer  func(*Service, http.ResponseWriter, *http.Request) error
}

// Routes of the service; openapi.yaml describes them, and a test holds one against the other.
var Routes = []Route{
	{"GET /{$}", (*Service).index},
	{"GET /static/{file}", (*Service).static},
	{"GET /healthz", (*Service).healthz},
	{"GET /readyz", (*Service).readyz},
	{"GET /metrics", (*Service).metrics},
	{"GET /api/v1/openapi.yaml", (*Service).openapi},
	{"GET /api/v1/info", (*Service).info},
	{"GET /api/v1/schemas/{kind}", (*Service).schema},
	{"GET /api/v1/jobs", (*Service).list},
	{"POST /api/v1/jobs", (*Service).submit},
	{"GET /api/v1/jobs/{id}", (*Service).get},
	{"DELETE /api/v1/jobs/{id}", (*Service).delete},
	{"POST /api/v1/jobs/{id}/cancel", (*Service).cancel},
	{"POST /api/v1/jobs/{id}/resume", (*Service).resume},
	{"GET /api/v1/jobs/{id}/events", (*Service).events},
	{"GET /api/v1/jobs/{id}/front", (*Service).front},
	{"GET /api/v1/jobs/{id}/best", (*Service).best},
	{"GET /api/v1/jobs/{id}/history", (*Service).history},
	{"GET /api/v1/jobs/{id}/fitness", (*Service).fitness},
	{"GET /api/v1/jobs/{id}/report", (*Service).report},
	{"GET /api/v1/jobs/{id}/report.svg", (*Service).picture},
	{"GET /api/v1/jobs/{id}/architectures/{code}", (*Service).architecture},
	{"GET /api/v1/jobs/{id}/model", (*Service).model},
}

// Handler of all requests.
func (s *Service) Handler() http.Handler {
	s.streams = make(chan struct{}, s.Settings.Streams)
	mux := http.NewServeMux()
	for _, route := range Routes {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := route.answer(s, w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	return s.guard(mux)
}

// Server for it, with limits on what a client may take.
func (s *Service) Server() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: min(s.Settings.Read.Duration(), 10*time.Second),
		ReadTimeout:       s.Settings.Read.Duration(),
		WriteTimeout:      s.Settings.Write.Duration(),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
}

func (s *Service) index(w http.ResponseWriter, r *http.Request) error {
	return page.Serve(w, r, "index.html")
}

func (s *Service) static(w http.ResponseWriter, r *http.Request) error {
	return page.Serve(w, r, r.PathValue("file"))
}
