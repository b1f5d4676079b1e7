package nse

// What several tests share: a tiny space, images that can be told apart, a search of seconds.

import (
	"encoding/json"
	"errors"
	"maps"
	"runtime"
	"testing"
	"time"
)

const (
	side    = 12
	classes = 3
)

// tiny is a space of three cells on grey images of 12x12.
var tiny = map[string]any{
	"name":      "tiny",
	"input":     map[string]any{"channels": 1, "height": side, "width": side},
	"classes":   classes,
	"stem":      map[string]any{"channels": 4, "stride": 1},
	"operators": []string{"mbconv_k3_t1", "mbconv_k3_t2", "conv_k3_t1", "rec_k3_t1", "mbconv_k5_t1"},
	"cells": []any{
		map[string]any{"kind": "normal"},
		map[string]any{"kind": "reduce", "channels": 6},
		map[string]any{"kind": "normal", "operators": []string{"mbconv_k3_t1", "conv_k3_t1", "rec_k3_t1"}},
	},
	"tail": map[string]any{"channels": 8},
}

func tinySpace(t testing.TB) *Space {
	t.Helper()
	space, err := SpaceFromJSON(tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { space.Close() })
	return space
}

// stripes are images of three classes: rows, columns, a chequered board; with a phase and a brightness of their own.
func stripes(count int) Images {
	images := Images{Channels: 1, Height: side, Width: side, Classes: classes}
	for i := range count {
		label, phase, light := i%classes, i/classes%4, byte(100+37*i%150)
		for y := range side {
			for x := range side {
				on := [classes]bool{(y+phase)/2%2 == 0, (x+phase)/2%2 == 0, ((x+phase)/2+y/2)%2 == 0}[label]
				value := byte(0)
				if on {
					value = light
				}
				images.Pixels = append(images.Pixels, value)
			}
		}
		images.Labels = append(images.Labels, uint32(label))
	}
	return images
}

func tinyDataset(t testing.TB) *Dataset {
	t.Helper()
	dataset, err := DatasetFromMemory(stripes(96))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dataset.Close() })
	return dataset
}

// options of a search of two rounds with `epochs` passes of 9 steps each.
func options(epochs float64) map[string]any {
	return map[string]any{
		"seed": 3, "rounds": 2, "active": 2, "held_out": 0.25, "threads": 1,
		"objective":  map[string]any{"low": 12_000, "high": 100_000},
		"train":      map[string]any{"epochs": epochs, "batch": 8, "lr": 0.1},
		"candidates": map[string]any{"count": 8, "extras": 0},
		"score":      map[string]any{"calibration": 48, "batch": 48},
	}
}

func with(base map[string]any, key string, value any) map[string]any {
	changed := maps.Clone(base)
	changed[key] = value
	return changed
}

func newSearch(t testing.TB, options any, onEvent func(Event)) *Search {
	t.Helper()
	search, err := NewSearch(t.Context(), SearchConfig{
		Space: tinySpace(t), Train: tinyDataset(t), Options: options, OnEvent: onEvent,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { search.Close() })
	return search
}

// steps runs a search to its end, and gives the errors on the way, which must all be `allowed`.
func steps(t *testing.T, allowed error, step func() (bool, error)) (errs []error) {
	t.Helper()
	for len(errs) < 10_000 {
		done, err := step()
		switch {
		case err == nil && done:
			return errs
		case err != nil && (allowed == nil || !errors.Is(err, allowed)):
			t.Fatal(err)
		case err != nil:
			errs = append(errs, err)
		}
	}
	t.Fatal("no end")
	return nil
}

// frontOf is the front of a search; closed at the end of the test.
func frontOf(t *testing.T, search *Search) (front []Candidate) {
	t.Helper()
	for candidate, err := range search.FrontArchs() {
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { candidate.Arch.Close() })
		front = append(front, candidate)
	}
	return front
}

// timeless is the history of a search without the wall clock.
func timeless(t *testing.T, search *Search) []map[string]any {
	t.Helper()
	history, err := search.History()
	if err != nil {
		t.Fatal(err)
	}
	rounds := make([]map[string]any, len(history))
	for i, line := range history {
		if err := json.Unmarshal(line, &rounds[i]); err != nil {
			t.Fatal(err)
		}
		if _, ok := rounds[i]["seconds"]; !ok {
			t.Fatalf("no seconds in %s", line)
		}
		delete(rounds[i], "seconds")
	}
	return rounds
}

// eventually waits for what another goroutine, or the garbage collector, does.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		runtime.GC()
	}
}

// fails checks the code of an error, and gives it.
func fails(t *testing.T, err error, code Code) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error, expected %v", err, code)
	}
	if !errors.Is(err, code) || e.Code != code {
		t.Fatalf("%v: %v, expected %v", e.Code, err, code)
	}
	return e
}
