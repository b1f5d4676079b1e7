package api

// What several tests share: a service in this process with a real engine, and a client that holds every answer against
// openapi.yaml.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	nse "github.com/nse-project/nse/bindings/go"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/dataset"
	"github.com/nse-project/nse/examples/go/service/internal/engine"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/metrics"
	"github.com/nse-project/nse/examples/go/service/internal/queue"
	"github.com/nse-project/nse/examples/go/service/internal/store"
	"github.com/nse-project/nse/examples/go/service/internal/tiny"
)

// tester is a service and a client of it.
type tester struct {
	*testing.T
	url     string
	service *Service
	router  routers.Router
	client  *http.Client
}

func serve(t *testing.T, edit func(*config.Config)) *tester {
	t.Helper()
	settings := tiny.Settings(t)
	if edit != nil {
		edit(&settings)
	}
	jobs, err := store.Open(settings.Folder)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	data := dataset.NewBook(settings.Datasets)
	worker := engine.New(settings, data, log)
	counts := metrics.New(nse.Version())
	service := &Service{
		Settings: settings, Engine: worker, Data: data, Store: jobs, Metrics: counts, Log: log,
		Queue: queue.Open(settings, jobs, worker, counts, log),
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = service.Server()
	// A test may shorten it for streams; on a busy machine other answers take their time.
	server.Config.WriteTimeout = 10 * time.Minute
	// So that a client that does not read is noticed before megabytes wait for it.
	server.Config.ConnContext = func(ctx context.Context, connection net.Conn) context.Context {
		connection.(*net.TCPConn).SetWriteBuffer(4096)
		return ctx
	}
	server.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		if err := service.Queue.Close(ctx); err != nil {
			t.Error(err)
		}
		service.Queue.EndStreams()
		server.Close()
		jobs.Close()
	})
	return &tester{T: t, url: server.URL, service: service, router: router(t), client: server.Client()}
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	text, err := description.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func router(t *testing.T) routers.Router {
	t.Helper()
	router, err := legacy.NewRouter(document(t))
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// answered is an answer that was read.
type answered struct {
	status int
	header http.Header
	body   []byte
}

// send a request with a body, which is JSON unless it is a text already, and check the answer against the description.
func (t *tester) send(method, path string, body any, headers ...string) answered {
	t.Helper()
	text, ready := body.(string)
	if body != nil && !ready {
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	request, err := http.NewRequest(method, t.url+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := t.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	t.described(request, response, read)
	return answered{response.StatusCode, response.Header, read}
}

// described holds an answer against the description.
func (t *tester) described(request *http.Request, response *http.Response, body []byte) {
	t.Helper()
	for _, header := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"} {
		if response.Header.Get(header) == "" {
			t.Errorf("%s %s: no %s", request.Method, request.URL, header)
		}
	}
	path := *request
	url := *request.URL
	url.Scheme, url.Host = "", ""
	path.URL = &url
	route, parameters, err := t.router.FindRoute(&path)
	if err != nil {
		if response.StatusCode < 400 {
			t.Errorf("%s %s is not described, and gives %d", request.Method, request.URL, response.StatusCode)
		}
		return
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: &path, PathParams: parameters, Route: route},
		Status:                 response.StatusCode, Header: response.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: !strings.Contains(response.Header.Get("Content-Type"), "json") ||
			strings.Contains(response.Header.Get("Content-Type"), "ndjson")},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
		t.Errorf("%s %s is not as described: %v", request.Method, request.URL, err)
	}
	// What is left out above: that the kind of content is one of those described.
	described := route.Operation.Responses.Status(response.StatusCode)
	if described == nil {
		described = route.Operation.Responses.Default()
	}
	kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	if described != nil && described.Value.Content != nil && described.Value.Content.Get(kind) == nil {
		t.Errorf("%s %s: %q is not described", request.Method, request.URL, kind)
	}
}

// get a document.
func get[T any](t *tester, path string) (value T) {
	t.Helper()
	answer := t.send("GET", path, nil)
	if answer.status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, answer.status, answer.body)
	}
	if err := json.Unmarshal(answer.body, &value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return value
}

// fails checks the status, the code and the pointer of a problem.
func (t *tester) fails(answer answered, status int, code, pointer string) job.Problem {
	t.Helper()
	var problem job.Problem
	if err := json.Unmarshal(answer.body, &problem); err != nil {
		t.Fatalf("%d %q: %v", answer.status, answer.body, err)
	}
	if answer.status != status || problem.Status != status || problem.Code != code || problem.Pointer != pointer ||
		answer.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %s; expected %d %s at %q", answer.status, answer.body, status, code, pointer)
	}
	if bytes.Contains(answer.body, []byte(t.service.Settings.Folder)) || bytes.Contains(answer.body, []byte("/secret/")) {
		t.Errorf("the answer names a path: %s", answer.body)
	}
	return problem
}

// submit a request that is taken, and give the ID.
func (t *tester) submit(request map[string]any) string {
	t.Helper()
	answer := t.send("POST", "/api/v1/jobs", request)
	if answer.status != http.StatusCreated {
		t.Fatalf("%d %s", answer.status, answer.body)
	}
	var j job.Job
	if err := json.Unmarshal(answer.body, &j); err != nil {
		t.Fatal(err)
	}
	if answer.header.Get("Location") != "/api/v1/jobs/"+j.ID {
		t.Errorf("%q", answer.header.Get("Location"))
	}
	return j.ID
}

// reach waits until a job has a state.
func (t *tester) reach(id string, want job.State) job.Job {
	t.Helper()
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		j := get[job.Job](t, "/api/v1/jobs/"+id)
		if j.State == want {
			return j
		}
		if time.Now().After(end) || j.State.Settled() {
			t.Fatalf("job %s is %s (%v), not %s", id, j.State, j.Error, want)
		}
	}
}

func path(id string, parts ...any) string {
	return "/api/v1/jobs/" + id + fmt.Sprint(parts...)
}
