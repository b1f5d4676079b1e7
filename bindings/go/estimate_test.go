package nse

import "testing"

func TestAnEstimateSaysWhatASearchTakes(t *testing.T) {
	steps := 0
	search := newSearch(t, options(1), func(event Event) {
		if event.Kind == EventTrain {
			steps = event.Steps
		}
	})
	if _, err := search.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	e, err := search.Estimate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if e.Device != "cpu" || e.Steps == nil || *e.Steps != steps || e.Candidates != 8 || e.Rounds != 1 {
		t.Errorf("%s, of %d steps", e.Raw, steps)
	}
	if m := e.Memory; m.Weights == 0 || m.Images == 0 || m.Scoring == 0 || m.Training >= m.TrainingMost || m.Peak <= m.TrainingMost {
		t.Errorf("%s", e.Raw)
	}
	s := e.Seconds
	if s.WeightStep <= 0 || s.ArchitectureStep <= 0 || *s.Candidate <= 0 || *s.Round <= s.WeightStep || *s.Search < *s.Round {
		t.Errorf("%s", e.Raw)
	}
}

func TestAnEstimateOfPushedBatchesChangesNothing(t *testing.T) {
	search, host := newPushed(t, pushedOptions(), nil), newLoader()
	host.until(t, search, func(now Pushed) bool { return now.Next == PhaseEvaluate })
	e, err := search.Estimate(t.Context())
	if err != nil || e.Steps != nil || e.Seconds.Round != nil || e.Seconds.Search != nil || e.Memory.Images != 0 {
		t.Errorf("%s, %v", e.Raw, err)
	}
	host.until(t, search, atEnd)
	sameAsUndisturbed(t, search)
}

func TestWhatIsTooLargeIsOutOfMemory(t *testing.T) {
	// Images of more bytes than an address can name.
	space, err := SpacePreset("nse-27-small", map[string]any{
		"input": map[string]any{"channels": 256, "height": 4096, "width": 4096},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	search, err := NewSearch(t.Context(), SearchConfig{Space: space, Pushed: true, Options: map[string]any{
		"active": 2, "objective": map[string]any{"low": 1, "high": 1e20}, "train": map[string]any{"batch": 65536},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	_, err = search.Estimate(t.Context())
	fails(t, err, ErrOutOfMemory)
	// It can go on.
	if now := next(t, search); now.Next != PhaseWeight {
		t.Errorf("%+v", now)
	}
}
