package nse

// PNAS by one option: cells that grow block by block.

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func blocks(t *testing.T) *Space {
	t.Helper()
	space, err := SpacePreset("pnas-cifar", map[string]any{
		"input": map[string]any{"channels": 1, "height": side, "width": side}, "classes": classes, "channels": 4, "cells": 3, "nodes": 2,
		"operators": []string{"identity", "sep_conv_3x3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { space.Close() })
	return space
}

func growing() map[string]any {
	predictor := map[string]any{"mlp": map[string]any{"members": 2, "epochs": 20}}
	return map[string]any{
		"seed": 3, "held_out": 0.25, "threads": 1, "objective": map[string]any{"low": 0, "high": 1e9},
		"strategy": map[string]any{"grow": map[string]any{"beam": 3, "predictor": predictor}},
		"train":    map[string]any{"epochs": 1, "batch": 8, "lr": 0.1},
		"score":    map[string]any{"calibration": 48, "batch": 48},
	}
}

func TestGrowTold(t *testing.T) {
	search, err := NewSearch(t.Context(), SearchConfig{Space: blocks(t), Told: true, Options: growing()})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	// Sides of blocks are two for each.
	counts := map[int]int{}
	for {
		archs, done, err := search.Ask(4)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			break
		}
		for _, arch := range archs {
			described, err := arch.Describe(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(described.Canonical, "Genotype(normal=[") {
				t.Errorf("%+v", described)
			}
			code, err := arch.Code()
			if err != nil {
				t.Fatal(err)
			}
			accuracy := 0.4 + 0.1*float64(strings.Count(described.Genotype, "sep_conv")/2)/float64(len(described.Cells))
			if effect, err := search.Tell(Result{Code: code, Accuracy: accuracy}); err != nil || effect != Counted {
				t.Fatal(effect, err)
			}
			counts[len(described.Cells)/2]++
			arch.Close()
		}
	}
	if !reflect.DeepEqual(counts, map[int]int{1: 10, 2: 3}) {
		t.Error(counts)
	}
	history, err := search.History()
	if err != nil {
		t.Fatal(err)
	}
	var record struct {
		Foretold struct{ Before, After *float64 }
	}
	if err := json.Unmarshal(history[0], &record); err != nil || record.Foretold.Before != nil || record.Foretold.After == nil {
		t.Errorf("%s, %v", history[0], err)
	}
}

func TestGrow(t *testing.T) {
	begin := func() *Search {
		search, err := NewSearch(t.Context(), SearchConfig{Space: blocks(t), Train: tinyDataset(t), Options: growing()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { search.Close() })
		return search
	}
	whole, first := finish(t, begin()), begin()
	if _, err := first.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "search.nse")
	if err := first.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	second, err := LoadSearch(t.Context(), path, SearchConfig{Train: tinyDataset(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if one, other := timeless(t, whole), timeless(t, finish(t, second)); !reflect.DeepEqual(one, other) {
		t.Errorf("%v became %v", one, other)
	}
	best, err := whole.Best(1e9)
	if err != nil {
		t.Fatal(err)
	}
	defer best.Arch.Close()
	model, err := TrainModel(t.Context(), TrainConfig{
		Arch: best.Arch, Train: tinyDataset(t), Options: map[string]any{"train": map[string]any{"epochs": 1, "batch": 16}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()

	wrong := with(growing(), "strategy", map[string]any{"grow": map[string]any{"predictor": map[string]any{"lstm": map[string]any{"hidden": 0}}}})
	_, err = NewSearch(t.Context(), SearchConfig{Space: blocks(t), Train: tinyDataset(t), Options: wrong})
	if e := fails(t, err, ErrConfig); !strings.Contains(e.Error(), "/strategy/grow/predictor/lstm/hidden") {
		t.Error(e)
	}
	_, err = NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), Options: growing()})
	if e := fails(t, err, ErrUnsupported); !strings.Contains(e.Message, "block by block") {
		t.Errorf("%q", e.Message)
	}
}
