package nse

// What is freed, and when: by Close, by the collector, by the call itself.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/cgo"
	"strings"
	"testing"
	"time"
	"weak"
)

// The net: a forgotten object is freed by the garbage collector. A second value with the same handle, which holds
// nothing, sees it.
func TestForgottenObjectsAreFreed(t *testing.T) {
	freed := func(o objects) map[string]func() error {
		spy := uses(t, objects{&Space{ptr: o.space.ptr}, &Dataset{ptr: o.dataset.ptr}, &Arch{ptr: o.arch.ptr},
			&Latency{ptr: o.latency.ptr}, &Search{ptr: o.search.ptr}, &Model{ptr: o.model.ptr}})
		return map[string]func() error{
			"Space": spy["Space.Describe"], "Dataset": spy["Dataset.Info"], "Arch": spy["Arch.Cost"],
			"Latency": spy["Latency.CSV"], "Search": spy["Search.Status"], "Model": spy["Model.Evaluate"],
		}
	}
	// Not those of everything(), which the end of the test would close.
	spies := func() map[string]func() error {
		space, err := SpaceFromJSON(tiny)
		if err != nil {
			t.Fatal(err)
		}
		dataset, err := DatasetFromMemory(stripes(96))
		if err != nil {
			t.Fatal(err)
		}
		arch, err := UniformArch(space, "conv_k3_t1")
		if err != nil {
			t.Fatal(err)
		}
		latency, err := NewLatency("ms")
		if err != nil {
			t.Fatal(err)
		}
		search, err := NewSearch(t.Context(), SearchConfig{Space: space, Train: dataset, Options: options(1)})
		if err != nil {
			t.Fatal(err)
		}
		model, err := TrainModel(t.Context(), TrainConfig{Arch: arch, Train: dataset, Options: modelOptions(1)})
		if err != nil {
			t.Fatal(err)
		}
		o := objects{space, dataset, arch, latency, search, model}
		spies := freed(o)
		for name, spy := range spies {
			if err := spy(); err != nil {
				t.Fatalf("%s, in use: %v", name, err)
			}
		}
		runtime.KeepAlive(o)
		return spies
	}()
	for name, spy := range spies {
		eventually(t, name+" is freed", func() bool { return errors.Is(spy(), ErrInvalidHandle) })
	}
}

// The callback is given back: by Close, by the collector, when a search cannot be made, after a training or a measuring. And a callback
// that uses its own search does not keep it alive.
func TestCallbacksAreGivenBack(t *testing.T) {
	isFreed := func(handle cgo.Handle) (freed bool) {
		defer func() { freed = recover() != nil }()
		handle.Value()
		return
	}
	search := newSearch(t, options(1), func(Event) {})
	handle := search.listener.handle
	if isFreed(handle) {
		t.Fatal("freed in use")
	}
	if search.Close(); !isFreed(handle) {
		t.Error("not freed by Close")
	}
	forgotten := func() weak.Pointer[listener] {
		var search *Search
		search, err := NewSearch(t.Context(), SearchConfig{
			Space: tinySpace(t), Train: tinyDataset(t), Options: options(1), OnEvent: func(Event) { search.Cancel() },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := search.Step(t.Context()); !errors.Is(err, ErrCancelled) {
			t.Fatal(err)
		}
		return weak.Make(search.listener)
	}()
	eventually(t, "the callback of a forgotten search is freed", func() bool { return forgotten.Value() == nil })

	// The next handle is the last one and one more: nothing else makes handles meanwhile.
	last := cgo.NewHandle(0)
	last.Delete()
	if _, err := NewSearch(t.Context(), SearchConfig{Space: tinySpace(t), Options: options(1)}); !errors.Is(err, ErrInvalidHandle) {
		t.Fatal(err)
	}
	if !isFreed(last + 1) {
		t.Error("not freed when a search could not be made")
	}
	arch, err := UniformArch(tinySpace(t), "conv_k3_t1")
	if err != nil {
		t.Fatal(err)
	}
	defer arch.Close()
	model, err := TrainModel(t.Context(), TrainConfig{Arch: arch, Train: tinyDataset(t), Options: modelOptions(1)})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	if !isFreed(last + 2) {
		t.Error("not freed after a training")
	}
	latency, err := MeasureLatency(t.Context(), MeasureConfig{Space: tinySpace(t), Options: measureOptions})
	if err != nil {
		t.Fatal(err)
	}
	defer latency.Close()
	if !isFreed(last + 3) {
		t.Error("not freed after a measuring")
	}
	if _, err := LoadSearch(t.Context(), "", SearchConfig{Train: tinyDataset(t)}); !errors.Is(err, ErrIO) {
		t.Fatal(err)
	}
	if !isFreed(last + 4) {
		t.Error("not freed when a search could not be loaded")
	}
	for i, count := range []int{6, 0} {
		source := copying(stripes(6))
		source.Images = count
		dataset, err := DatasetFromSource(t.Context(), source)
		if dataset != nil {
			defer dataset.Close()
		}
		if (err == nil) != (count > 0) || !isFreed(last+cgo.Handle(5+i)) {
			t.Errorf("not freed after a source of %d images, or %v", count, err)
		}
	}
}

// A search that only the running step knows is not collected under it.
func TestCollectionDuringAStep(t *testing.T) {
	collect := func(event Event) {
		if event.Step < 4 {
			runtime.GC()
			time.Sleep(5 * time.Millisecond)
		}
	}
	step := func() func(context.Context) (bool, error) {
		search, err := NewSearch(t.Context(), SearchConfig{
			Space: tinySpace(t), Train: tinyDataset(t), Options: options(1), OnEvent: collect,
		})
		if err != nil {
			t.Fatal(err)
		}
		return search.Step
	}()
	if _, err := step(t.Context()); err != nil {
		t.Error(err)
	}
}

// Memory of the library that no object holds: errors and texts are freed by the call that reads them.
func TestErrorsAndTextsAreFreed(t *testing.T) {
	const rounds, size = 40, 1 << 20
	long := strings.Repeat("x", size)
	space, err := SpaceFromJSON(with(tiny, "name", long))
	if err != nil {
		t.Fatal(err)
	}
	defer space.Close()
	unknown := fmt.Sprintf("{%q: 1}", long)
	use := func() {
		_, err := SpacePreset("nse-27-small", unknown)
		if e := fails(t, err, ErrConfig); len(e.Message) < size {
			t.Fatal("not a long error")
		}
		if text, err := space.JSON(); err != nil || len(text) < size {
			t.Fatal("not a long text", err)
		}
		runtime.GC()
	}
	for range 5 {
		use()
	}
	before := resident(t)
	for range rounds {
		use()
	}
	if grown := resident(t) - before; grown > rounds*size/2 {
		t.Errorf("grew by %d MiB", grown>>20)
	}
}

// resident memory of this process, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var all, pages int
	if _, err := fmt.Sscan(string(text), &all, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
