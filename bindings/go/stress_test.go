package nse

// Objects that only the call knows: with the build tag nse_gcstress the collector runs between the reading of a handle and its use,
// and takes every object that the call does not keep alive.

import (
	"errors"
	"path/filepath"
	"testing"
)

// fresh makes objects that nothing but the value it returns refers to.
type fresh struct{ *testing.T }

func must[T any](t *testing.T, value T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func (f fresh) space() *Space     { space, err := SpaceFromJSON(tiny); return must(f.T, space, err) }
func (f fresh) dataset() *Dataset { d, err := DatasetFromMemory(stripes(96)); return must(f.T, d, err) }
func (f fresh) latency() *Latency { l, err := NewLatency("ms"); return must(f.T, l, err) }

func (f fresh) arch() *Arch {
	arch, err := UniformArch(f.space(), "conv_k3_t1")
	return must(f.T, arch, err)
}

func (f fresh) search() *Search {
	search, err := NewSearch(f.Context(), SearchConfig{Space: f.space(), Train: f.dataset(), Options: options(1)})
	return must(f.T, search, err)
}

func (f fresh) told() *Search {
	search, err := NewSearch(f.Context(), SearchConfig{Space: f.space(), Told: true, Options: options(1)})
	return must(f.T, search, err)
}

func (f fresh) pushed() *Search {
	search, err := NewSearch(f.Context(), SearchConfig{Space: f.space(), Pushed: true, Options: pushedOptions()})
	return must(f.T, search, err)
}

func (f fresh) model() *Model {
	model, err := TrainModel(f.Context(), TrainConfig{Arch: f.arch(), Train: f.dataset(), Options: modelOptions(1)})
	return must(f.T, model, err)
}

func TestNothingIsFreedUnderACall(t *testing.T) {
	f, ctx := fresh{t}, t.Context()
	path := filepath.Join(t.TempDir(), "file")
	short, err := tinyArch(t).Code()
	if err != nil {
		t.Fatal(err)
	}
	batch, _ := newLoader().load(Pushed{Next: PhaseWeight, Epoch: 1})
	for name, call := range map[string]func() error{
		"Space.JSON":        func() error { _, err := f.space().JSON(); return err },
		"Space.Describe":    func() error { _, err := f.space().Describe(nil); return err },
		"Describe(Latency)": func() error { _, err := f.space().Describe(f.latency()); return err },
		"Space.Budget":      func() error { _, err := f.space().Budget(Budget{High: 1e9}, nil); return err },
		"Budget(Latency)":   func() error { _, err := f.space().Budget(Budget{"latency", 0, 1}, f.latency()); return err },
		"ArchFromJSON":      func() error { _, err := ArchFromJSON(f.space(), `{"cells": [[], ["conv_k3_t1"], []]}`); return err },
		"ArchFromCode":      func() error { _, err := ArchFromCode(f.space(), short); return err },
		"UniformArch":       func() error { _, err := UniformArch(f.space(), "conv_k3_t1"); return err },
		"Dataset.Info":      func() error { _, err := f.dataset().Info(); return err },
		"Dataset.Split":     func() error { _, _, err := f.dataset().Split(0.5, 1); return err },
		"Arch.JSON":         func() error { _, err := f.arch().JSON(); return err },
		"Arch.Cost":         func() error { _, err := f.arch().Cost(); return err },
		"Arch.Space":        func() error { _, err := f.arch().Space(); return err },
		"Arch.Code":         func() error { _, err := f.arch().Code(); return err },
		"Arch.Describe":     func() error { _, err := f.arch().Describe(nil); return err },
		"Latency.Set":       func() error { return f.latency().Set("conv,28,64,64,3,1,1,1,64", 1) },
		"Latency.CSV":       func() error { _, err := f.latency().CSV(); return err },
		"Latency.Missing":   func() error { _, err := f.latency().Missing(f.space()); return err },
		"Latency.Arch":      func() error { _, err := f.latency().Arch(f.arch()); return err },
		"MeasureLatency": func() error {
			_, err := MeasureLatency(ctx, MeasureConfig{Space: f.space(), Options: measureOptions})
			return err
		},
		"Search.Step":     func() error { _, err := f.search().Step(ctx); return err },
		"Search.Save":     func() error { return f.search().Save(ctx, path) },
		"Search.Estimate": func() error { _, err := f.search().Estimate(ctx); return err },
		"Search.Cancel":   func() error { return f.search().Cancel() },
		"Search.Space":    func() error { _, err := f.search().Space(); return err },
		"Search.Options":  func() error { _, err := f.search().Options(); return err },
		"Search.Status":   func() error { _, err := f.search().Status(); return err },
		"Search.Scores":   func() error { _, err := f.search().Scores(); return err },
		"Search.Active":   func() error { _, err := f.search().Active(); return err },
		"Search.Front":    func() error { _, err := f.search().Front(); return err },
		"Front(Latency)":  func() error { _, err := f.search().FrontUnder("latency", f.latency()); return err },
		"Search.Best":     func() error { _, err := f.search().Best(1e9); return err },
		"Search.History":  func() error { _, err := f.search().History(); return err },
		"Search.Report":   func() error { _, err := f.search().Report("svg"); return err },
		"Search.Ask":      func() error { _, _, err := f.told().Ask(1); return err },
		"Search.Tell":     func() error { _, err := f.told().Tell(Result{Code: short}); return err },
		"Search.Forget":   func() error { return f.told().Forget(short) },
		"Search.Pending":  func() error { _, err := f.told().Pending(); return err },
		"Search.Next":     func() error { _, err := f.pushed().Next(); return err },
		"Search.Push":     func() error { _, err := f.pushed().Push(ctx, PhaseWeight, batch); return err },
		"Model.Evaluate":  func() error { _, err := f.model().Evaluate(ctx, f.dataset()); return err },
		"Model.Export":    func() error { return f.model().Export(ctx, "torchscript", path) },
		"FrontArchs": func() error {
			for _, err := range f.search().FrontArchs() {
				return err
			}
			return nil
		},
		"Run": func() error {
			for _, err := range f.search().Run(ctx) {
				return err
			}
			return nil
		},
		"Continued and Start": func() error {
			_, err := NewSearch(ctx, SearchConfig{Space: f.space(), Train: f.dataset(), HeldOut: f.dataset(), Options: options(1), Start: []*Arch{f.arch(), f.arch()}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrMissingLatency) {
				t.Error(err)
			}
		})
	}
}
