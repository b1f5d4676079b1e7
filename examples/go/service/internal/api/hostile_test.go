package api

// Requests of strangers. None may crash the service, reach a file, or find out where files are.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/tiny"
)

func with(edit func(options map[string]any)) map[string]any {
	request := tiny.Search(1, nil)
	edit(request["options"].(map[string]any))
	return request
}

func TestWrongRequests(t *testing.T) {
	s := serve(t, nil)
	const wrong = http.StatusUnprocessableEntity
	for name, c := range map[string]struct {
		body          any
		status        int
		code, pointer string
	}{
		"no data set":     {tiny.Search(1, map[string]any{"data": "other"}), wrong, "invalid_request", "/data"},
		"path as data":    {tiny.Search(1, map[string]any{"data": "../../etc/passwd"}), wrong, "invalid_request", "/data"},
		"data is gone":    {tiny.Search(1, map[string]any{"data": "gone"}), http.StatusServiceUnavailable, "data_unavailable", "/data"},
		"data document":   {tiny.Search(1, map[string]any{"data": map[string]any{"format": "idx", "images": "/etc/passwd"}}), wrong, "invalid_request", "/data"},
		"unknown preset":  {tiny.Search(1, map[string]any{"space": "nse-3"}), wrong, "NSE_ERR_INVALID_ARGUMENT", "/space"},
		"a bad space":     {tiny.Search(1, map[string]any{"space": map[string]any{"cells": []any{map[string]any{"kind": "x"}}}}), wrong, "NSE_ERR_CONFIG", "/space/cells/0/kind"},
		"space of a kind": {tiny.Search(1, map[string]any{"space": 3}), wrong, "NSE_ERR_CONFIG", "/space"},
		"bad overrides":   {tiny.Search(1, map[string]any{"space": "nse-27-small", "overrides": map[string]any{"scale": -1}}), wrong, "NSE_ERR_CONFIG", "/overrides/scale"},
		"overrides alone": {tiny.Search(1, map[string]any{"overrides": map[string]any{"scale": 1}}), wrong, "invalid_request", "/overrides"},
		"other images":    {tiny.Search(1, map[string]any{"space": "nse-27-small", "options": map[string]any{"objective": map[string]any{"low": 2e6, "high": 3e6}}}), wrong, "NSE_ERR_INVALID_ARGUMENT", "/data"},
		"a bad table":     {tiny.Search(1, map[string]any{"latency": "no,table\n"}), wrong, "NSE_ERR_CONFIG", "/latency"},
		"a number":        {with(func(o map[string]any) { o["train"] = map[string]any{"lr": -1} }), wrong, "NSE_ERR_CONFIG", "/options/train/lr"},
		"a key":           {with(func(o map[string]any) { o["a/b"] = 1 }), wrong, "NSE_ERR_CONFIG", "/options/a~1b"},
		"a window":        {with(func(o map[string]any) { o["objective"] = map[string]any{"low": 1, "high": 2} }), wrong, "NSE_ERR_UNREACHABLE", "/options/objective"},
		"no window":       {with(func(o map[string]any) { delete(o, "objective") }), wrong, "NSE_ERR_CONFIG", "/options"},
		"a checkpoint":    {with(func(o map[string]any) { o["checkpoint"] = map[string]any{"path": "/tmp/x"} }), wrong, "not_allowed", "/options/checkpoint"},
		"no checkpoint":   {with(func(o map[string]any) { o["checkpoint"] = nil }), wrong, "not_allowed", "/options/checkpoint"},
		"threads":         {with(func(o map[string]any) { o["threads"] = 1000 }), wrong, "not_allowed", "/options/threads"},
		"a device":        {with(func(o map[string]any) { o["device"] = "cuda:0" }), wrong, "not_allowed", "/options/device"},
		"odd device":      {with(func(o map[string]any) { o["device"] = []int{1} }), wrong, "invalid_request", "/options/device"},
		"odd options":     {tiny.Search(1, map[string]any{"options": []int{1}}), wrong, "invalid_request", "/options"},
		"null options":    {tiny.Search(1, map[string]any{"options": nil}), wrong, "invalid_request", "/options"},
		"twice": {strings.Replace(`{"kind": "search", "data": "stripes", "space": SPACE, "options": {"objective": {"low": 12000, "high": 100000},
			"checkpoint": {"path": "/tmp/x"}, "checkpoint": null}}`, "SPACE", tiny.Space, 1), wrong, "not_allowed", "/options/checkpoint"},
		"an escape": {strings.Replace(`{"kind": "search", "data": "stripes", "space": SPACE, "options": {"objective": {"low": 12000, "high": 100000},
			"\u0063heckpoint": {"path": "/tmp/x"}}}`, "SPACE", tiny.Space, 1), wrong, "not_allowed", "/options/checkpoint"},
		"deep":      {`{"kind": "search", "data": "stripes", "space": ` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, http.StatusBadRequest, "not_json", ""},
		"deep less": {`{"kind": "search", "data": "stripes", "space": {"name": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`, wrong, "NSE_ERR_CONFIG", "*"},
		"bad UTF-8": {"{\"kind\": \"search\", \"name\": \"\xff\xfe\"}", http.StatusBadRequest, "not_json", ""},
		"NUL":       {tiny.Search(1, map[string]any{"space": "nse\x00-27"}), wrong, "NSE_ERR_INVALID_ARGUMENT", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			sub := *s
			sub.T = t
			answer := sub.send("POST", "/api/v1/jobs", c.body)
			if c.pointer == "*" {
				var problem job.Problem
				if err := json.Unmarshal(answer.body, &problem); err != nil {
					t.Fatal(err)
				}
				c.pointer = problem.Pointer
			}
			sub.fails(answer, c.status, c.code, c.pointer)
		})
	}
	if jobs := s.service.Queue.List(); len(jobs) != 0 {
		t.Errorf("%v", jobs)
	}
	// A key that only looks like the forbidden one is the library's to refuse.
	s.fails(s.send("POST", "/api/v1/jobs", with(func(o map[string]any) { o["Checkpoint"] = nil })), wrong, "NSE_ERR_CONFIG", "/options/Checkpoint")
}

func TestPathsLeadNowhere(t *testing.T) {
	s := serve(t, nil)
	for _, path := range []string{
		"/static/..%2fpage.go", "/static/%2e%2e%2fpage.go", "/static/report.html", "/static/index.html%00.js", "/static/.",
		"/api/v1/jobs/..%2f..%2fetc%2fpasswd", "/api/v1/jobs/%2e%2e", "/api/v1/jobs/a%00b", "/api/v1/jobs/..%2flock/model", "/api/v1/jobs/A/front",
		"/api/v1/jobs/" + strings.Repeat("a", 10_000), "/api/v2/jobs", "/etc/passwd", "/api/v1/jobs/x/report.svg/..", "/api/v1/jobs/%ff%fe",
	} {
		answer := s.send("GET", path, nil)
		if answer.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.status)
		}
	}
	for _, path := range []string{"/api/v1/jobs/nobody/cancel", "/api/v1/jobs/nobody/resume"} {
		s.fails(s.send("POST", path, nil), http.StatusNotFound, "not_found", "")
	}
	answer := s.send("PUT", "/api/v1/jobs", nil)
	s.fails(answer, http.StatusMethodNotAllowed, "method_not_allowed", "")
	if answer.header.Get("Allow") == "" {
		t.Error("no Allow")
	}
}

// Pages of other sites cannot use the service through somebody's browser: neither directly, nor by a name of their own for its address.
func TestOtherSites(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Hosts = []string{"127.0.0.1", "nse.example"} })
	request := tiny.Search(1, nil)
	s.fails(s.send("GET", "/", nil, "Host", "evil.example"), http.StatusMisdirectedRequest, "wrong_host", "")
	s.fails(s.send("GET", "/", nil, "Host", "evil.example:80"), http.StatusMisdirectedRequest, "wrong_host", "")
	if answer := s.send("GET", "/", nil, "Host", "NSE.example:80"); answer.status != http.StatusOK {
		t.Errorf("%d", answer.status)
	}
	s.fails(s.send("POST", "/api/v1/jobs", request, "Origin", "http://evil.example"), http.StatusForbidden, "cross_origin", "")
	s.fails(s.send("POST", "/api/v1/jobs", request, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, "cross_origin", "")
	s.fails(s.send("POST", "/api/v1/jobs/a/cancel", nil, "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, "cross_origin", "")
	s.fails(s.send("POST", "/api/v1/jobs", "kind=search", "Content-Type", "application/x-www-form-urlencoded"), http.StatusUnsupportedMediaType, "not_json", "")
	if answer := s.send("POST", "/api/v1/jobs", request, "Sec-Fetch-Site", "same-origin"); answer.status != http.StatusCreated {
		t.Errorf("%d %s", answer.status, answer.body)
	}
}

func TestLargeBodies(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Body = 20_000 })
	s.fails(s.send("POST", "/api/v1/jobs", tiny.Search(1, map[string]any{"latency": strings.Repeat("x", 20_000)})), http.StatusRequestEntityTooLarge, "too_large", "")
	// One without an end, and without a length.
	request, err := http.NewRequest("POST", s.url+"/api/v1/jobs", endless{})
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if response, err := s.client.Do(request); err == nil {
		response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%d", response.StatusCode)
		}
	}
	if answer := s.send("POST", "/api/v1/jobs", tiny.Search(1, nil)); answer.status != http.StatusCreated {
		t.Errorf("%d", answer.status)
	}
}

type endless struct{}

func (endless) Read(into []byte) (int, error) {
	for i := range into {
		into[i] = ' '
	}
	return len(into), nil
}

// A client that sends a byte now and then has no longer than the limit, and holds up nobody.
func TestSlowClients(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Read = 0.3 })
	for name, text := range map[string]string{
		"headers": "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
		"body":    "POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			fmt.Fprint(connection, text)
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
						fmt.Fprint(connection, " ")
					}
				}
			}()
			connection.SetReadDeadline(time.Now().Add(10 * time.Minute))
			reader := bufio.NewReader(connection)
			response, err := http.ReadResponse(reader, nil)
			if err == nil && response.StatusCode != http.StatusRequestTimeout {
				t.Errorf("%d", response.StatusCode)
			}
			if err == nil {
				io.Copy(io.Discard, response.Body)
			}
			if _, err := reader.ReadByte(); err == nil {
				t.Error("the connection goes on")
			} else if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Error("the connection was not closed")
			}
		})
	}
}

func TestNotHTTP(t *testing.T) {
	s := serve(t, nil)
	for _, text := range []string{
		"\x00\x01\x02\x03\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET  / / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n",
		"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n",
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(connection, text)
		connection.SetReadDeadline(time.Now().Add(10 * time.Minute))
		if response, err := http.ReadResponse(bufio.NewReader(connection), nil); err == nil && response.StatusCode < 400 {
			t.Errorf("%.30q: %d", text, response.StatusCode)
		}
		connection.Close()
	}
	if answer := s.send("GET", "/healthz", nil); answer.status != http.StatusOK {
		t.Errorf("%d", answer.status)
	}
}

func TestTooMuchMemory(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Memory = 100_000 })
	id := s.submit(tiny.Search(1, nil))
	if j := s.reach(id, job.Failed); j.Error.Code != "too_much_memory" {
		t.Errorf("%v", j.Error)
	}
}
