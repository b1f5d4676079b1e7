package api

// What stands before every route.

import (
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// policy lets a page use this service's own scripts, styles and pictures, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard checks hosts and origins, sets headers, counts, logs, and survives what a handler does.
func (s *Service) guard(mux *http.ServeMux) http.Handler {
	// Requests of other sites' pages that change something are refused: a browser sends them with the user's access.
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		handler, pattern := mux.Handler(r)
		route := pattern
		if route == "" {
			route = "none"
		}
		answer := &answer{ResponseWriter: w}
		header := answer.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		defer func() {
			value := recover()
			if value != nil {
				s.Log.Error("a handler panicked", "route", route, "panic", value, "stack", string(debug.Stack()))
				if answer.status != 0 {
					// The answer has begun: only its end can say that it is not whole.
					panic(http.ErrAbortHandler)
				}
				s.fail(answer, r, job.Errorf(http.StatusInternalServerError, "internal", "a bug of the service; its log has more"))
			}
			took := time.Since(began)
			s.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "status", answer.status, "took", took)
			if strings.HasSuffix(route, "/events") {
				took = 0
			}
			s.Metrics.Request(route, strconv.Itoa(answer.status), took)
		}()
		r.Body = http.MaxBytesReader(answer, r.Body, s.Settings.Body)
		switch {
		case !s.allowed(r.Host):
			s.fail(answer, r, job.Errorf(http.StatusMisdirectedRequest, "wrong_host", "this service does not answer for this host"))
		case origins.Check(r) != nil:
			s.fail(answer, r, job.Errorf(http.StatusForbidden, "cross_origin", "requests of other sites' pages are refused"))
		case pattern == "":
			s.unknown(answer, r, handler)
		default:
			mux.ServeHTTP(answer, r)
		}
	})
}

// allowed says whether the service answers for this host.
func (s *Service) allowed(host string) bool {
	if len(s.Settings.Hosts) == 0 {
		return true
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return slices.ContainsFunc(s.Settings.Hosts, func(known string) bool { return strings.EqualFold(known, host) })
}

// unknown answers where there is no route, with the status and headers that the mux found.
func (s *Service) unknown(w http.ResponseWriter, r *http.Request, handler http.Handler) {
	found := &answer{ResponseWriter: discard{w.Header()}}
	handler.ServeHTTP(found, r)
	if found.status == http.StatusMethodNotAllowed {
		s.fail(w, r, job.Errorf(found.status, "method_not_allowed", "%s is not for this; there is %s", r.Method, w.Header().Get("Allow")))
		return
	}
	s.fail(w, r, job.Errorf(http.StatusNotFound, "not_found", "there is nothing at this path"))
}

// answer remembers its status.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(data []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(data)
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter {
	return a.ResponseWriter
}

// discard keeps headers only.
type discard struct{ header http.Header }

func (d discard) Header() http.Header            { return d.header }
func (d discard) Write(data []byte) (int, error) { return len(data), nil }
func (d discard) WriteHeader(int)                {}

// fail answers with a problem document.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	var problem *job.Problem
	var large *http.MaxBytesError
	var network net.Error
	switch {
	case errors.As(err, &problem):
		copied := *problem
		problem = &copied
	case errors.As(err, &large):
		problem = job.Errorf(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", large.Limit)
	case errors.As(err, &network) && network.Timeout():
		problem = job.Errorf(http.StatusRequestTimeout, "too_slow", "the body did not come in time")
	default:
		problem = s.Engine.Problem(err)
	}
	if problem.Status == 0 {
		problem.Status = http.StatusInternalServerError
	}
	if problem.Status >= http.StatusInternalServerError {
		s.Log.Error("request failed", "path", r.URL.Path, "error", err)
	}
	switch problem.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInsufficientStorage:
		w.Header().Set("Retry-After", "10")
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		w.Header().Set("Connection", "close")
	}
	problem.Title = http.StatusText(problem.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(problem.Status)
	s.encode(w, problem)
}
