package nse

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// ensembles is NEAS: one option of a search.
func ensembles() map[string]any {
	changed := shrinking()
	changed["strategy"] = map[string]any{"neas": map[string]any{
		"shrink":    map[string]any{"until": 40},
		"evolution": map[string]any{"population": 6, "parents": 3},
	}}
	changed["scorer"] = map[string]any{"diversity": map[string]any{"samples": 2}}
	changed["candidates"] = map[string]any{"count": 12, "too_few": "accept"}
	changed["objective"] = map[string]any{"low": 0, "high": 200_000}
	return changed
}

func TestNeas(t *testing.T) {
	alone := newSearch(t, ensembles(), nil)
	finish(t, alone)
	front, err := alone.Front()
	if err != nil || len(front.Members) == 0 {
		t.Fatalf("%+v, %v", front, err)
	}
	for _, member := range front.Members {
		if len(member.Paths) != 2 || len(member.Cells)+len(member.Paths[0]) != 3 || len(member.Paths[0]) != len(member.Paths[1]) {
			t.Errorf("%+v", member)
		}
	}
	best, err := alone.Best(200_000)
	if err != nil {
		t.Fatal(err)
	}
	defer best.Arch.Close()
	described, err := best.Arch.Describe(nil)
	if err != nil {
		t.Fatal(err)
	}
	apart := uint64(0)
	for _, member := range described.Members {
		apart += member.MACs
	}
	if described.Paths != 2 || len(described.Members) != 2 || described.Saved.MACs == 0 || apart-described.Saved.MACs != described.MACs {
		t.Errorf("%+v", described)
	}
	own := 0
	for _, cell := range described.Cells {
		if cell.Path != nil && *cell.Cell >= described.Split {
			own++
		}
	}
	if own != 2*(3-described.Split) {
		t.Errorf("%+v", described.Cells)
	}
	model, err := TrainModel(t.Context(), TrainConfig{Arch: best.Arch, Train: tinyDataset(t), Options: `{"train": {"epochs": 1, "batch": 16}, "calibration": 48}`})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	if result, err := model.Evaluate(t.Context(), tinyDataset(t)); err != nil || result.Accuracy <= 0 {
		t.Errorf("%+v, %v", result, err)
	}

	first := newSearch(t, ensembles(), nil)
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
	one, err := json.Marshal(members(t, alone))
	if err != nil {
		t.Fatal(err)
	}
	if other, err := json.Marshal(members(t, second)); err != nil || !bytes.Equal(one, other) {
		t.Errorf("%s became %s, %v", one, other, err)
	}
}

func TestPublishedNetworksAreWhole(t *testing.T) {
	for name, want := range map[string][2]uint64{
		"neas-s": {301_500_768, 8_657_656}, "neas-m": {449_351_296, 11_551_936}, "neas-l": {553_140_864, 12_444_832},
		"spos-abs": {470_792_064, 5_936_776},
	} {
		arch, err := ArchPreset(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		described, err := arch.Describe(nil)
		if err != nil || [2]uint64{described.MACs, described.Params} != want {
			t.Errorf("%s: %+v, %v", name, described, err)
		}
		arch.Close()
	}
}

func TestNeasNamesABadValue(t *testing.T) {
	wrong := with(ensembles(), "strategy", map[string]any{"neas": map[string]any{"paths": 17}})
	_, err := NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), Options: wrong})
	if e := fails(t, err, ErrConfig); !strings.Contains(e.Error(), "/strategy/neas/paths") {
		t.Error(e)
	}
}
