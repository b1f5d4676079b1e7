package nse

import (
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func toldSearch(t *testing.T, change map[string]any) *Search {
	t.Helper()
	options := map[string]any{
		"seed": 3, "rounds": 2, "active": 3, "objective": map[string]any{"low": 12_000, "high": 100_000},
		"candidates": map[string]any{"count": 8},
	}
	for key, value := range change {
		options[key] = value
	}
	search, err := NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Told: true, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { search.Close() })
	return search
}

func askOne(t *testing.T, search *Search) string {
	t.Helper()
	archs, _, err := search.Ask(1)
	if err != nil || len(archs) != 1 {
		t.Fatal(archs, err)
	}
	defer archs[0].Close()
	code, err := archs[0].Code()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// toTheEnd gives the codes in the order asked.
func toTheEnd(t *testing.T, search *Search) (codes []string) {
	t.Helper()
	for {
		archs, done, err := search.Ask(3)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			return codes
		}
		for _, arch := range archs {
			code, err := arch.Code()
			if err != nil {
				t.Fatal(err)
			}
			effect, err := search.Tell(Result{Code: code, Accuracy: 0.5 + float64(len(codes)%7)/20})
			if err != nil || effect != Counted && effect != Late {
				t.Fatal(effect, err)
			}
			codes = append(codes, code)
			arch.Close()
		}
	}
}

func TestToldSearch(t *testing.T) {
	search, again := toldSearch(t, nil), toldSearch(t, nil)
	codes := toTheEnd(t, search)
	if len(codes) < 16 || !reflect.DeepEqual(codes, toTheEnd(t, again)) {
		t.Fatal(codes)
	}
	status, err := search.Status()
	if err != nil || !status.Done || status.Completed != 2 {
		t.Fatal(status, err)
	}
	front, err := search.Front()
	if err != nil || front.Cost != "macs" || len(front.Members) == 0 || front.Members[0].Found == 0 {
		t.Fatal(front, err)
	}
	arch, err := ArchFromCode(tinySpace(t), front.Members[0].Code)
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	under, err := search.FrontUnder("params", nil)
	if err != nil || under.Unit != "parameters" || uint64(under.Members[0].Cost) != under.Members[0].Params {
		t.Fatal(under, err)
	}
	_, err = search.FrontUnder("joules", nil)
	fails(t, err, ErrConfig)
	_, err = search.FrontUnder("latency", nil)
	fails(t, err, ErrInvalidArgument)
	_, err = search.Step(t.Context())
	fails(t, err, ErrInvalidArgument)
}

func TestToldEffects(t *testing.T) {
	search := toldSearch(t, nil)
	code := askOne(t, search)
	pending, err := search.Pending()
	if err != nil || !reflect.DeepEqual(pending, []Pending{{code, 1}}) {
		t.Fatal(pending, err)
	}
	cost := 12_500.0
	result := Result{Code: code, Accuracy: 0.5, Cost: &cost}
	for _, expected := range []Effect{Counted, Repeated} {
		if effect, err := search.Tell(result); err != nil || effect != expected {
			t.Fatal(effect, err)
		}
	}
	result.Failed = true
	_, err = search.Tell(result)
	if conflict := fails(t, err, ErrConflict); !strings.Contains(string(conflict.Detail().Raw), "at cost 12500") {
		t.Fatal(string(conflict.Detail().Raw))
	}
	lost := askOne(t, search)
	if err := search.Forget(lost); err != nil {
		t.Fatal(err)
	}
	if effect, err := search.Tell(Result{Code: lost, Accuracy: 0.6}); err != nil || effect != Unasked {
		t.Fatal(effect, err)
	}
	_, err = search.Tell(Result{Code: "garbage", Accuracy: 0.6})
	fails(t, err, ErrInvalidArgument)
	_, err = search.Tell(Result{Code: "a\x00b"})
	fails(t, err, ErrInvalidArgument)
	fails(t, search.Forget("garbage"), ErrInvalidArgument)
	_, _, err = search.Ask(0)
	fails(t, err, ErrInvalidArgument)
}

func TestToldSearchGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "told.nse")
	search := toldSearch(t, map[string]any{"checkpoint": map[string]any{"path": path, "steps": 1}})
	code := askOne(t, search)
	if _, err := search.Tell(Result{Code: code, Accuracy: 0.7}); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadSearch(t.Context(), path, SearchConfig{Told: true})
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	if effect, err := loaded.Tell(Result{Code: code, Accuracy: 0.7}); err != nil || effect != Repeated {
		t.Fatal(effect, err)
	}
	if one, two := toTheEnd(t, loaded), toTheEnd(t, search); !reflect.DeepEqual(one, two) {
		t.Fatal(one, two)
	}
}

// Goroutines ask and tell as they like, and none is told that the search is busy.
func TestToldWorkers(t *testing.T) {
	search := toldSearch(t, nil)
	var workers sync.WaitGroup
	for range 8 {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for {
				archs, done, err := search.Ask(1)
				if err != nil {
					t.Error(err)
				}
				if err != nil || done {
					return
				}
				for _, arch := range archs {
					code, err := arch.Code()
					if err == nil {
						_, err = search.Tell(Result{Code: code, Accuracy: 0.5})
					}
					if err != nil {
						t.Error(err)
					}
					arch.Close()
				}
			}
		}()
	}
	workers.Wait()
	if status, err := search.Status(); err != nil || !status.Done {
		t.Fatal(status, err)
	}
}

func TestBudget(t *testing.T) {
	space := tinySpace(t)
	met, err := space.Budget(Budget{Low: 12_000, High: 100_000}, nil)
	if err != nil || !met.Satisfiable || met.Below != nil || met.Log10Architectures == nil || met.Middle <= met.Least {
		t.Fatal(met, err)
	}
	missed, err := space.Budget(Budget{Cost: "params", High: 1}, nil)
	if err != nil || missed.Satisfiable || missed.Above == nil || missed.Below != nil || missed.Unit != "parameters" {
		t.Fatal(missed, err)
	}
	_, err = space.Budget(Budget{Low: 2, High: 1}, nil)
	fails(t, err, ErrConfig)
	_, err = space.Budget(Budget{Cost: "latency", High: 1}, nil)
	fails(t, err, ErrInvalidArgument)
}

func TestCodes(t *testing.T) {
	space := tinySpace(t)
	arch, err := UniformArch(space, "conv_k3_t1")
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	code, err := arch.Code()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ArchFromCode(space, code)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if same, err := again.Code(); err != nil || same != code {
		t.Fatal(same, err)
	}
	_, err = ArchFromCode(space, code+"0")
	fails(t, err, ErrInvalidArgument)
}
