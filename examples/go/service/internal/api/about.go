package api

// Routes about the service itself.

import (
	"encoding/json"
	"net/http"

	nse "github.com/nse-project/nse/bindings/go"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

func (s *Service) healthz(w http.ResponseWriter, _ *http.Request) error {
	return s.json(w, http.StatusOK, map[string]string{"status": "alive"})
}

func (s *Service) readyz(w http.ResponseWriter, _ *http.Request) error {
	if err := s.Queue.Ready(); err != nil {
		return err
	}
	return s.json(w, http.StatusOK, map[string]string{"status": "ready"})
}

func (s *Service) metrics(w http.ResponseWriter, r *http.Request) error {
	s.Metrics.Handler().ServeHTTP(w, r)
	return nil
}

func (s *Service) openapi(w http.ResponseWriter, _ *http.Request) error {
	text, err := description.ReadFile("openapi.yaml")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(text)
	if err != nil {
		s.Log.Debug("an answer was not read to its end", "error", err)
	}
	return nil
}

// info is what a form needs: data sets, presets, limits.
func (s *Service) info(w http.ResponseWriter, r *http.Request) error {
	spaces, err := nse.SpacePresets()
	if err != nil {
		return err
	}
	options, err := nse.SearchOptionsPresets()
	if err != nil {
		return err
	}
	return s.json(w, http.StatusOK, map[string]any{
		"version": nse.Version(), "datasets": s.Data.Infos(r.Context()), "spaces": spaces, "options": options, "devices": s.Settings.Devices,
		"limits": map[string]any{
			"body_bytes": s.Settings.Body, "concurrent": s.Settings.Concurrent, "queue": s.Settings.Queue, "jobs": s.Settings.Jobs,
			"threads": s.Settings.Threads,
		},
	})
}

func (s *Service) schema(w http.ResponseWriter, r *http.Request) error {
	var schema json.RawMessage
	var err error
	switch job.Kind(r.PathValue("kind")) {
	case job.Search:
		schema, err = nse.SearchOptionsSchema()
	case job.Train:
		schema, err = nse.ModelOptionsSchema()
	default:
		err = job.Errorf(http.StatusNotFound, "not_found", "there are schemas of %q and %q", job.Search, job.Train)
	}
	if err != nil {
		return err
	}
	return s.json(w, http.StatusOK, schema)
}
