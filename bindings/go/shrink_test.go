package nse

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// shrinking is ABS: one option of a search.
func shrinking() map[string]any {
	changed := with(options(2), "strategy", map[string]any{"shrink": map[string]any{
		"drop": map[string]any{"worst": 4}, "until": 12, "warm_up": 1, "ramp": map[string]any{"epochs": 9},
	}})
	delete(changed, "rounds")
	changed["branches"] = "single"
	changed["candidates"] = map[string]any{"count": 4, "extras": 0, "too_few": "accept"}
	changed["objective"] = map[string]any{"low": 0, "high": 100_000}
	return changed
}

// choices are what a cell could do after a round, for each round.
func choices(t *testing.T, search *Search) (left [][]int) {
	t.Helper()
	history, err := search.History()
	if err != nil {
		t.Fatal(err)
	}
	for _, round := range history {
		line, err := json.Marshal(round)
		if err != nil {
			t.Fatal(err)
		}
		var record struct {
			Scores [][]struct {
				Operator *string
				Score    *float64
				Stays    bool
			}
		}
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		var cells []int
		for _, cell := range record.Scores {
			stay := 0
			for _, choice := range cell {
				if choice.Stays {
					stay++
				}
			}
			cells = append(cells, stay)
		}
		left = append(left, cells)
	}
	return left
}

func TestShrink(t *testing.T) {
	alone := newSearch(t, shrinking(), nil)
	finish(t, alone)
	left := choices(t, alone)
	// 6 x 5 x 4 architectures; 4 choices leave at a time, until there are 12 architectures at most.
	if len(left) < 3 {
		t.Fatalf("%v", left)
	}
	for round, cells := range left[:len(left)-1] {
		sum, product := 0, 1
		for _, cell := range cells {
			sum, product = sum+cell, product*cell
		}
		if last := round == len(left)-2; sum != 15-4*(round+1) || (product <= 12) != last {
			t.Errorf("round %d of %v: %d choices, %d architectures", round, left, sum, product)
		}
	}
	if front := members(t, alone); len(front) == 0 {
		t.Error("no front")
	}

	first := newSearch(t, shrinking(), nil)
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

func TestShrinkNamesABadValue(t *testing.T) {
	wrong := with(shrinking(), "scorer", map[string]any{"angle": map[string]any{"samples": 0}})
	_, err := NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), Options: wrong})
	if e := fails(t, err, ErrConfig); !strings.Contains(e.Error(), "/scorer/angle/samples") {
		t.Error(e)
	}
}
