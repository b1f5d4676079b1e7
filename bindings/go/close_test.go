package nse

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// everything makes one object of each kind, trained as little as possible.
func everything(t *testing.T) (*Space, *Dataset, *Arch, *Search, *Model) {
	t.Helper()
	space, dataset, search := tinySpace(t), tinyDataset(t), newSearch(t, options(1), nil)
	arch, err := UniformArch(space, "conv_k3_t1")
	if err != nil {
		t.Fatal(err)
	}
	model, err := TrainModel(t.Context(), TrainConfig{Arch: arch, Train: dataset, Options: modelOptions(1)})
	if err != nil {
		t.Fatal(err)
	}
	return space, dataset, arch, search, model
}

// uses is every way to use the five objects.
func uses(t *testing.T, space *Space, dataset *Dataset, arch *Arch, search *Search, model *Model) map[string]func() error {
	ctx := t.Context()
	good, images := tinySpace(t), tinyDataset(t)
	arg := func(config SearchConfig) error { config.Options = options(1); _, err := NewSearch(config); return err }
	fit := func(config TrainConfig) error { _, err := TrainModel(ctx, config); return err }
	return map[string]func() error{
		"Space.JSON":          func() error { _, err := space.JSON(); return err },
		"Space.Describe":      func() error { _, err := space.Describe(); return err },
		"ArchFromJSON":        func() error { _, err := ArchFromJSON(space, "{}"); return err },
		"UniformArch":         func() error { _, err := UniformArch(space, "conv_k3_t1"); return err },
		"Dataset.Info":        func() error { _, err := dataset.Info(); return err },
		"Dataset.Split":       func() error { _, _, err := dataset.Split(0.5, 0); return err },
		"Arch.JSON":           func() error { _, err := arch.JSON(); return err },
		"Arch.Cost":           func() error { _, err := arch.Cost(); return err },
		"Search.Step":         func() error { _, err := search.Step(ctx); return err },
		"Search.Cancel":       func() error { return search.Cancel() },
		"Search.Status":       func() error { _, err := search.Status(); return err },
		"Search.Scores":       func() error { _, err := search.Scores(); return err },
		"Search.Active":       func() error { _, err := search.Active(); return err },
		"Search.Front":        func() error { _, err := search.Front(); return err },
		"Search.Best":         func() error { _, err := search.Best(1 << 40); return err },
		"Search.History":      func() error { _, err := search.History(); return err },
		"Search.Report":       func() error { _, err := search.Report("svg"); return err },
		"Model.Evaluate":      func() error { _, err := model.Evaluate(ctx, images); return err },
		"Model.Export":        func() error { return model.Export("torchscript", t.TempDir()+"/m.pt") },
		"SearchConfig.Space":  func() error { return arg(SearchConfig{Space: space, Train: images}) },
		"SearchConfig.Train":  func() error { return arg(SearchConfig{Space: good, Train: dataset}) },
		"TrainConfig.Arch":    func() error { return fit(TrainConfig{Arch: arch, Train: images}) },
		"TrainConfig.Train":   func() error { return fit(TrainConfig{Arch: arch, Train: dataset}) },
		"SearchConfig.Events": func() error { return arg(SearchConfig{Space: space, OnEvent: func(Event) {}}) },
	}
}

func TestClosedObjectsSaySo(t *testing.T) {
	space, dataset, arch, search, model := everything(t)
	all := uses(t, space, dataset, arch, search, model)
	// A nil HeldOut means that there is none; a closed one is a mistake.
	all["SearchConfig.HeldOut"] = func() error {
		_, err := NewSearch(SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), HeldOut: dataset, Options: options(1)})
		return err
	}
	for range 2 {
		for _, object := range []interface{ Close() error }{space, dataset, arch, search, model} {
			if err := object.Close(); err != nil {
				t.Errorf("%T: %v", object, err)
			}
		}
	}
	for name, use := range all {
		t.Run(name, func(t *testing.T) {
			if e := fails(t, use(), ErrInvalidHandle); name != "Search.Cancel" && !strings.Contains(e.Message, "was freed") {
				t.Errorf("%q", e.Message)
			}
		})
	}
}

func TestNilObjectsSaySo(t *testing.T) {
	var (
		space   *Space
		dataset *Dataset
		arch    *Arch
		search  *Search
		model   *Model
	)
	for name, use := range uses(t, space, dataset, arch, search, model) {
		t.Run(name, func(t *testing.T) { fails(t, use(), ErrInvalidHandle) })
	}
	for name, use := range uses(t, &Space{}, &Dataset{}, &Arch{}, &Search{}, &Model{}) {
		t.Run("zero "+name, func(t *testing.T) { fails(t, use(), ErrInvalidHandle) })
	}
	for _, object := range []interface{ Close() error }{space, dataset, arch, search, model, &Space{}, &Search{}} {
		if err := object.Close(); err != nil {
			t.Errorf("%T: %v", object, err)
		}
	}
}

// What is made from an object does not need it any more.
func TestAnyOrderOfClosing(t *testing.T) {
	space, dataset, arch, search, model := everything(t)
	first, second, err := dataset.Split(0.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	defer second.Close()
	space.Close()
	dataset.Close()
	if _, err := arch.Cost(); err != nil {
		t.Error(err)
	}
	arch.Close()
	if _, err := model.Evaluate(t.Context(), second); err != nil {
		t.Error(err)
	}
	if _, err := search.Step(t.Context()); err != nil {
		t.Error(err)
	}
}

// Closing from other goroutines, again and again, while everything is in use.
func TestCloseWhileInUse(t *testing.T) {
	for range 5 {
		space, dataset, arch, search, model := everything(t)
		var group sync.WaitGroup
		for name, use := range uses(t, space, dataset, arch, search, model) {
			group.Add(1)
			go func() {
				defer group.Done()
				for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
					err := use()
					if errors.Is(err, ErrInvalidHandle) {
						return
					}
					if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCancelled) && !errors.Is(err, ErrBusy) && !errors.Is(err, ErrConfig) {
						t.Errorf("%s: %v", name, err)
						return
					}
				}
				t.Errorf("%s never saw the close", name)
			}()
		}
		time.Sleep(5 * time.Millisecond)
		for range 3 {
			group.Add(1)
			go func() {
				defer group.Done()
				for _, object := range []interface{ Close() error }{search, model, arch, space, dataset} {
					object.Close()
				}
			}()
		}
		group.Wait()
	}
}
