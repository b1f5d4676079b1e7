package api

// Routes that submit, show and change jobs.

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

func (s *Service) submit(w http.ResponseWriter, r *http.Request) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return job.Errorf(http.StatusUnsupportedMediaType, "not_json", "the Content-Type is not application/json")
	}
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 255 {
		return job.Errorf(http.StatusBadRequest, "invalid_request", "an Idempotency-Key has at most 255 bytes")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	request, digest, err := job.Parse(body)
	if err != nil {
		return err
	}
	// The wait for its turn to be looked at must leave time for an answer.
	ctx, cancel := context.WithTimeout(r.Context(), s.Settings.Write.Duration()/2)
	defer cancel()
	accepted, created, err := s.Queue.Submit(ctx, request, digest, key)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/jobs/"+accepted.ID)
	status := http.StatusCreated
	if !created {
		status = http.StatusOK
	}
	return s.json(w, status, accepted)
}

const mostListed = 1000

func (s *Service) list(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit := 100
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostListed {
			return job.Errorf(http.StatusBadRequest, "invalid_request", "limit is a number from 1 to %d", mostListed)
		}
	}
	if state := job.State(query.Get("state")); state != "" && !slices.Contains(job.States, state) {
		return job.Errorf(http.StatusBadRequest, "invalid_request", "state is one of %v", job.States)
	}
	if kind := job.Kind(query.Get("kind")); kind != "" && kind != job.Search && kind != job.Train {
		return job.Errorf(http.StatusBadRequest, "invalid_request", "kind is %q or %q", job.Search, job.Train)
	}
	all := s.Queue.List()
	counts := map[job.State]int{}
	for _, state := range job.States {
		counts[state] = 0
	}
	for _, j := range all {
		counts[j.State]++
	}
	if after := query.Get("after"); after != "" {
		at := slices.IndexFunc(all, func(j job.Job) bool { return j.ID == after })
		if at < 0 {
			return job.Errorf(http.StatusBadRequest, "invalid_request", "after is the id of a job, and there is none of this id")
		}
		all = all[at+1:]
	}
	listed := slices.DeleteFunc(all, func(j job.Job) bool {
		return query.Get("state") != "" && string(j.State) != query.Get("state") ||
			query.Get("kind") != "" && string(j.Kind) != query.Get("kind")
	})
	next := ""
	if len(listed) > limit {
		listed = listed[:limit]
		next = listed[limit-1].ID
	}
	return s.json(w, http.StatusOK, map[string]any{"jobs": listed, "next": next, "counts": counts})
}

func (s *Service) get(w http.ResponseWriter, r *http.Request) error {
	j, record, err := s.Queue.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.json(w, http.StatusOK, struct {
		job.Job
		Request job.Request     `json:"request"`
		Options json.RawMessage `json:"options"`
		Space   json.RawMessage `json:"space"`
	}{j, record.Request, record.Plan.Options, record.Plan.Space})
}

func (s *Service) delete(w http.ResponseWriter, r *http.Request) error {
	if err := s.Queue.Delete(r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) cancel(w http.ResponseWriter, r *http.Request) error {
	j, err := s.Queue.Cancel(r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.json(w, http.StatusAccepted, j)
}

func (s *Service) resume(w http.ResponseWriter, r *http.Request) error {
	afresh := false
	if text := r.URL.Query().Get("afresh"); text != "" {
		var err error
		if afresh, err = strconv.ParseBool(text); err != nil {
			return job.Errorf(http.StatusBadRequest, "invalid_request", "afresh is true or false")
		}
	}
	j, err := s.Queue.Resume(r.PathValue("id"), afresh)
	if err != nil {
		return err
	}
	return s.json(w, http.StatusAccepted, j)
}

func (s *Service) json(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	s.encode(w, value)
	return nil
}

// encode writes a value; a client that went away is none of our business.
func (s *Service) encode(w io.Writer, value any) {
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.Log.Debug("an answer was not read to its end", "error", err)
	}
}
