package nse

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
)

// In a space with more operators the front of the finished search is active from the start, and scored again.
func TestContinuedInALargerSpace(t *testing.T) {
	less := with(tiny, "operators", []string{"mbconv_k3_t1", "conv_k3_t1", "rec_k3_t1"})
	small, err := SpaceFromJSON(less)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	dataset := tinyDataset(t)
	first, err := NewSearch(t.Context(), SearchConfig{Space: small, Train: dataset, Options: options(2)})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	goOn := func(space *Space, high float64) (*Search, error) {
		changed := with(options(2), "candidates", map[string]any{"count": 4, "extras": 0})
		changed["objective"] = map[string]any{"low": 12_000, "high": high}
		return NewSearch(t.Context(), SearchConfig{Space: space, Train: dataset, Options: changed, Continued: first})
	}
	_, err = goOn(tinySpace(t), 100_000)
	if e := fails(t, err, ErrInvalidArgument); e.Detail().Argument != "continued" {
		t.Errorf("not finished: %v: %+v", e, e.Detail())
	}
	finish(t, first)
	cells, err := SpacePreset("nse-27-small", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cells.Close()
	_, err = goOn(cells, 1e9)
	if e := fails(t, err, ErrInvalidArgument); e.Detail().Argument != "continued" {
		t.Errorf("other cells: %v: %+v", e, e.Detail())
	}

	second, err := goOn(tinySpace(t), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	before := members(t, first)
	if after := members(t, second); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("%v\nbecame\n%v", before, after)
	}
	if status, err := second.Status(); err != nil || status.Completed != 0 || status.Done {
		t.Errorf("%+v, %v", status, err)
	}
	checkActive(t, second, before)
	first.Close()
	// Saved and loaded it continues too, without the first one.
	path := filepath.Join(t.TempDir(), "checkpoint")
	if err := second.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	loaded := finish(t, loadSearch(t, path, SearchConfig{}))
	same(t, finish(t, second), loaded)
	var round struct{ Candidates []struct{ MACs uint64 } }
	history, err := second.History()
	if err != nil || json.Unmarshal(history[0], &round) != nil || len(round.Candidates) != len(before)+4 {
		t.Errorf("%d candidates beside a front of %d, %v", len(round.Candidates), len(before), err)
	}
}

// Architectures of another space, or of the same one, are a start too.
func TestArchitecturesAsAStart(t *testing.T) {
	small, err := SpaceFromJSON(with(tiny, "operators", []string{"mbconv_k3_t1", "conv_k3_t1"}))
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	arch, err := UniformArch(small, "mbconv_k3_t1")
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	config := SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), Options: with(options(1), "objective",
		map[string]any{"low": 0, "high": 1_000_000}), Start: []*Arch{arch}}
	search, err := NewSearch(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	front := members(t, search)
	if len(front) != 1 {
		t.Fatalf("%v", front)
	}
	checkActive(t, search, front)
	finish(t, search)
	config.Start = []*Arch{arch, nil}
	_, err = NewSearch(t.Context(), config)
	fails(t, err, ErrInvalidHandle)
	config.Start, config.Continued = config.Start[:1], search
	_, err = NewSearch(t.Context(), config)
	fails(t, err, ErrInvalidArgument)
}

// checkActive sees that all operators of a front have weights.
func checkActive(t *testing.T, search *Search, front []member) {
	t.Helper()
	names := [][]string{tiny["operators"].([]string), tiny["operators"].([]string), {"mbconv_k3_t1", "conv_k3_t1", "rec_k3_t1"}}
	active, err := search.Active()
	if err != nil {
		t.Fatal(err)
	}
	for _, member := range front {
		var cells [][]string
		if err := json.Unmarshal([]byte(member.Cells), &cells); err != nil {
			t.Fatal(err)
		}
		for cell, operators := range cells {
			for _, operator := range operators {
				if i := slices.Index(names[cell], operator); i < 0 || !active[cell][i] {
					t.Errorf("%s of cell %d has no weights: %v", operator, cell, active[cell])
				}
			}
		}
	}
}
