// Package config reads the operator's settings. Every path of the service comes from here and none from a request.
package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"
)

// Config is the file of settings. What is left out has the default of Default.
type Config struct {
	// Listen is the address to serve at.
	Listen string `json:"listen"`
	// Folder of the jobs. One service at a time.
	Folder string `json:"folder"`
	// Datasets that jobs can name.
	Datasets map[string]Dataset `json:"datasets"`
	// Hosts that requests may be for (the header Host, without the port). Empty: any, but on a loopback address its names only, so that
	// no web page can reach the service under a name of its own.
	Hosts []string `json:"hosts"`
	// Concurrent jobs at work, and Queue: how many more may wait.
	Concurrent int `json:"concurrent"`
	Queue      int `json:"queue"`
	// Jobs kept, settled ones included.
	Jobs int `json:"jobs"`
	// Threads of the tensor library, a setting of the whole process; 0 leaves it as it is. Devices that jobs may use.
	Threads int      `json:"threads"`
	Devices []string `json:"devices"`
	// Memory in bytes that one search may take by its estimate; 0: not looked at.
	Memory uint64 `json:"memory_bytes"`
	// Free bytes of the disk, below which nothing is accepted.
	Free uint64 `json:"free_bytes"`
	// Body is the greatest body of a request in bytes, Streams the number of open event streams, Connections those in all.
	Body        int64 `json:"body_bytes"`
	Streams     int   `json:"streams"`
	Connections int   `json:"connections"`
	// Checkpoint is the time between two saves of a search.
	Checkpoint Seconds `json:"checkpoint_seconds"`
	// Progress is the least time between two progress events of a job, Heartbeat between signs of life in a stream.
	Progress  Seconds `json:"progress_seconds"`
	Heartbeat Seconds `json:"heartbeat_seconds"`
	// Read and Write are what a request and an answer may take.
	Read  Seconds `json:"read_seconds"`
	Write Seconds `json:"write_seconds"`
	// Retry is the first pause after an error that may pass (a full disk, no memory); it doubles, Retries times.
	Retry   Seconds `json:"retry_seconds"`
	Retries int     `json:"retries"`
	// Shutdown is what the end of the service may take.
	Shutdown Seconds `json:"shutdown_seconds"`
}

// Dataset is documents for the library's OpenDataset. HeldOut and Test may be left out: searches then hold out a part of Train, and
// models are evaluated on what there is.
type Dataset struct {
	Description string          `json:"description"`
	Train       json.RawMessage `json:"train"`
	HeldOut     json.RawMessage `json:"held_out"`
	Test        json.RawMessage `json:"test"`
}

// Seconds is a time that is a number in JSON.
type Seconds float64

// Duration as Go has it.
func (s Seconds) Duration() time.Duration {
	return time.Duration(float64(s) * float64(time.Second))
}

// Default settings.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:8080", Concurrent: 1, Queue: 100, Jobs: 10_000, Devices: []string{"cpu"}, Free: 64 << 20, Body: 1 << 20,
		Streams: 256, Connections: 1024, Checkpoint: 30, Progress: 0.25, Heartbeat: 15, Read: 30, Write: 60, Retry: 1, Retries: 8,
		Shutdown: 25,
	}
}

// Names of all settings.
func Names() (names []string) {
	for field := range reflect.TypeFor[Config]().Fields() {
		names = append(names, field.Tag.Get("json"))
	}
	return names
}

var datasetName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// Read reads a file of settings. Relative paths of Folder are relative to the file's own folder.
func Read(path string) (Config, error) {
	c := Default()
	file, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if c.Folder != "" && !filepath.IsAbs(c.Folder) {
		c.Folder = filepath.Join(filepath.Dir(path), c.Folder)
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if len(c.Hosts) == 0 && loopback(c.Listen) {
		c.Hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	return c, nil
}

func (c *Config) check() error {
	if c.Folder == "" {
		return errors.New("folder is missing")
	}
	folder, err := filepath.Abs(c.Folder)
	if err != nil {
		return err
	}
	c.Folder = folder
	for name, dataset := range c.Datasets {
		if !datasetName.MatchString(name) {
			return fmt.Errorf("datasets: %q is not a name: up to 63 letters, digits, dots, - and _", name)
		}
		for _, part := range []*json.RawMessage{&dataset.Train, &dataset.HeldOut, &dataset.Test} {
			if string(*part) == "null" {
				*part = nil
			}
		}
		if dataset.Train == nil {
			return fmt.Errorf("datasets: %q has no train", name)
		}
		c.Datasets[name] = dataset
	}
	if len(c.Datasets) == 0 {
		return errors.New("datasets: there is none")
	}
	if len(c.Devices) == 0 {
		return errors.New("devices: there is none")
	}
	for name, value := range map[string]float64{
		"concurrent": float64(c.Concurrent), "queue": float64(c.Queue), "jobs": float64(c.Jobs), "body_bytes": float64(c.Body),
		"streams": float64(c.Streams), "connections": float64(c.Connections), "checkpoint_seconds": float64(c.Checkpoint),
		"heartbeat_seconds": float64(c.Heartbeat), "read_seconds": float64(c.Read), "write_seconds": float64(c.Write),
		"shutdown_seconds": float64(c.Shutdown), "retry_seconds": float64(c.Retry),
	} {
		if value <= 0 {
			return fmt.Errorf("%s: %v is not above 0", name, value)
		}
	}
	for name, value := range map[string]float64{
		"threads": float64(c.Threads), "progress_seconds": float64(c.Progress), "retries": float64(c.Retries),
	} {
		if value < 0 {
			return fmt.Errorf("%s: %v is below 0", name, value)
		}
	}
	return nil
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
