// Package job says what a job is: what was asked for, and how far it is. It knows no search library, no files and no HTTP.
package job

import (
	"encoding/json"
	"time"
)

// Kind of a job.
type Kind string

const (
	// Search looks for architectures.
	Search Kind = "search"
	// Train trains one architecture and exports the model.
	Train Kind = "train"
)

// State of a job.
type State string

const (
	// Queued: waits for a slot; also a job that the end of the service interrupted.
	Queued State = "queued"
	// Running: at work, or was when the service was killed.
	Running State = "running"
	// Cancelling: a cancel was accepted, and the job has not stopped yet.
	Cancelling State = "cancelling"
	// Cancelled: stopped on request; what was done is kept, and a resume goes on from there.
	Cancelled State = "cancelled"
	// Done: all results are there.
	Done State = "done"
	// Failed: see the job's error; a resume tries again from the last checkpoint.
	Failed State = "failed"
)

// States in the order of a job's life.
var States = []State{Queued, Running, Cancelling, Cancelled, Done, Failed}

// Settled says that a job in this state does nothing, and will do nothing unasked.
func (s State) Settled() bool {
	return s == Cancelled || s == Done || s == Failed
}

// Job is what clients see of a job.
type Job struct {
	ID    string `json:"id"`
	Kind  Kind   `json:"kind"`
	Name  string `json:"name,omitempty"`
	Data  string `json:"data"`
	State State  `json:"state"`
	// Created when it was submitted, Changed when its state last was; Started and Finished of the latest run.
	Created  time.Time `json:"created"`
	Changed  time.Time `json:"changed"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
	// Completed rounds, of Rounds; a training has one.
	Completed int `json:"completed"`
	Rounds    int `json:"rounds"`
	// Best accuracy, 0 to 1: of the front, held-out and in the supernet; of a training on its test images.
	Best *float64 `json:"best_accuracy,omitempty"`
	// Progress of the run under way, else of the latest one in this process.
	Progress *Progress `json:"progress,omitempty"`
	// Warning: it goes on, but not as it should, for example because the disk is full.
	Warning string `json:"warning,omitempty"`
	// Error of a job that failed.
	Error *Problem `json:"error,omitempty"`
}

// Progress is the latest of what a search or training has told. nil: not known.
type Progress struct {
	// Kind is what has just happened: "train", "score" or "finish".
	Kind   string `json:"kind"`
	Round  int    `json:"round"`
	Rounds int    `json:"rounds"`
	Epoch  int    `json:"epoch"`
	Epochs int    `json:"epochs"`
	// Step of Steps in this round: optimizer steps, or candidates scored.
	Step  int `json:"step"`
	Steps int `json:"steps"`
	// Loss and Accuracy in training, smoothed; of a round that is scored the best accuracy so far.
	Loss            *float64 `json:"loss"`
	Accuracy        *float64 `json:"accuracy"`
	ImagesPerSecond *float64 `json:"images_per_second"`
	SecondsLeft     *float64 `json:"seconds_left"`
}

// Plan is a request made definite when it was accepted, so that a later change of the service's settings or of a preset
// changes no job.
type Plan struct {
	// Space in its canonical form, Architecture of a training, and all options with their defaults.
	Space        json.RawMessage `json:"space"`
	Architecture json.RawMessage `json:"architecture,omitempty"`
	Options      json.RawMessage `json:"options"`
	// Latency is the text of a table, or empty.
	Latency string `json:"latency,omitempty"`
}

// Record is all that is kept of a job on disk.
type Record struct {
	// Format of the record, Format1.
	Format  int     `json:"format"`
	Job     Job     `json:"job"`
	Request Request `json:"request"`
	Plan    Plan    `json:"plan"`
	// Digest of the request, which tells a repeated submission from another one.
	Digest string `json:"digest"`
	// Attempts to run it since Mark, the time of its checkpoint, last changed: what takes the whole process down must not do
	// so for ever.
	Attempts int       `json:"attempts,omitempty"`
	Mark     time.Time `json:"mark,omitzero"`
	// Afresh: the next run leaves the checkpoint aside and begins again.
	Afresh bool `json:"afresh,omitempty"`
}

// Format1 of a record.
const Format1 = 1
