package main

// The service as a process of its own, which is this test program started again: so it has the race detector when the test has.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nse-project/nse/examples/go/service/internal/config"
	"github.com/nse-project/nse/examples/go/service/internal/job"
)

const asService = "NSE_TEST_AS_SERVICE"

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is a running service.
type process struct {
	*testing.T
	command *exec.Cmd
	url     string
	ended   chan struct{}
	mutex   sync.Mutex
	log     bytes.Buffer
}

// begin a service; it may end at once.
func begin(t *testing.T, settings config.Config) (p *process, ready chan string) {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "service.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p = &process{T: t, command: exec.Command(os.Args[0], "-config", file), ended: make(chan struct{})}
	p.command.Env = append(os.Environ(), asService+"=1")
	log, err := p.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	ready = make(chan string, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(log)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			p.mutex.Lock()
			p.log.Write(append(lines.Bytes(), '\n'))
			p.mutex.Unlock()
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "the service is ready" {
				ready <- line.Address
			}
		}
		// Its error is in the state of the process.
		_ = p.command.Wait()
	}()
	t.Cleanup(p.kill)
	return p, ready
}

// launch a service and wait until it is ready.
func launch(t *testing.T, settings config.Config) *process {
	t.Helper()
	p, ready := begin(t, settings)
	select {
	case address := <-ready:
		p.url = "http://" + address
	case <-p.ended:
		t.Fatalf("the service ended: %s", p.said())
	case <-time.After(10 * time.Minute):
		t.Fatal("the service does not become ready")
	}
	return p
}

func (p *process) said() string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.log.String()
}

// kill it, as the system does when memory is short, and look at what it had to say.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
	if strings.Contains(p.said(), "DATA RACE") || strings.Contains(p.said(), "panic") {
		p.Errorf("%s", p.said())
	}
}

// terminate it politely, and give its exit code.
func (p *process) terminate() int {
	p.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		p.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(10 * time.Minute):
		p.Fatalf("it does not end: %s", p.said())
	}
	return p.command.ProcessState.ExitCode()
}

// call the service, and give the body of an answer that must have this status.
func (p *process) call(method, path string, body any, status int) []byte {
	p.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			p.Fatal(err)
		}
	}
	request, err := http.NewRequest(method, p.url+path, bytes.NewReader(text))
	if err != nil {
		p.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.Fatalf("%v: %s", err, p.said())
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		p.Fatalf("%s %s: %d %s, %v", method, path, response.StatusCode, read, err)
	}
	return read
}

func (p *process) job(id string) (j job.Job) {
	p.Helper()
	if err := json.Unmarshal(p.call("GET", "/api/v1/jobs/"+id, nil, http.StatusOK), &j); err != nil {
		p.Fatal(err)
	}
	return j
}

// await what is to become of a job.
func (p *process) await(id, what string, happened func(job.Job) bool) job.Job {
	p.Helper()
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(2 * time.Millisecond) {
		j := p.job(id)
		if happened(j) {
			return j
		}
		if j.State.Settled() || time.Now().After(end) {
			p.Fatalf("never %s: %+v, %v", what, j, j.Error)
		}
	}
}

func isDone(j job.Job) bool { return j.State == job.Done }

func atWork(j job.Job) bool { return j.State == job.Running && j.Progress != nil }
