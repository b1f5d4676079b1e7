package nse

// Spaces of stacked cells.

import (
	"strings"
	"testing"
)

func TestCells(t *testing.T) {
	space, err := SpacePreset("darts-shared", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	if described, err := space.Describe(nil); err != nil || described.SingleBranch != "4398046511104" || described.Genotypes != "1037664180" || described.Cells != 14 {
		t.Errorf("%+v, %v", described, err)
	}
	arch, err := ArchPreset("darts-abs", map[string]any{"channels": 45})
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	if cost, err := arch.Cost(); err != nil || cost.MACs != 546_834_996 || cost.Params != 4_978_098 {
		t.Errorf("%+v, %v", cost, err)
	}
	described, err := arch.Describe(nil)
	if err != nil || len(described.Cells) != 28 || described.Cells[15].Edge != "reduce 1->2" || !strings.HasPrefix(described.Genotype, "Genotype(normal=[") {
		t.Errorf("%+v, %v", described, err)
	}
	other, err := arch.Space()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	again, err := ArchFromJSON(other, map[string]any{"genotype": described.Genotype})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if code, err := again.Code(); err != nil {
		t.Error(err)
	} else if same, err := arch.Code(); err != nil || same != code {
		t.Errorf("%s, %s, %v", code, same, err)
	}
	_, err = ArchFromJSON(space, map[string]any{"genotype": "darts-v2"})
	if e := fails(t, err, ErrConfig); !strings.Contains(e.Message, "normal and reduce differ") {
		t.Errorf("%q", e.Message)
	}
}

// ABS by one option, and a model of what it found.
func TestCellsShrink(t *testing.T) {
	space, err := SpacePreset("nas-bench-201", map[string]any{
		"input": map[string]any{"channels": 1, "height": side, "width": side}, "classes": classes, "channels": 4, "cells": 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	config := SearchConfig{Space: space, Train: tinyDataset(t), Options: map[string]any{
		"strategy": map[string]any{"shrink": map[string]any{"drop": map[string]any{"down_to": 15}, "until": 1000}},
		"branches": "single", "held_out": 0.25, "threads": 1,
		"objective":  map[string]any{"low": 0, "high": 1e8},
		"train":      map[string]any{"epochs": 1, "batch": 16},
		"candidates": map[string]any{"count": 4, "extras": 0, "too_few": "accept"},
		"score":      map[string]any{"calibration": 48},
	}}
	search, err := NewSearch(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	finish(t, search)
	if left := choices(t, search); len(left) != 2 || len(left[0]) != 6 {
		t.Errorf("%v", left)
	}
	best, err := search.Best(1e8)
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
	config.Options = map[string]any{"objective": map[string]any{"low": 0, "high": 1e8}}
	_, err = NewSearch(t.Context(), config)
	if e := fails(t, err, ErrUnsupported); !strings.Contains(e.Message, "learns fitness") || !strings.Contains(e.Message, "nas-bench-201") {
		t.Errorf("%q", e.Message)
	}
}
