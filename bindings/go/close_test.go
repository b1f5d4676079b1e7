package nse

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// objects are one of each kind.
type objects struct {
	space   *Space
	dataset *Dataset
	arch    *Arch
	latency *Latency
	search  *Search
	model   *Model
}

// all of them, in an order that suits no one.
func (o objects) all() []io.Closer {
	return []io.Closer{o.search, o.model, o.arch, o.space, o.latency, o.dataset}
}

// everything makes one object of each kind, trained as little as possible.
func everything(t *testing.T) objects {
	t.Helper()
	o := objects{space: tinySpace(t), dataset: tinyDataset(t), latency: newLatencies(t), search: newSearch(t, options(1), nil)}
	var err error
	if o.arch, err = UniformArch(o.space, "conv_k3_t1"); err != nil {
		t.Fatal(err)
	}
	o.model, err = TrainModel(t.Context(), TrainConfig{Arch: o.arch, Train: o.dataset, Options: modelOptions(1)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// uses is every way to use the objects.
func uses(t *testing.T, o objects) map[string]func() error {
	ctx := t.Context()
	space, dataset, arch, latency, search, model := o.space, o.dataset, o.arch, o.latency, o.search, o.model
	good, images, table, uniform := tinySpace(t), tinyDataset(t), newLatencies(t), tinyArch(t)
	saved := filepath.Join(t.TempDir(), "saved")
	code, err := uniform.Code()
	if err != nil {
		t.Fatal(err)
	}
	if err := newSearch(t, options(1), nil).Save(t.Context(), saved); err != nil {
		t.Fatal(err)
	}
	arg := func(config SearchConfig) error {
		config.Options = options(1)
		_, err := NewSearch(t.Context(), config)
		return err
	}
	load := func(config SearchConfig) error { _, err := LoadSearch(t.Context(), saved, config); return err }
	fit := func(config TrainConfig) error { _, err := TrainModel(ctx, config); return err }
	return map[string]func() error{
		"Space.JSON":          func() error { _, err := space.JSON(); return err },
		"Space.Describe":      func() error { _, err := space.Describe(nil); return err },
		"ArchFromJSON":        func() error { _, err := ArchFromJSON(space, "{}"); return err },
		"UniformArch":         func() error { _, err := UniformArch(space, "conv_k3_t1"); return err },
		"Dataset.Info":        func() error { _, err := dataset.Info(); return err },
		"Dataset.Split":       func() error { _, _, err := dataset.Split(0.5, 0); return err },
		"Arch.JSON":           func() error { _, err := arch.JSON(); return err },
		"Arch.Cost":           func() error { _, err := arch.Cost(); return err },
		"Arch.Space":          func() error { _, err := arch.Space(); return err },
		"Arch.Describe":       func() error { _, err := arch.Describe(nil); return err },
		"Latency.Set":         func() error { return latency.Set("conv,28,64,64,3,1,1,1,64", 1) },
		"Latency.CSV":         func() error { _, err := latency.CSV(); return err },
		"Latency.JSON":        func() error { _, err := latency.JSON(); return err },
		"Latency.Missing":     func() error { _, err := latency.Missing(good); return err },
		"Latency.Arch":        func() error { _, err := latency.Arch(uniform); return err },
		"of Latency.Missing":  func() error { _, err := table.Missing(space); return err },
		"of Latency.Arch":     func() error { _, err := table.Arch(arch); return err },
		"MeasureConfig.Space": func() error { _, err := MeasureLatency(ctx, MeasureConfig{Space: space}); return err },
		"Search.Save":         func() error { return search.Save(t.Context(), t.TempDir()+"/checkpoint") },
		"Search.Space":        func() error { _, err := search.Space(); return err },
		"Search.Options":      func() error { _, err := search.Options(); return err },
		"LoadSearch.Train":    func() error { return load(SearchConfig{Train: dataset}) },
		"Search.Step":         func() error { _, err := search.Step(ctx); return err },
		"Search.Estimate":     func() error { _, err := search.Estimate(t.Context()); return err },
		"Search.Ask":          func() error { _, _, err := search.Ask(1); return err },
		"Search.Tell":         func() error { _, err := search.Tell(Result{Code: code}); return err },
		"Search.Forget":       func() error { return search.Forget(code) },
		"Search.Pending":      func() error { _, err := search.Pending(); return err },
		"Search.FrontUnder":   func() error { _, err := search.FrontUnder("params", nil); return err },
		"Space.Budget":        func() error { _, err := space.Budget(Budget{High: 1e9}, nil); return err },
		"Arch.Code":           func() error { _, err := arch.Code(); return err },
		"Arch.Draw":           func() error { _, err := arch.Draw("svg"); return err },
		"MeasureArch":         func() error { _, err := MeasureArch(t.Context(), arch, nil); return err },
		"ArchFromCode":        func() error { _, err := ArchFromCode(space, code); return err },
		"Search.Cancel":       func() error { return search.Cancel() },
		"Search.Status":       func() error { _, err := search.Status(); return err },
		"Search.Scores":       func() error { _, err := search.Scores(); return err },
		"Search.Active":       func() error { _, err := search.Active(); return err },
		"Search.Front":        func() error { _, err := search.Front(); return err },
		"Search.Best":         func() error { _, err := search.Best(1 << 40); return err },
		"Search.History":      func() error { _, err := search.History(); return err },
		"Search.Report":       func() error { _, err := search.Report("svg"); return err },
		"Model.Evaluate":      func() error { _, err := model.Evaluate(ctx, images); return err },
		"Model.Export":        func() error { return model.Export(t.Context(), "torchscript", t.TempDir()+"/m.pt") },
		"SearchConfig.Space":  func() error { return arg(SearchConfig{Space: space, Train: images}) },
		"SearchConfig.Train":  func() error { return arg(SearchConfig{Space: good, Train: dataset}) },
		"TrainConfig.Arch":    func() error { return fit(TrainConfig{Arch: arch, Train: images}) },
		"TrainConfig.Train":   func() error { return fit(TrainConfig{Arch: arch, Train: dataset}) },
		"SearchConfig.Events": func() error { return arg(SearchConfig{Space: space, Train: images, OnEvent: func(Event) {}}) },
	}
}

func TestClosedObjectsSaySo(t *testing.T) {
	o := everything(t)
	all := uses(t, o)
	// A nil HeldOut means that there is none; a closed one is a mistake. So it is with others.
	for name, change := range map[string]func(*SearchConfig){
		"HeldOut":   func(config *SearchConfig) { config.HeldOut = o.dataset },
		"Latency":   func(config *SearchConfig) { config.Latency = o.latency },
		"Continued": func(config *SearchConfig) { config.Continued = o.search },
	} {
		config := SearchConfig{Space: tinySpace(t), Train: tinyDataset(t), Options: options(1)}
		change(&config)
		all["SearchConfig."+name] = func() error { _, err := NewSearch(t.Context(), config); return err }
	}
	all["LoadSearch.Space"] = func() error {
		_, err := LoadSearch(t.Context(), "any", SearchConfig{Space: o.space, Train: tinyDataset(t)})
		return err
	}
	all["LoadSearch.Latency"] = func() error {
		_, err := LoadSearch(t.Context(), "any", SearchConfig{Train: tinyDataset(t), Latency: o.latency})
		return err
	}
	all["of Space.Describe"] = func() error { _, err := tinySpace(t).Describe(o.latency); return err }
	for range 2 {
		for _, object := range o.all() {
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
	var none objects
	zero := objects{&Space{}, &Dataset{}, &Arch{}, &Latency{}, &Search{}, &Model{}}
	for name, use := range uses(t, none) {
		t.Run(name, func(t *testing.T) { fails(t, use(), ErrInvalidHandle) })
	}
	for name, use := range uses(t, zero) {
		t.Run("zero "+name, func(t *testing.T) { fails(t, use(), ErrInvalidHandle) })
	}
	for _, object := range append(none.all(), zero.all()...) {
		if err := object.Close(); err != nil {
			t.Errorf("%T: %v", object, err)
		}
	}
}

// What is made from an object does not need it any more.
func TestAnyOrderOfClosing(t *testing.T) {
	o := everything(t)
	first, second, err := o.dataset.Split(0.25, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	defer second.Close()
	inner, err := o.search.Space()
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	o.space.Close()
	o.dataset.Close()
	if _, err := o.arch.Cost(); err != nil {
		t.Error(err)
	}
	outer, err := o.arch.Space()
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	o.arch.Close()
	if _, err := outer.Describe(nil); err != nil {
		t.Error(err)
	}
	if _, err := o.model.Evaluate(t.Context(), second); err != nil {
		t.Error(err)
	}
	if _, err := o.search.Step(t.Context()); err != nil {
		t.Error(err)
	}
	o.search.Close()
	if _, err := inner.Describe(nil); err != nil {
		t.Error(err)
	}
}

// ofAnotherKind: a search that trains is neither pushed into nor told.
func ofAnotherKind(err error) bool {
	return errors.Is(err, ErrInvalidArgument) && strings.Contains(err.Error(), "this search has datasets")
}

// Closing from other goroutines, again and again, while everything is in use.
func TestCloseWhileInUse(t *testing.T) {
	for range 5 {
		o := everything(t)
		var group sync.WaitGroup
		for name, use := range uses(t, o) {
			group.Add(1)
			go func() {
				defer group.Done()
				for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
					err := use()
					if errors.Is(err, ErrInvalidHandle) {
						return
					}
					if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCancelled) && !errors.Is(err, ErrBusy) &&
						!errors.Is(err, ErrConfig) && !errors.Is(err, ErrMissingLatency) && !ofAnotherKind(err) {
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
				for _, object := range o.all() {
					object.Close()
				}
			}()
		}
		group.Wait()
	}
}
