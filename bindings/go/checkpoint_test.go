package nse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func loadSearch(t *testing.T, path string, config SearchConfig) *Search {
	t.Helper()
	if config.Train == nil {
		config.Train = tinyDataset(t)
	}
	search, err := LoadSearch(t.Context(), path, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { search.Close() })
	return search
}

// finish runs a search to its end.
func finish(t *testing.T, search *Search) *Search {
	t.Helper()
	steps(t, nil, func() (bool, error) { return search.Step(t.Context()) })
	return search
}

// member is a candidate of a front that can be compared.
type member struct {
	Cells    string
	Accuracy float64
}

func members(t *testing.T, search *Search) (front []member) {
	t.Helper()
	for _, candidate := range frontOf(t, search) {
		text, err := candidate.Arch.JSON()
		var document struct{ Cells json.RawMessage }
		if err = errors.Join(err, json.Unmarshal(text, &document)); err != nil {
			t.Fatal(err)
		}
		front = append(front, member{string(document.Cells), candidate.Accuracy})
	}
	return front
}

// same compares what two searches have found, to the last bit.
func same(t *testing.T, expected, search *Search) {
	t.Helper()
	if a, b := timeless(t, expected), timeless(t, search); len(a) != 2 || !reflect.DeepEqual(a, b) {
		t.Errorf("%v\nbecame\n%v", a, b)
	}
	if a, b := members(t, expected), members(t, search); len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("%v\nbecame\n%v", a, b)
	}
}

// The promise of a checkpoint: saved anywhere, the same result.
func TestCheckpointIsLookedAtWithoutImages(t *testing.T) {
	search := newSearch(t, options(3), nil)
	if _, err := search.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "search.nse")
	if err := search.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	seen, err := LookAtSearch(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Close()
	if page, err := seen.Report("html"); err != nil || !bytes.Contains(page, []byte("1 of 2 rounds are complete.")) {
		t.Errorf("%.80s, %v", page, err)
	}
	_, err = seen.Step(t.Context())
	fails(t, err, ErrInvalidArgument)
	fails(t, seen.Save(t.Context(), path), ErrInvalidArgument)
}

func TestALoadedSearchEndsWithTheSameResult(t *testing.T) {
	undisturbed := finish(t, newSearch(t, options(3), nil))
	for name, at := range map[string]func(Event) bool{
		"in training":             func(event Event) bool { return event.Kind == EventTrain && event.Step == 11 },
		"in scoring":              func(event Event) bool { return event.Round == 1 && event.Kind == EventScore },
		"in the second round":     func(event Event) bool { return event.Round == 2 && event.Step == 20 },
		"in the second's scoring": func(event Event) bool { return event.Round == 2 && event.Kind == EventScore },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "checkpoint")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			search := newSearch(t, options(3), func(event Event) {
				if at(event) {
					cancel()
				}
			})
			for {
				done, err := search.Step(ctx)
				if err != nil {
					fails(t, err, ErrCancelled)
					break
				}
				if done {
					t.Fatal("no such event")
				}
			}
			if err := search.Save(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			search.Close()
			told := 0
			loaded := loadSearch(t, path, SearchConfig{OnEvent: func(Event) { told++ }})
			status, err := loaded.Status()
			if err != nil || status.Rounds != 2 {
				t.Errorf("%+v, %v", status, err)
			}
			// A cancel may come too late for the second round, but then nothing is left to do.
			if same(t, undisturbed, finish(t, loaded)); status.Done != (told == 0) {
				t.Errorf("%+v, %d events", status, told)
			}
		})
	}
}

// Saved where nothing is under way, with everything that may be said again.
func TestSavedBetweenRounds(t *testing.T) {
	undisturbed := finish(t, newSearch(t, options(2), nil))
	path := filepath.Join(t.TempDir(), "checkpoint")
	search := newSearch(t, options(2), nil)
	for round := range 3 {
		if err := search.Save(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		loaded := loadSearch(t, path, SearchConfig{Space: tinySpace(t), Options: options(2)})
		if status, err := loaded.Status(); err != nil || status.Completed != round || status.Done != (round == 2) {
			t.Errorf("%+v, %v", status, err)
		}
		if a, b := members(t, search), members(t, loaded); !slices.Equal(a, b) || (round == 0) != (len(a) == 0) {
			t.Errorf("%v\nbecame\n%v", a, b)
		}
		same(t, undisturbed, finish(t, loaded))
		if _, err := search.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// A latency table is in the checkpoint: it need not be there to load it, and it must be the same one when it is.
func TestACheckpointHasTheLatencies(t *testing.T) {
	space := tinySpace(t)
	latency := filled(t, space, func(i int) float64 { return 0.5 + float64(i%5)/3 })
	description, err := space.Describe(latency)
	if err != nil {
		t.Fatal(err)
	}
	low, high := description.Latency.Least+2, description.Latency.Greatest-2
	search, err := NewSearch(t.Context(), SearchConfig{Space: space, Train: tinyDataset(t), Options: latencyOptions(low, high), Latency: latency})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	if _, err := search.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "checkpoint")
	if err := search.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	finish(t, search)
	same(t, search, finish(t, loadSearch(t, path, SearchConfig{})))
	same(t, search, finish(t, loadSearch(t, path, SearchConfig{Latency: latency})))
	if err := latency.Set(missing(t, newLatencies(t), space)[0], 7); err != nil {
		t.Fatal(err)
	}
	_, err = LoadSearch(t.Context(), path, SearchConfig{Train: tinyDataset(t), Latency: latency})
	fails(t, err, ErrFormat)
}

func TestSpaceAndOptionsOfASearch(t *testing.T) {
	search := newSearch(t, options(1), nil)
	path := filepath.Join(t.TempDir(), "checkpoint")
	if err := search.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	want, err := tinySpace(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Search{search, loadSearch(t, path, SearchConfig{})} {
		space, err := s.Space()
		if err != nil {
			t.Fatal(err)
		}
		defer space.Close()
		if text, err := space.JSON(); err != nil || string(text) != string(want) {
			t.Errorf("%s, %v, expected %s", text, err, want)
		}
		text, err := s.Options()
		var all struct {
			Seed    int
			Active  int
			Device  string
			Fitness struct{ Threshold float64 }
		}
		if err != nil || json.Unmarshal(text, &all) != nil || all.Seed != 3 || all.Active != 2 || all.Device != "cpu" || all.Fitness.Threshold != -2 {
			t.Errorf("%s, %v", text, err)
		}
		// They are options, and those of the checkpoint.
		again := newSearch(t, text, nil)
		if second, err := again.Options(); err != nil || string(second) != string(text) {
			t.Errorf("%s became %s, %v", text, second, err)
		}
		loadSearch(t, path, SearchConfig{Options: text})
	}
}

// The option saves while a step runs; a search that was torn away goes on from there.
func TestTheOptionCheckpoint(t *testing.T) {
	undisturbed := finish(t, newSearch(t, options(3), nil))
	path, copied := filepath.Join(t.TempDir(), "running"), filepath.Join(t.TempDir(), "copied")
	saving := with(options(3), "checkpoint", map[string]any{"path": path, "steps": 4})
	search := newSearch(t, saving, func(event Event) {
		if event.Round == 1 && event.Step == 18 {
			text, err := os.ReadFile(path)
			if err = errors.Join(err, os.WriteFile(copied, text, 0o600)); err != nil {
				t.Error(err)
			}
		}
	})
	same(t, undisturbed, finish(t, search))
	if status, err := loadSearch(t, path, SearchConfig{Options: options(3)}).Status(); err != nil || !status.Done {
		t.Errorf("at the end: %+v, %v", status, err)
	}
	torn := loadSearch(t, copied, SearchConfig{Options: with(options(3), "threads", 1)})
	if status, err := torn.Status(); err != nil || status.Done {
		t.Errorf("in the first round: %+v, %v", status, err)
	}
	same(t, undisturbed, finish(t, torn))

	unsaved := newSearch(t, with(options(1), "checkpoint", map[string]any{"path": filepath.Join(path, "no folder")}), nil)
	_, err := unsaved.Step(t.Context())
	fails(t, err, ErrIO)
}

func TestSaveErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint")
	var inside error
	var search *Search
	search = newSearch(t, options(1), func(Event) { inside = search.Save(t.Context(), path) })
	if _, err := search.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if fails(t, inside, ErrBusy); search.Save(t.Context(), path) != nil {
		t.Error("busy after the step")
	}
	absent := filepath.Join(t.TempDir(), "no folder", "checkpoint")
	if err := search.Save(t.Context(), absent); !errors.Is(err, fs.ErrNotExist) || fails(t, err, ErrIO).Detail().Path == "" {
		t.Error(err)
	}
	fails(t, search.Save(t.Context(), path+"\x00"), ErrInvalidArgument)
}

func TestLoadErrors(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "checkpoint")
	search := newSearch(t, options(1), nil)
	ctx, cancel := context.WithCancel(t.Context())
	search.onEvent = func(Event) { cancel() }
	if _, err := search.Step(ctx); !errors.Is(err, ErrCancelled) {
		t.Fatal(err)
	}
	if err := search.Save(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	load := func(path string, config SearchConfig) error {
		if config.Train == nil {
			config.Train = tinyDataset(t)
		}
		config.OnEvent = func(event Event) { t.Errorf("%+v", event) }
		_, err := LoadSearch(t.Context(), path, config)
		return err
	}
	if err := load(path, SearchConfig{}); err != nil {
		t.Fatal(err)
	}

	absent := filepath.Join(folder, "not-there")
	if e := fails(t, load(absent, SearchConfig{}), ErrIO); !errors.Is(e, fs.ErrNotExist) || e.Detail().Path != absent {
		t.Errorf("%v: %+v", e, e.Detail())
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(whole)
	changed[len(changed)/2] ^= 1
	broken := filepath.Join(folder, "broken")
	for name, content := range map[string][]byte{
		"empty": nil, "text": []byte("a letter"), "truncated": whole[:len(whole)-1], "longer": append(slices.Clone(whole), 0), "changed": changed,
	} {
		if err := os.WriteFile(broken, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if e := fails(t, load(broken, SearchConfig{}), ErrFormat); e.Detail().Path != broken {
			t.Errorf("%s: %v: %+v", name, e, e.Detail())
		}
	}

	other, err := SpaceFromJSON(with(tiny, "name", "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	images, err := DatasetFromMemory(stripes(93))
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	fails(t, load(path, SearchConfig{Space: other}), ErrFormat)
	fails(t, load(path, SearchConfig{Train: images}), ErrFormat)
	fails(t, load(path, SearchConfig{HeldOut: images}), ErrFormat)
	fails(t, load(path, SearchConfig{Latency: newLatencies(t)}), ErrFormat)
	fails(t, load(path, SearchConfig{Continued: finish(t, newSearch(t, options(1), nil))}), ErrInvalidArgument)
	for pointer, options := range map[string]any{
		"/seed":            with(options(1), "seed", 4),
		"/train/epochs":    options(2),
		"/objective/high":  with(options(1), "objective", map[string]any{"low": 12_000, "high": 100_001}),
		"/candidates/many": with(options(1), "candidates", map[string]any{"many": 3}),
	} {
		if e := fails(t, load(path, SearchConfig{Options: options}), ErrConfig); e.Detail().Pointer != pointer {
			t.Errorf("%v: %+v, expected %s", e, e.Detail(), pointer)
		}
	}
}
