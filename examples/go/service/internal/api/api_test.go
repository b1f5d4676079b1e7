package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/tiny"
)

// Every route is described, and every description has its route.
func TestTheDescriptionIsThatOfTheRoutes(t *testing.T) {
	doc := document(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var described, there []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	for _, route := range Routes {
		there = append(there, strings.ReplaceAll(route.Pattern, "{$}", ""))
	}
	slices.Sort(described)
	slices.Sort(there)
	if !slices.Equal(described, there) {
		t.Errorf("described %q\nthere     %q", described, there)
	}
}

type front struct {
	job.Front
	Completed int `json:"completed"`
	Rounds    int `json:"rounds"`
}

// From a request to a trained model.
func TestASearchAndATraining(t *testing.T) {
	s := serve(t, nil)
	id := s.submit(tiny.Search(2, map[string]any{"name": "<b>&\"'</b>"}))
	if empty := get[front](s, path(id, "/front")); empty.Rounds == 0 && len(empty.Members) != 0 {
		t.Errorf("%+v", empty)
	}
	done := s.reach(id, job.Done)
	if done.Completed != 2 || done.Rounds != 2 || done.Best == nil || done.Started.IsZero() || done.Finished.Before(done.Started) ||
		done.Progress == nil || done.Progress.Kind != "finish" {
		t.Errorf("%+v", done)
	}

	found := get[front](s, path(id, "/front"))
	if found.Completed != 2 || found.Cost != "macs" || found.Unit != "MACs" || len(found.Members) == 0 {
		t.Fatalf("%+v", found)
	}
	if params := get[front](s, path(id, "/front?cost=params")); params.Cost != "params" || len(params.Members) == 0 || params.Members[0].Cost != float64(params.Members[0].Params) {
		t.Errorf("%+v", params)
	}
	s.fails(s.send("GET", path(id, "/front?cost=latency"), nil), http.StatusBadRequest, "invalid_request", "")

	last := found.Members[len(found.Members)-1]
	if *done.Best != last.Accuracy {
		t.Errorf("%v, %v", *done.Best, last.Accuracy)
	}
	best := get[struct {
		job.Member
		Architecture struct {
			Space string     `json:"space"`
			Cells [][]string `json:"cells"`
		} `json:"architecture"`
	}](s, path(id, "/best?budget=100000"))
	if best.Code != last.Code || best.Architecture.Space != "tiny" || len(best.Architecture.Cells) != 3 {
		t.Errorf("%+v", best)
	}
	s.fails(s.send("GET", path(id, "/best?budget=1"), nil), http.StatusNotFound, "not_found", "")
	for _, bad := range []string{"", "?budget=", "?budget=NaN", "?budget=1e999", "?budget=x"} {
		s.fails(s.send("GET", path(id, "/best"+bad), nil), http.StatusBadRequest, "invalid_request", "")
	}

	lines := bytes.Split(bytes.TrimSpace(s.send("GET", path(id, "/history"), nil).body), []byte("\n"))
	for i, line := range lines {
		var round struct{ Round int }
		if err := json.Unmarshal(line, &round); err != nil || round.Round != i+1 {
			t.Errorf("%s, %v", line, err)
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d rounds", len(lines))
	}
	fitness := get[job.Fitness](s, path(id, "/fitness"))
	if len(fitness.Cells) != 3 || len(fitness.Cells[2].Operators) != 3 || len(fitness.Cells[0].Theta) != 5 ||
		!slices.ContainsFunc(fitness.Cells[0].Theta, func(theta *float64) bool { return theta != nil }) {
		t.Errorf("%+v", fitness)
	}

	report := s.send("GET", path(id, "/report"), nil)
	if report.status != http.StatusOK || !bytes.Contains(report.body, []byte("&lt;b&gt;")) || bytes.Contains(report.body, []byte("<b>")) ||
		!bytes.Contains(report.body, []byte(last.Code)) || regexp.MustCompile(`style=|<script|https?://`).Match(report.body) {
		t.Errorf("%d %s", report.status, report.body)
	}
	if svg := s.send("GET", path(id, "/report.svg"), nil); svg.status != http.StatusOK || !bytes.HasPrefix(svg.body, []byte("<svg")) {
		t.Errorf("%d", svg.status)
	}
	described := get[struct {
		Architecture json.RawMessage
		Description  struct{ MACs uint64 }
	}](s, path(id, "/architectures/", last.Code))
	if described.Description.MACs != last.MACs {
		t.Errorf("%+v", described)
	}
	s.fails(s.send("GET", path(id, "/architectures/n1xxxx.zz"), nil), http.StatusNotFound, "NSE_ERR_INVALID_ARGUMENT", "")
	s.fails(s.send("GET", path(id, "/model"), nil), http.StatusNotFound, "not_found", "")

	trainings(s, id, last, described.Architecture)
}

// Three ways to name what is to be trained give the same model.
func trainings(t *tester, search string, member job.Member, architecture json.RawMessage) {
	options := map[string]any{"seed": 5, "train": map[string]any{"epochs": 1, "batch": 8}, "calibration": 48}
	var sums []string
	for _, what := range []map[string]any{
		{"search": search, "code": member.Code},
		{"search": search, "budget": member.Cost},
		{"space": json.RawMessage(tiny.Space), "architecture": architecture},
	} {
		what["kind"], what["data"], what["options"] = "train", "stripes", options
		id := t.submit(what)
		t.reach(id, job.Done)
		answer := t.send("GET", path(id, "/model"), nil)
		// A zip archive, as TorchScript is.
		if answer.status != http.StatusOK || !bytes.HasPrefix(answer.body, []byte("PK")) {
			t.Fatalf("%d", answer.status)
		}
		sums = append(sums, answer.header.Get("ETag"))
		if part := t.send("GET", path(id, "/model"), nil, "Range", "bytes=0-1"); part.status != http.StatusPartialContent || string(part.body) != "PK" {
			t.Errorf("%d %q", part.status, part.body)
		}
		if report := t.send("GET", path(id, "/report"), nil); !bytes.Contains(report.body, []byte("accuracy on its test images")) {
			t.Errorf("%s", report.body)
		}
	}
	if sums[0] != sums[1] || sums[1] != sums[2] {
		t.Errorf("%v", sums)
	}
	t.fails(t.send("POST", "/api/v1/jobs", map[string]any{"kind": "train", "data": "stripes", "search": search, "budget": 1}),
		http.StatusUnprocessableEntity, "not_found", "/budget")
	t.fails(t.send("POST", "/api/v1/jobs", map[string]any{"kind": "train", "data": "stripes", "search": "nobody", "code": member.Code}),
		http.StatusUnprocessableEntity, "not_found", "/search")
	t.fails(t.send("POST", "/api/v1/jobs", map[string]any{"kind": "train", "data": "stripes", "search": search, "code": "n1"}),
		http.StatusUnprocessableEntity, "NSE_ERR_INVALID_ARGUMENT", "/code")
	t.fails(t.send("POST", "/api/v1/jobs", map[string]any{
		"kind": "train", "data": "stripes", "search": search, "code": member.Code, "options": map[string]any{"train": map[string]any{"lr": -1}},
	}), http.StatusUnprocessableEntity, "NSE_ERR_CONFIG", "/options/train/lr")
}

func TestCancelAndResume(t *testing.T) {
	s := serve(t, func(c *config.Config) { c.Concurrent = 2 })
	// Long enough that three cancels come before its end.
	whole := s.submit(tiny.Search(60, nil))
	cut := s.submit(tiny.Search(60, map[string]any{"id": "cut"}))
	cancels := 0
	for range 3 {
		if get[job.Job](s, path(cut)).State == job.Done {
			break
		}
		if answer := s.send("POST", path(cut, "/cancel"), nil); answer.status == http.StatusAccepted {
			s.reach(cut, job.Cancelled)
			cancels++
			s.send("POST", path(cut, "/resume"), nil)
		}
	}
	s.reach(whole, job.Done)
	s.reach(cut, job.Done)
	a, b := s.send("GET", path(whole, "/front"), nil).body, s.send("GET", path(cut, "/front"), nil).body
	if cancels == 0 || !bytes.Equal(a, b) {
		t.Errorf("%d cancels\n%s\n%s", cancels, a, b)
	}
	s.fails(s.send("POST", path(cut, "/cancel"), nil), http.StatusConflict, "settled", "")
	s.fails(s.send("POST", path(cut, "/resume?afresh=maybe"), nil), http.StatusBadRequest, "invalid_request", "")
	if answer := s.send("DELETE", path(cut), nil); answer.status != http.StatusNoContent {
		t.Errorf("%d", answer.status)
	}
	s.fails(s.send("GET", path(cut), nil), http.StatusNotFound, "not_found", "")
}

func TestSubmittedTwice(t *testing.T) {
	s := serve(t, nil)
	for name, headers := range map[string][]string{"id": nil, "key": {"Idempotency-Key", "5b0c"}} {
		request := tiny.Search(1, nil)
		if name == "id" {
			request["id"] = "mine"
		}
		first := s.send("POST", "/api/v1/jobs", request, headers...)
		second := s.send("POST", "/api/v1/jobs", request, headers...)
		if first.status != http.StatusCreated || second.status != http.StatusOK || first.header.Get("Location") != second.header.Get("Location") {
			t.Errorf("%s: %d, %d", name, first.status, second.status)
		}
		request["name"] = "another"
		s.fails(s.send("POST", "/api/v1/jobs", request, headers...), http.StatusConflict, "id_taken", "/id")
	}
}

func TestPagesOfJobs(t *testing.T) {
	s := serve(t, nil)
	for _, id := range []string{"a", "b", "c"} {
		s.submit(tiny.Search(1, map[string]any{"id": id}))
	}
	for _, id := range []string{"a", "b", "c"} {
		s.reach(id, job.Done)
	}
	type page struct {
		Jobs   []job.Job
		Next   string
		Counts map[job.State]int
	}
	var all []string
	for after, more := "", true; more; {
		p := get[page](s, "/api/v1/jobs?limit=2&state=done&kind=search&after="+after)
		for _, j := range p.Jobs {
			all = append(all, j.ID)
		}
		after, more = p.Next, p.Next != ""
		if p.Counts[job.Done] != 3 || len(p.Counts) != len(job.States) {
			t.Errorf("%v", p.Counts)
		}
	}
	if !slices.Equal(all, []string{"c", "b", "a"}) {
		t.Errorf("%v", all)
	}
	if none := get[page](s, "/api/v1/jobs?state=failed"); none.Jobs == nil || len(none.Jobs) != 0 {
		t.Errorf("%v", none)
	}
	for _, bad := range []string{"limit=0", "limit=1001", "limit=x", "state=odd", "kind=odd", "after=nobody"} {
		s.fails(s.send("GET", "/api/v1/jobs?"+bad, nil), http.StatusBadRequest, "invalid_request", "")
	}
}

func TestAboutTheService(t *testing.T) {
	s := serve(t, nil)
	info := get[struct {
		Datasets []struct{ Name, Problem string }
		Spaces   []struct{ Name string }
	}](s, "/api/v1/info")
	if len(info.Datasets) != 2 || info.Datasets[0].Problem == "" || info.Datasets[1].Problem != "" || len(info.Spaces) == 0 {
		t.Errorf("%+v", info)
	}
	for _, kind := range []string{"search", "train"} {
		if schema := get[map[string]any](s, "/api/v1/schemas/"+kind); schema["properties"] == nil {
			t.Errorf("%v", schema)
		}
	}
	s.fails(s.send("GET", "/api/v1/schemas/odd", nil), http.StatusNotFound, "not_found", "")
	for _, path := range []string{"/", "/healthz", "/readyz", "/api/v1/openapi.yaml", "/static/app.js", "/static/style.css", "/static/icon.svg"} {
		if answer := s.send("GET", path, nil); answer.status != http.StatusOK {
			t.Errorf("%s: %d", path, answer.status)
		}
	}
}

// The page has nothing inline and nothing from elsewhere: the policy would not let it.
func TestThePageKeepsThePolicy(t *testing.T) {
	s := serve(t, nil)
	answer := s.send("GET", "/", nil)
	if bad := regexp.MustCompile(`style="|<style| on[a-z]+="|<script[^>]*>[^<]|https?://`).Find(answer.body); bad != nil {
		t.Errorf("%q", bad)
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(answer.header.Get("Content-Security-Policy"), part) {
			t.Error(part)
		}
	}
	tag := answer.header.Get("ETag")
	if again := s.send("GET", "/", nil, "If-None-Match", tag); tag == "" || again.status != http.StatusNotModified {
		t.Errorf("%q, %d", tag, again.status)
	}
}

func TestMetrics(t *testing.T) {
	s := serve(t, nil)
	id := s.submit(tiny.Search(2, nil))
	s.reach(id, job.Done)
	long := s.submit(tiny.Search(10_000, map[string]any{"id": "long"}))
	for get[job.Job](s, path(long)).Progress == nil {
	}
	text := string(s.send("GET", "/metrics", nil).body)
	for _, want := range []string{
		`nse_jobs{kind="search",state="done"} 1`, `nse_jobs{kind="search",state="running"} 1`, `nse_jobs{kind="train",state="failed"} 0`,
		`nse_queue_length 0`, `nse_job_round{job="long"} 1`, `nse_job_images_per_second{job="long"} `, `nse_job_loss{job="long"} `,
		`nse_step_seconds_count{kind="search",phase="train"} `, `nse_step_seconds_count{kind="search",phase="score"} `, `nse_round_seconds_count{kind="search"} 2`,
		`nse_jobs_settled_total{kind="search",state="done"} 1`, `nse_http_requests_total{route="POST /api/v1/jobs",status="201"} 2`,
		`nse_http_request_seconds_count{route="GET /api/v1/jobs/{id}"} `, `nse_event_streams 0`, `nse_store_free_bytes `, `nse_info{version="`,
		`process_resident_memory_bytes `, `go_goroutines `,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(text, `job="`+id+`"`) {
		t.Error("a job that does not run has a series")
	}
	s.send("POST", path(long, "/cancel"), nil)
	s.reach(long, job.Cancelled)
}
