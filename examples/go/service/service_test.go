package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/job"
	"github.com/nse-project/nse/examples/go/service/internal/tiny"
)

// found is the front and the history of a job, without the times.
func found(p *process, id string) (front, history any) {
	p.Helper()
	if err := json.Unmarshal(p.call("GET", "/api/v1/jobs/"+id+"/front", nil, http.StatusOK), &front); err != nil {
		p.Fatal(err)
	}
	var rounds []map[string]any
	for line := range bytes.Lines(p.call("GET", "/api/v1/jobs/"+id+"/history", nil, http.StatusOK)) {
		var round map[string]any
		if err := json.Unmarshal(line, &round); err != nil {
			p.Fatal(err)
		}
		delete(round, "seconds")
		rounds = append(rounds, round)
	}
	if len(rounds) != 2 {
		p.Fatalf("%d rounds", len(rounds))
	}
	return front, rounds
}

func same(t *testing.T, p *process, a, b string) {
	t.Helper()
	frontA, historyA := found(p, a)
	frontB, historyB := found(p, b)
	if !reflect.DeepEqual(frontA, frontB) {
		t.Errorf("%v\nbecame\n%v", frontA, frontB)
	}
	if !reflect.DeepEqual(historyA, historyB) {
		t.Error("the histories differ")
	}
}

func submit(p *process, id string, epochs float64) {
	p.Helper()
	p.call("POST", "/api/v1/jobs", tiny.Search(epochs, map[string]any{"id": id}), http.StatusCreated)
}

// kill -9, five times: in training, just after a start, in scoring, and in the second round. The result is that of an undisturbed
// search.
func TestKilledAndStartedAgain(t *testing.T) {
	settings := tiny.Settings(t)
	p := launch(t, settings)
	submit(p, "whole", 12)
	p.await("whole", "done", isDone)
	submit(p, "killed", 12)
	for _, moment := range []struct {
		what string
		is   func(job.Progress) bool
	}{
		{"in training", func(now job.Progress) bool { return now.Round == 1 && now.Step >= 40 }},
		{"just begun", func(job.Progress) bool { return true }},
		{"in scoring", func(now job.Progress) bool { return now.Kind == "score" || now.Round == 2 }},
		{"in the second round", func(now job.Progress) bool { return now.Round == 2 && now.Step >= 20 }},
		{"near the end", func(now job.Progress) bool { return now.Round == 2 && now.Step >= 80 }},
	} {
		p.await("killed", moment.what, func(j job.Job) bool { return atWork(j) && moment.is(*j.Progress) })
		p.kill()
		p = launch(t, settings)
		if j := p.job("killed"); j.State.Settled() {
			t.Fatalf("%s: %+v", moment.what, j)
		}
	}
	p.await("killed", "done", isDone)
	same(t, p, "whole", "killed")
	// Nothing is done twice after another kill.
	p.kill()
	p = launch(t, settings)
	if j := p.job("killed"); j.State != job.Done || j.Completed != 2 {
		t.Errorf("%+v", j)
	}
	same(t, p, "whole", "killed")
}

func TestTerminated(t *testing.T) {
	settings := tiny.Settings(t)
	// The end saves by itself.
	settings.Checkpoint = 10_000
	p := launch(t, settings)
	submit(p, "long", 10_000)
	submit(p, "waits", 1)
	p.await("long", "at work", func(j job.Job) bool { return atWork(j) && j.Progress.Step >= 20 })
	stream, err := http.Get(p.url + "/api/v1/jobs/long/events")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	before := p.job("long").Progress.Step
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.said())
	}
	if _, err := io.ReadAll(stream.Body); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
	if _, err := http.Get(p.url + "/healthz"); err == nil {
		t.Error("it still answers")
	}
	p = launch(t, settings)
	if after := p.await("long", "at work", atWork).Progress; after.Step < before || after.Step > before+1000 {
		t.Errorf("step %d before, step %d after", before, after.Step)
	}
	if j := p.job("waits"); j.State != job.Queued {
		t.Errorf("%+v", j)
	}
}

func TestOneReplica(t *testing.T) {
	settings := tiny.Settings(t)
	first := launch(t, settings)
	second, _ := begin(t, settings)
	<-second.ended
	if code := second.command.ProcessState.ExitCode(); code != 1 || !strings.Contains(second.said(), "another service is using this folder") {
		t.Errorf("exit code %d: %s", code, second.said())
	}
	first.kill()
	launch(t, settings)
}

// A training that is killed begins again, and ends with the same model.
func TestATrainingThatIsKilled(t *testing.T) {
	settings := tiny.Settings(t)
	p := launch(t, settings)
	for _, id := range []string{"whole", "killed"} {
		p.call("POST", "/api/v1/jobs", map[string]any{
			"id": id, "kind": "train", "data": "stripes", "space": json.RawMessage(tiny.Space),
			"architecture": map[string]any{"cells": [][]string{{"mbconv_k3_t1"}, {"conv_k3_t1"}, {}}},
			"options":      map[string]any{"train": map[string]any{"epochs": 12, "batch": 8}},
		}, http.StatusCreated)
		if id == "killed" {
			p.await(id, "in training", func(j job.Job) bool { return atWork(j) && j.Progress.Step >= 20 })
			p.kill()
			p = launch(t, settings)
		}
		p.await(id, "done", isDone)
	}
	if a, b := p.call("GET", "/api/v1/jobs/whole/model", nil, 200), p.call("GET", "/api/v1/jobs/killed/model", nil, 200); !bytes.Equal(a, b) {
		t.Errorf("%d bytes, %d bytes", len(a), len(b))
	}
}

// The disk takes no checkpoint for a while: the job says so, tries again, and ends with the same result.
func TestCheckpointsThatCannotBeWritten(t *testing.T) {
	settings := tiny.Settings(t)
	settings.Retries = 100
	settings.Retry = 0.01
	p := launch(t, settings)
	submit(p, "whole", 12)
	p.await("whole", "done", isDone)
	submit(p, "hindered", 12)
	p.await("hindered", "at work", atWork)
	folder := filepath.Join(settings.Folder, "jobs", "hindered")
	if err := os.Rename(folder, folder+"-away"); err != nil {
		t.Fatal(err)
	}
	warned := p.await("hindered", "warned", func(j job.Job) bool { return j.Warning != "" })
	if !strings.Contains(warned.Warning, "No such file") || strings.Contains(warned.Warning, settings.Folder) {
		t.Errorf("%q", warned.Warning)
	}
	if err := os.Rename(folder+"-away", folder); err != nil {
		t.Fatal(err)
	}
	if j := p.await("hindered", "done", isDone); j.Warning != "" {
		t.Errorf("%+v", j)
	}
	same(t, p, "whole", "hindered")
}

// A checkpoint that the disk has spoilt is an error of the job, which can begin again.
func TestADamagedCheckpoint(t *testing.T) {
	settings := tiny.Settings(t)
	p := launch(t, settings)
	submit(p, "whole", 4)
	p.await("whole", "done", isDone)
	submit(p, "spoilt", 4)
	checkpoint := filepath.Join(settings.Folder, "jobs", "spoilt", "search.nse")
	p.await("spoilt", "saved", func(j job.Job) bool { _, err := os.Stat(checkpoint); return atWork(j) && err == nil })
	p.kill()
	text, err := os.ReadFile(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(checkpoint, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p = launch(t, settings)
	failed := p.await("spoilt", "failed", func(j job.Job) bool { return j.State == job.Failed })
	if failed.Error.Code != "NSE_ERR_FORMAT" || strings.Contains(failed.Error.Detail, settings.Folder) {
		t.Errorf("%v", failed.Error)
	}
	p.call("POST", "/api/v1/jobs/spoilt/resume?afresh=true", nil, http.StatusAccepted)
	p.await("spoilt", "done", isDone)
	same(t, p, "whole", "spoilt")
}

// Data that went away while the job waited is an error of the job.
func TestDataThatIsGone(t *testing.T) {
	settings := tiny.Settings(t)
	p := launch(t, settings)
	submit(p, "long", 10_000)
	submit(p, "waits", 1)
	p.await("long", "at work", atWork)
	p.kill()
	var files struct{ Images string }
	if err := json.Unmarshal(settings.Datasets["stripes"].Train, &files); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(files.Images, files.Images+"-away"); err != nil {
		t.Fatal(err)
	}
	p = launch(t, settings)
	for _, id := range []string{"long", "waits"} {
		failed := p.await(id, "failed", func(j job.Job) bool { return j.State == job.Failed })
		if failed.Error.Code != "NSE_ERR_IO" || strings.Contains(failed.Error.Detail, filepath.Dir(files.Images)) {
			t.Errorf("%v", failed.Error)
		}
	}
	if err := os.Rename(files.Images+"-away", files.Images); err != nil {
		t.Fatal(err)
	}
	p.call("POST", "/api/v1/jobs/waits/resume", nil, http.StatusAccepted)
	p.await("waits", "done", isDone)
}

func TestWrongSettings(t *testing.T) {
	for name, edit := range map[string]func(*config.Config){
		"concurrent": func(c *config.Config) { c.Concurrent = 0 },
		"datasets":   func(c *config.Config) { c.Datasets = nil },
		"folder":     func(c *config.Config) { c.Folder = "" },
		"devices":    func(c *config.Config) { c.Devices = nil },
	} {
		settings := tiny.Settings(t)
		edit(&settings)
		p, _ := begin(t, settings)
		<-p.ended
		if code := p.command.ProcessState.ExitCode(); code != 1 || !strings.Contains(p.said(), name) {
			t.Errorf("%s: exit code %d: %s", name, code, p.said())
		}
	}
}
