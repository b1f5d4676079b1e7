package nse

// BNAS by one option: operators that are eliminated, in cells with binary weights.

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func binaryCells(t *testing.T) *Space {
	t.Helper()
	space, err := SpacePreset("bnas-cifar", map[string]any{
		"input": map[string]any{"channels": 1, "height": side, "width": side}, "classes": classes, "channels": 4, "cells": 3, "nodes": 2,
		"operators": []string{"none", "skip_connect", "sep_conv_3x3", "max_pool_3x3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { space.Close() })
	return space
}

func eliminating() map[string]any {
	return map[string]any{
		"seed": 3, "held_out": 0.25, "threads": 1, "objective": map[string]any{"cost": "bits", "low": 0, "high": 1e9},
		"strategy":         map[string]any{"eliminate": map[string]any{"times": 1, "epochs": 0.5}},
		"scorer":           map[string]any{"accuracy": map[string]any{"samples": 1}},
		"channel_sampling": 2,
		"train":            map[string]any{"epochs": 1, "batch": 8, "lr": 0.1},
		"score":            map[string]any{"calibration": 16, "batch": 48},
	}
}

func TestEliminate(t *testing.T) {
	start := func() *Search {
		search, err := NewSearch(t.Context(), SearchConfig{Space: binaryCells(t), Train: tinyDataset(t), Options: eliminating()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { search.Close() })
		return search
	}
	alone := start()
	finish(t, alone)
	// Every edge loses one of four choices in each of three rounds; the last changes nothing.
	left := choices(t, alone)
	for round, cells := range left[:3] {
		for _, cell := range cells {
			if cell != 3-round {
				t.Errorf("round %d: %v", round, cells)
			}
		}
	}
	front := members(t, alone)
	if len(left) != 4 || len(front) != 1 {
		t.Fatalf("%v, %v", left, front)
	}
	best, err := alone.Best(1e9)
	if err != nil {
		t.Fatal(err)
	}
	defer best.Arch.Close()
	described, err := best.Arch.Describe(nil)
	if err != nil {
		t.Fatal(err)
	}
	real := described.Params - described.Binary.Params
	if described.Bits != 32*real+described.Binary.Params || described.Operations >= float64(described.MACs) || !strings.HasPrefix(described.Genotype, "Genotype(") {
		t.Errorf("%+v", described)
	}

	first := start()
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
	finish(t, second)
	one, _ := json.Marshal(front)
	if other, err := json.Marshal(members(t, second)); err != nil || !reflect.DeepEqual(one, other) {
		t.Errorf("%s became %s, %v", one, other, err)
	}
}

func TestBinaryCosts(t *testing.T) {
	arch, err := ArchPreset("bnas-xnor-1", map[string]any{"channels": 44})
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	described, err := arch.Describe(nil)
	if err != nil || described.Binary == nil || *described.Binary != (BinaryCost{MACs: 568_347_648, Params: 3_560_304}) {
		t.Fatalf("%+v, %v", described, err)
	}
	if described.Params-described.Binary.Params != 126_862 || described.Bits != 3_560_304+32*126_862 || described.MACs-described.Binary.MACs != 11_586_432 {
		t.Errorf("%+v", described)
	}
	space, err := arch.Space()
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	if whole, err := space.Describe(nil); err != nil || whole.Bits == nil || whole.Operations == nil || whole.Bits.Least <= 0 {
		t.Errorf("%+v, %v", whole, err)
	}
	reach, err := space.Budget(Budget{Cost: "bits", High: 1e9}, nil)
	if err != nil || !reach.Satisfiable || reach.Unit != "bits" {
		t.Errorf("%+v, %v", reach, err)
	}
}

func TestEliminateNamesABadValue(t *testing.T) {
	wrong := with(eliminating(), "channel_sampling", 3)
	_, err := NewSearch(t.Context(), SearchConfig{Space: binaryCells(t), Train: tinyDataset(t), Options: wrong})
	if e := fails(t, err, ErrConfig); !strings.Contains(e.Error(), "4 channels do not divide into 3") {
		t.Error(e)
	}
}
