package nse

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestConfigErrorsPointAtTheValue(t *testing.T) {
	space, dataset := tinySpace(t), tinyDataset(t)
	search := func(options any) error {
		_, err := NewSearch(t.Context(), SearchConfig{Space: space, Train: dataset, Options: options})
		return err
	}
	spaceFrom := func(document any) error { _, err := SpaceFromJSON(document); return err }
	preset := func(overrides any) error { _, err := SpacePreset("nse-27-small", overrides); return err }
	arch := func(document any) error { _, err := ArchFromJSON(space, document); return err }
	for name, test := range map[string]struct {
		err               error
		document, pointer string
		says              string
	}{
		"unknown key": {search(with(options(1), "sed", 3)), "search options", "/sed", "sed"},
		"deep, out of range": {
			search(with(options(1), "train", map[string]any{"epochs": -1.5})), "search options", "/train/epochs", "-1.5"},
		"a struct of the host": {
			search(struct {
				Seed string `json:"seed"`
			}{"three"}), "search options", "/seed", "three"},
		"nothing":     {search(nil), "search options", "", "objective"},
		"not JSON":    {spaceFrom("{"), "space", "", "EOF"},
		"raw message": {spaceFrom(json.RawMessage(`{"name": 5}`)), "space", "/name", "5"},
		"bytes":       {spaceFrom([]byte(`{"name": 6}`)), "space", "/name", "6"},
		"operator":    {spaceFrom(with(tiny, "operators", []string{"conv_k3_t1", "conv_k4_t1"})), "space", "/operators/1", "conv_k4_t1"},
		"override":    {preset(map[string]any{"chanels": 3}), "preset overrides", "/chanels", "chanels"},
		"architecture": {
			arch(map[string]any{"cells": []any{[]string{}, []string{"conv_k3_t1"}, []string{"conv_k7_t1"}}}),
			"architecture", "/cells/2/0", "conv_k7_t1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := fails(t, test.err, ErrConfig)
			detail := e.Detail()
			if detail.Document != test.document || detail.Pointer != test.pointer || !json.Valid(detail.Raw) {
				t.Errorf("document %q pointer %q raw %s, of %v", detail.Document, detail.Pointer, detail.Raw, e)
			}
			if !strings.Contains(e.Message, test.says) || strings.Contains(e.Message, "\n") {
				t.Errorf("%q does not say %q in one line", e.Message, test.says)
			}
			if e.Error() != "nse: "+e.Message || errors.Is(e, ErrIO) {
				t.Errorf("%q", e.Error())
			}
		})
	}
}

func TestWhatJSONCannotSayIsAConfigError(t *testing.T) {
	_, err := SpacePreset("nse-27-small", map[string]any{"scale": math.NaN()})
	fails(t, err, ErrConfig)
	var cause *json.UnsupportedValueError
	if !errors.As(err, &cause) {
		t.Errorf("%v has no cause", err)
	}
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not-there")
	_, err := OpenDataset(t.Context(), map[string]any{"format": "idx", "images": path, "labels": path})
	e := fails(t, err, ErrIO)
	if e.Detail().Path != path || !strings.Contains(e.Message, path) {
		t.Errorf("%v: %+v", e, e.Detail())
	}
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
}

func TestUnreachableWindowSaysWhatIsReachable(t *testing.T) {
	space := tinySpace(t)
	description, err := space.Describe(nil)
	if err != nil {
		t.Fatal(err)
	}
	low := 2 * description.MACs.Greatest
	_, err = NewSearch(t.Context(), SearchConfig{
		Space: space, Train: tinyDataset(t),
		Options: with(options(1), "objective", map[string]any{"low": low, "high": low + 5}),
	})
	detail := fails(t, err, ErrUnreachable).Detail()
	if detail.Low != low || detail.High != low+5 || detail.Least != description.MACs.Least || detail.Greatest != description.MACs.Greatest {
		t.Errorf("%+v of %+v", detail, description)
	}
	if detail.Below == nil || *detail.Below != detail.Greatest || detail.Above != nil {
		t.Errorf("nearest are %v and %v", detail.Below, detail.Above)
	}
}

func TestTooFewArchitecturesSayHowManyThereAre(t *testing.T) {
	many := map[string]any{"count": 5000, "extras": 0}
	_, err := NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), Options: with(options(1), "candidates", many)})
	detail := fails(t, err, ErrTooFew).Detail()
	if detail.Wanted != 5000 || detail.Found < 8 || detail.Found >= 5000 || detail.Known != 0 {
		t.Errorf("%+v", detail)
	}
	// Whoever wants to can go on with those.
	last := Event{}
	accepting := newSearch(t, with(options(1), "candidates", with(many, "too_few", "accept")), func(event Event) {
		if event.Kind == EventScore {
			last = event
		}
	})
	if _, err := accepting.Step(t.Context()); err != nil || last.Steps != detail.Found {
		t.Errorf("%+v, %v, expected %d candidates", last, err, detail.Found)
	}
}

func TestArguments(t *testing.T) {
	space := tinySpace(t)
	images := func(change func(*Images)) error {
		images := stripes(6)
		change(&images)
		_, err := DatasetFromMemory(images)
		return err
	}
	nul := func(err error) error {
		if err == nil || !strings.Contains(err.Error(), "NUL at byte 1") {
			return fmt.Errorf("%v does not say where the NUL is", err)
		}
		return err
	}
	for name, err := range map[string]error{
		"no such preset":  func() error { _, err := SpacePreset("nse-28", nil); return err }(),
		"too few pixels":  images(func(i *Images) { i.Pixels = i.Pixels[1:] }),
		"too many pixels": images(func(i *Images) { i.Pixels = append(i.Pixels, 0) }),
		"no pixels":       images(func(i *Images) { i.Pixels = nil }),
		"nothing at all":  images(func(i *Images) { *i = Images{} }),
		"negative":        images(func(i *Images) { i.Width, i.Height = -i.Width, -i.Height }),
		"far too large":   images(func(i *Images) { i.Channels, i.Height, i.Width = 1<<22, 1<<21, 1<<21 }),
		"beyond 32 bits":  images(func(i *Images) { i.Classes = 1 << 32 }),
		"label":           images(func(i *Images) { i.Labels[4] = classes }),
		"fraction":        func() error { _, _, err := tinyDataset(t).Split(1, 0); return err }(),
		"NUL in a name":   nul(func() error { _, err := SpacePreset("n\x00", nil); return err }()),
		"NUL in JSON":     nul(func() error { _, err := SpaceFromJSON("{\x00"); return err }()),
		"no operator":     func() error { _, err := UniformArch(space, "conv_k4_t1"); return err }(),
		"no such arch":    func() error { _, err := ArchPreset("nsenet-28", nil); return err }(),
		"NUL in an arch":  nul(func() error { _, err := ArchPreset("n\x00", nil); return err }()),
		"NUL in a unit":   nul(func() error { _, err := NewLatency("m\x00s"); return err }()),
		"NUL in a table":  nul(func() error { _, err := ParseLatency("{\x00"); return err }()),
		"NUL in a path":   nul(func() error { _, err := LoadSearch(t.Context(), "/\x00", SearchConfig{}); return err }()),
		"NUL in operator": nul(func() error { _, err := UniformArch(space, "c\x00onv_k3_t1"); return err }()),
	} {
		t.Run(name, func(t *testing.T) { fails(t, err, ErrInvalidArgument) })
	}
}

// An error without an object, as in a forked child, still says what it is.
func TestErrorWithoutObject(t *testing.T) {
	e := failureOf(ErrForked)
	if e.Code != ErrForked || e.Message != "NSE_ERR_FORKED" || e.Detail().Raw != nil || !errors.Is(e, ErrForked) {
		t.Errorf("%+v", e)
	}
}

// Goroutines move between threads: an error that lived in the thread would end up with a neighbour.
func TestEveryGoroutineGetsItsOwnError(t *testing.T) {
	const goroutines, calls = 50, 200
	var group sync.WaitGroup
	for g := range goroutines {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range calls {
				key := fmt.Sprintf("key-%d-%d", g, i)
				_, err := SpacePreset("nse-27-small", map[string]any{key: 1})
				var e *Error
				if !errors.As(err, &e) || !strings.Contains(e.Message, "`"+key+"`") || e.Detail().Pointer != "/"+key {
					t.Errorf("%s got %v", key, err)
					return
				}
			}
		}()
	}
	group.Wait()
}
