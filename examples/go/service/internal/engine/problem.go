package engine

import (
	"errors"
	"net/http"
	"strings"

	nse "github.com/nse-project/nse/bindings/go"

	"github.com/nse-project/nse/examples/go/service/internal/job"
)

// documents of the library, and where they are in a request.
var documents = map[string]string{
	"space": "/space", "preset overrides": "/overrides", "search options": "/options", "model options": "/options",
	"architecture": "/architecture", "latency": "/latency", "latency table": "/latency",
}

// places of errors that are about no document, and of those about an argument.
var (
	places = map[nse.Code]string{
		nse.ErrUnreachable: "/options/objective", nse.ErrTooFew: "/options/candidates", nse.ErrMissingLatency: "/latency",
		nse.ErrDevice: "/options/device",
	}
	arguments = map[string]string{"train": "/data", "held_out": "/data", "latency": "/latency"}
)

// statuses of HTTP for errors of the library; all others are 500.
var statuses = map[nse.Code]int{
	nse.ErrConfig: http.StatusUnprocessableEntity, nse.ErrInvalidArgument: http.StatusUnprocessableEntity,
	nse.ErrUnreachable: http.StatusUnprocessableEntity, nse.ErrTooFew: http.StatusUnprocessableEntity,
	nse.ErrMissingLatency: http.StatusUnprocessableEntity, nse.ErrNotFound: http.StatusNotFound,
	nse.ErrDevice: http.StatusUnprocessableEntity, nse.ErrUnsupported: http.StatusNotImplemented,
	nse.ErrBusy: http.StatusServiceUnavailable, nse.ErrOutOfMemory: http.StatusServiceUnavailable,
}

// Problem is an error in words for clients. Never nil.
func (e *Engine) Problem(err error) *job.Problem {
	var problem *job.Problem
	if errors.As(err, &problem) {
		return problem
	}
	problem = &job.Problem{Status: http.StatusInternalServerError, Code: "internal", Detail: e.hide(err.Error())}
	var failed *nse.Error
	if !errors.As(err, &failed) {
		return problem
	}
	problem.Code = failed.Code.Error()
	problem.Detail = e.hide(strings.TrimPrefix(err.Error(), "nse: "))
	if status, known := statuses[failed.Code]; known {
		problem.Status = status
	}
	detail := failed.Detail()
	problem.Pointer = places[failed.Code]
	if place, known := arguments[detail.Argument]; known {
		problem.Pointer = place
	}
	if place, known := documents[detail.Document]; known {
		problem.Pointer = place
		// In a CSV text it is a line, which the message has too.
		if strings.HasPrefix(detail.Pointer, "/") {
			problem.Pointer += detail.Pointer
		}
	}
	// Those of files have paths.
	if failed.Code != nse.ErrIO && failed.Code != nse.ErrFormat && failed.Code != nse.ErrTorchMismatch {
		problem.Reason = detail.Raw
	}
	return problem
}

// problem is Problem, with nil for nil.
func (e *Engine) problem(err error) error {
	if err == nil {
		return nil
	}
	return e.Problem(err)
}

// at gives an error of this code its place in the request.
func at(err error, pointer string, code nse.Code) error {
	if err == nil || !errors.Is(err, code) {
		return err
	}
	var failed *nse.Error
	if !errors.As(err, &failed) || failed.Detail().Document != "" {
		return err
	}
	return job.Errorf(http.StatusUnprocessableEntity, code.Error(), "%s", failed.Message).At(pointer)
}

// hide takes the operator's paths out of a text.
func (e *Engine) hide(text string) string {
	return e.data.Hide(strings.ReplaceAll(text, e.settings.Folder, "the folder of the service"))
}
