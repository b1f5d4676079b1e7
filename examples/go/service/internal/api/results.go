package api

// Routes for what a job has found.

import (
	"errors"
	"io/fs"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/page"
)

// chosen is the front under the cost that the query names, or that of the objective.
func (s *Service) chosen(r *http.Request) (job.Front, job.Result, error) {
	result, err := s.Queue.Result(r.PathValue("id"))
	if err != nil {
		return job.Front{}, result, err
	}
	cost := r.URL.Query().Get("cost")
	if cost == "" {
		cost = result.Objective
	}
	front, known := result.Fronts[cost]
	if !known && result.Fronts != nil {
		return front, result, job.Errorf(http.StatusBadRequest, "invalid_request", "the front is not known under this cost")
	}
	if front.Members == nil {
		front = job.Front{Cost: cost, Members: []job.Member{}}
	}
	return front, result, nil
}

func (s *Service) front(w http.ResponseWriter, r *http.Request) error {
	front, result, err := s.chosen(r)
	if err != nil {
		return err
	}
	return s.json(w, http.StatusOK, struct {
		job.Front
		Completed int `json:"completed"`
		Rounds    int `json:"rounds"`
	}{front, result.Completed, result.Rounds})
}

func (s *Service) best(w http.ResponseWriter, r *http.Request) error {
	budget, err := strconv.ParseFloat(r.URL.Query().Get("budget"), 64)
	if err != nil || math.IsNaN(budget) || math.IsInf(budget, 0) {
		return job.Errorf(http.StatusBadRequest, "invalid_request", "budget is a number, and must be there")
	}
	front, _, err := s.chosen(r)
	if err != nil {
		return err
	}
	member, some := front.Best(budget)
	if !some {
		return job.Errorf(http.StatusNotFound, "not_found", "the front has no architecture that costs at most %v", budget)
	}
	architecture, err := s.describe(r.PathValue("id"), member.Code)
	if err != nil {
		return err
	}
	return s.json(w, http.StatusOK, struct {
		job.Member
		Unit         string `json:"unit"`
		Architecture any    `json:"architecture"`
	}{member, front.Unit, architecture["architecture"]})
}

// describe an architecture of the space of a job.
func (s *Service) describe(id, code string) (map[string]any, error) {
	_, record, err := s.Queue.Get(id)
	if err != nil {
		return nil, err
	}
	return s.Engine.Architecture(record.Plan.Space, code)
}

func (s *Service) architecture(w http.ResponseWriter, r *http.Request) error {
	document, err := s.describe(r.PathValue("id"), r.PathValue("code"))
	if err != nil {
		return err
	}
	return s.json(w, http.StatusOK, document)
}

func (s *Service) history(w http.ResponseWriter, r *http.Request) error {
	result, err := s.Queue.Result(r.PathValue("id"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	for _, round := range result.History {
		s.encode(w, round)
	}
	return nil
}

func (s *Service) fitness(w http.ResponseWriter, r *http.Request) error {
	result, err := s.Queue.Result(r.PathValue("id"))
	if err != nil {
		return err
	}
	if result.Fitness == nil {
		result.Fitness = &job.Fitness{Cells: []job.FitnessCell{}}
	}
	return s.json(w, http.StatusOK, result.Fitness)
}

func (s *Service) report(w http.ResponseWriter, r *http.Request) error {
	j, record, err := s.Queue.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	result, err := s.Queue.Result(j.ID)
	if err != nil {
		return err
	}
	return page.Report(w, j, record, result)
}

func (s *Service) picture(w http.ResponseWriter, r *http.Request) error {
	result, err := s.Queue.Result(r.PathValue("id"))
	if err != nil {
		return err
	}
	if result.Picture == "" {
		return job.Errorf(http.StatusNotFound, "not_found", "no round is complete")
	}
	// Looked at by itself, a picture may have styles and no more.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	w.Header().Set("Content-Type", "image/svg+xml")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(result.Picture))
	return nil
}

func (s *Service) model(w http.ResponseWriter, r *http.Request) error {
	j, _, err := s.Queue.Get(r.PathValue("id"))
	if err != nil {
		return err
	}
	result, err := s.Queue.Result(j.ID)
	if err != nil {
		return err
	}
	if result.Model == nil {
		return job.Errorf(http.StatusNotFound, "not_found", "the job has no model")
	}
	file, err := s.Store.OpenModel(j.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return job.Errorf(http.StatusNotFound, "not_found", "the model is gone")
	}
	if err != nil {
		return err
	}
	defer file.Close()
	s.patient(w, result.Model.Bytes)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+j.ID+`.pt"`)
	w.Header().Set("ETag", `"`+result.Model.SHA256+`"`)
	http.ServeContent(w, r, "", j.Finished, file)
	return nil
}
