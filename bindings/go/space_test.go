package nse

// Library, spaces, architectures, datasets: what needs no training.

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestLibrary(t *testing.T) {
	info, err := Runtime()
	if err != nil {
		t.Fatal(err)
	}
	if info.NSE.ABI != ABI || info.NSE.Version != Version() || !json.Valid(info.Raw) {
		t.Errorf("%+v, version %s", info, Version())
	}
	if !info.NSE.Torch || info.Runtime == nil || info.Runtime.LibTorch.Version == "" || info.Runtime.LibTorch.Threads < 1 {
		t.Errorf("%+v", info)
	}
	if cuda := info.Runtime.CUDA; cuda.Available == (cuda.Reason != "") {
		t.Errorf("%+v", cuda)
	}
	number := VersionNumber()
	if !strings.HasPrefix(Version(), string(rune('0'+number>>16))+"."+string(rune('0'+number>>8&255))+".") {
		t.Errorf("%s is not %#x", Version(), number)
	}
	presets, err := Presets()
	if err != nil || !slices.ContainsFunc(presets, func(p Preset) bool { return p.Name == "nse-27-small" && p.Description != "" }) {
		t.Errorf("%+v, %v", presets, err)
	}
	for _, schema := range []func() (json.RawMessage, error){SearchOptionsSchema, ModelOptionsSchema} {
		var document struct{ Properties map[string]any }
		if text, err := schema(); err != nil || json.Unmarshal(text, &document) != nil || document.Properties["train"] == nil {
			t.Errorf("%s, %v", text, err)
		}
	}
}

func TestSpace(t *testing.T) {
	space := tinySpace(t)
	text, err := space.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := SpaceFromJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if second, err := again.JSON(); err != nil || !bytes.Equal(text, second) {
		t.Errorf("%s became %s, %v", text, second, err)
	}
	description, err := space.Describe()
	if err != nil || description.Name != "tiny" || description.Cells != 3 || description.Operators != 13 || description.MostOperatorsPerCell != 5 {
		t.Errorf("%+v, %v", description, err)
	}
	if description.Log10Architectures < 3 || description.MACs.Least == 0 || description.MACs.Least >= description.MACs.Greatest || description.Params.Least >= description.Params.Greatest {
		t.Errorf("%+v", description)
	}
	preset, err := SpacePreset("nse-27-small", map[string]any{"channels": []int{8, 16, 32}})
	if err != nil {
		t.Fatal(err)
	}
	defer preset.Close()
	plain, err := SpacePreset("nse-27-small", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	small, _ := preset.Describe()
	large, _ := plain.Describe()
	if small.Operators != large.Operators || small.MACs.Greatest >= large.MACs.Greatest {
		t.Errorf("%+v, %+v", small, large)
	}
}

func TestArch(t *testing.T) {
	space := tinySpace(t)
	uniform, err := UniformArch(space, "conv_k3_t1")
	if err != nil {
		t.Fatal(err)
	}
	defer uniform.Close()
	operators := []string{"conv_k3_t1"}
	written, err := ArchFromJSON(space, map[string]any{"cells": [][]string{operators, operators, operators}})
	if err != nil {
		t.Fatal(err)
	}
	defer written.Close()
	a, _ := uniform.JSON()
	b, _ := written.JSON()
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Errorf("%s is not %s", a, b)
	}
	// Counted by hand: stem 3x3 1->4 on 12x12, two cells of 4 and 6 channels, tail 6->8, classifier 8->3.
	macs := uint64(144*9*4 + 144*(4*4+9*4*4+4*4) + (144*4*4 + 36*(9*4*4+4*6)) + 36*(6*6+9*6*6+6*6) + 36*6*8 + 8*3)
	if cost, err := uniform.Cost(); err != nil || cost.MACs != macs || cost.Params < 600 {
		t.Errorf("%+v, %v, by hand %d", cost, err, macs)
	}
}

func TestDataset(t *testing.T) {
	dataset := tinyDataset(t)
	first, second, err := dataset.Split(0.25, 7)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	defer second.Close()
	want := DatasetInfo{Images: 96, Classes: classes, Channels: 1, Height: side, Width: side}
	for part, images := range map[*Dataset]int{dataset: 96, first: 72, second: 24} {
		want.Images = images
		if info, err := part.Info(); err != nil || info != want {
			t.Errorf("%+v, %v, expected %+v", info, err, want)
		}
	}
}
