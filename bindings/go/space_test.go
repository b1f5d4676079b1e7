package nse

// Library, spaces, architectures, datasets: what needs no training.

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestLibrary(t *testing.T) {
	info, err := Runtime(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.NSE.ABI != ABI || info.NSE.Version != Version() || !json.Valid(info.Raw) {
		t.Errorf("%+v, version %s", info, Version())
	}
	if !info.NSE.Torch || info.Runtime == nil || info.Runtime.LibTorch.Version == "" || info.Runtime.LibTorch.Threads < 1 {
		t.Errorf("%+v", info)
	}
	torch := info.Runtime.LibTorch
	if !strings.HasPrefix(torch.Version, torch.MadeFor+".") || torch.Problem != "" || torch.BeforeNSE == nil || len(torch.Others) != 0 {
		t.Errorf("%+v", torch)
	}
	if len(info.OpenMP.Libraries) != 1 || info.OpenMP.Warning != "" {
		t.Errorf("%+v", info.OpenMP)
	}
	if cuda := info.Runtime.CUDA; cuda.Available == (cuda.Reason != "") {
		t.Errorf("%+v", cuda)
	}
	number := VersionNumber()
	if !strings.HasPrefix(Version(), string(rune('0'+number>>16))+"."+string(rune('0'+number>>8&255))+".") {
		t.Errorf("%s is not %#x", Version(), number)
	}
	presets, err := SpacePresets()
	if err != nil || !slices.ContainsFunc(presets, func(p Preset) bool { return p.Name == "nse-27-small" && p.Description != "" }) {
		t.Errorf("%+v, %v", presets, err)
	}
	if presets, err = ArchPresets(); err != nil || len(presets) != 23 || presets[0].Name != "nsenet-27" || presets[0].Description == "" {
		t.Errorf("%+v, %v", presets, err)
	}
	if text, err := MeasureOptionsSchema(); err != nil || !bytes.Contains(text, []byte("repeats")) {
		t.Errorf("%s, %v", text, err)
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
	description, err := space.Describe(nil)
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
	small, _ := preset.Describe(nil)
	large, _ := plain.Describe(nil)
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

// The published counts: without squeeze-excitation and, as NSE's paper has them, with it.
func TestPublishedArch(t *testing.T) {
	arch, err := ArchPreset("nsenet-27", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	plain, err := arch.Describe(nil)
	if err != nil || plain.Space != "nse-27" || plain.MACs != 326_325_200 || plain.PublishedMACs != 326_326_224 || plain.Params != 4_570_464 {
		t.Errorf("%+v, %v", plain, err)
	}
	if cost, err := arch.Cost(); err != nil || cost != (Cost{plain.MACs, plain.Params}) {
		t.Errorf("%+v, %v", cost, err)
	}
	excited, err := arch.Describe(map[string]any{"squeeze_excitation": true, "activation": "swish"})
	if err != nil || excited.MACs != 328_334_608 || excited.Params <= plain.Params || !reflect.DeepEqual(excited.Cells, plain.Cells) {
		t.Errorf("%+v, %v", excited, err)
	}
	_, err = arch.Describe(map[string]any{"activation": "tanh"})
	if e := fails(t, err, ErrConfig); e.Detail().Document != "variant" || e.Detail().Pointer != "/activation" {
		t.Errorf("%v: %+v", e, e.Detail())
	}
	checkCells(t, arch, plain)

	wide, err := ArchPreset("nsenet-27", map[string]any{"scale": 1.2})
	if err != nil {
		t.Fatal(err)
	}
	defer wide.Close()
	if cost, err := wide.Cost(); err != nil || cost.MACs <= plain.MACs || cost.Params <= plain.Params {
		t.Errorf("%+v, %v", cost, err)
	}
	_, err = ArchPreset("nsenet-27", map[string]any{"scael": 1.2})
	if e := fails(t, err, ErrConfig); e.Detail().Pointer != "/scael" {
		t.Errorf("%v: %+v", e, e.Detail())
	}
	_, err = ArchPreset("nsenet-27", map[string]any{"repeats": []int{1, 1, 1, 1, 1, 1}})
	fails(t, err, ErrInvalidArgument)
}

// checkCells compares a description with the architecture's own form and with its space.
func checkCells(t *testing.T, arch *Arch, description ArchDescription) {
	t.Helper()
	var document struct{ Cells [][]string }
	if text, err := arch.JSON(); err != nil || json.Unmarshal(text, &document) != nil || len(document.Cells) != len(description.Cells) {
		t.Fatalf("%s, %v, but %d cells", text, err, len(description.Cells))
	}
	macs, kinds := uint64(0), map[string]int{}
	for i, cell := range description.Cells {
		if !slices.Equal(cell.Operators, document.Cells[i]) || cell.Channels < 1 || cell.Height < 7 || cell.Width != cell.Height {
			t.Errorf("cell %d: %+v of %v", i, cell, document.Cells[i])
		}
		if skipped := len(cell.Operators) == 0; skipped != (cell.MACs == 0) || skipped != (cell.Params == 0) {
			t.Errorf("cell %d: %+v", i, cell)
		}
		macs += cell.MACs
		kinds[cell.Kind]++
	}
	if macs == 0 || macs >= description.MACs || kinds["normal"] == 0 || len(kinds) < 2 {
		t.Errorf("%d multiply-accumulates in %v", macs, kinds)
	}
	space, err := arch.Space()
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	whole, err := space.Describe(nil)
	if err != nil || whole.Name != description.Space || whole.Cells != len(description.Cells) || whole.Latency != nil {
		t.Errorf("%+v, %v", whole, err)
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
