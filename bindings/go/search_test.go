package nse

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// One real search, watched while it runs.
func TestSearch(t *testing.T) {
	var search *Search
	var events atomic.Int32
	search = newSearch(t, options(3), func(event Event) {
		events.Add(1)
		if status, err := search.Status(); err != nil || status.Rounds != 2 {
			t.Errorf("%+v, %v", status, err)
		}
		checkTables(t, search, false)
	})
	if status, err := search.Status(); err != nil || status != (SearchStatus{Rounds: 2}) {
		t.Errorf("%+v, %v", status, err)
	}
	if front, err := search.Front(); err != nil || len(front.Members) != 0 || front.Cost != "macs" {
		t.Errorf("%v, %v", front, err)
	}
	_, err := search.Best(1 << 40)
	fails(t, err, ErrNotFound)
	if svg, err := search.Report("svg"); err != nil || !bytes.Contains(svg, []byte("no round is complete yet")) {
		t.Errorf("%.80s, %v", svg, err)
	}
	if history, err := search.History(); err != nil || len(history) != 0 {
		t.Errorf("%s, %v", history, err)
	}
	for round := 1; round <= 3; round++ {
		done, err := search.Step(t.Context())
		if err != nil || done != (round >= 2) {
			t.Fatalf("round %d: %v, %v", round, done, err)
		}
		checkTables(t, search, true)
	}
	status, err := search.Status()
	if err != nil || !status.Done || status.Completed != 2 || status.Event == nil || status.Event.Kind != EventFinish {
		t.Errorf("%+v, %v", status, err)
	}
	if events.Load() < 2*3*9 {
		t.Errorf("%d events", events.Load())
	}
	checkFront(t, search)
	if svg, err := search.Report("svg"); err != nil || !bytes.Contains(svg, []byte("<svg")) {
		t.Errorf("%.80s, %v", svg, err)
	}
	if png, err := search.Report("png"); err != nil || !bytes.HasPrefix(png, []byte("\x89PNG")) {
		t.Errorf("%.80q, %v", png, err)
	}
	_, err = search.Report("gif")
	fails(t, err, ErrInvalidArgument)
	best, err := search.Best(1 << 40)
	if err != nil {
		t.Fatal(err)
	}
	defer best.Arch.Close()
	if svg, err := best.Arch.Draw("svg"); err != nil || !bytes.Contains(svg, []byte("cell 2 ")) {
		t.Errorf("%.80s, %v", svg, err)
	}
	_, err = best.Arch.Draw("dot")
	fails(t, err, ErrInvalidArgument)
	if time, err := MeasureArch(t.Context(), best.Arch, map[string]any{"repeats": 2}); err != nil || time <= 0 {
		t.Errorf("%v, %v", time, err)
	}
}

// checkTables looks at the shapes, at the padding of the third cell, and at two active operators per cell.
func checkTables(t *testing.T, search *Search, learnt bool) {
	t.Helper()
	scores, err := search.Scores()
	active, err2 := search.Active()
	if err = errors.Join(err, err2); err != nil || len(scores) != 3 || len(active) != 3 {
		t.Fatalf("%v, %v, %v", scores, active, err)
	}
	for cell := range 3 {
		if len(scores[cell]) != 5 || len(active[cell]) != 5 {
			t.Fatalf("cell %d: %v, %v", cell, scores[cell], active[cell])
		}
		on, known := 0, 0
		for operator := range 5 {
			on += map[bool]int{true: 1}[active[cell][operator]]
			known += map[bool]int{true: 1}[!math.IsNaN(scores[cell][operator])]
			if operator >= 3 && cell == 2 && (active[cell][operator] || !math.IsNaN(scores[cell][operator])) {
				t.Errorf("the padding says %v, %v", active[cell], scores[cell])
			}
		}
		if on < 1 || on > 2 || (learnt && known < 2) {
			t.Errorf("cell %d: %v, %v", cell, active[cell], scores[cell])
		}
	}
}

// checkFront compares the front with the last round of the history, and Best with the front.
func checkFront(t *testing.T, search *Search) {
	t.Helper()
	front := frontOf(t, search)
	snapshot, err := search.Front()
	if err != nil || len(front) == 0 || len(snapshot.Members) != len(front) || snapshot.Unit != "MACs" {
		t.Fatalf("%+v, %v", snapshot, err)
	}
	history, err := search.History()
	if err != nil || len(history) != 2 {
		t.Fatalf("%s, %v", history, err)
	}
	var round struct {
		Round  int
		Metric string
		Window [2]float64
		Front  []struct {
			Cost     float64
			MACs     uint64
			Accuracy float64
			Cells    [][]string
		}
	}
	if err := json.Unmarshal(history[1], &round); err != nil || round.Round != 2 || len(round.Front) != len(front) {
		t.Fatalf("%+v, %v", round, err)
	}
	if round.Metric != "macs" || round.Window != [2]float64{12_000, 100_000} {
		t.Errorf("%+v", round)
	}
	for i, candidate := range front {
		if member := snapshot.Members[i]; member.MACs != round.Front[i].MACs || member.Accuracy != candidate.Accuracy ||
			!reflect.DeepEqual(member.Cells, round.Front[i].Cells) || member.Found < 1 || member.Found > 2 {
			t.Errorf("%+v, in the history %+v", member, round.Front[i])
		}
		cost, err := candidate.Arch.Cost()
		if err != nil || cost.MACs != round.Front[i].MACs || float64(cost.MACs) != round.Front[i].Cost || candidate.Accuracy != round.Front[i].Accuracy {
			t.Errorf("%+v, %v, %v, in the history %+v", candidate, cost, err, round.Front[i])
		}
		var document struct{ Cells [][]string }
		if text, err := candidate.Arch.JSON(); err != nil || json.Unmarshal(text, &document) != nil || !reflect.DeepEqual(document.Cells, round.Front[i].Cells) {
			t.Errorf("%s, %v, in the history %v", text, err, round.Front[i].Cells)
		}
		// A front rises: its most accurate member within its own cost is itself.
		best, err := search.Best(float64(cost.MACs))
		if err != nil || best.Accuracy != candidate.Accuracy {
			t.Errorf("%+v, %v, expected %+v", best, err, candidate)
			continue
		}
		if same, err := best.Arch.Cost(); err != nil || same != cost {
			t.Errorf("%+v, %v, expected %+v", same, err, cost)
		}
		best.Arch.Close()
	}
	_, err = search.Best(1)
	fails(t, err, ErrNotFound)
	if accuracy := front[len(front)-1].Accuracy; accuracy < 0.5 || accuracy > 1 {
		t.Errorf("patterns that a child can tell apart: %v", accuracy)
	}
}

// The options are laid over those of the preset, key by key.
func TestPresetsOfOptions(t *testing.T) {
	presets, err := SearchOptionsPresets()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(presets, func(preset OptionsPreset) bool { return preset.Name == "laptop" })
	if len(presets) != 5 || at < 0 || presets[at].Description == "" {
		t.Fatalf("%+v", presets)
	}
	type chosen struct {
		Preset string
		Active int
		Train  struct {
			Batch int
			LR    float64
		}
	}
	var named, all chosen
	if err := json.Unmarshal(presets[at].Options, &named); err != nil || named.Active < 2 || named.Train.LR <= 0 {
		t.Errorf("%s, %v", presets[at].Options, err)
	}
	search := newSearch(t, map[string]any{
		"preset": "laptop", "seed": 3, "rounds": 1, "threads": 1, "objective": options(1)["objective"],
		"train": map[string]any{"batch": 8}, "candidates": map[string]any{"count": 8, "extras": 0},
	}, nil)
	text, err := search.Options()
	if err != nil || json.Unmarshal(text, &all) != nil {
		t.Fatalf("%s, %v", text, err)
	}
	named.Preset, named.Train.Batch = "laptop", 8
	if all != named {
		t.Errorf("%+v, expected %+v", all, named)
	}
	if done, err := search.Step(t.Context()); err != nil || !done {
		t.Errorf("%v, %v", done, err)
	}
	_, err = NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), Options: `{"preset": "desktop"}`})
	if e := fails(t, err, ErrConfig); e.Detail().Pointer != "/preset" || !strings.Contains(e.Message, "laptop") {
		t.Errorf("%v: %+v", e, e.Detail())
	}
}

func TestHeldOutIsUsed(t *testing.T) {
	space, train := tinySpace(t), tinyDataset(t)
	wrong, err := DatasetFromMemory(Images{Channels: 1, Height: 2, Width: 2, Pixels: make([]byte, 8), Labels: []uint32{0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	_, err = NewSearch(t.Context(), SearchConfig{Space: space, Train: train, HeldOut: wrong, Options: options(1)})
	if e := fails(t, err, ErrInvalidArgument); !strings.Contains(e.Message, "1x2x2") {
		t.Error(e)
	}
}

// A loop over a front goes over one front, whatever becomes of the search meanwhile.
func TestFrontIsThatOfOneRound(t *testing.T) {
	search := newSearch(t, with(options(1), "rounds", 3), nil)
	step := func() {
		if _, err := search.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	step()
	front, err := search.Front()
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for candidate, err := range search.FrontArchs() {
		if at == 0 {
			step()
		}
		code, err2 := candidate.Arch.Code()
		if err = errors.Join(err, err2); err != nil || code != front.Members[at].Code || candidate.Accuracy != front.Members[at].Accuracy {
			t.Errorf("%s, %v, expected %+v", code, err, front.Members[at])
		}
		candidate.Arch.Close()
		at++
	}
	if at == 0 || at != len(front.Members) {
		t.Errorf("%d of %d", at, len(front.Members))
	}
	for candidate := range search.FrontArchs() {
		defer candidate.Arch.Close()
		break
	}
	search.Close()
	seen := 0
	for candidate, err := range search.FrontArchs() {
		if fails(t, err, ErrInvalidHandle); candidate.Arch != nil {
			t.Error(candidate)
		}
		seen++
	}
	if seen != 1 {
		t.Errorf("%d errors", seen)
	}
}
